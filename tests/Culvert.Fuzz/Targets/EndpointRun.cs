using System.Text;
using Culvert.Core;
using Culvert.L2tp;
using Culvert.L2tp.Wire;
using static Culvert.Fuzz.Claim;

namespace Culvert.Fuzz.Targets;

/// <summary>One input of <see cref="EndpointTarget"/>: two endpoints, and whoever sits between them.</summary>
internal sealed class EndpointRun
{
    private const int MostOperations = 200;
    private const int MostPending = 64;
    private const long MostAllocatedPerMessage = 1 << 18;

    /// <summary>Long after everything that an endpoint may wait for.</summary>
    private static readonly TimeSpan Ages = TimeSpan.FromHours(3);

    private static readonly EndpointLimits Limits = new()
    {
        MaxTunnels = 12,
        MaxHalfOpenTunnels = 6,

        // Small enough that they overwrite each other, and that making room for them is no great allocation.
        PendingStarts = 64,
        MaxHalfOpenTunnelsPerPeer = 4,
        MaxSessions = 16,
        MaxHalfOpenSessions = 8,
        EndedTunnelsKept = 4,
        EndedSessionsKept = 4,
        RatedPeers = 16,
        MaxPendingReplies = 8,
    };

    private static readonly UdpPath PathToPeer = new(IpAddress.Parse("192.0.2.1"), new(IpAddress.Parse("198.51.100.1"), 1701));
    private static readonly UdpPath PathToLocal = new(IpAddress.Parse("198.51.100.1"), new(IpAddress.Parse("192.0.2.1"), 1701));
    private static readonly byte[] Secret = Encoding.ASCII.GetBytes(Transcripts.Secret);

    private readonly Story? _story;
    private readonly EndpointSide _local;
    private readonly EndpointSide _peer;
    private readonly bool _keepsCount;
    private readonly List<byte[]> _pending = [];
    private readonly List<byte[]> _stash = [];
    private readonly byte[] _buffer = new byte[L2tpEndpoint.MaximumMessageSize];
    private Timestamp _now = Timestamp.FromMilliseconds(1000);
    private bool _isPeerDeaf;
    private int _messages;

