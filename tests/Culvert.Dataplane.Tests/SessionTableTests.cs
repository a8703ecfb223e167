using Culvert.Core;

namespace Culvert.Dataplane.Tests;

public class SessionTableTests
{
    private static SessionTable Table(ulong seed = 1, int initial = 16, int limit = 1 << 17, RouteTable? routes = null) =>
        new(new SeededRandom(seed), routes, initial, limit);

    [Fact]
    public void IDs_are_random_never_zero_and_never_taken_twice()
    {
        SessionTable table = Table();
        var seen = new HashSet<ushort>();
        var order = new List<ushort>();
        for (int i = 0; i < 20_000; i++)
        {
            Assert.True(table.TryReserve(7, out ushort id));
            Assert.NotEqual(0, id);
            Assert.True(seen.Add(id));
            order.Add(id);
        }

        Assert.Equal(20_000, table.Count);
        Assert.InRange(order.Take(1000).Zip(order.Skip(1)).Count(pair => pair.Second == pair.First + 1), 0, 5);
        Assert.InRange(order.Count(id => id < 32768), 9_000, 11_000);
        Assert.True(Table(seed: 2).TryReserve(7, out ushort other));
        Assert.NotEqual(order[0], other);
    }

    [Fact]
    public void One_tunnel_fills_a_table_to_its_last_slot()
    {
        SessionTable small = Table(limit: 4096);
        for (int i = 0; i < 4096; i++)
        {
            Assert.True(small.TryReserve(3, out _), $"reservation {i}");
        }

        Assert.False(small.TryReserve(3, out _));
        Assert.False(small.TryReserve(4, out _));
        Assert.Equal((4096, 4096), (small.Count, small.Slots));
    }

    [Fact]
    public void One_tunnel_can_have_all_65535_sessions()
    {
        SessionTable table = Table(limit: 65_536);
        var seen = new HashSet<ushort>();
        for (int i = 0; i < 65_535; i++)
        {
            Assert.True(table.TryReserve(0xBEEF, out ushort id) && id != 0 && seen.Add(id), $"reservation {i}");
        }

        Assert.False(table.TryReserve(0xBEEF, out _));
        Assert.Equal(65_536, table.Slots);
        foreach (ushort id in seen)
        {
            Assert.True(table.TryGet(new SessionKey(0xBEEF, id), out SessionForwarding session));
            Assert.Equal((0xBEEF, id, SessionState.Reserved), (session.LocalTunnelId, session.LocalSessionId, session.State));
        }
    }

    [Fact]
    public void Many_tunnels_of_one_session_share_a_table()
    {
        SessionTable table = Table(limit: 1 << 17);
        var keys = new List<SessionKey>();
        for (int tunnel = 1; tunnel <= 60_000; tunnel++)
        {
            Assert.True(table.TryReserve((ushort)tunnel, out ushort id));
            keys.Add(new SessionKey((ushort)tunnel, id));
        }

        Assert.All(keys, key => Assert.True(table.TryGet(key, out _)));
        foreach (SessionKey key in keys)
        {
            table.Release(key.LocalTunnelId, key.LocalSessionId);
        }

        Assert.Equal(0, table.Count);
        Assert.False(table.TryGet(keys[0], out _));
    }

    [Fact]
    public void Slots_that_differ_keep_differing_as_the_table_doubles()
    {
        var random = new SeededRandom(5);
        for (int i = 0; i < 100_000; i++)
        {
            uint a = random.NextUInt32();
            uint b = random.NextUInt32();
            bool apart = false;
            for (int bits = 4; bits <= 24; bits++)
            {
                uint mask = (1u << bits) - 1;
                bool differ = (SessionSlots.Mix(a) & mask) != (SessionSlots.Mix(b) & mask);
                Assert.True(differ || !apart);
                apart = differ;
            }
        }

        var tunnel = new HashSet<uint>(Enumerable.Range(0, 65_536).Select(id => SessionSlots.Mix(0x4242_0000 | (uint)id) & 0xFFFF));
        Assert.Equal(65_536, tunnel.Count);
    }

