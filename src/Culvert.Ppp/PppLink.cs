using Culvert.Core;
using Culvert.Ppp.Authentication;
using Culvert.Ppp.Wire;

namespace Culvert.Ppp;

/// <summary>
/// One PPP link, either end of it: LCP, authentication in both directions, and the network protocols (RFC 1661 section 3.2). It
/// takes and gives PPP control frames as L2TP carries them; IP never comes here. It follows the engines' contract: after every call
/// drain <see cref="TryNextEvent"/> and <see cref="TryTransmit"/>, then read <see cref="NextDeadline"/>.
/// <para>
/// When the peer negotiates LCP anew, the link begins again: NetworkDown, then the events of establishment once more.
/// </para>
/// </summary>
public sealed partial class PppLink
{
    /// <summary>Events that nobody fetched: one call makes a few, so more means that the owner does not drain.</summary>
    private const int EventLimit = 16;

    private readonly PppLinkSettings _settings;
    private readonly IRandomSource _random;
    private readonly Lcp _lcp;
    private readonly Authenticator _authentication;
    private readonly FrameQueue _frames = new();
    private readonly BoundedQueue<PppLinkEvent> _events = new(EventLimit);
    private NetworkProtocol[] _networks = [];
    private byte[]? _earlyRequest;
    private Keepalive _keepalive;
    private Timestamp _phaseEndsAt = Timestamp.Never;
    private Timestamp _rejectsSince;
    private string _closeText = "";
    private PppProtocol _closeProtocol;
    private LinkCloseReason _closeReason;
    private byte _rejectsSent;
    private byte _identificationsSeen;
    private bool _isEchoRefused;
    private bool _isRefusedHere;
    private bool _hasOpened;

    /// <param name="settings">Shared by all links of a profile.</param>
    /// <param name="random">Source of magic numbers and challenges; must not be predictable in a node.</param>
    public PppLink(PppLinkSettings settings, IRandomSource random)
    {
        _settings = settings;
        _random = random;
        _lcp = new Lcp(this, settings, random);
        _authentication = new Authenticator(settings, random);
        _keepalive.Stop();
    }

    public PppPhase Phase { get; private set; }

    /// <summary>Largest information field (IP packet) that the peer takes, in octets; 1500 unless it said otherwise.</summary>
    public ushort PeerMru => _lcp.PeerMru;

    /// <summary>Largest information field that the peer was told to send.</summary>
    public ushort LocalMru => _lcp.LocalMru;

    /// <summary>What may be left out in front of data for the peer (RFC 1661 sections 6.5 and 6.6).</summary>
    public PppFraming TransmitFraming => _lcp.TransmitFraming;

    /// <summary>Name under which the peer was accepted; empty when it did not have to show who it is.</summary>
    public string PeerName => _authentication.PeerName;

    /// <summary>How the peer shows who it is; null: not at all.</summary>
    public AuthenticationMethod? PeerMethod => _authentication.PeerMethod;

    /// <summary>How this end shows who it is; null: not at all.</summary>
    public AuthenticationMethod? LocalMethod => _authentication.LocalMethod;

    /// <summary>What waits for <see cref="Decide(AuthenticationRequest, AuthenticationVerdict, Timestamp)"/>; null when nothing does.</summary>
    public AuthenticationRequest? PendingRequest => _authentication.Request;

    /// <summary>What the peer last said that it is (RFC 1570 section 2.1), printable; empty when it said nothing.</summary>
    public string PeerIdentification { get; private set; } = "";

    /// <summary>True while IPCP is open.</summary>
    public bool IsNetworkUp => Ipcp is { IsOpened: true };

    /// <summary>What IPCP agreed on; null while it is not open.</summary>
    public IpcpResult? IpcpResult => Ipcp is { IsOpened: true } ipcp ? ipcp.Result : null;

    /// <summary>Address of this end inside the link; none while IPCP is not open.</summary>
    public IpAddress LocalAddress => IpcpResult?.Local ?? default;

    /// <summary>Address of the peer inside the link; none while IPCP is not open.</summary>
    public IpAddress PeerAddress => IpcpResult?.Peer ?? default;

    /// <summary>Frames that were malformed, out of place or of an unknown protocol.</summary>
    public long Discarded { get; private set; }

    /// <summary>Frames to be sent that were dropped because the owner did not pull.</summary>
    public long Dropped => _frames.Dropped;

    public Timestamp NextDeadline
    {
        get
        {
            Timestamp next = Timestamp.Min(_lcp.NextDeadline, _authentication.NextDeadline);
            next = Timestamp.Min(next, Timestamp.Min(_phaseEndsAt, _keepalive.NextDeadline));
            foreach (NetworkProtocol network in _networks)
            {
                next = Timestamp.Min(next, network.NextDeadline);
            }

            return next;
        }
    }

    private Ipcp? Ipcp => _networks.Length > 0 ? _networks[0] as Ipcp : null;

    /// <summary>The session below is there: begins to negotiate. Ignored on a link that is not Dead.</summary>
    public void Open(Timestamp now)
    {
        if (TryBegin(now))
        {
            _lcp.Up(now);
        }
    }

