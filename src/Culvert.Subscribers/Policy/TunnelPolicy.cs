using Culvert.Core;
using Culvert.L2tp;
using Culvert.Subscribers.Outgoing;

namespace Culvert.Subscribers.Policy;

/// <summary>How a tunnel is run, whoever opens it: what a rule for peers and a dialled connection have in common.</summary>
public abstract record TunnelPolicy
{
    /// <summary>What it is called in logs and tables.</summary>
    public required string Name { get; init; }

    /// <summary>The shared secret of tunnel authentication and AVP hiding; null for none.</summary>
    public Secret? Secret { get; init; }

    public bool HideAvps { get; init; }

    /// <summary>Refuse a peer that does not challenge us, so that it is known to hold the secret and to check ours.</summary>
    public bool RequireChallenge { get; init; }

    /// <summary>Silence after which a HELLO is sent; zero sends none.</summary>
    public TimeSpan Hello { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Least time before a retransmission once round trips are measured; zero keeps <see cref="RetransmitInitial"/>.</summary>
    public TimeSpan RetransmitFloor { get; init; } = ControlChannelSettings.Default.RetransmitFloor;

    /// <summary>Before the first retransmission of a control message while no round trip is measured; doubles with each further one (RFC 2661 section 5.8).</summary>
    public TimeSpan RetransmitInitial { get; init; } = ControlChannelSettings.Default.RetransmitInitial;

    /// <summary>Most time between two retransmissions; section 5.8 wants no less than 8 s.</summary>
    public TimeSpan RetransmitCap { get; init; } = ControlChannelSettings.Default.RetransmitCap;

    /// <summary>Retransmissions without an answer after which the tunnel is given up.</summary>
    public int MaxRetransmits { get; init; } = ControlChannelSettings.Default.MaxRetransmits;

    /// <summary>Control messages that the peer may have under way to us.</summary>
    public int ReceiveWindow { get; init; } = ControlChannelSettings.Default.ReceiveWindow;

    /// <summary>From the first message until the tunnel is established.</summary>
    public TimeSpan EstablishTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>From ICRQ or OCRQ until the session is established.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Calls that the peer may place per second; more are refused with "try again later".</summary>
    public RateLimit CallRate { get; init; } = new(2500, 10_000);

    /// <summary>Whether data messages carry sequence numbers.</summary>
    public SequencingPolicy Sequencing { get; init; }

    /// <summary>How data messages are written, marked and put into order.</summary>
    public DataPolicy Data { get; init; } = DataPolicy.Default;

    public RestartDetection OnRestart { get; init; }

    public PathChange OnPathChange { get; init; }

    /// <summary>Modem-Status messages (RFC 3573) are welcome.</summary>
    public bool ModemOnHold { get; init; }

    /// <summary>Quirk: the peer goes on with Tunnel ID 0 after set-up (D-Link DIR-300).</summary>
    public bool AcceptTunnelIdZero { get; init; }

    /// <summary>Quirk: the peer tries its next LNS on CDN result 2 only (JunosE).</summary>
    public bool RefuseWithGeneralError { get; init; }

    /// <summary>What becomes of the peer's requests that this node dial for it (OCRQ).</summary>
    public OutgoingCallPolicy OutgoingCalls { get; init; } = new();
}

/// <summary>To whom calls go that an LNS asks this node, as LAC, to place (RFC 2661 section 5.2.2).</summary>
public sealed record OutgoingCallPolicy
{
    /// <summary>No call is placed: CDN result 5.</summary>
    public const string Refuse = "refuse";

    /// <summary>A PPP user inside this node answers every number, for tests.</summary>
    public const string Loopback = "loopback";

    /// <summary>The name of an <see cref="IOutgoingCallHandler"/>, or <see cref="Refuse"/>.</summary>
    public string Handler { get; init; } = Refuse;

    /// <summary>Loopback: how long it rings.</summary>
    public TimeSpan AnswerAfter { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Loopback: the name that the user gives when asked; null for the number that was dialled.</summary>
    public string? User { get; init; }

    /// <summary>Loopback: the user's password.</summary>
    public string Password { get; init; } = "";

    public override string ToString() => Handler == Loopback ? $"{Handler} as {User ?? "the number"} after {AnswerAfter.TotalSeconds:0.###}s" : Handler;
}
