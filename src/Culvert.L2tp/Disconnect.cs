using System.Text;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>Who ended a tunnel or session.</summary>
public enum DisconnectOrigin : byte
{
    /// <summary>This end, by its owner or because of what the peer sent.</summary>
    Local = 0,

    /// <summary>The peer, with a StopCCN or CDN.</summary>
    Peer,

    /// <summary>Nobody: the peer could not be reached any more, or did not finish what it began.</summary>
    Timeout,
}

/// <summary>Why a tunnel or session ended: what a StopCCN or CDN said or shall say (RFC 2661 section 4.4.2).</summary>
public sealed record Disconnect
{
    private Disconnect(MessageType carrier, ushort result, ErrorCode error, string message)
    {
        Carrier = carrier;
        Result = result;
        Error = error;
        Message = message;
    }

    /// <summary>StopCCN when the whole tunnel ends, CDN when one session does: decides what <see cref="Result"/> means.</summary>
    public MessageType Carrier { get; }

    /// <summary>A <see cref="StopCcnResult"/> or <see cref="CdnResult"/>, by <see cref="Carrier"/>.</summary>
    public ushort Result { get; private init; }

    public ErrorCode Error { get; private init; }

    /// <summary>The Error Message, safe to log; empty for none.</summary>
    public string Message { get; }

    public DisconnectOrigin Origin { get; init; }

    /// <summary>Why PPP ended (RFC 3145); null when not said. Only in a CDN.</summary>
    public PppDisconnectCause? PppCause { get; init; }

    /// <summary>Why the line ended, as the telephone network said it; null when not said. Only in a CDN.</summary>
    public Q931Cause? Q931 { get; init; }

    /// <summary>True when the whole tunnel ended.</summary>
    public bool IsTunnel => Carrier == MessageType.StopCcn;

    /// <summary>An end of a tunnel.</summary>
    public static Disconnect OfTunnel(StopCcnResult result, string message = "") => OfTunnel(result, ErrorCode.None, message);

    public static Disconnect OfTunnel(StopCcnResult result, ErrorCode error, string message = "") =>
        new(MessageType.StopCcn, (ushort)result, error, message);

    /// <summary>An end of a session.</summary>
    public static Disconnect OfSession(CdnResult result, string message = "") => OfSession(result, ErrorCode.None, message);

    public static Disconnect OfSession(CdnResult result, ErrorCode error, string message = "") =>
        new(MessageType.Cdn, (ushort)result, error, message);

    internal static Disconnect FromPeer(MessageType carrier, in ResultCodeValue code) =>
        new(carrier, code.Result, code.Error, SafeText.ToString(code.Message)) { Origin = DisconnectOrigin.Peer };

    /// <summary>A peer that ended something without a readable Result Code.</summary>
    internal static Disconnect FromPeer(MessageType carrier) =>
        new(carrier, 0, ErrorCode.None, "without a result code") { Origin = DisconnectOrigin.Peer };

    internal Disconnect AsTimeout() => this with { Origin = DisconnectOrigin.Timeout };

    /// <summary>
    /// The same refusal for a LAC that tries its next LNS on result 2 only (<see cref="TunnelSettings.RefuseWithGeneralError"/>).
    /// </summary>
    internal Disconnect AsGeneralError()
    {
        ErrorCode? error = (CdnResult)Result switch
        {
            CdnResult.NoFacilitiesTemporary or CdnResult.NoFacilitiesPermanent => ErrorCode.InsufficientResources,
            CdnResult.InvalidDestination => ErrorCode.TryAnother,
            _ => null,
        };
        return error is { } general && !IsTunnel ? this with { Result = (ushort)CdnResult.GeneralError, Error = general } : this;
    }

    /// <summary>In words: "closed by the peer: requester is being shut down (StopCCN 6)".</summary>
    public override string ToString()
    {
        var text = new StringBuilder(Origin switch
        {
            DisconnectOrigin.Peer => "closed by the peer: ",
            DisconnectOrigin.Timeout => "timed out: ",
            _ => "closed here: ",
        });
        text.Append(ResultCodes.Describe(Carrier, Result));
        if (Error != ErrorCode.None)
        {
            text.Append(", ").Append(Error.Describe());
        }

        if (Message.Length > 0)
        {
            text.Append(": ").Append(Message);
        }

        if (Q931 is not null)
        {
            text.Append("; ").Append(Q931);
        }

        if (PppCause is not null)
        {
            text.Append("; ").Append(PppCause);
        }

        text.Append(" (").Append(Carrier.Name()).Append(' ').Append(Result);
        return (Error == ErrorCode.None ? text.Append(')') : text.Append('/').Append((ushort)Error).Append(')')).ToString();
    }
}