    /// <summary>Takes one frame in any form that <see cref="PppFrame.TryRead"/> reads.</summary>
    public void Receive(ReadOnlySpan<byte> frame, Timestamp now)
    {
        if (Phase == PppPhase.Dead)
        {
            return;
        }

        if (!PppFrame.TryRead(frame, out PppProtocol protocol, out ReadOnlySpan<byte> information))
        {
            Discarded++;
            return;
        }

        _keepalive.Heard(now);
        switch (protocol)
        {
            case PppProtocol.Lcp:
                Discarded += _lcp.Receive(information, now) ? 0 : 1;
                _lcp.CheckLoop(now);
                break;
            case PppProtocol.Pap or PppProtocol.Chap:
                ReceiveAuthentication(protocol, information, now);
                break;
            case PppProtocol.IPv4:
                // Data that outran the data plane's knowledge of the session. Nothing to answer.
                Discarded++;
                break;
            default:
                ReceiveNetwork(protocol, information, now);
                break;
        }
    }

    public void Advance(Timestamp now)
    {
        if (Phase == PppPhase.Dead)
        {
            return;
        }

        _lcp.Advance(now);
        foreach (NetworkProtocol network in _networks)
        {
            network.Advance(now);
        }

        if (_authentication.NextDeadline <= now)
        {
            _authentication.Advance(now);
            FollowAuthentication(isTimeout: true, now);
        }

        if (_phaseEndsAt <= now)
        {
            EndPhase(now);
        }

        AskPeer(now);
    }

    /// <summary>
    /// Gives the next frame; false when there is none (or, keeping it, when the buffer is too small: 1508 octets always do).
    /// </summary>
    public bool TryTransmit(Span<byte> buffer, out int length) => _frames.TryDequeue(buffer, out length);

    /// <summary>Frames wait to be pulled.</summary>
    public bool HasFrames => !_frames.IsEmpty;

    public bool TryNextEvent(out PppLinkEvent linkEvent) => _events.TryDequeue(out linkEvent);

    /// <summary>Answers the request that waits. Ignored when none does.</summary>
    public void Decide(AuthenticationVerdict verdict, Timestamp now)
    {
        if (_authentication.Request is { } request)
        {
            Decide(request, verdict, now);
        }
    }

    /// <summary>Answers <paramref name="request"/>; ignored when it is no longer the one that waits (a server's answer came late).</summary>
    public void Decide(AuthenticationRequest request, AuthenticationVerdict verdict, Timestamp now)
    {
        if (Phase is PppPhase.Authenticate or PppPhase.Network)
        {
            _authentication.Decide(request, verdict, now);
            FollowAuthentication(isTimeout: false, now);
        }
    }

    /// <summary>Answers NetworkRequested: negotiates IPCP. Ignored outside the network phase or when it was answered before.</summary>
    public void StartNetwork(IpcpSettings settings, Timestamp now)
    {
        if (Phase != PppPhase.Network || _networks.Length > 0)
        {
            return;
        }

        // The request goes out first: some Android clients want to see it before theirs is acknowledged.
        _networks = [new Ipcp(this, settings)];
        foreach (NetworkProtocol network in _networks)
        {
            network.Open(now);
            network.Up(now);
        }

        if (_earlyRequest is { } early)
        {
            _earlyRequest = null;
            ReceiveNetwork(PppProtocol.Ipcp, early, now);
        }
    }

    /// <summary>Answers NetworkRequested: there is no address, or no permission. Ends the link.</summary>
    public void RefuseNetwork(string text, Timestamp now) => Close(LinkCloseReason.NetworkRefused, text, now);

    /// <summary>Ends the link in order: Terminate-Request, its answer or Max-Terminate attempts, then Closed.</summary>
    public void Close(LinkCloseReason reason, string text, Timestamp now)
    {
        if (Phase is PppPhase.Dead or PppPhase.Terminate)
        {
            return;
        }

        Remember(reason, text);
        Phase = PppPhase.Terminate;
        _phaseEndsAt = Timestamp.Never;
        _lcp.Close(text, now);
        if (!NegotiationAutomaton.HasRestartTimer(_lcp.State))
        {
            Finish(now);
        }
    }

    /// <summary>The session below is gone: ends the link at once, without a word to the peer.</summary>
    public void LowerLayerDown(string text, Timestamp now)
    {
        if (Phase != PppPhase.Dead)
        {
            Remember(LinkCloseReason.LowerLayerDown, text);
            _frames.Clear();
            _lcp.Down(now);
            Finish(now);
            _frames.Clear();
        }
    }

    /// <summary>Data from the peer passed: it is alive. Costs a store; call it as often as is convenient.</summary>
    public void NoteDataReceived(Timestamp now) => _keepalive.Heard(now);

    public override string ToString() =>
        $"{Phase} LCP {_lcp.State}" + (Ipcp is { } ipcp ? $" IPCP {ipcp.State}" : "") + Proxy switch
        {
            ProxyUse.Renegotiated => ", negotiated anew in place of what the LAC had agreed on",
            ProxyUse.Lcp => ", LCP taken over from the LAC",
            ProxyUse.LcpAndAuthentication => ", LCP and authentication taken over from the LAC",
            _ => "",
        };
}
