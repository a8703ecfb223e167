using System.Text;
using Culvert.Core;

namespace Culvert.L2tp;

/// <summary>What to do about an older tunnel when the same peer, from the same address and port, completes another one.</summary>
public enum RestartDetection : byte
{
    /// <summary>
    /// Send a HELLO on the older one unless it is heard from by itself: it stays if the peer still knows it, and is closed after a
    /// retransmission cycle if the peer has restarted. Right for peers that open several tunnels and for those that open one.
    /// </summary>
    Probe,

    /// <summary>Close the older one at once. For peers that have one tunnel only.</summary>
    CloseOlder,

    /// <summary>Nothing: the next HELLO will tell.</summary>
    Ignore,
}

/// <summary>What to do with control messages of an established tunnel that come from another address or port.</summary>
public enum PathChange : byte
{
    /// <summary>Drop them and give notice once (section 8.1: addresses and ports stay static).</summary>
    Ignore,

    /// <summary>
    /// Take the new address and port over. For clients behind a NAT that forgets; anybody who guesses the ID can divert the tunnel.
    /// </summary>
    Follow,

    /// <summary>
    /// Close the tunnel: its peer is no longer where it was. For peers with fixed addresses whose LAC fails over to another address and
    /// opens new tunnels there. Anybody who guesses the ID and a number within the window can end the tunnel.
    /// </summary>
    Refuse,
}

/// <summary>Settings of one tunnel. Shared between tunnels of the same peer policy; never changed.</summary>
public sealed record TunnelSettings
{
    /// <summary>Longest Host Name that is sent, octets of UTF-8: what DNS allows.</summary>
    public const int HostNameLimit = 255;

    /// <summary>
    /// Sessions that a tunnel can have: all 65,535 IDs but one, which a CDN that refuses a further call carries as its Assigned Session ID
    /// (RFC 2661 section 4.4.4 wants one other than 0, and one in use would be taken for that session's).
    /// </summary>
    public const int SessionLimit = 65_534;

    /// <summary>Our Host Name AVP: 1 to <see cref="HostNameLimit"/> octets of UTF-8.</summary>
    /// <exception cref="ArgumentException">Another length.</exception>
    public required string HostName
    {
        get;
        init => field = Encoding.UTF8.GetByteCount(value) is > 0 and <= HostNameLimit ? value
            : throw new ArgumentException($"A host name has 1 to {HostNameLimit} octets.", nameof(value));
    }

    /// <summary>Our Vendor Name AVP; empty sends none.</summary>
    public string VendorName { get; init; } = "Culvert";

    /// <summary>Our Firmware Revision AVP.</summary>
    public ushort FirmwareRevision { get; init; } = 1;

    /// <summary>The shared secret for tunnel authentication and hiding; null for none.</summary>
    public byte[]? Secret { get; init; }

    /// <summary>Hide what may be hidden and is worth it (section 4.3). Needs a secret.</summary>
    public bool HideAvps { get; init; }

    /// <summary>Send a Challenge. Null: when there is a secret.</summary>
    public bool? AuthenticatePeer { get; init; }

    /// <summary>Refuse a peer whose SCCRQ or SCCRP has no Challenge, so that it is known to hold a secret of its own.</summary>
    public bool RequireChallenge { get; init; }

    /// <summary>Our Framing Capabilities: bit 0 synchronous, bit 1 asynchronous.</summary>
    public uint FramingCapabilities { get; init; } = 3;

    /// <summary>
    /// Our Bearer Capabilities: bit 0 digital, bit 1 analog. Null: both where outgoing calls are accepted, else none is sent.
    /// </summary>
    public uint? BearerCapabilities { get; init; }

    /// <summary>Timers and windows of the control channel.</summary>
    public ControlChannelSettings Channel { get; init; } = ControlChannelSettings.Default;

    /// <summary>Sessions at once in this tunnel; at most <see cref="SessionLimit"/>, whatever is said here.</summary>
    public int MaxSessions { get; init; } = 65_535;

    /// <summary>ICRQs and OCRQs taken per second in this tunnel; more are refused with CDN 4, so that the peer tries again later.</summary>
    public RateLimit CallRate { get; init; } = new(2500, 10_000);

    /// <summary>Whether this peer may place incoming calls, as a LAC does.</summary>
    public bool AcceptIncomingCalls { get; init; } = true;

    /// <summary>
    /// Whether this peer may ask us to dial, as an LNS does of a LAC. The owner then answers
    /// <see cref="L2tpEventKind.OutgoingCallRequested"/>.
    /// </summary>
    public bool AcceptOutgoingCalls { get; init; }

    /// <summary>From the first message until the tunnel is established.</summary>
    public TimeSpan EstablishTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>From ICRQ until the session is established.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Send a Tie Breaker in our SCCRQ, so that one tunnel is left when both ends start at once.</summary>
    public bool SendTieBreaker { get; init; }

    /// <summary>Whether data messages carry sequence numbers (section 5.4).</summary>
    public SequencingPolicy Sequencing { get; init; }

    /// <summary>Per-hop behaviour code that is asked for, or granted, for control messages (RFC 3308 section 6); null for none.</summary>
    public ushort? ControlPhb { get; init; }

    /// <summary>The same for the data of each session.</summary>
    public ushort? SessionPhb { get; init; }

    /// <summary>Give up a tunnel or call that was started here when the peer grants another behaviour or none.</summary>
    public bool RequirePhb { get; init; }

    /// <summary>Say that this end propagates ECN between inner and outer headers (RFC 9601). Only for a data plane that does.</summary>
    public bool EcnCapable { get; init; }

    /// <summary>Say that this end knows Modem-Status messages (RFC 3573).</summary>
    public bool ModemOnHoldCapable { get; init; }

    public RestartDetection OnRestart { get; init; } = RestartDetection.Probe;

    public PathChange OnPathChange { get; init; } = PathChange.Ignore;

    /// <summary>
    /// D-Link DIR-300: control messages keep Tunnel ID 0 after set-up. Taken for the peer's only tunnel on that address and port.
    /// </summary>
    public bool AcceptTunnelIdZero { get; init; }

    /// <summary>
    /// Send CDN result 2 with a general error in place of results 4, 5 and 6: JunosE and other LACs try their next LNS on 2 only.
    /// </summary>
    public bool RefuseWithGeneralError { get; init; }

    internal uint? AdvertisedBearers => BearerCapabilities ?? (AcceptOutgoingCalls ? 3u : null);

    internal bool SendsChallenge => Secret is { Length: > 0 } && (AuthenticatePeer ?? true);
}
