using Culvert.Core;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;
using Culvert.Ppp.Wire;
using static Culvert.Fuzz.Claim;

namespace Culvert.Fuzz.Targets;

/// <summary>A live link as server or client, with each method, against an honest one whose frames are mangled on their way.</summary>
internal sealed class PppLinkTarget : FuzzTarget
{
    public override string Name => "ppp-link";

    public override string Description => "a live PppLink, both roles, each method, negotiated honestly to some depth; its peer's frames mangled";

    public override int MaximumLength => 512;

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
        return new LinkRun(ref decisions, story).Execute(ref decisions);
    }

    private sealed class LinkRun
    {
        private const int MostOperations = 200;
        private const int MostPending = 64;
        private const long MostAllocatedPerFrame = 1 << 16;

        private readonly Story? _story;
        private readonly LinkSide _local;
        private readonly LinkSide _peer;
        private readonly List<byte[]> _pending = [];
        private readonly List<byte[]> _stash = [];
        private readonly byte[] _buffer = new byte[2048];
        private Timestamp _now = Timestamp.FromMilliseconds(1000);
        private byte _lastIdentifier;
        private bool _isPeerDeaf;
        private int _messages;

        public LinkRun(ref Decisions decisions, Story? story)
        {
            _story = story;
            int first = decisions.Octet();
            int second = decisions.Octet();
            bool isServer = (first & 1) != 0;
            var method = (AuthenticationMethod)((first >> 1) % 3);
            PppLinkSettings server = Transcripts.ServerSettings(method);
            PppLinkSettings client = Transcripts.ClientSettings();
            _local = new LinkSide(isServer ? server : client, isServer, (ulong)second + 1) { IsHesitant = (second & 1) != 0 };
            _peer = new LinkSide(isServer ? client : server, !isServer, (ulong)second + 1000);
            if ((second & 2) == 0)
            {
                _peer.Open(_now);
            }

            _local.Open(_now);
            Drain();
            for (int honest = (first >> 3) & 31; honest > 0 && _pending.Count > 0; honest--)
            {
                Receive(TakeNext());
            }
        }

        public int Execute(ref Decisions decisions)
        {
            for (int i = 0; i < MostOperations && !decisions.IsOver; i++)
            {
                Operate(ref decisions);
                _local.Check();
            }

            Finish();
            return _messages;
        }

        private void Operate(ref Decisions decisions)
        {
            switch (decisions.Below(24))
            {
                case < 5:
                    Receive(TakeNext());
                    break;
                case 5:
                    _story?.Tell("the next is lost");
                    TakeNext();
                    break;
                case 6 when _pending.Count > 0:
                    Receive(_pending[0]);
                    break;
                case 7 when _pending.Count > 1:
                    (_pending[0], _pending[1]) = (_pending[1], _pending[0]);
                    break;
                case 8 when _stash.Count > 0:
                    Receive(_stash[decisions.Below(_stash.Count)]);
                    break;
                case 9:
                    Receive(Transcripts.PppFrames[decisions.Word() % Transcripts.PppFrames.Count]);
                    break;
                case >= 10 and <= 13 when _pending.Count > 0:
                    Receive(PppSurgeon.Change(TakeNext(), _lastIdentifier, ref decisions));
                    break;
                case 14 when _stash.Count > 0:
                    Receive(PppSurgeon.Change(_stash[decisions.Below(_stash.Count)], _lastIdentifier, ref decisions));
                    break;
                case >= 15 and <= 18:
                    Receive(PppSurgeon.Craft(_lastIdentifier, ref decisions));
                    break;
                case 19 or 20:
                    Pass(ref decisions);
                    break;
                case 21:
                    OperateLocally(ref decisions);
                    break;
                case 22:
                    for (int honest = 0; honest < 30 && _pending.Count > 0; honest++)
                    {
                        Receive(TakeNext());
                    }

                    break;
                default:
                    _isPeerDeaf = !_isPeerDeaf;
                    break;
            }
        }

        private void OperateLocally(ref Decisions decisions)
        {
            int what = decisions.Below(12);
            _story?.Tell($"local operation {what}");
            switch (what)
            {
                case 0:
                    _local.AnswerAll(_now);
                    break;
                case 1:
                    _local.Link.Decide(AuthenticationVerdict.Accept(new string('ä', decisions.Octet())), _now);
                    break;
                case 2:
                    _local.Link.Decide(AuthenticationVerdict.Reject(new string('ä', decisions.Octet())), _now);
                    break;
                case 3:
                    _local.Link.StartNetwork(IpcpSettings.ForClient, _now);
                    break;
                case 4:
                    _local.Link.RefuseNetwork("no address", _now);
                    break;
                case 5:
                    _local.Link.Close(LinkCloseReason.Administrative, new string('x', 1 + (decisions.Octet() * 8)), _now);
                    break;
                case 6:
                    _local.Link.LowerLayerDown("the session is gone", _now);
                    break;
                case 7:
                    _local.Link.NoteDataReceived(_now);
                    break;
                case 8:
                    _peer.Link.Close(LinkCloseReason.Administrative, "the peer goes", _now);
                    break;
                case 9:
                    _peer.Link.LowerLayerDown("the peer restarts", _now);
                    Drain();
                    _peer.Open(_now);
                    break;
                default:
                    _local.Open(_now);
                    break;
            }

            Drain();
        }

        private void Pass(ref Decisions decisions)
        {
            Timestamp next = Timestamp.Min(_local.Link.NextDeadline, _peer.Link.NextDeadline);
            TimeSpan span = decisions.Below(6) switch
            {
                0 => TimeSpan.FromMilliseconds(1),
                1 => TimeSpan.FromSeconds(3),
                2 => TimeSpan.FromSeconds(61),
                _ => next == Timestamp.Never || next < _now ? TimeSpan.Zero : next - _now,
            };
            _now += span;
            _story?.Tell($"{_now}: time passes");
            _peer.Link.Advance(_now);
            for (int turns = 0; _local.Link.NextDeadline <= _now; turns++)
            {
                Must(turns < 16, $"at {_now} it is due for ever: {_local.Link.NextDeadline}");
                _local.Link.Advance(_now);
                Drain();
            }

            Drain();
        }

        private void Receive(byte[] frame)
        {
            if (frame.Length == 0)
            {
                return;
            }

            _messages++;
            if (_stash.Count < 32)
            {
                _stash.Add(frame);
            }

            _story?.Tell($"{_now}: in {_local.Link}: {PppPrinter.Print(frame)}");
            long allocated = GC.GetAllocatedBytesForCurrentThread();
            _local.Link.Receive(frame, _now);
            allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
            Must(allocated <= MostAllocatedPerFrame, $"one frame of {frame.Length} octets made it allocate {allocated}");
            Drain();
        }

        private void Drain()
        {
            bool isBusy = true;
            for (int rounds = 0; isBusy; rounds++)
            {
                Must(rounds < 1000, "they never stop talking");
                isBusy = false;
                while (_local.TakeEvent(_now, out PppLinkEvent e))
                {
                    _story?.Tell($"{_now}: local: {e}");
                    isBusy = true;
                }

                while (_local.Link.TryTransmit(_buffer, out int length))
                {
                    isBusy = true;
                    NoteSent(_buffer.AsSpan(0, length));
                }

                while (_peer.TakeEvent(_now, out _))
                {
                    isBusy = true;
                }

                while (_peer.Link.TryTransmit(_buffer, out int length))
                {
                    if (_pending.Count < MostPending)
                    {
                        _pending.Add(_buffer.AsSpan(0, length).ToArray());
                    }
                }
            }
        }

        private void NoteSent(ReadOnlySpan<byte> frame)
        {
            _story?.Tell($"{_now}: out: {PppPrinter.Print(frame)}");
            Must(frame.Length <= 1508, $"a frame of {frame.Length} octets is sent");
            Must(PppFrame.TryRead(frame, out _, out ReadOnlySpan<byte> information), "what it sends is no PPP frame");
            Must(ControlPacket.TryRead(information, out ControlPacket packet) && packet.Padding == 0, "what it sends is no control packet");
            _lastIdentifier = packet.Identifier;
            if (!_isPeerDeaf)
            {
                _peer.Link.Receive(frame, _now);
            }
        }

        private void Finish()
        {
            _isPeerDeaf = true;
            _story?.Tell("the link is closed, and the peer is gone");
            _local.Link.Close(LinkCloseReason.Administrative, "the end", _now);
            Drain();
            for (int turns = 0; _local.Link.NextDeadline != Timestamp.Never; turns++)
            {
                Must(turns < 1000, $"it is never at rest: {_local.Link}, {_local.Link.NextDeadline}");
                _now = Timestamp.Max(_now, _local.Link.NextDeadline);
                _local.Link.Advance(_now);
                Drain();
            }

            Must(_local.Link.Phase == PppPhase.Dead, $"after the end it is in phase {_local.Link.Phase}");
            _local.Check();
        }

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
