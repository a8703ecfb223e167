using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Dataplane.Tests;

/// <summary>Truncated and mutated input into a live forwarder, judged by a second, slower reading of the same octets.</summary>
public class HostileInputTests
{
    private const int Mutations = 100_000;

    private static readonly ushort[] TemptingNumbers = [0, 1, 2, 3, 6, 7, 8, 20, 21, 28, 40, 0x7FFF, 0x8000, 0xC021, 0xFF03, 0xFFFE, 0xFFFF];

    public static TheoryData<string> GoldenFrames
    {
        get
        {
            byte[] syn = Bench.IPv4(
                Bench.Subscriber, Bench.Server, 6, Bench.Tcp(Bench.Subscriber, Bench.Server, 2, Bench.Hex("01 0204 05B4 0402 080A 0000000100000000 00")));
            byte[] syn6 = Bench.IPv6(
                Bench.Subscriber6, Bench.Server6, 0,
                [6, 0, 0, 0, 0, 0, 0, 0, .. Bench.Tcp(Bench.Subscriber6, Bench.Server6, 2, Bench.Hex("0204 05B4 0402 0101"))]);
            var frames = new TheoryData<string>();
            int n = 0;
            foreach (ITheoryDataRow row in DecapsulateTests.Headers)
            {
                byte[] ppp = Bench.Ppp(n % 3 == 2 ? syn6 : syn, addressControl: (n & 1) == 0, compressed: (n & 2) != 0);
                frames.Add(Convert.ToHexString(DecapsulateTests.Golden((string)row.GetData()[1]!, Convert.ToHexString(ppp))));
                n++;
            }

            frames.Add(Convert.ToHexString(Bench.Frame(Bench.Hex("FF03C0210101000A05060A0B0C0D"))));
            return frames;
        }
    }

    [Theory, MemberData(nameof(GoldenFrames))]
    public void Datagrams_that_were_damaged_reach_nobody_they_must_not(string golden)
    {
        byte[] frame = Bench.Hex(golden);
        Rig rig = TwoSessions();
        Assert.NotEqual(VerdictKind.Dropped, rig.Forwarder.Decapsulate([.. frame], Bench.Path).Kind);
        for (int length = 0; length < frame.Length; length++)
        {
            Judge(rig, frame.AsSpan(0, length).ToArray(), Bench.Path);
        }

        var random = new SeededRandom(BinaryPrimitives.ReadUInt64BigEndian(frame));
        byte[] buffer = new byte[frame.Length + 64];
        for (int i = 0; i < Mutations; i++)
        {
            int length = Mutate(frame, buffer, random);
            Judge(rig, buffer.AsSpan(0, length), (i & 7) == 0 ? Bench.OtherPath : Bench.Path);
        }

        // The next good frame is served.
        Assert.NotEqual(VerdictKind.Dropped, rig.Forwarder.Decapsulate([.. frame], Bench.Path).Kind);
    }

    [Fact]
    public void Packets_that_were_damaged_go_nowhere_they_must_not()
    {
        byte[][] packets =
        [
            Bench.IPv4(Bench.Server, Bench.Subscriber, 6, Bench.Tcp(Bench.Server, Bench.Subscriber, 2, Bench.Hex("01 0204 05B4 00"))),
            Bench.IPv4(Bench.Server, Bench.Subscriber, 17, Bench.Random(1, 900), 0, Bench.Hex("9404000001010101")),
            Bench.IPv4(Bench.Server, Bench.Subscriber, 1, Bench.Random(2, 900), 0x4000),
            Bench.IPv6(Bench.Server6, Bench.Subscriber6, 60, [6, 0, 0, 0, 0, 0, 0, 0, .. Bench.Tcp(Bench.Server6, Bench.Subscriber6, 2, Bench.Hex("020405B4"))]),
            Bench.IPv6(Bench.Server6, Bench.Subscriber6, 44, [58, 0, 0, 1, 0, 0, 0, 0, .. Bench.Random(3, 1500)]),
        ];
        var rig = new Rig(Bench.Session() with { Mtu = 300, MssIPv4 = 200, MssIPv6 = 1200 });
        byte[] reply = new byte[Forwarder.ReplyCapacity];
        byte[] buffer = new byte[4096];
        var random = new SeededRandom(8);
        var now = Timestamp.Zero;
        foreach (byte[] packet in packets)
        {
            for (int i = 0; i < Mutations + packet.Length; i++)
            {
                int length = i < packet.Length ? i : Mutate(packet, buffer.AsSpan(Forwarder.Headroom), random);
                if (i < packet.Length)
                {
                    packet.CopyTo(buffer, Forwarder.Headroom);
                }

                // Destination first: prepending does not touch it, yet nothing should depend on that.
                byte[] seen = buffer[Forwarder.Headroom..(Forwarder.Headroom + length)];
                now += TimeSpan.FromMilliseconds(20);
                var sink = new CheckingSink(buffer);
                Encapsulation result = rig.Forwarder.Encapsulate(buffer, Forwarder.Headroom, length, reply, now, ref sink);
                Assert.Equal(result.Kind == EncapsulationKind.Sent, sink.Frames > 0);
                if (result.Kind != EncapsulationKind.Dropped)
                {
                    bool mine = seen[0] >> 4 == 4
                        ? seen.AsSpan(16, 4).SequenceEqual(Bench.Octets(Bench.Subscriber))
                        : seen.AsSpan(24, 8).SequenceEqual(Bench.Octets(Bench.Subscriber6).AsSpan(0, 8));
                    Assert.True(mine, Convert.ToHexString(seen));
                    Assert.InRange(result.ReplyLength, 0, Forwarder.ReplyCapacity);
                }
            }
        }
    }

