using Culvert.Core;

namespace Culvert.Blast.Tests;

/// <summary>A caller and an answerer with a millisecond of network between them, in virtual time.</summary>
internal sealed class EngineWorld
{
    private static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(1);
    private static readonly PeerEndpoint CallerAddress = new(IpAddress.Parse("192.0.2.1"), 4000);
    private static readonly PeerEndpoint AnswererAddress = new(IpAddress.Parse("192.0.2.2"), 1701);

    private readonly Queue<(Timestamp At, bool ToAnswerer, byte[] Datagram)> _path = new();

    public EngineWorld(BlastSettings caller, BlastSettings? answerer = null)
    {
        Caller = new BlastEngine(caller with { Peer = AnswererAddress }, new Wire(this, toAnswerer: true), new SeededRandom(1), Now);
        Answerer = new BlastEngine(
            (answerer ?? new BlastSettings { Secret = caller.Secret, Tunnels = caller.Tunnels * 2, SessionsPerTunnel = caller.SessionsPerTunnel }) with
            {
                IsAnswerer = true,
                Duration = TimeSpan.FromDays(1),
                Ppp = new PppSettings
                {
                    Method = caller.Ppp.Method,
                    Password = caller.Ppp.Password,
                    Pool = IpAddress.Parse("100.64.0.2"),
                    Gateway = IpAddress.Parse("100.64.0.1"),
                },
            },
            new Wire(this, toAnswerer: false),
            new SeededRandom(2),
            Now);
    }

    public BlastEngine Caller { get; }

    public BlastEngine Answerer { get; }

    public Timestamp Now { get; private set; } = Timestamp.FromMilliseconds(1000);

    /// <summary>Sees every datagram on its way to the answerer.</summary>
    public Action<byte[]>? Watch { get; set; }

    /// <summary>Runs until the caller is done; fails when it is not within <paramref name="limit"/>.</summary>
    public void RunToEnd(TimeSpan limit) => Assert.True(Run(() => Caller.Phase == BlastPhase.Done, limit), $"still {Caller.Phase}");

    public bool Run(Func<bool> until, TimeSpan limit)
    {
        Timestamp end = Now + limit;
        while (!until() && Now < end)
        {
            Caller.Advance(Now);
            Answerer.Advance(Now);
            if (until())
            {
                return true;
            }

            Timestamp next = Timestamp.Min(Caller.NextDeadline, Answerer.NextDeadline);
            next = _path.TryPeek(out (Timestamp At, bool, byte[]) first) ? Timestamp.Min(next, first.At) : next;
            Now = Timestamp.Min(end, Timestamp.Max(Now, next));
            while (_path.TryPeek(out (Timestamp At, bool ToAnswerer, byte[] Datagram) arrived) && arrived.At <= Now)
            {
                _ = _path.Dequeue();
                var path = new UdpPath(default, arrived.ToAnswerer ? CallerAddress : AnswererAddress);
                (arrived.ToAnswerer ? Answerer : Caller).Receive(0, path, arrived.Datagram, Now);
            }
        }

        return until();
    }

    public BlastReport Report(BlastSettings settings) => BlastReport.Of(Caller, settings, default, Now);

    private sealed class Wire(EngineWorld world, bool toAnswerer) : IDatagramSink
    {
        private readonly byte[] _room = new byte[BlastEngine.MaxDatagramSize];

        public Span<byte> Reserve(int socket) => _room;

        public void Commit(int socket, int length, in UdpPath path)
        {
            byte[] datagram = _room[..length];
            if (toAnswerer)
            {
                world.Watch?.Invoke(datagram);
            }

            world._path.Enqueue((world.Now + Delay, toAnswerer, datagram));
        }
    }
}
