using System.Text.Json.Serialization;

namespace Culvert.Server.Control;

// What the control API shows. The same names, in kebab-case, are columns of `culvert show` and labels of metrics.

/// <param name="Id">Local Tunnel ID.</param>
/// <param name="Uptime">Seconds since the tunnel was established, or since the first message while it is not.</param>
internal sealed record TunnelRow(
    int Id, int PeerId, string State, string Role, string Peer, string Local, string HostName, string Vendor, string Rule, int Sessions, double Uptime);

/// <param name="Id">Local Tunnel ID, a slash, local Session ID.</param>
/// <param name="RxOctets">Octets of IP from the peer; Tx is towards it.</param>
/// <param name="SequenceLost">Of sequenced data (RFC 2661 section 5.4), all 0 for a session without: numbers that never came in time.</param>
/// <param name="SequenceReordered">Frames that waited for an earlier one.</param>
internal sealed record SessionRow(
    string Id,
    string PeerId,
    string State,
    string User,
    string? Address,
    string Gateway,
    IReadOnlyList<string> Routes,
    string Method,
    string Profile,
    string Peer,
    string HostName,
    string CallingNumber,
    string CalledNumber,
    string Interface,
    int Mtu,
    double Uptime,
    long RxPackets,
    long RxOctets,
    long TxPackets,
    long TxOctets,
    long Dropped,
    long SequenceLost,
    long SequenceLate,
    long SequenceDuplicates,
    long SequenceReordered);

internal sealed record PoolRow(string Name, string Prefix, string Gateway, int InUse, int Capacity, long Exhausted);

internal sealed record CounterRow(string Name, long Value);

/// <param name="Ended">Why it ended; null while it has not.</param>
internal sealed record LifeRow(string Id, string Summary, string? Ended, IReadOnlyList<string> History);

internal sealed record CloseRequest(IReadOnlyList<string> Ids, string? Reason);

internal sealed record CloseAnswer(int Closed, IReadOnlyList<string> Unknown);

internal sealed record ReloadAnswer(IReadOnlyList<string> Changes);

internal sealed record ErrorAnswer(string Error);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.KebabCaseLower)]
[JsonSerializable(typeof(IReadOnlyList<TunnelRow>))]
[JsonSerializable(typeof(IReadOnlyList<SessionRow>))]
[JsonSerializable(typeof(IReadOnlyList<PoolRow>))]
[JsonSerializable(typeof(IReadOnlyList<CounterRow>))]
[JsonSerializable(typeof(IReadOnlyList<LifeRow>))]
[JsonSerializable(typeof(CloseRequest))]
[JsonSerializable(typeof(CloseAnswer))]
[JsonSerializable(typeof(ReloadAnswer))]
[JsonSerializable(typeof(ErrorAnswer))]
internal sealed partial class ControlJson : JsonSerializerContext;
