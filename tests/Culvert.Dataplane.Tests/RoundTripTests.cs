using Culvert.Core;

namespace Culvert.Dataplane.Tests;

public class RoundTripTests
{
    private const int Largest = 64_000;

    public static TheoryData<int> Framings => new(Enumerable.Range(0, 16));

    [Theory, MemberData(nameof(Framings))]
    public void What_goes_in_comes_out_for_every_size_and_framing(int framing)
    {
        var pair = new Pair((TransmitFraming)framing);
        for (int size = 28; size <= 1600; size++)
        {
            pair.Carry(size, isIPv6: false);
            pair.Carry(Math.Max(size, 40), isIPv6: true);
        }

        // The large sizes are shared out: each is carried by one framing, all of them by the sixteen together.
        for (int size = 1601 + framing; size <= Largest; size += 16 * 7)
        {
            pair.Carry(size, isIPv6: (size & 1) != 0);
        }

        pair.Carry(Largest, isIPv6: false);
        pair.Carry(Largest, isIPv6: true);
        pair.CheckCounters();
    }

    /// <summary>Two nodes: what one wraps, the other, which assigned the peer's IDs, unwraps.</summary>
    private sealed class Pair
    {
        private readonly Forwarder _sender;
        private readonly SessionTable _senderSessions;
        private readonly Forwarder _receiver;
        private readonly SessionTable _receiverSessions;
        private readonly byte[] _content = Bench.Random(11, 2 * Largest);
        private readonly byte[] _buffer = new byte[Largest + 100];
        private readonly SessionKey _receiverKey = new(Bench.PeerTunnel, Bench.PeerSession);
        private long _packets;
        private long _octets;

        public Pair(TransmitFraming framing)
        {
            _senderSessions = new SessionTable(new SeededRandom(1));
            _sender = new Forwarder(_senderSessions, null);
            Assert.True(_senderSessions.TryInstall(Bench.Session() with { Framing = framing, Mtu = ushort.MaxValue }));
            _receiverSessions = new SessionTable(new SeededRandom(1));
            _receiver = new Forwarder(_receiverSessions, null);
            Assert.True(_receiverSessions.TryInstall(Bench.Session() with
            {
                LocalTunnelId = Bench.PeerTunnel,
                LocalSessionId = Bench.PeerSession,
                Policies = SessionPolicies.AnySource,
            }));
        }

        public void Carry(int size, bool isIPv6)
        {
            Span<byte> packet = _buffer.AsSpan(Forwarder.Headroom, size);
            _content.AsSpan(size, size).CopyTo(packet);
            packet[0] = isIPv6 ? (byte)0x6A : (byte)0x45;
            int lengthAt = isIPv6 ? 4 : 2;
            int length = isIPv6 ? size - 40 : size;
            (packet[lengthAt], packet[lengthAt + 1]) = ((byte)(length >> 8), (byte)length);
            byte[] before = packet.ToArray();

            var sink = new InPlaceSink();
            Encapsulation sent = _sender.EncapsulateTo(Bench.Key, _buffer, Forwarder.Headroom, size, [], Timestamp.Zero, ref sink);
            Assert.Equal((EncapsulationKind.Sent, 1), (sent.Kind, sent.Frames));
            Span<byte> frame = _buffer.AsSpan(sink.Offset, sink.Length);
            Verdict verdict = _receiver.Decapsulate(frame, Bench.Path);
            Assert.True(verdict.Kind == VerdictKind.Deliver && verdict.Session == _receiverKey, $"{size}: {verdict}");
            Assert.True(frame.Slice(verdict.Offset, verdict.Length).SequenceEqual(before), $"{size} octets changed");
            _packets++;
            _octets += size;
        }

        public void CheckCounters()
        {
            Assert.True(_senderSessions.TryReadCounters(Bench.Key, out SessionCounters sent));
            Assert.True(_receiverSessions.TryReadCounters(_receiverKey, out SessionCounters received));
            Assert.Equal((_packets, _octets, 0), (sent.PacketsSent, sent.OctetsSent, sent.DropsTotal));
            Assert.Equal((_packets, _octets, 0), (received.PacketsReceived, received.OctetsReceived, received.DropsTotal));
        }
    }
}

/// <summary>Remembers where the last frame lies, and lends one piece of memory.</summary>
internal struct InPlaceSink() : IFrameSink
{
    private readonly byte[] _room = new byte[70_000];

    public int Offset { get; private set; }

    public int Length { get; private set; }

    public int Frames { get; private set; }

    public bool TryAddInPlace(int offset, int length, in UdpPath path, byte trafficClass, SessionKey session)
    {
        (Offset, Length) = (offset, length);
        Frames++;
        return path == Bench.Path;
    }

    public readonly bool TryTake(int length, in UdpPath path, out Span<byte> room)
    {
        room = _room;
        return length <= room.Length;
    }

    public void Commit(int length, int frameLength, in UdpPath path, byte trafficClass, SessionKey session) => Frames++;
}