    [Fact]
    public void Growth_keeps_every_session_and_its_counters()
    {
        SessionTable table = Table();
        PacketCounters shard = table.CreateCounters();
        PacketCounters other = table.CreateCounters();
        var expected = new Dictionary<SessionKey, SessionForwarding>();
        for (int i = 0; i < 5000; i++)
        {
            ushort tunnel = (ushort)((i % 13) + 1);
            Assert.True(table.TryReserve(tunnel, out ushort id));
            SessionForwarding session = Bench.Session() with { LocalTunnelId = tunnel, LocalSessionId = id, PeerSessionId = (ushort)i };
            Assert.True(table.TryInstall(session));
            Assert.True(table.TryRead(session.Key.Value, out SessionEntry entry, out _));
            shard.CountReceived(entry.Row, 100 + i);
            other.CountSent(entry.Row, 2, i);
            other.CountDrop(entry.Row, DropReason.TooLong);
            expected.Add(session.Key, session);
        }

        Assert.InRange(table.Slots, 5000, 1 << 14);
        int n = 0;
        foreach ((SessionKey key, SessionForwarding session) in expected)
        {
            Assert.True(table.TryGet(key, out SessionForwarding held));
            Assert.Equal(session, held);
            Assert.True(table.TryReadCounters(key, out SessionCounters counters));
            Assert.Equal((1, 100 + n, 2, n), (counters.PacketsReceived, counters.OctetsReceived, counters.PacketsSent, counters.OctetsSent));
            Assert.Equal((1, 1), (counters.Drops(DropReason.TooLong), counters.DropsTotal));
            n++;
        }
    }

    [Fact]
    public void A_row_used_again_starts_from_zero()
    {
        SessionTable table = Table(initial: 4096);
        PacketCounters shard = table.CreateCounters();
        for (int i = 0; i < 3000; i++)
        {
            SessionForwarding session = Bench.Session() with { LocalSessionId = (ushort)(i + 1) };
            Assert.True(table.TryInstall(session));
            Assert.True(table.TryReadCounters(session.Key, out SessionCounters fresh));
            Assert.Equal((0, 0), (fresh.PacketsReceived, fresh.DropsTotal));
            Assert.True(table.TryRead(session.Key.Value, out SessionEntry entry, out _));
            Assert.InRange(entry.Row, 0, PacketCounters.RowsPerChunk - 1);
            shard.CountReceived(entry.Row, 10);
            shard.CountDrop(entry.Row, DropReason.WrongPath);
            Assert.True(table.Remove(session.Key, out SessionCounters final));
            Assert.Equal((1, 10, 1), (final.PacketsReceived, final.OctetsReceived, final.DropsTotal));
        }
    }

    [Fact]
    public void An_ID_is_free_when_both_tunnel_and_forwarding_let_go()
    {
        foreach (bool releaseFirst in new[] { true, false })
        {
            var rig = new Rig();
            Assert.True(rig.Sessions.TryReserve(9, out ushort id));
            var key = new SessionKey(9, id);
            SessionForwarding session = Bench.Session() with { LocalTunnelId = 9, LocalSessionId = id };
            Assert.True(rig.Sessions.TryInstall(session));
            Assert.False(rig.Sessions.TryInstall(session));
            Assert.True(rig.Routes.TryAdd(IpPrefix.Parse("100.64.1.1/32"), key));
            Assert.True(rig.Routes.TryAdd(IpPrefix.Parse("2001:db8:1::/48"), key));
            int before = rig.Sessions.Count;

            LetGo(releaseFirst);
            Assert.Equal(before, rig.Sessions.Count);
            Assert.Equal(default, rig.Routes.Find(IpAddress.Parse("100.64.1.1")));
            Assert.Equal(default, rig.Routes.Find(IpAddress.Parse("2001:db8:1::1")));
            byte[] frame = Bench.Frame(Bench.Hex("C02101"), tunnel: 9, session: id);
            Assert.Equal(DropReason.UnknownSession, rig.Forwarder.Decapsulate(frame, Bench.Path).Reason);
            Assert.False(rig.Sessions.TryUpdate(session));

            LetGo(!releaseFirst);
            Assert.Equal(before - 1, rig.Sessions.Count);
            Assert.False(rig.Sessions.Remove(key));
            Assert.False(rig.Sessions.TryReadCounters(key, out _));
            rig.Sessions.Release(9, id);
            Assert.Equal(before - 1, rig.Sessions.Count);

            void LetGo(bool release)
            {
                if (release)
                {
                    rig.Sessions.Release(9, id);
                }
                else
                {
                    Assert.True(rig.Sessions.Remove(key));
                }
            }
        }
    }

