using Culvert.Core;

namespace Culvert.Dataplane.Tests;

public class RouteTableTests
{
    private static SessionKey Key(uint n) => new(0x0001_0000 | n);

    [Fact]
    public void The_longest_prefix_wins_and_leaves_room_for_the_next_when_it_goes()
    {
        var routes = new RouteTable();
        string[] prefixes = ["0.0.0.0/0", "100.64.0.0/10", "100.64.0.0/16", "100.64.8.0/22", "100.64.9.0/24", "100.64.9.0/25", "100.64.9.9/32"];
        var address = IpAddress.Parse("100.64.9.9");
        for (uint i = 0; i < prefixes.Length; i++)
        {
            Assert.True(routes.TryAdd(IpPrefix.Parse(prefixes[i]), Key(i + 1)));
            Assert.Equal(Key(i + 1), routes.Find(address));
        }

        Assert.Equal(Key(6), routes.Find(IpAddress.Parse("100.64.9.10")));
        Assert.Equal(Key(5), routes.Find(IpAddress.Parse("100.64.9.200")));
        Assert.Equal(Key(1), routes.Find(IpAddress.Parse("203.0.113.1")));
        for (uint i = (uint)prefixes.Length; i > 0; i--)
        {
            Assert.True(routes.Remove(IpPrefix.Parse(prefixes[i - 1])));
            Assert.Equal(i == 1 ? default : Key(i - 1), routes.Find(address));
        }

        Assert.False(routes.Remove(IpPrefix.Parse("100.64.9.9/32")));
        Assert.Equal(0, routes.Count);
    }

    [Fact]
    public void A_prefix_belongs_to_one_session_and_the_table_has_a_limit()
    {
        var routes = new RouteTable(limit: 2);
        Assert.True(routes.TryAdd(IpPrefix.Parse("192.0.2.1"), Key(1)));
        Assert.True(routes.TryAdd(IpPrefix.Parse("192.0.2.1"), Key(1)));
        Assert.False(routes.TryAdd(IpPrefix.Parse("192.0.2.1"), Key(2)));
        Assert.False(routes.TryAdd(IpPrefix.Parse("192.0.2.2"), default));
        Assert.False(routes.TryAdd(default, Key(2)));
        Assert.True(routes.TryAdd(IpPrefix.Parse("2001:db8::/64"), Key(2)));
        Assert.False(routes.TryAdd(IpPrefix.Parse("192.0.2.3"), Key(3)));
        Assert.Equal(default, routes.Find(default));
    }

