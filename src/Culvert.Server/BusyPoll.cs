using Culvert.Core;
using Culvert.Linux;

namespace Culvert.Server;

/// <summary>
/// Keeps a loop looking for packets for a while instead of sleeping: no wake-up to wait for, at the price of a processor. Off by
/// default.
/// </summary>
internal sealed class BusyPoll(TimeSpan patience)
{
    private long _packets;
    private Timestamp _until;

    /// <summary>True when the loop should look again at once: packets came lately.</summary>
    public bool GoOn(DataPath data)
    {
        if (patience == TimeSpan.Zero)
        {
            return false;
        }

        Timestamp now = MonotonicClock.Now;
        if (data.Packets != _packets)
        {
            _packets = data.Packets;
            _until = now + patience;
        }

        return now < _until;
    }
}
