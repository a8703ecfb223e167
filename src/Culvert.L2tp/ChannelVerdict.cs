using Culvert.Core;

namespace Culvert.L2tp;

/// <summary>What a received control message is to the channel.</summary>
public enum ChannelVerdict : byte
{
    /// <summary>The next message in order: handle it now, then ask <see cref="ControlChannel.TryTakeHeld"/> for more.</summary>
    Deliver,

    /// <summary>A bare acknowledgement (ZLB): nothing to handle.</summary>
    Acknowledgement,

    /// <summary>Received before: it is acknowledged again and otherwise ignored.</summary>
    Duplicate,

    /// <summary>Ahead of a missing message: kept until that arrives.</summary>
    Held,

    /// <summary>Ahead of a missing message and not kept: outside the window, too long, or no room. The peer sends it again.</summary>
    Dropped,
}

/// <summary>What <see cref="ControlChannel.Advance"/> asks of the owner.</summary>
public enum ChannelAlarm : byte
{
    None,

    /// <summary>The peer has been silent for the HELLO interval: send a HELLO (section 5.5).</summary>
    HelloDue,

    /// <summary>
    /// The peer acknowledges nothing any more: the tunnel must be cleared (section 5.8). See <see cref="ControlChannel.Failure"/>.
    /// </summary>
    Exhausted,
}

/// <summary>The facts of a channel that gave up.</summary>
/// <param name="Tries">Transmissions of the oldest unacknowledged message.</param>
/// <param name="Since">When that message was sent first.</param>
/// <param name="LastControl">When a control message, a bare acknowledgement included, last came from the peer.</param>
/// <param name="LastData">When data last came from the peer.</param>
/// <param name="LastNs">Ns of the last message received in order, or null when there was none.</param>
/// <param name="GaveUp">When the channel gave up.</param>
public readonly record struct ChannelFailure(
    int Tries, Timestamp Since, Timestamp LastControl, Timestamp LastData, ushort? LastNs, Timestamp GaveUp)
{
    public override string ToString() => Describe("peer");

    /// <summary>In words: "peer 192.0.2.7 acknowledged nothing for 31 s (6 tries); last heard Ns 12, 45 s ago; data ...".</summary>
    public string Describe(string peer)
    {
        string heard = LastNs is ushort ns ? $"last heard Ns {ns}, {Seconds(GaveUp - LastControl)} ago" : "never heard a message";
        string data = LastData > LastControl ? $"; data still arrived until {Seconds(GaveUp - LastData)} ago" : string.Empty;
        return $"{peer} acknowledged nothing for {Seconds(GaveUp - Since)} ({Tries} tries); {heard}{data}";
    }

    private static string Seconds(TimeSpan span) => $"{span.TotalSeconds:0.#} s";
}
