using System.Diagnostics;
using Culvert.Core;

namespace Culvert.Dataplane.Tests;

/// <summary>One thread writes, several read: each reader sees a session before or after a change, never half of it.</summary>
public class SessionTableStressTests
{
    // More readers than processors: the writer is then put off in the middle of a change, with readers looking on.
    private const int Readers = 6;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(1.5);

    private static readonly SessionForwarding[] Forms = [Form(1, "192.0.2.1"), Form(2, "192.0.2.2"), Form(3, "2001:db8::3")];

    [Fact]
    public void No_reader_sees_half_a_session_while_it_changes_and_the_table_grows()
    {
        var table = new SessionTable(new SeededRandom(3), null, initialSlots: 16, slotLimit: 1 << 17);
        Assert.True(table.TryInstall(Forms[0]));
        var random = new SeededRandom(4);
        int change = 0;
        long reads = Run(
            table,
            mayBeUnknown: false,
            () =>
            {
                bool done = true;
                for (int i = 0; i < 1000; i++)
                {
                    done &= table.TryUpdate(Forms[++change % 3]);
                }

                Assert.True(done);
                _ = table.TryReserve((ushort)(1 + random.NextBelow(500)), out _);
            });
        Assert.True(reads > 1000, $"{reads} reads");
        Assert.True(table.Slots > 64);
    }

    /// <summary>The session ends and another takes its ID or its row, over and over.</summary>
    [Fact]
    public void No_reader_sees_a_session_under_the_ID_of_another()
    {
        var table = new SessionTable(new SeededRandom(3), null, initialSlots: 1024);
        var others = Enumerable.Range(0, PacketCounters.RowsPerChunk - 2)
            .Select(i => Bench.Session() with { LocalSessionId = (ushort)(Bench.LocalSession + 1 + i) })
            .ToArray();
        Array.ForEach(others, other => Assert.True(table.TryInstall(other)));
        Assert.True(table.TryInstall(Forms[0]));
        int change = 0;
        long reads = Run(
            table,
            mayBeUnknown: true,
            () =>
            {
                // Few rows are free, so the one that is given back is soon used by somebody else.
                SessionForwarding other = others[change % others.Length];
                Assert.True(table.Remove(Bench.Key));
                Assert.True(table.Remove(other.Key));
                Assert.True(table.TryInstall(other));
                Assert.True(table.TryInstall(Forms[++change % 3]));
            });
        Assert.True(reads > 1000, $"{reads} reads");
    }

    [Fact]
    public void A_version_does_not_come_round()
    {
        var table = new SessionTable(new SeededRandom(3));
        Assert.True(table.TryInstall(Forms[0]));
        Assert.True(table.TryRead(Bench.Key.Value, out SessionEntry before, out _));
        for (int i = 0; i < 200_000; i++)
        {
            Assert.True(table.TryUpdate(Forms[i % 3]));
            Assert.True(table.TryRead(Bench.Key.Value, out SessionEntry after, out _));
            Assert.NotEqual(before.Version, after.Version);
        }
    }

    /// <summary>Writing the contents leaves the version alone, and nothing else.</summary>
    [Fact]
    public void Contents_are_everything_but_the_version()
    {
        var entry = default(SessionEntry);
        entry.Version = 0xFFFF_FFFF;
        var other = SessionEntry.From(Forms[2], 77);
        entry.TakeContents(other);
        Assert.Equal(0xFFFF_FFFF, entry.Version);
        entry.Version = 0;
        Assert.Equal(Octets(other), Octets(entry));

        static byte[] Octets(SessionEntry entry) =>
            System.Runtime.InteropServices.MemoryMarshal.AsBytes(new ReadOnlySpan<SessionEntry>(in entry)).ToArray();
    }

    /// <summary>The odd version stands for "being written": it must stand there all the time.</summary>
    [Fact]
    public void The_version_is_not_touched_while_the_contents_are_written()
    {
        const uint BeingWritten = 0xFFFF_FFFF;
        var entries = new SessionEntry[] { new() { Version = BeingWritten } };
        SessionEntry[] values = [.. Forms.Select((form, i) => SessionEntry.From(form, i))];
        bool stop = false;
        long disturbed = 0;
        var watcher = new Thread(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                disturbed += Volatile.Read(ref entries[0].Version) == BeingWritten ? 0 : 1;
            }
        });
        watcher.Start();
        long begun = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(begun) < Duration / 3)
        {
            for (int i = 0; i < 3000; i++)
            {
                entries[0].TakeContents(values[i % 3]);
            }
        }

        Volatile.Write(ref stop, true);
        watcher.Join();
        Assert.Equal(0, disturbed);
    }

    private static long Run(SessionTable table, bool mayBeUnknown, Action change)
    {
        string? fault = null;
        long reads = 0;
        bool stop = false;
        Thread[] readers = [.. Enumerable.Range(0, Readers).Select(_ => new Thread(() =>
        {
            long count = 0;
            while (!Volatile.Read(ref stop) && Volatile.Read(ref fault) is null)
            {
                string? found = Look(table, mayBeUnknown, ref count);
                if (found is not null)
                {
                    Volatile.Write(ref fault, found);
                }
            }

            Interlocked.Add(ref reads, count);
        }))];
        Array.ForEach(readers, reader => reader.Start());
        long begun = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(begun) < Duration && Volatile.Read(ref fault) is null)
        {
            change();
        }

        Volatile.Write(ref stop, true);
        Array.ForEach(readers, reader => reader.Join());
        Assert.Null(fault);
        return reads;
    }

    private static string? Look(SessionTable table, bool mayBeUnknown, ref long count)
    {
        if (!table.TryRead(Bench.Key.Value, out SessionEntry entry, out UdpPath path, out DropReason reason))
        {
            return reason == DropReason.Busy || mayBeUnknown ? null : reason.ToString();
        }

        count++;
        int form = entry.Mtu - 1000;
        return form is >= 1 and <= 3 && path == Forms[form - 1].Path && entry.IsFrom(path) && entry.MssIPv4 == form
            && entry.Marking.Dscp == form && FrameHeader.PeerIds(entry) == ((ushort)form, (ushort)form)
            ? null
            : $"form {form} with {path}, peer port {entry.PeerPort}, IDs {FrameHeader.PeerIds(entry)}, marking {entry.Marking.Dscp}";
    }

    private static SessionForwarding Form(ushort n, string peer) => Bench.Session() with
    {
        PeerTunnelId = n,
        PeerSessionId = n,
        Mtu = (ushort)(1000 + n),
        MssIPv4 = n,
        Marking = new TrafficMarking((byte)n),
        Path = new UdpPath(IpAddress.Parse(peer), new PeerEndpoint(IpAddress.Parse(peer), n, n)),
    };
}
