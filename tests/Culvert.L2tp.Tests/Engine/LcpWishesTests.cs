using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>LCP Want Options and LCP Allow Options of a LAC, and the LNS's answer in an SLI (RFC 3437).</summary>
public sealed class LcpWishesTests
{
    private static readonly byte[] Want = [1, 4, 5, 0xD4, 7, 2];
    private static readonly byte[] Allow = [1, 4, 5, 0xDC, 7, 2, 8, 2];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Wishes_of_the_ICCN_reach_the_LNS_and_what_it_negotiated_the_LAC(bool hide)
    {
        TunnelSettings settings = Bench.Plain with { Secret = hide ? "one-secret"u8.ToArray() : null, HideAvps = hide };
        (World world, Session lac, Session lns) = Connect(settings, new LcpWishes(Want, Allow));
        Assert.Equal(Want, lns.Call.LcpWishes!.Want!.Value.ToArray());
        Assert.Equal(Allow, lns.Call.LcpWishes.Allow!.Value.ToArray());
        Assert.Null(lac.LnsLcp);

        Assert.True(lns.TrySendAccm(new(1, 2), world.Now, new ProxyLcp(null, new byte[] { 5, 6, 1, 2, 3, 4 }, new byte[] { 7, 2 })));
        world.RunUntil(() => lac.Accm is not null);
        Assert.Equal<byte>([5, 6, 1, 2, 3, 4], lac.LnsLcp!.LastSent!.Value.ToArray());
        Assert.Equal<byte>([7, 2], lac.LnsLcp.LastReceived!.Value.ToArray());
        Assert.Equal(0, world.Told(L2tpEventKind.Notice));

        // A later SLI about the ACCM alone takes nothing back.
        Assert.True(lns.TrySendAccm(new(3, 4), world.Now));
        world.RunUntil(() => lac.Accm!.Send == 3);
        Assert.NotNull(lac.LnsLcp);
    }

    [Fact]
    public void A_LAC_without_wishes_gets_no_AVP_that_it_may_not_know()
    {
        (World world, Session lac, Session lns) = Connect(Bench.Plain, null);
        Assert.Null(lns.Call.LcpWishes);
        Assert.True(lns.TrySendAccm(new(1, 2), world.Now, new ProxyLcp(null, new byte[] { 5, 6, 1, 2, 3, 4 }, new byte[] { 7, 2 })));
        world.RunUntil(() => lac.Accm is not null);
        Assert.Null(lac.LnsLcp);
    }

    [Fact]
    public void Wishes_of_the_OCCN_reach_the_LNS()
    {
        var world = new World(1);
        Node lns = world.Add("192.0.2.10", Bench.Plain);
        Node lac = world.Add("192.0.2.20", Bench.Plain with { AcceptOutgoingCalls = true }, wishes: new LcpWishes(Want, null));
        Tunnel tunnel = world.Connect(lns, lac, Bench.Plain);
        var asked = new OutgoingCall { CalledNumber = "5550100", BearerType = 1, FramingType = 1 };
        Assert.True(tunnel.TryPlaceOutgoingCall(asked, world.Now, out Session? atLns));
        world.RunUntil(() => atLns.State == SessionState.Established);
        Assert.Equal(Want, atLns.Call.LcpWishes!.Want!.Value.ToArray());
        Assert.Null(atLns.Call.LcpWishes.Allow);
    }

    [Fact]
    public void A_LAC_that_insists_by_the_M_bit_is_served_and_an_overlong_list_is_as_good_as_none()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        Session session = peer.Call(5);
        peer.Send(session.LocalSessionId, [.. HandPeer.Iccn(), new TestAvp(49, Want), new TestAvp(50, new byte[257])]);
        Assert.Equal(SessionState.Established, session.State);
        Assert.Equal(Want, session.Call.LcpWishes!.Want!.Value.ToArray());
        Assert.Null(session.Call.LcpWishes.Allow);
    }

    [Fact]
    public void What_the_owner_did_with_a_call_is_a_line_of_its_history()
    {
        (World world, _, Session lns) = Connect(Bench.Plain, null);
        foreach (SessionNote note in Enum.GetValues<SessionNote>().Where(n => n != SessionNote.None))
        {
            lns.Note(note, world.Now);
            string line = lns.History.Lines(world.Now).Last();
            Assert.Contains("LCP ", line, StringComparison.Ordinal);
            Assert.DoesNotContain(note.ToString(), line, StringComparison.Ordinal);
        }

        HistoryEntry last = default;
        foreach (HistoryEntry entry in lns.History)
        {
            last = entry;
        }

        Assert.Equal((HistoryKind.Note, SessionNote.ProxyDistrusted), (last.Kind, last.Note));
    }

    [Fact]
    public void An_LNS_that_forgets_overwrites_its_copy_of_the_password_and_not_the_LACs()
    {
        byte[] password = "open sesame"u8.ToArray();
        var pap = new ProxyAuthentication { Type = ProxyAuthenType.Pap, Name = "user"u8.ToArray(), Id = 7, Response = password };
        (_, Session lac, Session lns) = Connect(Bench.Plain, null, new IncomingCall { ProxyAuthentication = pap });
        ReadOnlyMemory<byte> copy = lns.Call.ProxyAuthentication!.Response;
        lns.ForgetProxy();
        lac.ForgetProxy();
        Assert.All(copy.ToArray(), octet => Assert.Equal(0, octet));
        Assert.Equal("open sesame"u8.ToArray(), password);
        Assert.Null(lac.Call.ProxyAuthentication);
    }

    private static (World World, Session Lac, Session Lns) Connect(TunnelSettings settings, LcpWishes? wishes, IncomingCall? call = null)
    {
        var world = new World(1);
        Node lac = world.Add("192.0.2.10", settings);
        Node lns = world.Add("192.0.2.20", settings);
        Tunnel tunnel = world.Connect(lac, lns, settings);
        Assert.True(tunnel.TryPlaceIncomingCall((call ?? IncomingCall.Default) with { LcpWishes = wishes }, world.Now, out Session? atLac));
        world.RunUntil(() => lns.Count(L2tpEventKind.SessionEstablished) == 1);
        return (world, atLac, lns.Last(L2tpEventKind.SessionEstablished).Session!);
    }
}
