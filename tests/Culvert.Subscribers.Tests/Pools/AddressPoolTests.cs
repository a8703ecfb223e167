using Culvert.Core;
using Culvert.Subscribers.Pools;

namespace Culvert.Subscribers.Tests.Pools;

public sealed class AddressPoolTests
{
    private static AddressPool Pool(string prefix = "100.64.0.0/29", string gateway = "100.64.0.1") =>
        new("test", IpPrefix.Parse(prefix), IpAddress.Parse(gateway));

    [Fact]
    public void Hands_out_every_host_address_once_and_neither_gateway_nor_network_nor_broadcast()
    {
        AddressPool pool = Pool();
        var taken = new List<string>();
        for (int i = 0; pool.TryTake($"user{i}", out IpAddress address); i++)
        {
            taken.Add(address.ToString());
        }

        Assert.Equal(["100.64.0.2", "100.64.0.3", "100.64.0.4", "100.64.0.5", "100.64.0.6"], taken);
        Assert.Equal((5, 5, 1L), (pool.InUse, pool.Capacity, pool.Exhausted));
    }

    [Fact]
    public void A_user_gets_the_same_address_again_where_free()
    {
        AddressPool pool = Pool();
        pool.TryTake("alice", out IpAddress first);
        pool.TryTake("bob", out _);
        pool.Release(first);
        pool.TryTake("carol", out IpAddress other);
        pool.TryTake("alice", out IpAddress again);

        Assert.NotEqual(first, other);
        Assert.Equal(first, again);
    }

    [Fact]
    public void When_fresh_addresses_run_out_the_one_free_the_longest_goes_first()
    {
        AddressPool pool = Pool();
        var addresses = new IpAddress[5];
        for (int i = 0; i < 5; i++)
        {
            pool.TryTake($"user{i}", out addresses[i]);
        }

        pool.Release(addresses[3]);
        pool.Release(addresses[0]);
        pool.TryTake("newcomer", out IpAddress taken);
        Assert.Equal(addresses[3], taken);

        // user3's address is gone to the newcomer; user3 gets another, and user0 would have got its own.
        pool.TryTake("user3", out IpAddress others);
        Assert.Equal(addresses[0], others);
    }

    [Fact]
    public void A_second_session_of_one_user_gets_another_address()
    {
        AddressPool pool = Pool();
        pool.TryTake("alice", out IpAddress first);
        pool.TryTake("alice", out IpAddress second);
        Assert.NotEqual(first, second);
    }

    [Fact]
    public void A_fixed_address_is_kept_for_its_user()
    {
        AddressPool pool = Pool();
        IpAddress reserved = IpAddress.Parse("100.64.0.3");
        pool.Exclude(reserved);
        for (int i = 0; pool.TryTake($"user{i}", out IpAddress address); i++)
        {
            Assert.NotEqual(reserved, address);
        }

        Assert.True(pool.TryTakeExactly(reserved, "bob"));
        Assert.False(pool.TryTakeExactly(reserved, "mallory"));
        pool.Release(reserved);
        Assert.False(pool.TryTake("user9", out _));
        Assert.True(pool.TryTakeExactly(reserved, "bob"));
    }

    [Fact]
    public void Addresses_outside_the_pool_the_gateway_and_double_releases_are_refused_or_ignored()
    {
        AddressPool pool = Pool();
        Assert.False(pool.TryTakeExactly(IpAddress.Parse("192.0.2.1"), "alice"));
        Assert.False(pool.TryTakeExactly(IpAddress.Parse("100.64.0.1"), "alice"));
        pool.TryTake("alice", out IpAddress address);
        pool.Release(address);
        pool.Release(address);
        pool.Release(IpAddress.Parse("192.0.2.1"));
        pool.Release(IpAddress.Parse("100.64.0.6"));
        Assert.Equal(0, pool.InUse);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Whatever_happens_no_address_is_out_twice_and_none_is_lost(ulong seed)
    {
        var random = new SeededRandom(seed);
        AddressPool pool = Pool("100.64.0.0/24");
        var held = new Dictionary<IpAddress, string>();
        for (int step = 0; step < 30_000; step++)
        {
            string user = $"user{random.NextBelow(400)}";
            switch (random.NextBelow(5))
            {
                case 0 or 1:
                    if (pool.TryTake(user, out IpAddress address))
                    {
                        Assert.True(held.TryAdd(address, user), $"{address} is out twice (seed {seed}, step {step})");
                    }
                    else
                    {
                        Assert.Equal(pool.Capacity, held.Count);
                    }

                    break;
                case 2:
                    IpAddress wish = IpAddress.FromUInt32(IpAddress.Parse("100.64.0.0").ToUInt32() + (uint)random.NextBelow(256));
                    if (pool.TryTakeExactly(wish, user))
                    {
                        // Network and broadcast can be asked for by name; a test that counts capacity gives them back.
                        if (wish.ToString() is "100.64.0.0" or "100.64.0.255")
                        {
                            pool.Release(wish);
                        }
                        else
                        {
                            Assert.True(held.TryAdd(wish, user), $"{wish} is out twice (seed {seed}, step {step})");
                        }
                    }

                    break;
                default:
                    if (held.Count > 0)
                    {
                        IpAddress back = held.Keys.ElementAt(random.NextBelow(held.Count));
                        held.Remove(back);
                        pool.Release(back);
                    }

                    break;
            }

            Assert.Equal(held.Count, pool.InUse);
        }
    }
}
