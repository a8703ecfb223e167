using Culvert.Core;
using Culvert.Ppp.Authentication;
using Culvert.Ppp.Wire;
using Culvert.Testing;

namespace Culvert.Ppp.Tests;

/// <summary>Bad input into live links.</summary>
public sealed class LinkRobustnessTests
{
    private static readonly PppLinkSettings Server = Links.ServerSettings(AuthenticationMethod.MsChapV2, AuthenticationMethod.Pap);

    [Theory]
    [InlineData(PppPhase.Establish)]
    [InlineData(PppPhase.Authenticate)]
    [InlineData(PppPhase.Network)]
    [InlineData(PppPhase.Terminate)]
    public void Truncations_and_100000_mutations_do_no_harm(PppPhase phase)
    {
        var frames = CapturedFrames.All;
        var mutator = new Mutator((ulong)phase);
        Bench bench = InPhase(phase);
        int lives = 1;
        int served = 0;
        foreach (byte[] frame in frames.SelectMany(Mutator.Truncations).Concat(mutator.Mutations(frames, 100_000)))
        {
            bench.Give(frame);
            int answers = Drain(bench);
            Assert.True(answers <= 8, $"{answers} frames in answer to {PppPrinter.Print(frame)}");
            if (bench.Link.Phase != phase)
            {
                // The frame was good enough to end the phase: go on with a fresh link.
                bench = InPhase(phase);
                lives++;
            }
            else if (++served % 64 == 0)
            {
                AssertServes(bench, phase);
                bench = bench.Link.Phase == phase ? bench : InPhase(phase);
            }
        }

        Assert.True(served > 50_000, $"{served} frames left the link in its phase, {lives} links were used");
        Assert.Equal(0, bench.Link.Dropped);
    }

    internal static Bench InPhase(PppPhase phase)
    {
        var bench = new Bench(new LinkEnd("link", phase == PppPhase.Network ? Links.ServerSettings() : Server, Links.ServerIpcp, 21));
        bench.End.IsAutomatic = phase == PppPhase.Network;
        if (phase != PppPhase.Establish)
        {
            bench.OpenLcp(5, 6, 1, 2, 3, 4);
            _ = Drain(bench);
        }

        if (phase == PppPhase.Network)
        {
            bench.Give(PppProtocol.Ipcp, ControlCode.ConfigureRequest, 1, 3, 6, 100, 64, 0, 7);
            bench.Give(PppProtocol.Ipcp, ControlCode.ConfigureAck, 1, 3, 6, 100, 64, 0, 1);
            _ = Drain(bench);
        }

        if (phase == PppPhase.Terminate)
        {
            bench.Link.Close(LinkCloseReason.Administrative, "test", bench.Now);
            _ = Drain(bench);
        }

        Assert.Equal(phase, bench.Link.Phase);
        return bench;
    }

    /// <summary>A good packet gets the answer that the phase calls for.</summary>
    private static void AssertServes(Bench bench, PppPhase phase)
    {
        bool isOpen = phase is PppPhase.Authenticate or PppPhase.Network;
        bench.Give(PppProtocol.Lcp, isOpen ? ControlCode.EchoRequest : ControlCode.TerminateRequest, 3, 9, 9, 9, 9);
        Assert.Contains(bench.Pull(), f => f[4] == (byte)(isOpen ? ControlCode.EchoReply : ControlCode.TerminateAck) && f[5] == 3);
    }

    internal static int Drain(Bench bench)
    {
        bench.End.Trace.Clear();
        bench.End.Events.Clear();
        Span<byte> buffer = stackalloc byte[2048];
        bench.End.React(bench.Now);
        int count = 0;
        while (bench.Link.TryTransmit(buffer, out _))
        {
            count++;
        }

        return count;
    }
}

[CollectionDefinition(nameof(MeasuredCollection), DisableParallelization = true)]
public sealed class MeasuredCollection;

/// <summary>What a link costs. Alone in the process while it runs: the collector's figures are for all of it.</summary>
[Collection(nameof(MeasuredCollection))]
public sealed class LinkCostTests
{
    /// <summary>What an idle link may cost, in octets, with everything that belongs to it: twice what it did when this was written.</summary>
    private const long IdleLinkLimit = 1600;

    private static readonly PppLinkSettings Server = Links.ServerSettings(AuthenticationMethod.MsChapV2, AuthenticationMethod.Pap);

