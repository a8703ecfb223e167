using Culvert.Core;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;

namespace Culvert.Blast.Tests;

/// <summary>The load generator's small PPP end against the real engine, which judges everything by the RFCs.</summary>
public sealed class PppMachineTests
{
    private static readonly IpAddress Gateway = IpAddress.Parse("100.64.0.1");
    private static readonly IpAddress Given = IpAddress.Parse("100.64.3.4");

    public static TheoryData<AuthenticationMethod> Methods => [AuthenticationMethod.Pap, AuthenticationMethod.ChapMd5, AuthenticationMethod.MsChapV2];

    [Theory]
    [MemberData(nameof(Methods))]
    public void As_client_it_authenticates_and_takes_its_address(AuthenticationMethod method)
    {
        LinkWorld world = Client(new PppSettings { User = new("user{n}"), Password = new("wonder") }, method);
        world.Open();
        Assert.True(world.Run(() => world.IsBlastUp && world.Link.IsNetworkUp));
        Assert.Equal("user7", world.UserName); // the seventh: the index is 6, and numbers begin at 1
        Assert.Equal(Given.ToUInt32(), world.Address);
        Assert.Equal(method, world.Link.PeerMethod);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void As_server_it_accepts_everybody_and_gives_an_address(AuthenticationMethod method)
    {
        LinkWorld world = Server(method);
        world.Open();
        Assert.True(world.Run(() => world.IsBlastUp && world.Link.IsNetworkUp));
        Assert.Equal(IpAddress.Parse("100.64.3.10"), world.Link.LocalAddress); // the pool's first is .4, the index 6
        Assert.Equal(Gateway, world.Link.PeerAddress);
        Assert.Equal(method, world.Link.LocalMethod);
    }

    [Fact]
    public void A_server_may_ask_for_nothing()
    {
        LinkWorld world = Server(method: null);
        world.Open();
        Assert.True(world.Run(() => world.IsBlastUp && world.Link.IsNetworkUp));
        Assert.Null(world.Link.LocalMethod);
    }

    /// <summary>A password pattern takes the other way to MS-CHAPv2's hash.</summary>
    [Fact]
    public void Each_session_may_have_a_password_of_its_own()
    {
        LinkWorld world = Client(new PppSettings { Password = new("pw{n}") }, AuthenticationMethod.MsChapV2, password: "pw7");
        world.Open();
        Assert.True(world.Run(() => world.IsBlastUp));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_wrong_password_is_told(AuthenticationMethod method)
    {
        LinkWorld world = Client(new PppSettings { Password = new("other") }, method);
        world.Open();
        Assert.True(world.Run(() => world.Outcome == PppOutcome.AuthenticationFailed));
        Assert.False(world.IsBlastUp);
    }

    [Fact]
    public void It_asks_for_its_own_method_when_it_has_one()
    {
        LinkWorld world = Client(
            new PppSettings { Method = AuthenticationMethod.ChapMd5, Password = new("wonder") }, AuthenticationMethod.MsChapV2, AuthenticationMethod.ChapMd5);
        world.Open();
        Assert.True(world.Run(() => world.IsBlastUp));
        Assert.Equal(AuthenticationMethod.ChapMd5, world.Link.PeerMethod);
    }

    [Fact]
    public void Without_a_method_in_common_the_link_ends()
    {
        LinkWorld world = Client(new PppSettings { Method = AuthenticationMethod.Pap, Password = new("wonder") }, AuthenticationMethod.MsChapV2);
        world.Open();
        Assert.True(world.Run(() => world.LinkClosed is not null && world.Outcome == PppOutcome.PeerTerminated));
        Assert.False(world.IsBlastUp);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Lost_frames_cost_time_only(AuthenticationMethod method)
    {
        for (ulong seed = 1; seed <= 40; seed++)
        {
            LinkWorld world = Client(new PppSettings { Password = new("wonder") }, method, loss: 20, seed: seed);
            world.Open();
            Assert.True(world.Run(() => world.IsBlastUp && world.Link.IsNetworkUp), $"seed {seed}: {world.Outcome}, {world.LinkClosed}");
        }
    }

    [Fact]
    public void Silence_is_given_up_after_so_many_requests()
    {
        LinkWorld world = Client(new PppSettings { MaxConfigure = 4 }, AuthenticationMethod.ChapMd5, loss: 100);
        Timestamp began = world.Now;
        world.Open();
        Assert.True(world.Run(() => world.Outcome == PppOutcome.LcpTimeout));
        Assert.Equal(TimeSpan.FromSeconds(12), world.Now - began);
    }

    [Fact]
    public void An_unknown_option_is_rejected()
    {
        LinkWorld world = Client(new PppSettings(), AuthenticationMethod.ChapMd5);
        world.Open();
        world.Deliver(Convert.FromHexString("FF03C02101050008110406F4")); // MRRU 1780 (RFC 1990)
        Assert.Equal("FF03C02104050008110406F4", Convert.ToHexString(world.LastFrame!));
    }

    [Fact]
    public void An_echo_is_answered_and_an_unknown_protocol_rejected_once_up()
    {
        LinkWorld world = Client(new PppSettings { Password = new("wonder") }, AuthenticationMethod.ChapMd5);
        world.Open();
        Assert.True(world.Run(() => world.IsBlastUp && world.Link.IsNetworkUp));
        world.Deliver(Convert.FromHexString("FF03C0210903000C00000000AABBCCDD"));
        Assert.StartsWith("FF03C0210A03000C", Convert.ToHexString(world.LastFrame!), StringComparison.Ordinal);
        Assert.EndsWith("AABBCCDD", Convert.ToHexString(world.LastFrame!), StringComparison.Ordinal);
        world.Deliver(Convert.FromHexString("FF03805701010004")); // IPV6CP
        Assert.Contains("805701010004", Convert.ToHexString(world.LastFrame!), StringComparison.Ordinal);
    }

    /// <summary>Whatever arrives: no exception, and no frame longer than there is room for.</summary>
    [Fact]
    public void Rubbish_does_no_harm()
    {
        var random = new SeededRandom(5);
        for (int round = 0; round < 2000; round++)
        {
            LinkWorld world = round % 2 == 0 ? Client(new PppSettings(), AuthenticationMethod.ChapMd5) : Server(AuthenticationMethod.MsChapV2);
            world.Open();
            for (int n = 0; n < 20; n++)
            {
                byte[] frame = new byte[2 + random.NextBelow(60)];
                random.Fill(frame);
                ((byte[][])[[0xC0, 0x21], [0xC2, 0x23], [0xC0, 0x23], [0x80, 0x21], [0x80, 0x57]])[random.NextBelow(5)].CopyTo(frame, 0);
                if (frame.Length > 5)
                {
                    frame[2] %= 12;
                    frame[4] = 0;
                    frame[5] = (byte)(frame.Length - 2);
                }

                world.Deliver(frame);
                Assert.True(world.LastFrame!.Length <= PppMachine.MaxFrameSize);
            }
        }
    }

    private static LinkWorld Client(PppSettings settings, params AuthenticationMethod[] methods) => Client(settings, methods[0], "wonder", 0, 1, methods);

    private static LinkWorld Client(
        PppSettings settings, AuthenticationMethod method, string password = "wonder", int loss = 0, ulong seed = 1, AuthenticationMethod[]? methods = null) => new(
        settings,
        isServer: false,
        new PppLinkSettings { AuthenticatePeer = [.. methods ?? [method]] },
        new IpcpSettings(Gateway, Given, IpcpPolicy.Default),
        password,
        seed)
        {
            LossPercent = loss,
        };

    private static LinkWorld Server(AuthenticationMethod? method) => new(
        new PppSettings { Method = method, Password = new("wonder"), Pool = IpAddress.Parse("100.64.3.4"), Gateway = Gateway },
        isServer: true,
        new PppLinkSettings { Credentials = new AuthenticationCredentials("alice", "wonder") },
        IpcpSettings.ForClient);
}
