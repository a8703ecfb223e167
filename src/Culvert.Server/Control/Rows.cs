using System.Text.Json.Serialization;

namespace Culvert.Server.Control;

// What the control API shows. The same names, in kebab-case, are columns of `culvert show` and labels of metrics.

internal sealed record TunnelRow
{
    /// <summary>Local Tunnel ID.</summary>
    public required int Id { get; init; }

    public required int PeerId { get; init; }

    public required string State { get; init; }

    public required string Role { get; init; }

    public required string Peer { get; init; }

    public required string Local { get; init; }

    public required string HostName { get; init; }

    public required string Vendor { get; init; }

    public required string Rule { get; init; }

    public required int Sessions { get; init; }

    /// <summary>Seconds since the tunnel was established; 0 while it is not.</summary>
    public required double Uptime { get; init; }

    /// <summary>Seconds since anything came from the peer.</summary>
    public required double Silence { get; init; }

    /// <summary>The peer has proved that it knows the secret.</summary>
    public required bool Authenticated { get; init; }

    /// <summary>The peer's Receive Window Size.</summary>
    public required int Window { get; init; }

    /// <summary>Control messages sent again.</summary>
    public required long Retransmitted { get; init; }

    /// <summary>off, on-request or required.</summary>
    public required string Sequencing { get; init; }

    /// <summary>The per-hop behaviour agreed for control messages (RFC 3308); null for none.</summary>
    public string? Phb { get; init; }

    /// <summary>Both ends propagate ECN (RFC 9601).</summary>
    public required bool Ecn { get; init; }

    /// <summary>Peculiarities of the peer that were put up with, once each.</summary>
    public required IReadOnlyList<string> Quirks { get; init; }
}

internal sealed record SessionRow
{
    /// <summary>Local Tunnel ID, a slash, local Session ID.</summary>
    public required string Id { get; init; }

    public required string PeerId { get; init; }

    public required string State { get; init; }

    /// <summary>lns or lac: which end of the call this node is.</summary>
    public required string Role { get; init; }

    /// <summary>incoming or outgoing, as RFC 2661 names calls.</summary>
    public required string Call { get; init; }

    public required string User { get; init; }

    public string? Address { get; init; }

    public string Gateway { get; init; } = "";

    public IReadOnlyList<string> Routes { get; init; } = [];

    public string Method { get; init; } = "";

    public string Profile { get; init; } = "";

    public required string Peer { get; init; }

    public required string HostName { get; init; }

    public required uint SerialNumber { get; init; }

    public required string CallingNumber { get; init; }

    public required string CalledNumber { get; init; }

    public string? SubAddress { get; init; }

    /// <summary>Bits per second, towards the user; the last that a CSUN told, if one did.</summary>
    public required uint TxSpeed { get; init; }

    /// <summary>Bits per second, from the user.</summary>
    public required uint RxSpeed { get; init; }

    /// <summary>The access node's name for the port (RFC 5515).</summary>
    public string? CircuitId { get; init; }

    /// <summary>The operator's name for the subscriber (RFC 5515).</summary>
    public string? RemoteId { get; init; }

    /// <summary>Bits per second of the line from the user (RFC 5515).</summary>
    public ulong? LineUp { get; init; }

    /// <summary>Bits per second of the line towards the user (RFC 5515).</summary>
    public ulong? LineDown { get; init; }

    /// <summary>What the LAC told in a WEN.</summary>
    public string? LineErrors { get; init; }

    /// <summary>What the LNS told in an SLI.</summary>
    public string? Accm { get; init; }

    /// <summary>online or on-hold (RFC 3573).</summary>
    public string? Modem { get; init; }

    /// <summary>Our data messages carry sequence numbers.</summary>
    public required bool Sequenced { get; init; }

    /// <summary>The per-hop behaviour agreed for data (RFC 3308); null for none.</summary>
    public string? Phb { get; init; }