    private static Rig TwoSessions()
    {
        var rig = new Rig(Bench.Session() with { MssIPv4 = 1300, MssIPv6 = 1280 });
        SessionForwarding neighbour = Bench.Session() with { LocalSessionId = 0x5679, SourceIPv4 = IpAddress.Parse("100.64.9.8") };
        Assert.True(rig.Sessions.TryInstall(neighbour with { Path = Bench.OtherPath }));
        Assert.True(rig.Routes.TryAdd(new IpPrefix(neighbour.SourceIPv4, 32), neighbour.Key));
        return rig;
    }

    private static void Judge(Rig rig, Span<byte> datagram, in UdpPath path)
    {
        Verdict verdict = rig.Forwarder.Decapsulate(datagram, path);
        if (verdict.Kind == VerdictKind.Dropped)
        {
            return;
        }

        Assert.InRange(verdict.Offset, 0, datagram.Length);
        Assert.InRange(verdict.Length, 0, datagram.Length - verdict.Offset);
        if (verdict.Kind == VerdictKind.Control)
        {
            Assert.True((datagram[0] & 0x80) != 0 && (datagram[1] & 0x0F) == 2);
            return;
        }

        int ids = (datagram[0] & 0x40) != 0 ? 4 : 2;
        uint key = BinaryPrimitives.ReadUInt32BigEndian(datagram[ids..]);
        bool first = key == Bench.Key.Value;
        Assert.True(first || key == 0x12345679);
        Assert.True(path == (first ? Bench.Path : Bench.OtherPath));
        Assert.Equal(key, verdict.Session.Value);
        Assert.Equal(2, datagram[1] & 0x0F);
        ReadOnlySpan<byte> packet = datagram.Slice(verdict.Offset, verdict.Length);
        if (verdict.Kind != VerdictKind.PppControl)
        {
            Assert.True(MayCome(packet, first, verdict.Kind), Convert.ToHexString(packet));
        }
    }

    private static bool MayCome(ReadOnlySpan<byte> packet, bool first, VerdictKind kind)
    {
        if (packet[0] >> 4 == 4)
        {
            uint source = BinaryPrimitives.ReadUInt32BigEndian(packet[12..]);
            return packet.Length == BinaryPrimitives.ReadUInt16BigEndian(packet[2..]) && source == (first ? 0x64400909 : 0x64400908);
        }

        bool own = first && packet.Slice(8, 8).SequenceEqual(Bench.Octets(Bench.Subscriber6).AsSpan(0, 8));
        bool link = kind == VerdictKind.LinkScope
            && ((packet[8] == 0xFE && (packet[9] & 0xC0) == 0x80) || packet.Slice(8, 16).IndexOfAnyExcept((byte)0) < 0);
        return packet[0] >> 4 == 6 && (own || link);
    }

    private static int Mutate(ReadOnlySpan<byte> source, Span<byte> target, SeededRandom random)
    {
        source.CopyTo(target);
        int length = source.Length;
        for (int changes = random.NextBelow(4); changes >= 0; changes--)
        {
            // Most damage goes to the headers, where decisions are made.
            int at = random.NextBelow(random.NextBelow(4) == 0 ? length : Math.Min(length, 64));
            switch (random.NextBelow(6))
            {
                case 0:
                    target[at] ^= (byte)(1 << random.NextBelow(8));
                    break;
                case 1:
                    target[at] = (byte)random.NextUInt16();
                    break;
                case 2 when at + 1 < length:
                    BinaryPrimitives.WriteUInt16BigEndian(target[at..], TemptingNumbers[random.NextBelow(TemptingNumbers.Length)]);
                    break;
                case 3:
                    target[at] += (byte)(random.NextBelow(3) - 1);
                    break;
                case 4:
                    length = 1 + random.NextBelow(length);
                    break;
                default:
                    int more = random.NextBelow(Math.Min(16, target.Length - length) + 1);
                    random.Fill(target.Slice(length, more));
                    length += more;
                    break;
            }

            length = Math.Min(length, target.Length - 16);
        }

        return length;
    }

    private struct CheckingSink(byte[] buffer) : IFrameSink
    {
        private readonly byte[] _room = new byte[2048];

        public int Frames { get; private set; }

        public bool TryAddInPlace(int offset, int length, in UdpPath path, byte trafficClass, SessionKey session)
        {
            Check(buffer.AsSpan(offset, length), path);
            return true;
        }

        public readonly bool TryTake(int length, in UdpPath path, out Span<byte> room)
        {
            room = _room.AsSpan(0, length);
            return true;
        }

        public void Commit(int length, int frameLength, in UdpPath path, byte trafficClass, SessionKey session) => Check(_room.AsSpan(0, length), path);

        private void Check(ReadOnlySpan<byte> frame, in UdpPath path)
        {
            Frames++;
            Assert.Equal(Bench.Path, path);
            Assert.True(frame[..7].SequenceEqual(new byte[] { 0, 2, 0x0A, 0x0B, 0x0C, 0x0D, 0 }));
            Assert.True(frame.Length <= (frame[7] == 0x57 ? 1280 : 300) + 8);
        }
    }
}