    public EndpointRun(ref Decisions decisions, Story? story)
    {
        _story = story;
        int first = decisions.Octet();
        int second = decisions.Octet();
        int third = decisions.Octet();
        bool hasSecret = (first & 1) != 0;
        ControlChannelSettings channel = ControlChannelSettings.Default with
        {
            ReceiveWindow = ((second >> 2) & 3) switch { 0 => 1, 1 => 4, 2 => 16, _ => 128 },
            QueueLimit = 64,
            HelloInterval = TimeSpan.FromSeconds((second & 1) != 0 ? 60 : 7),
        };
        var settings = new TunnelSettings
        {
            HostName = "local",
            Secret = hasSecret ? Secret : null,
            HideAvps = hasSecret && (first & 2) != 0,
            RequireChallenge = hasSecret && (second & 2) != 0,
            AcceptOutgoingCalls = (first & 4) != 0,
            SendTieBreaker = (first & 8) != 0,
            AcceptTunnelIdZero = (second & 16) != 0,
            RefuseWithGeneralError = (second & 32) != 0,
            OnRestart = (RestartDetection)(third % 3),
            OnPathChange = (PathChange)((third >> 2) & 1),
            Sequencing = (SequencingPolicy)((third >> 3) % 3),
            EcnCapable = (third & 64) != 0,
            ModemOnHoldCapable = (third & 128) != 0,
            SessionPhb = (third & 32) != 0 ? (ushort)0x2E00 : null,
            MaxSessions = 12,
            Channel = channel,
        };
        _local = new EndpointSide(settings, Limits, (ulong)(first | (second << 8)) + 1) { IsHesitant = (second & 64) != 0 };
        _peer = new EndpointSide(
            settings with { HostName = "peer", AcceptOutgoingCalls = true, RequireChallenge = false, OnPathChange = PathChange.Follow }, Limits, (ulong)third + 77);
        _keepsCount = (second & 128) != 0;
        SetUp(localStarts: (first & 16) != 0, depth: first >> 5);
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

    private void SetUp(bool localStarts, int depth)
    {
        if (depth == 0)
        {
            return;
        }

        EndpointSide from = localStarts ? _local : _peer;
        Must(from.Endpoint.TryConnect(localStarts ? PathToPeer : PathToLocal, from.Settings, _now, out Tunnel? tunnel), "no tunnel can be opened");
        from.Newest = tunnel;
        Drain();
        for (int honest = 0; honest < (depth == 1 ? 0 : depth == 2 ? 1 : 100) && _pending.Count > 0; honest++)
        {
            Deliver(TakeNext());
        }

        if (depth >= 4)
        {
            PlaceCall(depth is 4 or 5 ? _peer : _local, isOutgoing: depth is 5 or 7);
            Drain();
            for (int honest = 0; honest < 100 && depth >= 5 && _pending.Count > 0; honest++)
            {
                Deliver(TakeNext());
            }
        }
    }

    private void Operate(ref Decisions decisions)
    {
        int operation = decisions.Below(32);
        switch (operation)
        {
            case < 6:
                Deliver(TakeNext());
                break;
            case 6:
                _story?.Tell("the next is lost");
                TakeNext();
                break;
            case 7 when _pending.Count > 0:
                Deliver(_pending[0]);
                break;
            case 8 when _pending.Count > 1:
                _story?.Tell("the next two change places");
                (_pending[0], _pending[1]) = (_pending[1], _pending[0]);
                break;
            case 9 when _stash.Count > 0:
                Inject([.. _stash[decisions.Below(_stash.Count)]], decisions.Below(4) != 0);
                break;
            case 10:
                IReadOnlyList<byte[]> foreign = Transcripts.ControlMessages;
                Inject([.. foreign[decisions.Word() % foreign.Count]], decisions.Below(4) != 0);
                break;
            case >= 11 and <= 16 when _pending.Count > 0:
                bool isRenumbered = decisions.Coin();
                Inject(L2tpSurgeon.ChangeAvp(TakeNext(), ref decisions), isRenumbered);
                break;
            case 17 when _pending.Count > 0:
                byte[] raw = [.. TakeNext()];
                if (raw.Length > 0)
                {
                    raw[decisions.Octet() % raw.Length] ^= decisions.Octet();
                    Inject(raw[..Math.Max(0, raw.Length - decisions.Below(3))], renumber: false);
                }

                break;
            case >= 18 and <= 22:
                Inject(L2tpSurgeon.Craft(ref decisions, SessionIds()), decisions.Below(8) != 0);
                break;
            case 23 or 24:
                Pass(ref decisions);
                break;
            case 25 or 26:
                OperateLocally(ref decisions);
                break;
            case 27:
                OperateAtPeer(ref decisions);
                break;
            case 28:
                SendNumbers(ref decisions);
                break;
            case 29:
                SendFromElsewhere(ref decisions);
                break;
            case 30:
                for (int honest = 0; honest < 30 && _pending.Count > 0; honest++)
                {
                    Deliver(TakeNext());
                }

                break;
            default:
                _isPeerDeaf = !_isPeerDeaf;
                _story?.Tell(_isPeerDeaf ? "the peer hears nothing" : "the peer hears again");
                break;
        }
    }

    private void OperateLocally(ref Decisions decisions)
    {
        Tunnel? tunnel = ChooseTunnel(ref decisions);
        Session? session = tunnel?.Sessions.ElementAtOrDefault(decisions.Below(4));
        int what = decisions.Below(16);
        _story?.Tell($"local operation {what} on {session?.ToString() ?? tunnel?.ToString()}");
        switch (what)
        {
            case 0 or 1:
                PlaceCall(_local, isOutgoing: what == 1);
                break;
            case 2:
                _local.AnswerAll(_now);
                break;
            case 3:
                _local.Offers.FirstOrDefault()?.Refuse(Disconnect.OfSession(CdnResult.Busy, "busy"), _now);
                break;
            case 4:
                session?.Close(Disconnect.OfSession(CdnResult.LostCarrier, new string('x', decisions.Octet() * 8)), _now);
                break;
            case 5:
                tunnel?.Close(Disconnect.OfTunnel(StopCcnResult.GeneralRequest, new string('é', decisions.Octet() * 8)), _now);
                break;
            case 6:
                _ = session?.TrySendAccm(new Accm(1, 2), _now);
                break;
            case 7:
                _ = session?.TrySendCallErrors(new CallErrors { Crc = 1 }, _now);
                break;
            case 8:
                _ = session?.TrySendConnectSpeed(1000, 2000, _now);
                break;
            case 9:
                _ = session?.TryRequestConnectSpeed(_now);
                break;
            case 10:
                _ = session?.TrySendModemStatus(0x8000, _now);
                break;
            case 11:
                tunnel?.NoteDataReceived(_now);
                break;
            case 12:
                session?.ForgetProxy();
                break;
            case 13:
                _ = _local.Endpoint.TryConnect(PathToPeer, _local.Settings, _now, out _);
                break;
            case 14:
                foreach (string line in session?.History.Lines(_now) ?? tunnel?.History.Lines(_now) ?? [])
                {
                    Must(!line.Contains('\n', StringComparison.Ordinal), "a line of history is two");
                }

                break;
            default:
                session?.Connect(new BearerConnection(decisions.Word()), _now);
                break;
        }

        Drain();
    }

    private void OperateAtPeer(ref Decisions decisions)
    {
        Session? session = _peer.Newest?.Sessions.ElementAtOrDefault(decisions.Below(4));
        int what = decisions.Below(8);
        _story?.Tell($"the peer does {what}");
        switch (what)
        {
            case 0 or 1:
                PlaceCall(_peer, isOutgoing: what == 1);
                break;
            case 2:
                session?.Close(Disconnect.OfSession(CdnResult.Administrative), _now);
                break;
            case 3:
                _peer.Newest?.Close(Disconnect.OfTunnel(StopCcnResult.ShuttingDown, "maintenance"), _now);
                break;
            case 4:
                _ = session?.TrySendAccm(new Accm(uint.MaxValue, 0), _now) | session?.TrySendCallErrors(new CallErrors { Timeouts = 9 }, _now);
                break;
            case 5:
                _ = session?.TrySendConnectSpeed(7, 8, _now) | session?.TryRequestConnectSpeed(_now) | session?.TrySendModemStatus(1, _now);
                break;
            default:
                if (_peer.Endpoint.TryConnect(PathToLocal, _peer.Settings, _now, out Tunnel? another))
                {
                    _peer.Newest = another;
                }

                break;
        }

        Drain();
    }

    private void PlaceCall(EndpointSide side, bool isOutgoing)
    {
        Tunnel? tunnel = side.Newest is { Ended: null } newest ? newest : side.Endpoint.Tunnels.FirstOrDefault(t => t.Ended is null);
        bool isPlaced = isOutgoing
            ? tunnel?.TryPlaceOutgoingCall(new OutgoingCall { CalledNumber = "5550100" }, _now, out _) == true
            : tunnel?.TryPlaceIncomingCall(Transcripts.RichCall, _now, out _) == true;
        _story?.Tell(isPlaced ? "a call is placed" : "no call can be placed");
    }

    private void Pass(ref Decisions decisions)
    {
        Timestamp next = Timestamp.Min(_local.Endpoint.NextDeadline, _peer.Endpoint.NextDeadline);
        TimeSpan span = decisions.Below(6) switch
        {
            0 => TimeSpan.FromMilliseconds(1),
            1 => TimeSpan.FromSeconds(1),
            2 => TimeSpan.FromSeconds(61),
            _ => next == Timestamp.Never || next < _now ? TimeSpan.Zero : next - _now,
        };
        Advance(_now + span);
    }

    private void Advance(Timestamp to)
    {
        _now = Timestamp.Max(_now, to);
        _story?.Tell($"{_now}: time passes");
        _peer.Endpoint.Advance(_now);
        for (int turns = 0; _local.Endpoint.NextDeadline <= _now; turns++)
        {
            Must(turns < 16, $"at {_now} it is due for ever: {_local.Endpoint.NextDeadline}");
            _local.Endpoint.Advance(_now);
            Drain();
        }

        Drain();
    }

    // Acknowledgements and data that lie about the numbers.
    private void SendNumbers(ref Decisions decisions)
    {
        Tunnel? tunnel = ChooseTunnel(ref decisions);
        byte[] message = new byte[L2tpHeader.ControlSize];
        ushort ns = (ushort)((tunnel?.NextNr ?? 0) + (short)decisions.Edge());
        ushort nr = (ushort)((tunnel?.NextNs ?? 0) + (short)decisions.Edge());
        L2tpHeader.ForControl(tunnel?.LocalTunnelId ?? decisions.Edge(), 0, ns, nr, 0).TryWrite(message, out _);
        Receive(PathToPeer, message);
    }

    private void SendFromElsewhere(ref Decisions decisions)
    {
        var path = new UdpPath(PathToPeer.Local, new(IpAddress.FromUInt32(0xC6120000u + decisions.Octet()), (ushort)(1024 + decisions.Octet())));
        IReadOnlyList<byte[]> foreign = Transcripts.ControlMessages;
        byte[] message = decisions.Below(3) == 0 ? TakeNext() : [.. foreign[decisions.Word() % foreign.Count]];
        if (message.Length >= L2tpHeader.ControlSize && decisions.Coin() && ChooseTunnel(ref decisions) is { } tunnel)
        {
            L2tpHeader.Patch(message, tunnel.LocalTunnelId, tunnel.NextNr, tunnel.NextNs);
        }

        Receive(path, message);
    }

    private void Deliver(byte[] message) => Inject(message, _keepsCount && message.Length > L2tpHeader.ControlSize);

    /// <param name="renumber">With the numbers that are expected, so that it is taken for the next message.</param>
    private void Inject(byte[] message, bool renumber)
    {
        if (message.Length == 0)
        {
            return;
        }

        if (renumber && message.Length >= L2tpHeader.ControlSize && LiveTunnel() is { } tunnel && !IsStart(message))
        {
            L2tpHeader.Patch(message, tunnel.LocalTunnelId, tunnel.NextNr, tunnel.NextNs);
        }

        Receive(PathToPeer, message);
    }

    private void Receive(in UdpPath path, byte[] message)
    {
        _messages++;
        if (_stash.Count < 32)
        {
            _stash.Add(message);
        }

        _story?.Tell($"{_now}: from {path.Peer}: {L2tpPrinter.ToLine(message)}");
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        _local.Endpoint.Receive(path, message, _now);
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        Must(allocated <= MostAllocatedPerMessage, $"one message of {message.Length} octets made it allocate {allocated}");
        Drain();
    }

    /// <summary>Takes everything from both ends; the peer gets what is for it at once, its answers wait.</summary>
    private void Drain()
    {
        bool isBusy = true;
        for (int rounds = 0; isBusy; rounds++)
        {
            Must(rounds < 1000, "they never stop talking");
            isBusy = false;
            while (_local.TakeEvent(_now, out L2tpEvent e))
            {
                _story?.Tell($"{_now}: local: {e}");
                isBusy = true;
            }

            while (_local.Endpoint.TryTransmit(_buffer, out int length, out UdpPath path))
            {
                isBusy = true;
                _story?.Tell($"{_now}: to {path.Peer}: {L2tpPrinter.ToLine(_buffer.AsSpan(0, length))}");
                Must(L2tpHeader.TryRead(_buffer.AsSpan(0, length), out L2tpHeader header) && header.IsControl, "what it sends is no control message");
                if (!_isPeerDeaf && path.Peer == PathToPeer.Peer)
                {
                    _peer.Endpoint.Receive(PathToLocal, _buffer.AsSpan(0, length), _now);
                }
            }

            while (_peer.TakeEvent(_now, out _))
            {
                isBusy = true;
            }

            while (_peer.Endpoint.TryTransmit(_buffer, out int length, out _))
            {
                if (_pending.Count < MostPending)
                {
                    _pending.Add(_buffer.AsSpan(0, length).ToArray());
                }
            }
        }
    }

    private void Finish()
    {
        _story?.Tell("everything is closed, and the peer is gone");
        _isPeerDeaf = true;
        _local.Endpoint.CloseAll(Disconnect.OfTunnel(StopCcnResult.ShuttingDown, "the end"), _now);
        Drain();
        Timestamp end = _now + Ages;
        for (int turns = 0; _local.Endpoint.NextDeadline <= end; turns++)
        {
            Must(turns < 2000, $"it is never at rest: {_local.Endpoint.NextDeadline}");
            _now = Timestamp.Max(_now, _local.Endpoint.NextDeadline);
            _local.Endpoint.Advance(_now);
            Drain();
        }

        _local.Check();
        _local.CheckEmpty();
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

    private Tunnel? LiveTunnel() =>
        _local.Newest is { Ended: null } newest ? newest : _local.Endpoint.Tunnels.FirstOrDefault(t => t.Ended is null) ?? _local.Endpoint.Tunnels.FirstOrDefault();

    private Tunnel? ChooseTunnel(ref Decisions decisions) =>
        decisions.Coin() ? LiveTunnel() : _local.Endpoint.Tunnels.ElementAtOrDefault(decisions.Below(4));

    private ushort[] SessionIds() => LiveTunnel() is { } tunnel ? [.. tunnel.Sessions.Select(s => s.LocalSessionId)] : [];

    private static bool IsStart(ReadOnlySpan<byte> message) =>
        message.Length >= 20 && message[18] == 0 && message[19] == (byte)MessageType.Sccrq && (message[4] | message[5]) == 0;
}
