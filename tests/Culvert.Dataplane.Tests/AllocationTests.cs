using Culvert.Core;
using Culvert.Testing;

namespace Culvert.Dataplane.Tests;

public class AllocationTests
{
    private const int Million = 1_000_000;

    [Fact]
    public void A_million_packets_each_way_allocate_nothing_and_are_all_counted()
    {
        const int Sessions = 1000;
        var routes = new RouteTable();
        var table = new SessionTable(new SeededRandom(1), routes);
        var forwarder = new Forwarder(table, routes, new ForwarderOptions { IcmpSourceIPv4 = Bench.Gateway });
        var keys = new SessionKey[Sessions];
        byte[][] frames = new byte[Sessions][];
        byte[][] buffers = new byte[Sessions][];
        for (int i = 0; i < Sessions; i++)
        {
            var address = IpAddress.FromUInt32(0x64400100 + (uint)i);
            Assert.True(table.TryReserve(1, out ushort id));
            keys[i] = new SessionKey(1, id);
            Assert.True(routes.TryAdd(new IpPrefix(address, 32), keys[i]));
            Assert.True(table.TryInstall(Bench.Session() with
            {
                LocalTunnelId = 1,
                LocalSessionId = id,
                SourceIPv4 = address,
                MssIPv4 = 1300,
                Framing = (TransmitFraming)(i % 16),
            }));
            byte[] payload = i % 2 == 0 ? Bench.Random((ulong)i, 64) : Bench.Tcp(address, Bench.Server, 2, Bench.Hex("020405B4"));
            byte[] up = Bench.IPv4(address, Bench.Server, i % 2 == 0 ? (byte)17 : (byte)6, payload);
            frames[i] = Bench.Frame(Bench.Ppp(up), length: true, tunnel: 1, session: id);
            byte[] down = Bench.IPv4(Bench.Server, address, i % 2 == 0 ? (byte)17 : (byte)6, payload);
            buffers[i] = [.. new byte[Forwarder.Headroom], .. down];
        }

        byte[] reply = new byte[Forwarder.ReplyCapacity];
        var sink = new InPlaceSink();
        int failures = 0;
        int passes = 0;
        Assert.Equal(0, Allocation.Of(() =>
        {
            failures += Run(forwarder, frames, buffers, reply, ref sink, Million);
            passes++;
        }));
        Assert.Equal(0, failures);

        long each = passes * (Million / Sessions);
        for (int i = 0; i < Sessions; i++)
        {
            Assert.True(table.TryReadCounters(keys[i], out SessionCounters counters));
            long octets = each * (buffers[i].Length - Forwarder.Headroom);
            Assert.Equal((each, octets, 0), (counters.PacketsReceived, counters.OctetsReceived, counters.DropsTotal));
            Assert.Equal((each, octets), (counters.PacketsSent, counters.OctetsSent));
        }
    }

    [Fact]
    public void The_rare_ways_allocate_nothing_either()
    {
        var rig = new Rig(Bench.Session() with { Mtu = 600 });
        byte[] large = Wrap(Bench.IPv4(Bench.Server, Bench.Subscriber, 17, new byte[3000]));
        byte[] fixedSize = Wrap(Bench.IPv4(Bench.Server, Bench.Subscriber, 17, new byte[3000], 0x4000));
        byte[] six = Wrap(Bench.IPv6(Bench.Server6, Bench.Subscriber6, 17, new byte[3000]));
        byte[] lost = Wrap(Bench.IPv4(Bench.Server, Bench.Server, 17, new byte[30]));
        byte[] spoofed = Bench.Frame(Bench.Ppp(Bench.IPv4(Bench.Server, Bench.Server, 17, new byte[30])));
        byte[] lcp = Bench.Frame(Bench.Hex("FF03C02109010004"));
        byte[] unknown = Bench.Frame(Bench.Hex("FF03C02109010004"), session: 1);
        byte[] reply = new byte[Forwarder.ReplyCapacity];
        var sink = new InPlaceSink();
        var now = Timestamp.Zero;
        int rounds = 0;
        Assert.Equal(0, Allocation.Of(() =>
        {
            for (int i = 0; i < 20_000; i++, rounds++)
            {
                now += TimeSpan.FromMilliseconds(10);
                _ = rig.Forwarder.Encapsulate(large, Forwarder.Headroom, large.Length - Forwarder.Headroom, reply, now, ref sink);
                _ = rig.Forwarder.Encapsulate(fixedSize, Forwarder.Headroom, fixedSize.Length - Forwarder.Headroom, reply, now, ref sink);
                _ = rig.Forwarder.Encapsulate(six, Forwarder.Headroom, six.Length - Forwarder.Headroom, reply, now, ref sink);
                _ = rig.Forwarder.Encapsulate(lost, Forwarder.Headroom, lost.Length - Forwarder.Headroom, reply, now, ref sink);
                _ = rig.Forwarder.EncapsulatePpp(Bench.Key, lcp, true, ref sink);
                _ = rig.Forwarder.Decapsulate(spoofed, Bench.Path);
                _ = rig.Forwarder.Decapsulate(lcp, Bench.Path);
                _ = rig.Forwarder.Decapsulate(unknown, Bench.Path);
                _ = rig.Forwarder.Decapsulate(lcp, Bench.OtherPath);
                _ = rig.Sessions.TryReadCounters(Bench.Key, out _);
            }
        }));

        Assert.Equal(rounds * (6 + 1), sink.Frames);
        Assert.Equal(2 * rounds, rig.Counters().Drops(DropReason.TooBig));
        Assert.Equal(2 * rounds, rig.Forwarder.Counters.IcmpSent + rig.Forwarder.Counters.IcmpSuppressed);
        Assert.Equal(rounds, rig.Counters().Drops(DropReason.SourceNotAllowed));
        Assert.Equal(rounds, rig.Counters().Drops(DropReason.WrongPath));
        Assert.Equal(rounds, rig.Forwarder.Counters.Drops(DropReason.UnknownSession));
        Assert.Equal(rounds, rig.Forwarder.Counters.Drops(DropReason.NoRoute));
    }

    private static byte[] Wrap(byte[] packet) => [.. new byte[Forwarder.Headroom], .. packet];

    private static int Run(Forwarder forwarder, byte[][] frames, byte[][] buffers, byte[] reply, ref InPlaceSink sink, int packets)
    {
        int failures = 0;
        for (int i = 0; i < packets; i++)
        {
            int session = i % frames.Length;
            byte[] buffer = buffers[session];
            failures += forwarder.Decapsulate(frames[session], Bench.Path).Kind == VerdictKind.Deliver ? 0 : 1;
            Encapsulation sent = forwarder.Encapsulate(
                buffer, Forwarder.Headroom, buffer.Length - Forwarder.Headroom, reply, Timestamp.Zero, ref sink);
            failures += sent.Kind == EncapsulationKind.Sent ? 0 : 1;
        }

        return failures;
    }
}
