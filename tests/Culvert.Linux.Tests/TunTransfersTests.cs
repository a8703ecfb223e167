using System.Buffers.Binary;
using Culvert.Core;
using Culvert.Linux.Interop;
using Culvert.Testing;

namespace Culvert.Linux.Tests;

/// <summary>Both ways to carry transfers out: many with one call, and one by one, as where the kernel does not allow the first.</summary>
public class TunTransfersTests
{
    private const int Rooms = 24;
    private const int RoomSize = 2048;

    [Theory, InlineData(true), InlineData(false)]
    public void Packets_go_in_order_and_come_in_order_however_many(bool joins) => WithTun(joins, TunOffloads.None, (tun, transfers) =>
    {
        // More than one call takes, in two pieces each; the kernel answers each at once.
        const int Pings = TunTransfers.MaximumPackets + 37;
        using var memory = new PacketBuffer(Pings * 256);
        for (int i = 0; i < Pings; i++)
        {
            byte[] ping = Ping(i);
            ping[..50].CopyTo(memory.Octets[(i * 256)..]);
            ping[50..].CopyTo(memory.Octets[((i * 256) + 60)..]);
            transfers.Write(tun.Device, default, memory.Octets, [new BufferRange(i * 256, 50), new BufferRange((i * 256) + 60, ping.Length - 50)], 1);
        }

        transfers.Flush();
        Assert.Equal(0, transfers.Refused);
        Assert.Equal(Enumerable.Range(0, Pings), Drain(tun.Device, transfers));
    });

