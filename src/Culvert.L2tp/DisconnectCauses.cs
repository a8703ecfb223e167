using System.Buffers.Binary;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>Which side of PPP a <see cref="PppDisconnectCause"/> is about (RFC 3145 section 2).</summary>
public enum PppDisconnectDirection : byte
{
    Global = 0,
    AtPeer,
    AtLocal,
}

/// <summary>Why PPP ended, in a CDN (RFC 3145).</summary>
/// <param name="Code">Disconnect Code of section 3.</param>
/// <param name="Protocol">The PPP control protocol concerned, such as 0xC021; 0 for none.</param>
/// <param name="Direction">Which side.</param>
/// <param name="Message">In words, safe to log; empty for none.</param>
public sealed record PppDisconnectCause(ushort Code, ushort Protocol, PppDisconnectDirection Direction, string Message = "")
{
    private const int FixedSize = 5;

    private static readonly string[] Words =
    [
        "no information", "administrative", "LNS wants proxy LCP and got none", "normal, Terminate-Request", "encryption refused",
        "LCP timeout", "no LCP packets", "looped back", "echo requests not answered", "other endpoint discriminator in the bundle",
        "other MRRU in the bundle", "other short sequence numbers in the bundle", "call-back refused", "authentication timeout",
        "other name in the bundle", "authentication protocol unacceptable", "authentication failed", "network protocol timeout",
        "no network protocol is up", "no acceptable address", "user may use no address",
    ];

    public override string ToString()
    {
        string words = Code < Words.Length ? Words[Code] : "unknown";
        string protocol = Protocol == 0 ? string.Empty : $", protocol 0x{Protocol:x4}";
        string side = Direction switch
        {
            PppDisconnectDirection.AtPeer => ", at peer",
            PppDisconnectDirection.AtLocal => ", at local",
            _ => string.Empty,
        };
        return $"PPP cause {Code} {words}{protocol}{side}{(Message.Length == 0 ? string.Empty : ": " + Message)}";
    }

    internal static PppDisconnectCause? Read(in ControlMessage cdn) =>
        cdn.TryGetBytes(AvpType.PppDisconnectCauseCode, out ReadOnlySpan<byte> value)
            ? new(
                BinaryPrimitives.ReadUInt16BigEndian(value), BinaryPrimitives.ReadUInt16BigEndian(value[2..]),
                (PppDisconnectDirection)value[4], DisconnectText.Read(value[FixedSize..]))
            : null;

    internal void Write(ref ControlMessageWriter writer)
    {
        Span<byte> value = stackalloc byte[FixedSize + DisconnectText.Limit];
        BinaryPrimitives.WriteUInt16BigEndian(value, Code);
        BinaryPrimitives.WriteUInt16BigEndian(value[2..], Protocol);
        value[4] = (byte)Direction;
        writer.WriteBytes(AvpType.PppDisconnectCauseCode, value[..(FixedSize + DisconnectText.Write(Message, value[FixedSize..]))]);
    }
}

/// <summary>Why the line ended, as the telephone network said it, in a CDN (RFC 2661 section 4.4.3).</summary>
/// <param name="Cause">Cause Code of ITU-T Q.931.</param>
/// <param name="CauseMessage">The Q.931 message that carried it.</param>
/// <param name="Advisory">In words, safe to log; empty for none.</param>
public sealed record Q931Cause(ushort Cause, byte CauseMessage, string Advisory = "")
{
    private const int FixedSize = 3;

    public override string ToString() => $"Q.931 cause {Cause}{(Advisory.Length == 0 ? string.Empty : ": " + Advisory)}";

    internal static Q931Cause? Read(in ControlMessage cdn) => cdn.TryGetBytes(AvpType.Q931CauseCode, out ReadOnlySpan<byte> value)
        ? new(BinaryPrimitives.ReadUInt16BigEndian(value), value[2], DisconnectText.Read(value[FixedSize..])) : null;

    internal void Write(ref ControlMessageWriter writer)
    {
        Span<byte> value = stackalloc byte[FixedSize + DisconnectText.Limit];
        BinaryPrimitives.WriteUInt16BigEndian(value, Cause);
        value[2] = CauseMessage;
        writer.WriteBytes(AvpType.Q931CauseCode, value[..(FixedSize + DisconnectText.Write(Advisory, value[FixedSize..]))]);
    }
}

internal static class DisconnectText
{
    /// <summary>Octets of an advisory text that are sent or kept.</summary>
    public const int Limit = 128;

    public static string Read(ReadOnlySpan<byte> octets) => SafeText.ToString(octets[..Math.Min(octets.Length, Limit)]);

    public static int Write(string text, Span<byte> target)
    {
        _ = System.Text.Unicode.Utf8.FromUtf16(text, target[..Math.Min(target.Length, Limit)], out _, out int written);
        return written;
    }
}
