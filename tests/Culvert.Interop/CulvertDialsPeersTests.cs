using Culvert.Interop.Harness;

namespace Culvert.Interop;

/// <summary>Our client, on a host of its own, dials real servers.</summary>
public sealed class CulvertDialsPeersTests
{
    private const string Client = "203.0.113.30";
    private const string Secret = "s3kr1t";

    public enum Ending
    {
        WeHangUp,
        PeerEndsSession,
        PeerEndsTunnel,
    }

    [Theory(Timeout = 300_000)]
    [InlineData("pap", false, Ending.PeerEndsSession)]
    [InlineData("chap", true, Ending.WeHangUp)]
    [InlineData("mschap-v2", true, Ending.PeerEndsTunnel)]
    public async Task Culvert_dials_xl2tpd(string authentication, bool tunnelSecret, Ending ending)
    {
        Requirements.Guests();
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseRigAsync("tapA");
            Guest guest = Guest.Start(
                scenario, "server", "tapA", "server.sh", [$"AUTH={authentication}", .. tunnelSecret ? (string[])[$"TSECRET={Secret}"] : []]);
            await scenario.UseOtherHostAsync();
            Capture capture = await Capture.StartAsync(scenario, scenario.MainNamespace, "br0");
            await guest.ReadyAsync();
            await scenario.ServeFileAsync(guest);
            CulvertDial dial = await CulvertDial.StartAsync(
                scenario, scenario.OtherNamespace, "203.0.113.10", "alice", "wonder", tunnelSecret ? Secret : null);
            await TrafficAsync(scenario, dial, "198.51.100.1");
            await scenario.ServeFileAsync(scenario.OtherNamespace);
            await scenario.FetchAsync(guest, dial.Address);

            switch (ending)
            {
                case Ending.WeHangUp:
                    await dial.HangUpAsync();
                    await guest.LoggedAsync("xl2tpd.log", $"control_finish: Connection closed to {Client}, port", TimeSpan.FromSeconds(15));
                    break;
                case Ending.PeerEndsSession:
                    _ = (await guest.RunAsync("killall pppd || busybox killall pppd")).Succeeded;
                    await dial.LosesConnectionAsync();
                    break;
                case Ending.PeerEndsTunnel:
                    _ = (await guest.RunAsync("killall xl2tpd || busybox killall xl2tpd")).Succeeded;
                    await dial.LosesConnectionAsync();
                    break;
            }

            await capture.StopAndCheckAsync(Client);
        }, $"dial-xl2tpd-{authentication}");
    }

    [Theory(Timeout = 300_000)]
    [InlineData(Ending.WeHangUp)]
    [InlineData(Ending.PeerEndsSession)]
    public async Task Culvert_dials_l2tpns(Ending ending)
    {
        Requirements.L2tpns();
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseRigAsync();
            await scenario.UseOtherHostAsync();
            L2tpns l2tpns = await L2tpns.StartAsync(scenario);
            await scenario.ServeFileAsync(scenario.MainNamespace);
            Capture capture = await Capture.StartAsync(scenario, scenario.MainNamespace, "br0");
            CulvertDial dial = await CulvertDial.StartAsync(
                scenario, scenario.OtherNamespace, "203.0.113.1", "alice", "wonder", L2tpns.TunnelSecret, ["198.51.100.0/24"]);
            Assert.Equal("198.51.100.77", dial.Address); // RADIUS said so
            await TrafficAsync(scenario, dial, "198.51.100.1");
            if (ending == Ending.WeHangUp)
            {
                await dial.HangUpAsync();
            }
            else
            {
                await l2tpns.ConsoleAsync("drop user alice");
                await dial.LosesConnectionAsync();
            }

            await l2tpns.LoggedAsync("Shutting down session", TimeSpan.FromSeconds(15));
            await capture.StopAndCheckAsync(Client);
        }, $"dial-l2tpns-{ending}");
    }

    [Theory(Timeout = 300_000)]
    [InlineData(Ending.WeHangUp)]
    [InlineData(Ending.PeerEndsSession)]
    public async Task Culvert_dials_SoftEther(Ending ending)
    {
        Requirements.SoftEther();
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseRigAsync();
            await scenario.UseOtherHostAsync();
            SoftEther softEther = await SoftEther.StartAsync(scenario);

            // Behind SoftEther's NAT: an address that the client reaches only through the tunnel.
            const string Behind = "192.0.2.80";
            await scenario.CommandAsync(scenario.MainNamespace, $"ip addr add {Behind}/32 dev lo");
            await scenario.ServeFileAsync(scenario.MainNamespace);
            Capture capture = await Capture.StartAsync(scenario, scenario.MainNamespace, "br0");
            CulvertDial dial = await CulvertDial.StartAsync(
                scenario, scenario.OtherNamespace, "203.0.113.1", "alice", "wonder", null, ["198.18.30.0/24", $"{Behind}/32"]);
            await scenario.PingAsync(dial.Namespace, "198.18.30.1", size: 500);
            await scenario.FetchAsync(dial.Namespace, Behind);
            string session = Assert.Single(await softEther.SessionsAsync());
            if (ending == Ending.WeHangUp)
            {
                await dial.HangUpAsync();
            }
            else
            {
                await softEther.DisconnectAsync(session);
                await dial.LosesConnectionAsync();
            }

            await Eventually.TrueAsync("SoftEther has no session left", TimeSpan.FromSeconds(10), async () => (await softEther.SessionsAsync()).Count == 0);
            await capture.StopAndCheckAsync(Client);
        }, $"dial-softether-{ending}");
    }

    private static async Task TrafficAsync(Scenario scenario, CulvertDial dial, string target)
    {
        await scenario.PingAsync(dial.Namespace, target);
        await scenario.FetchAsync(dial.Namespace, target);
    }
}