    [Theory, InlineData(true), InlineData(false)]
    public void Reading_writes_first_and_says_which_rooms_stayed_empty(bool joins) => WithTun(joins, TunOffloads.All, (tun, transfers) =>
    {
        // The offload header in front of both says nothing.
        byte[] header = new byte[tun.Device.HeaderSize];
        using var memory = new PacketBuffer(Rooms * RoomSize);
        Span<byte> packets = memory.Octets[((Rooms - 3) * RoomSize)..];
        for (int i = 0; i < 3; i++)
        {
            Ping(i).CopyTo(packets[(i * RoomSize)..]);
            transfers.Write(tun.Device, header, packets, [new BufferRange(i * RoomSize, Ping(i).Length)], 1);
        }

        int[] lengths = [.. Enumerable.Repeat(-1, 5)];
        Assert.Equal(3, transfers.Read(tun.Device, memory.Octets, AllRooms.AsSpan(0, 5), lengths));
        Assert.Equal([.. Enumerable.Repeat(header.Length + Ping(0).Length, 3), 0, 0], lengths);
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(i, NumberOf(memory.Octets.Slice((i * RoomSize) + header.Length, lengths[i])));
        }

        Assert.Equal(0, transfers.Read(tun.Device, memory.Octets, AllRooms.AsSpan(0, 1), lengths));
        Assert.Equal(Errno.EAGAIN, tun.Device.LastError);
    });

    [Theory, InlineData(true), InlineData(false)]
    public void What_the_kernel_refuses_is_counted_and_stops_nothing(bool joins) => WithTun(joins, TunOffloads.None, (tun, transfers) =>
    {
        using var memory = new PacketBuffer(RoomSize);
        byte[] ping = Ping(7);
        ping.CopyTo(memory.Octets);
        memory.Octets[1000..1020].Fill(0xF0); // no IP version
        BufferRange good = new(0, ping.Length), bad = new(1000, 20);
        transfers.Write(tun.Device, default, memory.Octets, [bad], 5);
        transfers.Write(tun.Device, default, memory.Octets, [good], 1);
        transfers.Write(tun.Device, default, memory.Octets, [bad], 3);
        transfers.Flush();
        Assert.Equal(8, transfers.Refused);
        Assert.Equal([7], Drain(tun.Device, transfers));

        tun.Netlink.SetLinkDown(tun.Index);
        transfers.Write(tun.Device, default, memory.Octets, [good], 1);
        transfers.Write(tun.Device, default, memory.Octets, [good], 1);
        transfers.Flush();
        Assert.Equal((10, Errno.EIO), (transfers.Refused, tun.Device.LastError));
    });

    [Theory, InlineData(true), InlineData(false)]
    public void An_interface_that_somebody_removed_is_an_error_of_its_device(bool joins) => WithTun(joins, TunOffloads.None, (tun, transfers) =>
    {
        using var memory = new PacketBuffer(Rooms * RoomSize);
        _ = NetworkNamespace.Command("ip", $"link delete {tun.Device.Name}");
        Assert.Equal(0, transfers.Read(tun.Device, memory.Octets, AllRooms.AsSpan(0, 4), new int[4]));
        Assert.Equal(Errno.EBADFD, tun.Device.LastError);
    });

    [Theory, InlineData(true), InlineData(false)]
    public void Transfers_allocate_nothing(bool joins) => WithTun(joins, TunOffloads.None, (tun, transfers) =>
    {
        using var memory = new PacketBuffer(Rooms * RoomSize);
        int[] lengths = new int[Rooms];
        byte[] ping = Ping(1);
        int came = 0;
        Assert.Equal(0, Allocation.Of(() =>
        {
            for (int i = 0; i < 20_000; i++)
            {
                ping.CopyTo(memory.Octets[^RoomSize..]);
                BufferRange where = new(memory.Octets.Length - RoomSize, ping.Length);
                transfers.Write(tun.Device, default, memory.Octets, [where], 1);
                transfers.Write(tun.Device, default, memory.Octets, [where], 1);
                came += transfers.Read(tun.Device, memory.Octets, AllRooms.AsSpan(0, 8), lengths);
            }
        }));
        Assert.True(came >= 40_000, $"{came} answers");
    });

    [Fact]
    public void What_lies_outside_the_memory_or_is_too_much_for_a_call_is_refused() => WithTun(joins: true, TunOffloads.None, (tun, transfers) =>
    {
        using var memory = new PacketBuffer(RoomSize);
        Assert.Throws<ArgumentOutOfRangeException>(() => transfers.Write(tun.Device, default, memory.Octets, [new BufferRange(RoomSize - 1, 2)], 1));
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            transfers.Write(tun.Device, default, memory.Octets, new BufferRange[TunTransfers.MaximumPieces + 1], 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => transfers.Read(tun.Device, memory.Octets, [new BufferRange(1, RoomSize)], new int[1]));
        BufferRange[] many = new BufferRange[TunTransfers.MaximumPackets + 1];
        Assert.Throws<ArgumentOutOfRangeException>(() => transfers.Read(tun.Device, memory.Octets, many, new int[many.Length]));

        // As many pieces as there may be, of several packets: more than are kept together.
        Ping(3).CopyTo(memory.Octets);
        int length = Ping(3).Length;
        BufferRange[] pieces = [.. Enumerable.Range(0, length).Select(i => new BufferRange(i, 1)), .. new BufferRange[TunTransfers.MaximumPieces - length]];
        for (int i = 0; i < 5; i++)
        {
            transfers.Write(tun.Device, default, memory.Octets, pieces, 1);
        }

        Assert.Equal([3, 3, 3, 3, 3], Drain(tun.Device, transfers));
    });

    [Fact]
    public void A_ring_that_the_kernel_does_not_give_is_none_and_says_why()
    {
        Assert.Null(IoRing.TryOpen(1 << 20, out Errno error));
        Assert.Equal(Errno.EINVAL, error);
    }

    [Fact]
    public void A_ring_carries_out_what_it_can_of_operations_that_fail()
    {
        using IoRing ring = Skip(IoRing.TryOpen(8, out Errno error), error);
        int[] results = new int[8];
        Assert.Equal(8, ring.Capacity);
        for (int round = 0; round < 5; round++)
        {
            // An entry that is no file is refused before the others are looked at: they are carried out all the same.
            Span<int> files = [-1, 1 << 20, -1, -1, 1 << 20, -1, -1, -1];
            foreach (int file in files)
            {
                Add(ring, file);
            }

            Assert.Throws<InvalidOperationException>(() => Add(ring, -1));
            results.AsSpan().Clear();
            ring.Submit(results);
            Assert.All(results, r => Assert.Equal(-(int)Errno.EBADF, r));
        }

        ring.Submit(results);
    }

    private static readonly BufferRange[] AllRooms = [.. Enumerable.Range(0, Rooms).Select(i => new BufferRange(i * RoomSize, RoomSize))];

    private static unsafe void Add(IoRing ring, int file) => ring.Add(IoOperation.Read, file, null, 0);

    private static IoRing Skip(IoRing? ring, Errno error)
    {
        Assert.SkipWhen(ring is null, $"NOT TESTED: no io_uring here ({error}).");
        return ring!;
    }

    private static void WithTun(bool joins, TunOffloads offloads, Action<TunEnd, TunTransfers> body) => NetworkNamespace.RunWithTun(() =>
    {
        using var transfers = new TunTransfers(joins);
        Assert.SkipWhen(joins && !transfers.Joins, "NOT TESTED: the kernel takes one packet a call here (no io_uring).");
        Assert.Equal(joins, transfers.Joins);
        using var tun = new TunEnd("culvert%d", offloads, "192.0.2.1/24");
        _ = NetworkNamespace.Command("sysctl", $"-qw net.ipv6.conf.{tun.Device.Name}.disable_ipv6=1");
        _ = Drain(tun.Device, transfers); // what the kernel said on its own
        body(tun, transfers);
    });

    private static byte[] Ping(int number) =>
        PacketBuilder.IPv4("192.0.2.2", "192.0.2.1", PacketBuilder.Icmp, PacketBuilder.IcmpMessage(8, 0, 0x12340000u + (uint)number, new byte[64]));

    private static int NumberOf(ReadOnlySpan<byte> answer) => BinaryPrimitives.ReadUInt16BigEndian(answer[26..]);

    /// <summary>The numbers of the answers that wait.</summary>
    private static List<int> Drain(TunDevice tun, TunTransfers transfers)
    {
        using var memory = new PacketBuffer(Rooms * RoomSize);
        int[] lengths = new int[Rooms];
        List<int> numbers = [];
        while (transfers.Read(tun, memory.Octets, AllRooms, lengths) > 0)
        {
            for (int i = 0; i < Rooms; i++)
            {
                ReadOnlySpan<byte> packet = memory.Octets.Slice(i * RoomSize, lengths[i]);
                packet = packet.IsEmpty ? packet : packet[tun.HeaderSize..];
                if (packet.Length > 28 && packet[0] >> 4 == 4 && packet[9] == PacketBuilder.Icmp)
                {
                    numbers.Add(NumberOf(packet));
                }
            }
        }

        return numbers;
    }
}