    public string Interface { get; init; } = "";

    public int Mtu { get; init; }

    /// <summary>Seconds since the call began.</summary>
    public required double Uptime { get; init; }

    public long RxPackets { get; init; }

    /// <summary>Octets of IP from the peer; Tx is towards it.</summary>
    public long RxOctets { get; init; }

    public long TxPackets { get; init; }

    public long TxOctets { get; init; }

    public long Dropped { get; init; }

    /// <summary>Of sequenced data (RFC 2661 section 5.4), all 0 for a session without: numbers that never came in time.</summary>
    public long SequenceLost { get; init; }

    public long SequenceLate { get; init; }

    public long SequenceDuplicates { get; init; }

    /// <summary>Frames that waited for an earlier one.</summary>
    public long SequenceReordered { get; init; }
}

/// <param name="Peer">The address; all its ports together.</param>
/// <param name="Rule">The rules and dialled connections of its tunnels.</param>
/// <param name="HalfOpen">Tunnels that are not established yet.</param>
/// <param name="Refused">SCCRQs that no rule fits, of another version, or unreadable.</param>
/// <param name="SecretsWrong">Tunnels whose peer could not prove that it knows the secret.</param>
/// <param name="RateLimited">SCCRQs and calls beyond the rates, and calls deferred because authentication was behind.</param>
/// <param name="OverLimit">SCCRQs and calls beyond the limits.</param>
/// <param name="ControlWaiting">Control messages beyond its share of the loop's turns, which wait for a later one.</param>
internal sealed record PeerRow(
    string Peer, IReadOnlyList<string> Rule, IReadOnlyList<string> HostName, int Tunnels, int HalfOpen, int Sessions,
    long Refused, long SecretsWrong, long RateLimited, long OverLimit, long UsersRejected, int ControlWaiting);

internal sealed record PoolRow(string Name, string Prefix, string Gateway, int InUse, int Capacity, long Exhausted);

internal sealed record CounterRow(string Name, long Value);

/// <param name="Name">In kebab-case.</param>
internal sealed record FactRow(string Name, string Value);

/// <param name="Ended">Why it ended; null while it has not.</param>
/// <param name="Tunnel">As 'show tunnels' has it, while it lives.</param>
/// <param name="Session">As 'show sessions' has it, while it lives.</param>
/// <param name="Facts">What is known besides: of the line, and of a call that has ended.</param>
internal sealed record LifeRow(
    string Id, string Summary, string? Ended, TunnelRow? Tunnel, SessionRow? Session, IReadOnlyList<FactRow> Facts, IReadOnlyList<string> History);

internal sealed record CloseRequest(IReadOnlyList<string> Ids, string? Reason);

internal sealed record CloseAnswer(int Closed, IReadOnlyList<string> Unknown);

/// <param name="Changes">In words, one for each entry that changed; empty when nothing did.</param>
/// <param name="Sections">The sections of the file in which something changed, by their keys.</param>
internal sealed record ReloadAnswer(IReadOnlyList<string> Changes, IReadOnlyList<string> Sections);

internal sealed record ErrorAnswer(string Error);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.KebabCaseLower)]
[JsonSerializable(typeof(IReadOnlyList<TunnelRow>))]
[JsonSerializable(typeof(IReadOnlyList<SessionRow>))]
[JsonSerializable(typeof(IReadOnlyList<PeerRow>))]
[JsonSerializable(typeof(IReadOnlyList<PoolRow>))]
[JsonSerializable(typeof(IReadOnlyList<CounterRow>))]
[JsonSerializable(typeof(IReadOnlyList<LifeRow>))]
[JsonSerializable(typeof(CloseRequest))]
[JsonSerializable(typeof(CloseAnswer))]
[JsonSerializable(typeof(ReloadAnswer))]
[JsonSerializable(typeof(ErrorAnswer))]
internal sealed partial class ControlJson : JsonSerializerContext;
