using Culvert.Core;
using Culvert.Dataplane;
using Culvert.Linux;
using Culvert.Server.Captures;
using Culvert.Server.Configuration;

namespace Culvert.Server;

/// <summary>
/// One more thread that forwards: it has its own sockets on the shard's addresses and its own queue of the shard's TUN, and reads the
/// session and route tables that the shard writes. What is not plain forwarding it hands over to the shard.
/// </summary>
internal sealed class ForwardingThread : IDisposable
{
    private const int WakeToken = 0;
    private const int FirstListenerToken = 1;
    private const int TunToken = 1_000;

    private readonly Listener[] _listeners;
    private readonly TunDevice? _tun;
    private readonly DataPath _data;
    private readonly Forwarder _forwarder;
    private readonly Handover _handover;
    private readonly Mailbox _shard;
    private readonly PathReports _reports;
    private readonly BusyPoll _busyPoll;
    private readonly Poller _poller = new();
    private readonly WakeEvent _wake = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread _thread;
    private int _isStopping;

    /// <param name="listeners">This thread's sockets; disposed of by their owner.</param>
    /// <param name="tun">This thread's queue; null without one.</param>
    /// <param name="forwarder">Not the shard's own, on the same tables.</param>
    /// <param name="taps">The captures that run.</param>
    /// <param name="shard">Wakes the shard when something was handed over.</param>
    /// <param name="reports">Told of peers to whom a datagram was larger than the path.</param>
    /// <param name="forwarding">From the file.</param>
    /// <param name="name">For the thread, as tools show it.</param>
    public ForwardingThread(
        Listener[] listeners, TunDevice? tun, Forwarder forwarder, TapSet taps, Mailbox shard, PathReports reports, ForwardingSettings forwarding, string name)
    {
        _listeners = listeners;
        _tun = tun;
        _forwarder = forwarder;
        _shard = shard;
        _reports = reports;
        _handover = new Handover();
        _data = new DataPath(listeners, forwarder, control: null, _handover, taps, forwarding.Offload.JoinTunCalls);
        _busyPoll = new BusyPoll(forwarding.BusyPoll);
        _poller.Add(_wake.Descriptor, WakeToken);
        for (int i = 0; i < listeners.Length; i++)
        {
            _poller.Add(listeners[i].Socket.Descriptor, FirstListenerToken + i);
        }

        if (tun is not null)
        {
            _data.AddTun(tun, null);
            _poller.Add(tun.Descriptor, TunToken);
        }

        _thread = new Thread(Run) { Name = name, IsBackground = true };
    }

    /// <summary>What the shard is to handle.</summary>
    public Handover Handover => _handover;

    public DataPath Data => _data;

    public IReadOnlyList<Listener> Listeners => _listeners;

    public PacketCounters Counters => _forwarder.Counters;

    /// <summary>Ends when the thread does; faulted when it ended by an error in our own code.</summary>
    public Task Ended => _ended.Task;

    public void Start() => _thread.Start();

    /// <summary>Ends the thread and waits until it has.</summary>
    public void Stop()
    {
        Volatile.Write(ref _isStopping, 1);
        _wake.Set();
        if (_thread.IsAlive)
        {
            _thread.Join();
        }
    }

    /// <summary>After the thread has ended, or if it was never started.</summary>
    public void Dispose()
    {
        _poller.Dispose();
        _wake.Dispose();
        _data.Dispose();
    }

    private void Run()
    {
        // Nothing depends on it where the kernel refuses.
        _ = ThreadSlice.TrySet(ThreadSlice.Shortest);
        try
        {
            while (Volatile.Read(ref _isStopping) == 0)
            {
                Timestamp now = MonotonicClock.Now;
                bool more = _data.Turn(now);
                _data.Flush();
                if (_handover.HasAny)
                {
                    _shard.Signal();
                }

                if (!more && !_busyPoll.GoOn(_data))
                {
                    Wait(Timestamp.Never);
                }
                else if (_busyPoll.MustListen(now))
                {
                    Wait(Timestamp.Zero);
                }
            }

            _ended.SetResult();
        }
        catch (Exception e)
        {
            // An error of ours: the node must end and say so.
            _ended.SetException(e);
            _shard.Signal();
        }
    }

    private void Wait(Timestamp deadline)
    {
        int ready = _poller.Wait(deadline);
        for (int i = 0; i < ready; i++)
        {
            Readiness readiness = _poller.Ready(i);
            if (readiness.HasError && readiness.Token is >= FirstListenerToken and < TunToken)
            {
                if (_reports.AddFrom(_listeners[readiness.Token - FirstListenerToken].Socket))
                {
                    _shard.Signal();
                }
            }
            else if (readiness is { HasError: true, Token: TunToken })
            {
                // Somebody removed the interface; the shard sees it at its own queue, and the node ends.
                _poller.Remove(_tun!.Descriptor);
            }
        }

        _busyPoll.Woke();
    }
}
