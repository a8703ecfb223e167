using System.Numerics;
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
        frame[0] = 0xFF;
        frame[1] = 0x03;
        frame[2] = 0x00;
        frame[3] = 0x21;
        new StampedPacket(index, session.Sent++, _now).Write(frame[4..], size, session.Address, destination, plan.Port, _run);
        CommitData(index, 4 + size);
        Counters.PacketsSent++;
        Counters.OctetsSent += size;
    }

    private void ReceivePacket(ReadOnlySpan<byte> packet)
    {
        if (!StampedPacket.TryRead(packet, _run, out StampedPacket stamped) || (uint)stamped.Session >= (uint)_sessions.Length)
        {
            Counters.OtherPackets++;
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