    [Fact]
    public void IPv4_ranges_and_IPv6_do_not_mix()
    {
        var routes = new RouteTable();
        Assert.True(routes.TryAdd(IpPrefix.Parse("::/0"), Key(1)));
        Assert.Equal(default, routes.Find(IpAddress.Parse("192.0.2.1")));
        Assert.True(routes.TryAdd(IpPrefix.Parse("0.0.0.0/0"), Key(2)));
        Assert.Equal(Key(1), routes.Find(IpAddress.Parse("::")));
        Assert.Equal(Key(2), routes.Find(IpAddress.Parse("255.255.255.255")));
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, true)]
    [InlineData(4, true)]
    public void Any_order_of_changes_agrees_with_a_list_searched_from_end_to_end(ulong seed, bool isIPv6)
    {
        var random = new SeededRandom(seed);
        var routes = new RouteTable();
        var model = new Dictionary<IpPrefix, SessionKey>();
        for (int step = 0; step < 3000; step++)
        {
            IpPrefix prefix = RandomPrefix(random, isIPv6);
            switch (random.NextBelow(8))
            {
                case < 5:
                    SessionKey session = Key((uint)random.NextBelow(40) + 1);
                    bool added = !model.TryGetValue(prefix, out SessionKey owner) || owner == session;
                    Assert.Equal(added, routes.TryAdd(prefix, session));
                    _ = model.TryAdd(prefix, session);
                    break;
                case < 7 when model.Count > 0:
                    IpPrefix victim = model.Keys.ElementAt(random.NextBelow(model.Count));
                    Assert.True(model.Remove(victim) && routes.Remove(victim));
                    break;
                default:
                    SessionKey gone = Key((uint)random.NextBelow(40) + 1);
                    routes.RemoveAll(gone);
                    foreach (IpPrefix held in model.Where(r => r.Value == gone).Select(r => r.Key).ToArray())
                    {
                        _ = model.Remove(held);
                    }

                    break;
            }

            Assert.Equal(model.Count, routes.Count);
            for (int probe = 0; probe < 5; probe++)
            {
                IpAddress address = RandomPrefix(random, isIPv6, full: true).Address;
                SessionKey expected = model.Where(r => r.Key.Contains(address)).OrderByDescending(r => r.Key.Length).FirstOrDefault().Value;
                Assert.Equal(expected, routes.Find(address));
            }
        }
    }

    [Fact]
    public void A_pool_of_65536_and_thousands_of_routed_prefixes()
    {
        var routes = new RouteTable();
        for (uint i = 0; i < 65_535; i++)
        {
            Assert.True(routes.TryAdd(new IpPrefix(IpAddress.FromUInt32(0x64400000 + i), 32), Key(i + 1)));
            Assert.True(routes.TryAdd(new IpPrefix(IpAddress.FromIPv6(0x20010DB8_01000000UL + i, 0), 64), Key(i + 1)));
        }

        for (uint i = 0; i < 5000; i++)
        {
            Assert.True(routes.TryAdd(new IpPrefix(IpAddress.FromUInt32(0xC6120000 + (i << 4)), 28), Key(i + 1)));
        }

        for (uint i = 0; i < 65_535; i++)
        {
            Assert.Equal(Key(i + 1), routes.FindIPv4(0x64400000 + i));
            Assert.Equal(Key(i + 1), routes.FindIPv6(0x20010DB8_01000000UL + i, 77));
        }

        Assert.Equal(Key(5000), routes.FindIPv4(0xC6120000 + (4999 << 4) + 15));
        for (uint i = 0; i < 65_535; i++)
        {
            routes.RemoveAll(Key(i + 1));
        }

        Assert.Equal(0, routes.Count);
        Assert.Equal(default, routes.FindIPv4(0x64400000));
    }

    [Fact]
    public void A_reader_finds_a_route_that_stays_while_others_come_and_go()
    {
        var routes = new RouteTable();
        Assert.True(routes.TryAdd(IpPrefix.Parse("100.64.0.0/10"), Key(1)));
        Assert.True(routes.TryAdd(IpPrefix.Parse("2001:db8::/32"), Key(1)));
        Assert.True(routes.TryAdd(IpPrefix.Parse("100.64.0.7"), Key(2)));
        Assert.True(routes.TryAdd(IpPrefix.Parse("2001:db8:0:7::/64"), Key(2)));
        using var stop = new CancellationTokenSource();
        long reads = 0;
        string? fault = null;
        var reader = new Thread(() =>
        {
            while (!stop.IsCancellationRequested && fault is null)
            {
                reads++;
                bool stays = routes.FindIPv4(0x64400007) == Key(2) && routes.FindIPv6(0x20010DB8_00000007UL, 9) == Key(2);
                SessionKey moving = routes.FindIPv4(0x64400008);
                SessionKey moving6 = routes.FindIPv6(0x20010DB8_00000008UL, 9);
                bool known = (moving == Key(1) || moving == Key(3)) && (moving6 == Key(1) || moving6 == Key(3));
                fault = stays && known ? null : $"stays {stays}, {moving}, {moving6}";
            }
        });
        reader.Start();
        for (uint i = 0; i < 20_000 && fault is null; i++)
        {
            Assert.True(routes.TryAdd(IpPrefix.Parse("100.64.0.8"), Key(3)));
            Assert.True(routes.TryAdd(IpPrefix.Parse("2001:db8:0:8::/64"), Key(3)));
            _ = routes.TryAdd(new IpPrefix(IpAddress.FromIPv6(0x20010DB8_10000000UL + (i % 5000), 0), 64), Key(4));
            routes.RemoveAll(Key(3));
        }

        SpinWait.SpinUntil(() => Volatile.Read(ref reads) > 0, 5000);
        stop.Cancel();
        reader.Join();
        Assert.Null(fault);
        Assert.True(reads > 0);
    }

    // Few distinct upper bits, so that prefixes nest and collide.
    private static IpPrefix RandomPrefix(SeededRandom random, bool isIPv6, bool full = false)
    {
        if (isIPv6)
        {
            ulong high = 0x20010DB8_00000000UL | ((ulong)random.NextBelow(4) << 20) | (uint)random.NextBelow(16);
            ulong low = (ulong)random.NextBelow(3) << 60 | (uint)random.NextBelow(4);
            int[] lengths = [0, 32, 44, 48, 60, 62, 64, 66, 126, 128];
            return new IpPrefix(IpAddress.FromIPv6(high, low), full ? 128 : lengths[random.NextBelow(lengths.Length)]);
        }

        uint address = 0x64400000 | ((uint)random.NextBelow(3) << 16) | ((uint)random.NextBelow(3) << 8) | (uint)random.NextBelow(256);
        return new IpPrefix(IpAddress.FromUInt32(address), full ? 32 : random.NextBelow(33));
    }
}
