using Culvert.Core;
using Culvert.Linux;

namespace Culvert.Server;

/// <summary>
/// Whether a loop that found nothing looks again at once instead of sleeping. To be woken takes about 100 microseconds in a virtual
/// machine, and moves the thread between processors, which lets packets of one flow overtake each other. Against that stands a
/// processor that is busy with nothing; it is given up at once to whoever else can run.
/// </summary>
/// <param name="patience">
/// How long to look after the last packet; zero never looks twice. Null: as long as what came took to handle, so that looking costs no
/// more than forwarding did, and not at all where little comes at a time.
/// </param>
internal sealed class BusyPoll(TimeSpan? patience)
{
    /// <summary>What a wake-up costs: looking for longer than that gains nothing.</summary>
    internal static readonly TimeSpan MostPatience = TimeSpan.FromMicroseconds(200);

    /// <summary>A turn below this handled a few small packets: sleeping between those costs little, and looking would cost more.</summary>
    internal static readonly TimeSpan LeastWork = TimeSpan.FromMicroseconds(50);

    /// <summary>
    /// A thread that does not sleep hears nothing of what is no packet: ICMP messages, which fill the socket's buffer meanwhile, and the end
    /// of a TUN. After so long it has to ask.
    /// </summary>
    internal static readonly TimeSpan LongestDeafness = TimeSpan.FromMilliseconds(1);

    private long _packets;
    private Timestamp _heard;
    private Timestamp _looked;
    private Timestamp _until;

    /// <summary>After a turn that found nothing more: true when the loop should look again at once.</summary>
    public bool GoOn(DataPath data)
    {
        if (patience == TimeSpan.Zero || !GoOn(data.Packets, MonotonicClock.Now))
        {
            return false;
        }

        // Whoever was woken by what was just forwarded should run first.
        _ = Thread.Yield();
        _looked = MonotonicClock.Now;
        return true;
    }

    /// <summary>Whether the thread has been awake for so long that it should ask its descriptors what else there is.</summary>
    public bool MustListen(Timestamp now) => now - _heard >= LongestDeafness;

    /// <param name="packets">Packets that came so far.</param>
    /// <param name="now">The time.</param>
    internal bool GoOn(long packets, Timestamp now)
    {
        if (packets != _packets)
        {
            _packets = packets;
            TimeSpan longest = patience ?? PatienceFor(now - _looked);
            _until = now + longest > _until ? now + longest : _until;
        }

        _looked = now;
        return now < _until;
    }

    /// <summary>The thread has slept, and heard of everything: what it does from here on is work.</summary>
    public void Woke()
    {
        _looked = MonotonicClock.Now;
        _heard = _looked;
    }

    private static TimeSpan PatienceFor(TimeSpan work) =>
        work < LeastWork ? TimeSpan.Zero : work < MostPatience ? work : MostPatience;
}
