using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Blast;

/// <summary>Stamped packets: sent in turn by all sessions that are up, and recognised when they arrive in any of them.</summary>
public sealed partial class BlastEngine
{
    /// <summary>Packets sent before what arrived meanwhile is looked at.</summary>
    private const int PacketsPerTurn = 128;

    /// <summary>Sequence numbers whose arrival is remembered for each session.</summary>
    private const int Remembered = 64;

    /// <summary>Sessions one after the other that send the same size: so many datagrams can leave in one call (UDP_SEGMENT).</summary>
    private const int SizeGroup = 6;

    /// <summary>A generator that was held up makes up for so much time; what is beyond was never sent and counts as such.</summary>
    private static readonly TimeSpan Backlog = TimeSpan.FromMilliseconds(50);

    /// <summary>Address, Control and Protocol of a PPP frame with IPv4 in it, nothing compressed (RFC 1661 section 2).</summary>
    private static ReadOnlySpan<byte> IPv4Header => [0xFF, 0x03, 0x00, 0x21];

    private readonly uint _run;
    private Timestamp _nextPacket = Timestamp.Never;
    private int _sender;

    private bool IsSending => _settings.Traffic is not null && _upCount > 0 &&
        (Phase is BlastPhase.Hold or BlastPhase.Rolling || (_settings.IsAnswerer && !IsClosing));

    private Timestamp NextPacket => IsSending ? _nextPacket : Timestamp.Never;

    private void BeginTraffic()
    {
        _nextPacket = _now;
        Counters.TrafficBegan = Counters.TrafficBegan == Timestamp.Zero ? _now : Counters.TrafficBegan;
    }

    private void SendPackets()
    {
        if (!IsSending)
        {
            return;
        }

        TrafficPlan plan = _settings.Traffic!;
        long interval = Math.Max(1, (long)(1e9 / (plan.PacketsPerSecond * _upCount)));
        for (int i = 0; i < PacketsPerTurn && _nextPacket <= _now; i++)
        {
            SendPacket(plan);
            _nextPacket = new Timestamp(_nextPacket.Nanoseconds + interval);
        }

        if (_now - _nextPacket > Backlog)
        {
            long skipped = (_now.Nanoseconds - _nextPacket.Nanoseconds) / interval;
            Counters.PacketsNotSent += skipped;
            _nextPacket = new Timestamp(_nextPacket.Nanoseconds + (skipped * interval));
        }
    }

    private void SendPacket(TrafficPlan plan)
    {
        _sender = _sender + 1 < _upCount ? _sender + 1 : 0;
        int index = _up[_sender];
        ref BlastSession session = ref _sessions[index];
        uint destination = plan.Target is { } target
            ? target.ToUInt32()
            : _sessions[_up[_sender + 1 < _upCount ? _sender + 1 : 0]].Address;
        int size = plan.Mix.SizeAt(session.Sent + (uint)(index >> SizeGroup));
        Span<byte> frame = ((IPppOutput)this).Reserve(index);
        IPv4Header.CopyTo(frame);
        new StampedPacket(index, session.Sent++, _now)
            .Write(frame[IPv4Header.Length..], size, session.Address, destination, plan.Port, _run);
        CommitData(index, IPv4Header.Length + size);
        Counters.PacketsSent++;
        Counters.OctetsSent += size;
    }

    private void ReceivePacket(ReadOnlySpan<byte> packet)
    {
        if (!StampedPacket.TryRead(packet, _run, out StampedPacket stamped) || (uint)stamped.Session >= (uint)_sessions.Length)
        {
            if (!_settings.IsAnswerer || !TryForward(packet))
            {
                Counters.OtherPackets++;
            }

            return;
        }

        ref BlastSession session = ref _sessions[stamped.Session];
        if (!IsFirst(ref session, stamped.Sequence, out bool isLate))
        {
            Counters.PacketsTwice++;
            return;
        }

        Counters.PacketsReceived++;
        Counters.PacketsLate += isLate ? 1 : 0;
        Counters.OctetsReceived += packet.Length;
        Counters.Latency.Record(_now.Nanoseconds - stamped.SentAt.Nanoseconds);
    }

    /// <summary>
    /// What an answerer does with a packet of one of its sessions to the address of another: hands it on, so that a LAC under test gets
    /// data back. Addresses are given out in the order of the sessions, so nothing is looked up.
    /// </summary>
    private bool TryForward(ReadOnlySpan<byte> packet)
    {
        if (packet.Length is < StampedPacket.MinimumSize or > StampedPacket.MaximumSize)
        {
            return false;
        }

        uint index = BinaryPrimitives.ReadUInt32BigEndian(packet[StampedPacket.DestinationAt..]) - _settings.Ppp.Pool.ToUInt32();
        if (index >= (uint)_sessions.Length || _sessions[index].State != BlastSessionState.Up)
        {
            return false;
        }

        Span<byte> frame = ((IPppOutput)this).Reserve((int)index);
        IPv4Header.CopyTo(frame);
        packet.CopyTo(frame[IPv4Header.Length..]);
        CommitData((int)index, IPv4Header.Length + packet.Length);
        Counters.PacketsForwarded++;
        return true;
    }

    // Of packets that are later than the memory reaches nobody knows whether they came before: they count as first.
    private static bool IsFirst(ref BlastSession session, uint sequence, out bool isLate)
    {
        int ahead = (int)(sequence - session.NextExpected);
        isLate = ahead < 0;
        if (!isLate)
        {
            session.Arrived = ahead + 1 < Remembered ? (session.Arrived << (ahead + 1)) | 1 : 1;
            session.NextExpected = sequence + 1;
            return true;
        }

        int behind = -ahead - 1;
        ulong bit = behind < Remembered ? 1UL << behind : 0;
        bool isNew = (session.Arrived & bit) == 0;
        session.Arrived |= bit;
        return isNew;
    }
}