    [Fact]
    public void A_link_does_not_grow_under_bad_input()
    {
        Bench bench = LinkRobustnessTests.InPhase(PppPhase.Network);
        var mutator = new Mutator(9);
        List<byte[]> bad = [.. mutator.Mutations(CapturedFrames.All, 2000)];
        long before = 0;
        for (int round = 0; round < 20; round++)
        {
            // The first round fills pools.
            before = round == 1 ? GC.GetTotalMemory(forceFullCollection: true) : before;
            foreach (byte[] frame in bad)
            {
                bench.Give(frame);
                _ = LinkRobustnessTests.Drain(bench);
            }
        }

        long grown = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.True(grown < 20_000, $"{grown} octets after 40,000 frames");
        GC.KeepAlive(bench);
    }

    [Fact]
    public void Echoes_allocate_nothing()
    {
        LinkPair pair = Links.UpPair();
        PppLink link = pair.Left.Link;
        byte[] request = Bench.Frame(PppProtocol.Lcp, ControlCode.EchoRequest, 7, 1, 2, 3, 4, 5, 6, 7, 8);
        byte[] reply = Bench.Frame(PppProtocol.Lcp, ControlCode.EchoReply, 7, 1, 2, 3, 4);
        var buffer = new byte[1600];
        Timestamp now = pair.Now;
        int sent = 0;

        Assert.Equal(0, Allocation.Of(() =>
        {
            sent = 0;
            for (int i = 0; i < 10_000; i++)
            {
                link.Receive(request, now);
                sent += link.TryTransmit(buffer, out _) ? 1 : 0;
                now += TimeSpan.FromSeconds(31);
                link.Advance(now);
                sent += link.TryTransmit(buffer, out _) ? 1 : 0;
                link.Receive(reply, now);
                _ = link.TryNextEvent(out _);
            }
        }));
        Assert.InRange(sent, 15_000, 20_000);
    }

    [Fact]
    public void An_idle_link_costs_little()
    {
        const int Count = 1000;
        var random = new SeededRandom(3);
        PppLinkSettings client = Links.ClientSettings();
        _ = Up(random, client);
        var links = new PppLink[Count];
        long before = GC.GetTotalMemory(forceFullCollection: true);
        for (int i = 0; i < Count; i++)
        {
            links[i] = Up(random, client);
        }

        long each = (GC.GetTotalMemory(forceFullCollection: true) - before) / Count;
        TestContext.Current.TestOutputHelper?.WriteLine($"{each} octets for each idle link");
        Assert.True(links.All(static l => l.IsNetworkUp));
        Assert.True(each <= IdleLinkLimit, $"{each} octets for each idle link");
    }

    /// <summary>A server's link that came up against a client which is then forgotten.</summary>
    private static PppLink Up(SeededRandom random, PppLinkSettings client)
    {
        var server = new PppLink(Server, random);
        var peer = new PppLink(client, random);
        Timestamp now = Timestamp.FromMilliseconds(1);
        server.Open(now);
        peer.Open(now);
        Span<byte> buffer = stackalloc byte[1600];
        for (bool moved = true; moved;)
        {
            moved = React(server, Links.ServerIpcp, now) | React(peer, IpcpSettings.ForClient, now);
            while (server.TryTransmit(buffer, out int length))
            {
                peer.Receive(buffer[..length], now);
                moved = true;
            }

            while (peer.TryTransmit(buffer, out int length))
            {
                server.Receive(buffer[..length], now);
                moved = true;
            }
        }

        // The engine that judged goes a minute later.
        now += TimeSpan.FromSeconds(61);
        server.NoteDataReceived(now);
        server.Advance(now);
        while (server.TryTransmit(buffer, out _))
        {
        }

        return server;
    }

    private static bool React(PppLink link, IpcpSettings ipcp, Timestamp now)
    {
        bool any = false;
        while (link.TryNextEvent(out PppLinkEvent happened))
        {
            any = true;
            if (happened.Kind == PppLinkEventKind.AuthenticationRequested)
            {
                link.Decide(happened.Request!.Check("correct-horse"), now);
            }
            else if (happened.Kind == PppLinkEventKind.NetworkRequested)
            {
                link.StartNetwork(ipcp, now);
            }
        }

        return any;
    }
}