    [Fact]
    public void Updates_take_effect_and_need_an_installed_session()
    {
        var rig = new Rig();
        Assert.True(rig.Sessions.TryUpdate(Bench.Session() with { PeerSessionId = 0x7777, Path = Bench.OtherPath }));
        _ = rig.Encapsulate(Bench.IPv4(Bench.Server, Bench.Subscriber, 17, []));
        Assert.Equal(Bench.Hex("0002 0A0B 7777"), rig.Sent[0].Frame[..6]);
        Assert.Equal(Bench.OtherPath, rig.Sent[0].Path);
        Assert.False(rig.Sessions.TryUpdate(Bench.Session() with { LocalSessionId = 1 }));
        Assert.False(rig.Sessions.TryUpdate(Bench.Session() with { State = SessionState.Closed }));
        Assert.True(rig.Sessions.TryReserve(1, out ushort id));
        Assert.False(rig.Sessions.TryUpdate(Bench.Session() with { LocalTunnelId = 1, LocalSessionId = id }));
        Assert.False(rig.Sessions.TryInstall(Bench.Session() with { LocalSessionId = 0 }));
        Assert.False(rig.Sessions.TryInstall(Bench.Session() with { LocalSessionId = 2, State = SessionState.None }));
    }

    [Fact]
    public void Lookups_with_one_session_and_with_65000_find_their_own()
    {
        foreach (int count in new[] { 1, 65_000 })
        {
            SessionTable table = Table(limit: 1 << 18);
            var forwarder = new Forwarder(table, null);
            var random = new SeededRandom(6);
            var keys = new SessionKey[count];
            for (int i = 0; i < count; i++)
            {
                ushort tunnel = (ushort)(1 + (i / 10_000));
                Assert.True(table.TryReserve(tunnel, out ushort id));
                keys[i] = new SessionKey(tunnel, id);
                Assert.True(table.TryInstall(Bench.Session() with { LocalTunnelId = tunnel, LocalSessionId = id }));
            }

            var known = new HashSet<uint>(keys.Select(key => key.Value));
            for (int i = 0; i < 100_000; i++)
            {
                var key = new SessionKey((i & 1) == 0 ? keys[random.NextBelow(count)].Value : random.NextUInt32());
                byte[] frame = Bench.Frame([0xC0, 0x21, 9], tunnel: key.LocalTunnelId, session: key.LocalSessionId);
                Verdict verdict = forwarder.Decapsulate(frame, Bench.Path);
                Assert.Equal(known.Contains(key.Value) ? VerdictKind.PppControl : VerdictKind.Dropped, verdict.Kind);
                Assert.Equal(known.Contains(key.Value) ? key : default, verdict.Session);
            }
        }
    }

    [Fact]
    public void Entries_fill_one_cache_line_each()
    {
        Assert.Equal(64, System.Runtime.CompilerServices.Unsafe.SizeOf<SessionEntry>());
        var slots = new SessionSlots(64);
        for (uint slot = 0; slot < 64; slot++)
        {
            ref SessionEntry entry = ref slots.At(slot);
            Assert.Equal(0, Address(ref entry) % 64);
            entry.Key = slot + 1;
        }

        Assert.All(Enumerable.Range(0, 64), slot => Assert.Equal((uint)slot + 1, slots.At((uint)slot).Key));

        static nint Address(ref SessionEntry entry) => System.Runtime.CompilerServices.Unsafe.ByteOffset(
            ref System.Runtime.CompilerServices.Unsafe.NullRef<SessionEntry>(), ref entry);
    }

    [Fact]
    public void Counters_are_read_exactly_while_two_shards_count()
    {
        SessionTable table = Table();
        Assert.True(table.TryInstall(Bench.Session()));
        Assert.True(table.TryRead(Bench.Key.Value, out SessionEntry entry, out _));
        Thread[] shards = [.. Enumerable.Range(0, 2).Select(_ => table.CreateCounters()).Select(counters => new Thread(() =>
        {
            for (int i = 0; i < 1_000_000; i++)
            {
                counters.CountReceived(entry.Row, 1500);
            }
        }))];
        Array.ForEach(shards, shard => shard.Start());
        long last = 0;
        while (shards.Any(shard => shard.IsAlive))
        {
            Assert.True(table.TryReadCounters(Bench.Key, out SessionCounters counters));
            Assert.InRange(counters.PacketsReceived, last, 2_000_000);
            last = counters.PacketsReceived;
        }

        Array.ForEach(shards, shard => shard.Join());
        Assert.True(table.TryReadCounters(Bench.Key, out SessionCounters end));
        Assert.Equal((2_000_000, 3_000_000_000), (end.PacketsReceived, end.OctetsReceived));
    }
}
