using Culvert.Core;
using Culvert.Ppp.Authentication;
using Culvert.Ppp.Wire;

namespace Culvert.Ppp;

/// <summary>
/// Authentication on one link: the engine that judges the peer and the engine that answers it, either of which may be absent.
/// </summary>
internal sealed class Authenticator(PppLinkSettings settings, IRandomSource random)
{
    /// <summary>How long a lost verdict can still be asked for; then the engine that judged goes, and with it its memory.</summary>
    private static readonly TimeSpan VerdictMemory = TimeSpan.FromSeconds(60);

    private AuthenticationProtocol? _judging;
    private AuthenticationProtocol? _answering;
    private AuthenticationRequest? _reported;
    private byte[]? _response;
    private AuthenticationRequest? _proxied;
    private byte? _firstIdentifier;
    private Timestamp _forgetAt = Timestamp.Never;

    public string PeerName { get; private set; } = "";

    public AuthenticationMethod? PeerMethod { get; private set; }

    public AuthenticationMethod? LocalMethod { get; private set; }

    public AuthenticationRequest? Request => _judging?.Request;

    public bool IsDone => _judging is null or { HasSucceeded: true } && _answering is null or { HasSucceeded: true };

    public string? Failure => _judging?.Failure ?? _answering?.Failure;

    /// <summary>True when the failure is this end's view of the peer, not the peer's of this end.</summary>
    public bool HasPeerFailed => _judging?.Failure is not null;

    public Timestamp NextDeadline => Timestamp.Min(
        _forgetAt, Timestamp.Min(_judging?.NextDeadline ?? Timestamp.Never, _answering?.NextDeadline ?? Timestamp.Never));

    /// <summary>
    /// What an access concentrator has done: the next <see cref="Open"/> takes <paramref name="request"/> over (null: there is none), and
    /// any challenge of this end has another identifier than its.
    /// </summary>
    public void Prepare(AuthenticationRequest? request, byte? usedIdentifier)
    {
        _proxied = request;
        _firstIdentifier = usedIdentifier is byte used ? (byte)(used + 1) : null;
    }

    public void Open(AuthenticationMethod? peerMethod, AuthenticationMethod? localMethod, Timestamp now)
    {
        Close();
        PeerName = "";
        PeerMethod = peerMethod;
        LocalMethod = localMethod;
        if (peerMethod is { } judged)
        {
            _judging = AuthenticationProtocol.CreateAuthenticator(judged, settings.Authentication, random, _firstIdentifier);
            if (_proxied is not { } proxied || !_judging.TryAdopt(proxied))
            {
                _judging.Open(now);
            }
        }

        _proxied = null;
        _firstIdentifier = null;
        if (localMethod is { } answered && settings.Credentials is { } credentials)
        {
            _answering = AuthenticationProtocol.CreatePeer(answered, credentials, settings.Authentication, random);
            _answering.Open(now);
        }
    }

    public void Close()
    {
        _judging?.Close();
        _answering?.Close();
        _judging = null;
        _answering = null;
        _reported = null;
        _response = null;
        _forgetAt = Timestamp.Never;
    }

    /// <summary>Whether packets of <paramref name="protocol"/> are part of what was agreed on.</summary>
    public bool Speaks(PppProtocol protocol) => Carries(_judging, protocol) || Carries(_answering, protocol);

    /// <summary>Hands a packet to the engines of its protocol; false when there is none.</summary>
    public bool TryReceive(PppProtocol protocol, ReadOnlySpan<byte> packet, Timestamp now)
    {
        if (!Speaks(protocol) && !TrySwitchToChap(protocol, now))
        {
            return false;
        }

        if (Carries(_judging, protocol))
        {
            _judging!.Receive(packet, now);
        }

        if (Carries(_answering, protocol))
        {
            _answering!.Receive(packet, now);
        }

        return true;
    }

    public void Advance(Timestamp now)
    {
        _judging?.Advance(now);
        _answering?.Advance(now);
        if (now >= _forgetAt)
        {
            _forgetAt = Timestamp.Never;
            _judging = null;
        }
    }

    public void Decide(AuthenticationRequest request, AuthenticationVerdict verdict, Timestamp now)
    {
        if (_judging is null || !ReferenceEquals(_judging.Request, request))
        {
            return;
        }

        string name = request.Name;
        _judging.Decide(request, verdict, now);
        PeerName = _judging.HasSucceeded ? name : PeerName;
    }

    /// <summary>The request that the owner has not been told of yet.</summary>
    public bool TryTakeRequest(out AuthenticationRequest? request)
    {
        request = Request;
        bool isNew = request is not null && !ReferenceEquals(request, _reported);
        _reported = request;
        return isNew;
    }

    /// <summary>Moves what the engines have to say to the link's queue, so that it keeps its place among the other frames.</summary>
    public void Pump(PppLink link)
    {
        Span<byte> packet = stackalloc byte[AuthenticationProtocol.MaxPacketSize];
        while (_judging is { } judging && judging.TryTransmit(packet, out int length))
        {
            link.SendAuthentication(judging.Method, packet[..length]);
        }

        while (_answering is { } answering && answering.TryTransmit(packet, out int length))
        {
            link.SendAuthentication(answering.Method, packet[..length]);
            _response = answering.Method != AuthenticationMethod.Pap ? packet[..length].ToArray() : null;
        }
    }

    /// <summary>Sends the last CHAP Response again, if its verdict is still waited for (RFC 1994 section 4.1: it gets the same one).</summary>
    public void RepeatResponse(PppLink link)
    {
        if (_response is { } response && _answering is { State: AuthenticationState.Pending } answering)
        {
            link.SendAuthentication(answering.Method, response);
        }
    }

    /// <summary>Both directions are done: keeps only what a lost verdict or a new challenge may need.</summary>
    public void Relax(Timestamp now)
    {
        _response = null;
        if (_answering is { Method: AuthenticationMethod.Pap })
        {
            _answering = null;
        }

        if (_judging is { NextDeadline: var next } && next == Timestamp.Never)
        {
            _forgetAt = now + VerdictMemory;
        }
    }

    public string DescribeWait() => _judging switch
    {
        { State: AuthenticationState.AwaitingVerdict, Request: { } request } => $"no verdict on '{request.Name}'",
        { HasSucceeded: false } judging => $"the peer did not answer ({judging.Method.DisplayName()})",
        _ => $"no answer to this end's {LocalMethod?.DisplayName()}",
    };

    private static bool Carries(AuthenticationProtocol? engine, PppProtocol protocol) =>
        engine is not null && engine.Method.ProtocolNumber() == (ushort)protocol;

    /// <summary>
    /// Some CPE use CHAP after they acknowledged PAP. Where CHAP is acceptable too it is the better method, so it is taken up: the
    /// peer is challenged. Never the other way round.
    /// </summary>
    private bool TrySwitchToChap(PppProtocol protocol, Timestamp now)
    {
        if (protocol != PppProtocol.Chap || _judging is not { Method: AuthenticationMethod.Pap, HasSucceeded: false, Request: null })
        {
            return false;
        }

        foreach (AuthenticationMethod method in settings.AuthenticatePeer)
        {
            if (method != AuthenticationMethod.Pap)
            {
                _judging = AuthenticationProtocol.CreateAuthenticator(method, settings.Authentication, random);
                _judging.Open(now);
                PeerMethod = method;
                return true;
            }
        }

        return false;
    }
}
