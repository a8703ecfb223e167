using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Culvert.Core;
using Culvert.L2tp;
using Culvert.L2tp.Wire;

namespace Culvert.Simulation;

/// <summary>
/// What the L2TP engine costs by itself: control messages per second through a pair of endpoints on one core, without a network
/// between them; and octets per tunnel and per session, without the data plane's share.
/// </summary>
public static class EngineFigures
{
    private const int Rounds = 5;
    private const int CallsPerRound = 100_000;
    private const int CallsAtOnce = 1000;
    private const int Sessions = 60_000;

    /// <summary>Messages received per second, both ends together; the median of five rounds with the spread. One core does all.</summary>
    public static string MeasureRate()
    {
        var pair = new EndpointPair(tunnels: 10);
        pair.PlaceAndClose(CallsPerRound / 5); // warm
        var rates = new List<double>();
        for (int round = 0; round < Rounds; round++)
        {
            long before = pair.MessagesReceived;
            var watch = Stopwatch.StartNew();
            pair.PlaceAndClose(CallsPerRound);
            rates.Add((pair.MessagesReceived - before) / watch.Elapsed.TotalSeconds);
        }

        rates.Sort();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{rates[Rounds / 2]:0} messages/s through one pair (median of {Rounds}; {rates[0]:0} to {rates[^1]:0}); a call is ICRQ, ICRP, ICCN, CDN and their ZLBs\n");
    }

    /// <summary>Octets per tunnel and per established session at one end.</summary>
    public static string MeasureMemory()
    {
        var text = new StringBuilder();
        foreach (int tunnels in (int[])[1, 60, 6000])
        {
            long start = GC.GetTotalMemory(forceFullCollection: true);
            var pair = new EndpointPair(tunnels);
            long empty = GC.GetTotalMemory(forceFullCollection: true);
            pair.Place(Sessions);
            long full = GC.GetTotalMemory(forceFullCollection: true);
            text.Append(CultureInfo.InvariantCulture, $"{tunnels} x {Sessions / tunnels}: {(full - empty) / 2 / Sessions} octets per session");
            text.AppendLine(tunnels < 1000 ? "" : string.Create(CultureInfo.InvariantCulture, $", {(empty - start) / 2 / tunnels} per tunnel"));
            GC.KeepAlive(pair);
        }

        return text.ToString().ReplaceLineEndings("\n");
    }

    private sealed class EndpointPair : IPeerPolicy, ISessionIds
    {
        private static readonly TunnelSettings Settings = new() { HostName = "end", CallRate = RateLimit.None };

        private static readonly EndpointLimits Limits = EndpointLimits.Default with
        {
            CallRate = RateLimit.None,
            StartRate = RateLimit.None,
            StartRatePerPeer = RateLimit.None,
        };

        private readonly byte[] _buffer = new byte[L2tpEndpoint.MaximumMessageSize];
        private readonly L2tpEndpoint _lac;
        private readonly L2tpEndpoint _lns;
        private readonly List<Tunnel> _tunnels = [];
        private readonly List<Session> _placed = [];
        private ushort _lastId;
        private Timestamp _now = Timestamp.FromMilliseconds(1);

        public EndpointPair(int tunnels)
        {
            _lac = new(Limits, this, this, new SeededRandom(1));
            _lns = new(Limits, this, this, new SeededRandom(2));
            for (int i = 0; i < tunnels; i++)
            {
                var path = new UdpPath(default, new(IpAddress.FromUInt32(0xC612_0000 + (uint)i), 1701));
                if (_lac.TryConnect(path, Settings, _now, out Tunnel? tunnel))
                {
                    _tunnels.Add(tunnel);
                }

                Pump();
            }
        }

        public long MessagesReceived => _lac.Counters[L2tpCounter.MessagesReceived] + _lns.Counters[L2tpCounter.MessagesReceived];

        public void Place(int sessions)
        {
            for (int done = 0; done < sessions; done += CallsAtOnce)
            {
                PlaceSome(done);
            }

            _placed.Clear();
            _placed.TrimExcess();
            if (_lns.SessionCount != sessions || _lns.SessionsBeingSetUp != 0)
            {
                throw new InvalidOperationException($"{_lns.SessionCount} of {sessions} sessions came up.");
            }
        }

        public void PlaceAndClose(int sessions)
        {
            for (int done = 0; done < sessions; done += CallsAtOnce)
            {
                PlaceSome(done);
                foreach (Session session in _placed)
                {
                    session.Close(Disconnect.OfSession(CdnResult.LostCarrier), _now);
                }

                Pump();
                _placed.Clear();
            }
        }

        public bool TryAccept(
            in TunnelRequest request, [NotNullWhen(true)] out TunnelSettings? settings, [NotNullWhen(false)] out Disconnect? refusal)
        {
            settings = Settings;
            refusal = null;
            return true;
        }

        // One counter for both ends and all tunnels: unique where it must be, for never more than 60,000 are held.
        public bool TryReserve(ushort localTunnelId, out ushort localSessionId)
        {
            do
            {
                localSessionId = ++_lastId;
            }
            while (localSessionId == 0 || IsTaken(localTunnelId, localSessionId));

            return true;
        }

        public void Release(ushort localTunnelId, ushort localSessionId)
        {
            // Nothing is kept of them.
        }

        private bool IsTaken(ushort localTunnelId, ushort localSessionId) =>
            (_lac.TryFind(localTunnelId, out Tunnel? a) && a.TryFindSession(localSessionId, out _)) ||
            (_lns.TryFind(localTunnelId, out Tunnel? b) && b.TryFindSession(localSessionId, out _));

        private void PlaceSome(int from)
        {
            for (int i = 0; i < CallsAtOnce; i++)
            {
                if (_tunnels[(from + i) % _tunnels.Count].TryPlaceIncomingCall(IncomingCall.Default, _now, out Session? session))
                {
                    _placed.Add(session);
                }
            }

            Pump();
        }

        private void Pump()
        {
            bool isBusy = true;
            while (isBusy)
            {
                _now += TimeSpan.FromMicroseconds(10);
                isBusy = Carry(_lac, _lns) | Carry(_lns, _lac);
            }
        }

        private bool Carry(L2tpEndpoint from, L2tpEndpoint to)
        {
            bool isBusy = false;
            while (from.TryTransmit(_buffer, out int length, out UdpPath path))
            {
                to.Receive(path, _buffer.AsSpan(0, length), _now);
                isBusy = true;
                while (to.TryNextEvent(out L2tpEvent e))
                {
                    if (e.Kind == L2tpEventKind.CallOffered)
                    {
                        e.Session!.Accept(_now);
                    }
                }
            }

            while (from.TryNextEvent(out _))
            {
            }

            return isBusy;
        }
    }
}
