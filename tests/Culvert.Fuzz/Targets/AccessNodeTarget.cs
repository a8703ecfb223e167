using Culvert.Core;
using Culvert.Fuzz.Coverage;
using Culvert.L2tp;
using Culvert.L2tp.Wire;
using Culvert.Ppp.Authentication;
using Culvert.Ppp.Wire;
using Culvert.Simulation;
using Culvert.Subscribers;
using Culvert.Subscribers.Policy;
using static Culvert.Fuzz.Claim;

namespace Culvert.Fuzz.Targets;

/// <summary>A whole node, L2TP, PPP and data plane together, serving or dialling, against honest ones whose packets are mangled.</summary>
internal sealed class AccessNodeTarget : FuzzTarget
{
    public override string Name => "access-node";

    public override string Description => "a live AccessNode with its data plane, as LNS and dialling; its peer's datagrams mangled";

    public override int MaximumLength => 512;

    /// <summary>Of the node itself and of its peer: two session tables and two endpoints with their buffers.</summary>
    public override long AllocationLimit => 1 << 23;

    public override TimeSpan TimeLimit => TimeSpan.FromMilliseconds(500);

    public override IEnumerable<byte[]> Seeds()
    {
        for (int variant = 0; variant < 64; variant++)
        {
            byte[] input = new byte[40];
            new SeededRandom((ulong)variant).Fill(input);
            (input[0], input[1]) = ((byte)(variant * 4), (byte)(variant * 37));
            yield return input;
        }
    }

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        var decisions = new Decisions(input);
        return new NodeRun(ref decisions, story).Execute(ref decisions);
    }

    private sealed class NodeRun
    {
        private const int MostOperations = 150;
        private const int MostPending = 64;

        private static readonly PeerEndpoint LocalAt = new(IpAddress.Parse("192.0.2.1"), 1701);
        private static readonly PeerEndpoint PeerAt = new(IpAddress.Parse("198.51.100.1"), 1701);

        private readonly Story? _story;
        private readonly SimulatedWorld _world = new(1);
        private readonly AccessEnd _local;
        private readonly SimulatedEnd _peer;
        private readonly List<byte[]> _pending = [];
        private readonly List<byte[]> _stash = [];
        private readonly byte[] _buffer = new byte[4096];
        private readonly bool _keepsCount;
        private readonly bool _hasSecret;
        private readonly AuthenticationMethod _method;
        private Dial? _dial;
        private byte _lastIdentifier;
        private Timestamp _now = Timestamp.FromMilliseconds(1000);
        private bool _isPeerDeaf;
        private int _messages;

        public NodeRun(ref Decisions decisions, Story? story)
        {
            _story = story;
            int first = decisions.Octet();
            int second = decisions.Octet();
            bool dials = (first & 1) != 0;
            _hasSecret = (first & 2) != 0;
            _method = (AuthenticationMethod)((second & 0x0F) % 3);
            _keepsCount = (second & 0x40) != 0;
            _local = new AccessEnd("local", LocalAt, SettingsOf("local", 0), (ulong)second + 1, random: s => new NarrowRandom(s)) { IsRecording = false };
            if (dials)
            {
                _peer = new AccessEnd("peer", PeerAt, SettingsOf("peer", 0), 99, random: s => new NarrowRandom(s)) { IsRecording = false };
                _dial = _local.Access.StartDial(DialOf("alice"));
            }
            else
            {
                var lac = new LacEnd("peer", PeerAt, LocalAt, 99, new TunnelSettings
                {
                    HostName = "peer",
                    Secret = _hasSecret ? new Secret(Transcripts.Secret).Octets : null,
                    HideAvps = (second & 0x80) != 0 && _hasSecret,
                });
                lac.PlaceCall("alice", Transcripts.Password);
                lac.PlaceCall((second & 0x20) != 0 ? "alice" : "bob", Transcripts.Password);
                _peer = lac;
            }

            Advance(_now);
            for (int honest = first >> 2; honest > 0 && _pending.Count > 0; honest--)
            {
                Receive(PeerAt, TakeNext());
            }
        }

        public int Execute(ref Decisions decisions)
        {
            for (int i = 0; i < MostOperations && !decisions.IsOver; i++)
            {
                Operate(ref decisions);
                _local.Check();
                NoteState();
            }

            Finish();
            return _messages;
        }

        private NodeSettings SettingsOf(string name, int variant) => new()
        {
            NodeName = name,
            Peers = [new PeerRule { Name = "any", Secret = _hasSecret ? new Secret(Transcripts.Secret) : null, HideAvps = _hasSecret && variant == 2 }],
            Profiles = [new Profile { Name = "home", Pool = "pool", Authentication = [_method], IdleTimeout = TimeSpan.FromMinutes(variant) }],
            Pools =
            [
                new PoolSettings
                {
                    Name = "pool", Ipv4 = IpPrefix.Parse(variant == 1 ? "100.65.0.0/29" : "100.64.0.0/29"), Gateway = IpAddress.Parse(variant == 1 ? "100.65.0.1" : "100.64.0.1"),
                },
            ],
            Users =
            [
                new User { Name = "alice", Password = Transcripts.Password, Ipv4 = IpAddress.Parse("100.64.0.5"), Routes = [IpPrefix.Parse("198.18.1.0/24")] },
                new User { Name = "bob", Password = Transcripts.Password },
            ],
            Limits = new NodeLimits { Tunnels = 12, Sessions = 16, HalfOpenTunnels = 6, HalfOpenTunnelsPerPeer = 4, HalfOpenSessions = 4 },
        };

        private DialSettings DialOf(string user) => new()
        {
            Name = "office",
            Lns = [$"{PeerAt.Address}"],
            User = user,
            Password = Transcripts.Password,
            Secret = _hasSecret ? new Secret(Transcripts.Secret) : null,
        };

        private void Operate(ref Decisions decisions)
        {
            switch (decisions.Below(28))
            {
                case < 7:
                    Deliver(TakeNext());
                    break;
                case 7:
                    _story?.Tell("the next is lost");
                    TakeNext();
                    break;
                case 8 when _pending.Count > 0:
                    Deliver(_pending[0]);
                    break;
                case 9 when _pending.Count > 1:
                    (_pending[0], _pending[1]) = (_pending[1], _pending[0]);
                    break;
                case 10 when _stash.Count > 0:
                    Inject([.. _stash[decisions.Below(_stash.Count)]], decisions.Coin());
                    break;
                case >= 11 and <= 15 when _pending.Count > 0:
                    Inject(Change(TakeNext(), ref decisions), decisions.Coin());
                    break;
                case 16:
                    Inject(L2tpSurgeon.Craft(ref decisions, LiveTunnel()?.Sessions.Select(s => s.LocalSessionId).ToArray() ?? []), decisions.Below(8) != 0);
                    break;
                case 17 or 18:
                    InjectFrame(PppSurgeon.Craft(_lastIdentifier, ref decisions), ref decisions);
                    break;
                case 19:
                    InjectFrame(Transcripts.PppFrames[decisions.Word() % Transcripts.PppFrames.Count], ref decisions);
                    break;
                case 20 or 21:
                    Pass(ref decisions);
                    break;
                case 22 or 23:
                    OperateLocally(ref decisions);
                    break;
                case 24:
                    Receive(new PeerEndpoint(IpAddress.FromUInt32(0xC6120000u + decisions.Octet()), 1701), [.. Transcripts.Datagrams[decisions.Word() % Transcripts.Datagrams.Count]]);
                    break;
                case 25:
                    byte[] ip = [0x00, 0x21, .. Transcripts.IpPackets[decisions.Below(Transcripts.IpPackets.Count)]];
                    InjectFrame(ip, ref decisions);
                    break;
                case 26:
                    for (int honest = 0; honest < 40 && _pending.Count > 0; honest++)
                    {
                        Deliver(TakeNext());
                    }

                    break;
                default:
                    _isPeerDeaf = !_isPeerDeaf;
                    break;
            }
        }

        private void OperateLocally(ref Decisions decisions)
        {
            AccessNode node = _local.Access;
            Tunnel? tunnel = LiveTunnel();
            int what = decisions.Below(14);
            _story?.Tell($"local operation {what}");
            switch (what)
            {
                case 0 when tunnel is not null:
                    node.CloseTunnel(tunnel.LocalTunnelId, "the operator says so", _now);
                    break;
                case 1 when _local.Subscribers is { Count: > 0 } subscribers:
                    node.CloseSession(subscribers[decisions.Below(subscribers.Count)].Key, "the operator says so", _now);
                    break;
                case 2:
                    node.CloseUser(decisions.Coin() ? "alice" : "bob", "the operator says so", _now);
                    break;
                case 3 or 4:
                    int variant = decisions.Below(3);
                    _local.Settings = SettingsOf("local", variant);
                    node.Apply(_local.Settings);
                    break;
                case 5:
                    _local.PathMtu.Octets = 400 + (decisions.Octet() * 6);
                    node.OnPathMtuChanged(PeerAt.Address);
                    break;
                case 6 when tunnel is not null:
                    Must(node.ExplainTunnel(tunnel.LocalTunnelId, _now).Count > 0, "nothing is known of a tunnel that is there");
                    break;
                case 7 when _local.Subscribers is { Count: > 0 } subscribers:
                    Must(node.ExplainSession(subscribers[0].Key, _now).Count > 0, "nothing is known of a session that is there");
                    break;
                case 8 when _dial is not null:
                    node.StopDial(_dial, "not wanted any more", _now);
                    _dial = null;
                    break;
                case 9 when _dial is null:
                    _dial = node.StartDial(DialOf(decisions.Coin() ? "alice" : "bob"));
                    break;
                case 10:
                    _local.SendIp(_world, Transcripts.IpPackets[decisions.Below(Transcripts.IpPackets.Count)]);
                    break;
                case 11 when _local.Subscribers is { Count: > 0 } subscribers:
                    _ = node.CountersOf(subscribers[0]);
                    break;
                default:
                    _ = node.Tunnels.Select(node.RuleName).Count();
                    break;
            }

            Drain();
        }

        private byte[] Change(byte[] datagram, ref Decisions decisions)
        {
            if (!L2tpHeader.TryRead(datagram, out L2tpHeader header) || header.IsControl)
            {
                return L2tpSurgeon.ChangeAvp(datagram, ref decisions);
            }

            byte[] frame = PppSurgeon.Change(datagram.AsSpan(header.PayloadStart..header.PayloadEnd), _lastIdentifier, ref decisions);
            return [.. datagram.AsSpan(0, header.PayloadStart), .. frame];
        }

        private void InjectFrame(byte[] frame, ref Decisions decisions)
        {
            Session[] sessions = [.. LiveTunnel()?.Sessions ?? []];
            ushort session = sessions.Length == 0 ? decisions.Edge() : sessions[decisions.Below(sessions.Length)].LocalSessionId;
            byte[] datagram = new byte[16 + frame.Length];
            L2tpHeader header = L2tpHeader.ForData(LiveTunnel()?.LocalTunnelId ?? 7, session, frame.Length, (L2tpHeaderFlags)(decisions.Coin() ? 0x4800 : 0), ns: decisions.Octet());
            header.TryWrite(datagram, out int start);
            frame.CopyTo(datagram, start);
            Receive(PeerAt, datagram[..(start + frame.Length)]);
        }

        private void Deliver(byte[] datagram) => Inject(datagram, _keepsCount && datagram.Length > L2tpHeader.ControlSize);

        private void Inject(byte[] datagram, bool renumber)
        {
            bool isControl = datagram.Length > L2tpHeader.ControlSize && (datagram[0] & 0x80) != 0 && (datagram[4] | datagram[5]) != 0;
            if (renumber && isControl && LiveTunnel() is { } tunnel)
            {
                L2tpHeader.Patch(datagram, tunnel.LocalTunnelId, tunnel.NextNr, tunnel.NextNs);
            }

            Receive(PeerAt, datagram);
        }

        private void Receive(PeerEndpoint from, byte[] datagram)
        {
            if (datagram.Length == 0)
            {
                return;
            }

            _messages++;
            if (_stash.Count < 32)
            {
                _stash.Add(datagram);
            }

            Tell("in", datagram);
            _local.Receive(new UdpPath(LocalAt.Address, from), datagram, _now);
            Drain();
        }

        private void Pass(ref Decisions decisions)
        {
            Timestamp next = Timestamp.Min(_local.NextDeadline, _peer.NextDeadline);
            TimeSpan span = decisions.Below(6) switch
            {
                0 => TimeSpan.FromMilliseconds(1),
                1 => TimeSpan.FromSeconds(3),
                2 => TimeSpan.FromSeconds(61),
                _ => next == Timestamp.Never || next < _now ? TimeSpan.Zero : next - _now,
            };
            Advance(_now + span);
        }

        private void Advance(Timestamp to)
        {
            _now = to;
            _story?.Tell($"{_now}: time passes");
            _peer.Advance(_now);
            Drain();
            for (int turns = 0; _local.NextDeadline <= _now; turns++)
            {
                Must(turns < 32, $"at {_now} it is due for ever: {_local.NextDeadline}");
                _local.Advance(_now);
                Drain();
            }
        }

        private void Drain()
        {
            bool isBusy = true;
            for (int rounds = 0; isBusy; rounds++)
            {
                Must(rounds < 1000, "they never stop talking");
                isBusy = _local.TakeEvents(_world, _now);
                while (_local.TryTransmit(_buffer, _now, out int length, out UdpPath path))
                {
                    isBusy = true;
                    NoteSent(_buffer.AsSpan(0, length));
                    if (!_isPeerDeaf && path.Peer == PeerAt)
                    {
                        _peer.Receive(new UdpPath(PeerAt.Address, LocalAt), _buffer.AsSpan(0, length).ToArray(), _now);
                    }
                }

                isBusy |= _peer.TakeEvents(_world, _now);
                while (_peer.TryTransmit(_buffer, _now, out int length, out _))
                {
                    if (_pending.Count < MostPending)
                    {
                        _pending.Add(_buffer.AsSpan(0, length).ToArray());
                    }
                }
            }
        }

        private void NoteSent(ReadOnlySpan<byte> datagram)
        {
            Tell("out", datagram);
            Must(L2tpHeader.TryRead(datagram, out L2tpHeader header), "what it sends is no L2TP");
            if (!header.IsControl && PppFrame.TryRead(datagram[header.PayloadStart..header.PayloadEnd], out _, out ReadOnlySpan<byte> information)
                && ControlPacket.TryRead(information, out ControlPacket packet))
            {
                _lastIdentifier = packet.Identifier;
            }
        }

        private void Tell(string way, ReadOnlySpan<byte> datagram)
        {
            if (_story is null)
            {
                return;
            }

            bool isData = L2tpHeader.TryRead(datagram, out L2tpHeader header) && !header.IsControl;
            string frame = isData ? PppPrinter.Print(datagram[header.PayloadStart..header.PayloadEnd]) : "";
            _story.Tell($"{_now}: {way}: {L2tpPrinter.ToLine(datagram)} {frame}");
        }

        private void Finish()
        {
            _isPeerDeaf = true;
            _story?.Tell("everything is closed, and the peer is gone");
            _local.Access.CloseAll("the end", _now);
            Drain();
            for (int turns = 0; _local.NextDeadline != Timestamp.Never; turns++)
            {
                Must(turns < 2000, $"it is never at rest: {_local.DescribeWhatIsHeld()}");
                _now = Timestamp.Max(_now, _local.NextDeadline);
                _local.Advance(_now);
                Drain();
            }

            Must(_local.HoldsNothing, $"something is left: {_local.DescribeWhatIsHeld()}");
            _local.Check();
        }

        private void NoteState()
        {
            int phases = 0;
            foreach (Subscriber subscriber in _local.Subscribers)
            {
                phases = (phases * 8) + (int)subscriber.Link.Phase + 1;
            }

            EdgeMap.Note(5, (phases << 8) | ((int)(_dial?.State ?? 0) << 4) | (int)(LiveTunnel()?.State ?? 0));
        }

        private Tunnel? LiveTunnel() => _local.Tunnels.LastOrDefault();

        private byte[] TakeNext()
        {
            if (_pending.Count == 0)
            {
                return [];
            }

            byte[] next = _pending[0];
            _pending.RemoveAt(0);
            return next;
        }
    }
}
