using Culvert.Core;
using Culvert.L2tp;
using Culvert.Ppp.Authentication;

namespace Culvert.Blast;

/// <summary>What a run of the load generator does. Never changed while it runs.</summary>
public sealed record BlastSettings
{
    /// <summary>Tunnels to open; as answerer, the most that are accepted. 1 to <see cref="MostTunnels"/>.</summary>
    public int Tunnels { get; init; } = 1;

    /// <summary>Sessions in each tunnel; as answerer, the most that are accepted. 1 to <see cref="MostSessionsPerTunnel"/>.</summary>
    public int SessionsPerTunnel { get; init; } = 1;

    /// <summary>Takes calls from a LAC instead of placing them at an LNS.</summary>
    public bool IsAnswerer { get; init; }

    /// <summary>The LNS. Without meaning for an answerer.</summary>
    public PeerEndpoint Peer { get; init; }

    /// <summary>Local addresses (sockets) over which the tunnels are spread, at least 1.</summary>
    public int LocalAddresses { get; init; } = 1;

    /// <summary>The Host Name AVP; a <see cref="NumberedText"/>, so that each tunnel may have a name of its own.</summary>
    public NumberedText HostName { get; init; } = new("blast");

    /// <summary>The tunnels' shared secret: sends a Challenge and answers the peer's. Null for none.</summary>
    public Secret? Secret { get; init; }

    public ControlChannelSettings Channel { get; init; } = ControlChannelSettings.Default;

    public PppSettings Ppp { get; init; } = new();

    /// <summary>Sessions begun per second; 0: as fast as the peer answers.</summary>
    public double Ramp { get; init; }

    /// <summary>Sessions being set up at once. Bounds what an unlimited ramp asks of the peer.</summary>
    public int InFlight { get; init; } = 500;

    /// <summary>Tunnels being set up at once: LNSes limit half-open tunnels of one address.</summary>
    public int TunnelsInFlight { get; init; } = 16;

    /// <summary>Attempts at each session and tunnel before it counts as failed, at least 1.</summary>
    public int Tries { get; init; } = 5;

    /// <summary>Pause before another attempt; half of it to one and a half, so that those refused together do not return together.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long one attempt at a session may take from its ICRQ to IPCP.</summary>
    public TimeSpan SetUpTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long everything is held once it is up (and has come back after the last flap).</summary>
    public TimeSpan Hold { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The whole run, the closing excluded; whatever is not up by then counts as failed.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Null: nothing flaps.</summary>
    public FlapPlan? Flap { get; init; }

    /// <summary>Null: no data.</summary>
    public TrafficPlan? Traffic { get; init; }

    public FaultPlan Faults { get; init; } = FaultPlan.None;

    /// <summary>16-bit Tunnel IDs, of which a quarter stays free so that one is found at random.</summary>
    public const int MostTunnels = 49_152;

    /// <summary>16-bit Session IDs; the rest is for calls that are never completed (<see cref="FaultPlan.CallStorm"/>).</summary>
    public const int MostSessionsPerTunnel = 64_000;

    /// <summary>Sessions in all: they are one array, and their numbers travel in the packets.</summary>
    public const int MostSessions = 4_000_000;

    public int Sessions => Tunnels * SessionsPerTunnel;
}

/// <summary>What flaps.</summary>
public enum FlapKind : byte
{
    /// <summary>All tunnels at once: a LAC that reboots.</summary>
    All,

    /// <summary>One session after another: subscribers that come and go.</summary>
    Rolling,
}

/// <param name="Kind">All at once, or one after the other.</param>
/// <param name="Time">All: how long everybody stays away. Rolling: the time of one round over all sessions.</param>
/// <param name="IsSilent">Nobody says goodbye: the peer still holds what it knew.</param>
/// <param name="Count">How many times, at least 1.</param>
public sealed record FlapPlan(FlapKind Kind, TimeSpan Time, bool IsSilent, int Count = 1);

/// <param name="PacketsPerSecond">Per session.</param>
/// <param name="Mix">Sizes of the inner IP packets.</param>
/// <param name="Target">
/// Null: to the session that came up next to it, through the peer and back. Otherwise an IPv4 address behind the peer; what an echo
/// service (RFC 862) sends back is measured.
/// </param>
/// <param name="Port">UDP port at <paramref name="Target"/>.</param>
public sealed record TrafficPlan(double PacketsPerSecond, PacketMix Mix, IpAddress? Target = null, ushort Port = TrafficPlan.EchoPort)
{
    /// <summary>The echo service's (RFC 862).</summary>
    public const ushort EchoPort = 7;

    /// <summary>How long after the last packet others may still arrive before they count as lost.</summary>
    public TimeSpan Drain { get; init; } = TimeSpan.FromSeconds(1);
}

/// <summary>Misbehaviour on purpose.</summary>
public sealed record FaultPlan
{
    public static FaultPlan None { get; } = new();

    /// <summary>Share of datagrams, 0 to 1, that are lost: each way, whatever they carry.</summary>
    public double Loss { get; init; }

    /// <summary>Share of datagrams, 0 to 1, that are sent twice.</summary>
    public double Duplicates { get; init; }

    /// <summary>Never sends a ZLB: the peer learns of its messages' arrival from answers only.</summary>
    public bool NoZlb { get; init; }

    /// <summary>SCCRQs per second that are never completed.</summary>
    public double StartStorm { get; init; }

    /// <summary>ICRQs per second, in the tunnels that are up, that are never completed.</summary>
    public double CallStorm { get; init; }
}

/// <summary>The PPP end that blast plays in every session.</summary>
public sealed record PppSettings
{
    /// <summary>
    /// As client, the only method that is agreed to; null: whichever the peer asks for. As server, the one that is asked for; null: none.
    /// </summary>
    public AuthenticationMethod? Method { get; init; }

    public NumberedText User { get; init; } = new("user{n}");

    public NumberedText Password { get; init; } = new("password");

    /// <summary>Added to a session's index (from 0) to give {n}.</summary>
    public int FirstNumber { get; init; } = 1;

    /// <summary>MRU option to send, octets; 0 sends none, which means 1500.</summary>
    public ushort Mru { get; init; }

    /// <summary>As server: the first of the addresses given out, one for each session; as client without meaning.</summary>
    public IpAddress Pool { get; init; }

    /// <summary>As server: the address of this end.</summary>
    public IpAddress Gateway { get; init; }

    /// <summary>Restart timer (RFC 1661 section 4.6).</summary>
    public TimeSpan RestartInterval { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Max-Configure: requests without an answer before the session is given up.</summary>
    public int MaxConfigure { get; init; } = 10;
}
