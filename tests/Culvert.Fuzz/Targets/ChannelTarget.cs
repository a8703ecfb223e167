using Culvert.Core;
using Culvert.L2tp;
using Culvert.L2tp.Wire;
using static Culvert.Fuzz.Claim;

namespace Culvert.Fuzz.Targets;

/// <summary>
/// The reliable channel alone, against an honest one on a path that loses, doubles and reorders, and a stranger who writes any numbers
/// into headers. What the honest one sent is delivered once and in order for as long as nobody else's message is taken in its place.
/// </summary>
internal sealed class ChannelTarget : FuzzTarget
{
    public override string Name => "channel";

    public override string Description => "a live ControlChannel: an honest peer on a bad path, and headers with any numbers";

    public override int MaximumLength => 512;

    public override IEnumerable<byte[]> Seeds()
    {
        for (int variant = 0; variant < 32; variant++)
        {
            byte[] input = new byte[60];
            new SeededRandom((ulong)variant).Fill(input);
            input[0] = (byte)variant;
            yield return input;
        }
    }

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        var decisions = new Decisions(input);
        return new ChannelRun(ref decisions, story).Execute(ref decisions);
    }

    private sealed class ChannelRun
    {
        private const int MostOperations = 400;
        private const int QueueLimit = 40;

        private readonly Story? _story;
        private readonly ControlChannelSettings _settings;
        private readonly ControlChannel _local;
        private readonly ControlChannel _peer;
        private readonly Queue<byte[]> _toLocal = new();
        private readonly Queue<byte[]> _toPeer = new();
        private readonly byte[] _buffer = new byte[256];
        private readonly ushort _firstNs;
        private Timestamp _now = Timestamp.FromMilliseconds(1);
        private ushort _sentByPeer;
        private ushort _takenByLocal;
        private bool _isHonest = true;
        private int _messages;

        public ChannelRun(ref Decisions decisions, Story? story)
        {
            _story = story;
            int first = decisions.Octet();
            _settings = ControlChannelSettings.Default with
            {
                ReceiveWindow = (first & 3) switch { 0 => 1, 1 => 4, 2 => 16, _ => 128 },
                QueueLimit = QueueLimit,
                HelloInterval = TimeSpan.FromSeconds((first & 4) != 0 ? 10 : 0),
            };
            _local = new ControlChannel(_settings, _now) { PeerTunnelId = 9, HellosEnabled = (first & 8) != 0 };
            _peer = new ControlChannel(_settings, _now) { PeerTunnelId = 7 };
            _firstNs = (first & 16) != 0 ? (ushort)65_530 : (ushort)0;
            _local.StartAt(_firstNs, _firstNs);
            _peer.StartAt(_firstNs, _firstNs);
            _local.SetPeerWindow(_settings.ReceiveWindow);
            _peer.SetPeerWindow(_settings.ReceiveWindow);
        }

        public int Execute(ref Decisions decisions)
        {
            for (int i = 0; i < MostOperations && !decisions.IsOver; i++)
            {
                Operate(ref decisions);
                Check();
            }

            return Math.Max(_messages, 1);
        }

        private void Operate(ref Decisions decisions)
        {
            switch (decisions.Below(20))
            {
                case 0 or 1:
                    if (_peer.TrySend(Message(_sentByPeer)))
                    {
                        _sentByPeer++;
                    }

                    break;
                case 2 or 3:
                    _ = _local.TrySend(Message(0), isHello: decisions.Below(8) == 7);
                    break;
                case 4 or 5 or 6 when _toLocal.TryDequeue(out byte[]? message):
                    Receive(message, isHonest: true);
                    break;
                case 7 when _toLocal.TryPeek(out byte[]? message):
                    Receive(message, isHonest: true); // and once more later
                    break;
                case 8 when _toLocal.Count > 0:
                    _toLocal.Enqueue(_toLocal.Dequeue()); // late
                    break;
                case 9:
                    _ = _toLocal.TryDequeue(out _);
                    break;
                case 10 or 11 when _toPeer.TryDequeue(out byte[]? message):
                    ReceiveAtPeer(message);
                    break;
                case 12:
                    _ = _toPeer.TryDequeue(out _);
                    break;
                case 13:
                    ReceiveStrange(ref decisions);
                    break;
                case 14 or 15:
                    Pass(ref decisions);
                    break;
                case 16:
                    _local.NoteHeard(_now);
                    break;
                case 17:
                    _local.ProbeAfter(TimeSpan.FromMilliseconds(decisions.Octet()), _now);
                    break;
                case 18 when decisions.Below(8) == 7:
                    _local.DropQueue();
                    break;
                case 18:
                    _local.DropUnsent();
                    break;
                default:
                    _local.HeldLimit = decisions.Octet();
                    break;
            }

            Transmit();
        }

        private void Receive(byte[] message, bool isHonest)
        {
            _messages++;
            Must(L2tpHeader.TryRead(message, out L2tpHeader header), "a message of our own cannot be read");
            ushort before = _local.Nr;
            ChannelVerdict verdict = _local.Receive(header, message, _now);
            _isHonest &= isHonest || verdict is not (ChannelVerdict.Deliver or ChannelVerdict.Held);
            _story?.Tell($"{_now}: in Ns {header.Ns} Nr {header.Nr}, {message.Length} octets: {verdict}");
            Must((verdict == ChannelVerdict.Deliver) == (_local.Nr != before) && (ushort)(_local.Nr - before) <= 1, "Nr moves without a delivery");
            if (verdict == ChannelVerdict.Deliver)
            {
                NoteTaken(message);
                while (_local.TryTakeHeld(out byte[] held))
                {
                    NoteTaken(held);
                }
            }
        }

        private void NoteTaken(ReadOnlySpan<byte> message)
        {
            if (_isHonest)
            {
                ushort number = (ushort)((message[L2tpHeader.ControlSize] << 8) | message[L2tpHeader.ControlSize + 1]);
                Must(number == _takenByLocal, $"message {number} is delivered, {_takenByLocal} is next");
            }

            _takenByLocal++;
        }

        private void ReceiveAtPeer(byte[] message)
        {
            if (L2tpHeader.TryRead(message, out L2tpHeader header) && _peer.Receive(header, message, _now) == ChannelVerdict.Deliver)
            {
                while (_peer.TryTakeHeld(out _))
                {
                    _messages++;
                }
            }
        }

        private void ReceiveStrange(ref Decisions decisions)
        {
            int body = decisions.Below(4) == 0 ? 0 : 2 + (decisions.Below(5) * 600);
            byte[] message = new byte[L2tpHeader.ControlSize + body];
            ushort ns = (ushort)(_local.Nr + (short)(decisions.Coin() ? decisions.Edge() : decisions.Below(9) - 4));
            ushort nr = (ushort)(_local.NextNs + (short)(decisions.Coin() ? decisions.Edge() : decisions.Below(9) - 4));
            L2tpHeader.ForControl(7, 0, ns, nr, body).TryWrite(message, out _);
            Receive(message, isHonest: false);
        }

        private void Pass(ref Decisions decisions)
        {
            Timestamp next = Timestamp.Min(_local.NextDeadline, _peer.NextDeadline);
            TimeSpan span = decisions.Below(4) switch
            {
                0 => TimeSpan.FromMilliseconds(decisions.Octet()),
                1 => TimeSpan.FromSeconds(8),
                _ => next == Timestamp.Never || next < _now ? TimeSpan.Zero : next - _now,
            };
            _now += span;
            _ = _peer.Advance(_now);
            for (int turns = 0; _local.NextDeadline <= _now; turns++)
            {
                Must(turns < 16, $"at {_now} it is due for ever: {_local.NextDeadline}");
                ChannelAlarm alarm = _local.Advance(_now);
                _story?.Tell($"{_now}: {alarm}");
                if (alarm == ChannelAlarm.Exhausted)
                {
                    Must(_local.Failure is { } failure && failure.Describe("peer").Length > 0, "it gives up without a word");
                }
                else if (alarm == ChannelAlarm.HelloDue)
                {
                    _ = _local.TrySend(Message(0), isHello: true);
                }

                Transmit();
            }
        }

        private void Transmit()
        {
            for (int count = 0; _local.TryTransmit(_buffer, _now, out int length); count++)
            {
                Must(count < 1000, "it never stops talking");
                Must(L2tpHeader.TryRead(_buffer.AsSpan(0, length), out L2tpHeader header) && header.TunnelId == 9 && header.Nr == _local.Nr, "what it sends has wrong numbers");
                _story?.Tell($"{_now}: out Ns {header.Ns} Nr {header.Nr}, {length} octets");
                _toPeer.Enqueue(_buffer[..length]);
            }

            while (_peer.TryTransmit(_buffer, _now, out int length))
            {
                _toLocal.Enqueue(_buffer[..length]);
            }
        }

        private void Check()
        {
            Must(_local.Unacknowledged <= QueueLimit, $"{_local.Unacknowledged} messages are queued");
            Must(_local.InFlight <= _local.Unacknowledged && _local.InFlight <= _local.PeerWindow, $"{_local.InFlight} of {_local.Unacknowledged} messages are under way");
            Must(_local.CongestionWindow >= 1 && _local.CongestionWindow <= Math.Max(_local.PeerWindow, 1), $"the congestion window is {_local.CongestionWindow}");
            Must(_local.InFlight == 0 || _local.Failure is not null || _local.NextDeadline != Timestamp.Never, "messages are under way, and nothing will repeat them");
            Must(!_local.WantsToTransmit, "it wants to send after it was asked");
        }

        private static byte[] Message(ushort number)
        {
            byte[] message = new byte[L2tpHeader.ControlSize + 2];
            L2tpHeader.ForControl(0, 0, 0, 0, 2).TryWrite(message, out _);
            (message[^2], message[^1]) = ((byte)(number >> 8), (byte)number);
            return message;
        }
    }
}
