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

    [Theory(Timeout = 120_000)]
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
                    await guest.LoggedAsync("xl2tpd.log", $"control_finish: Connection closed to {Client}, port", TimeSpan.FromSeconds(5));
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

    [Fact(Timeout = 120_000)]
    public async Task Culvert_dials_l2tpns()
    {
        Requirements.L2tpns();
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseRigAsync();
            await scenario.UseOtherHostAsync();
            await PeerPrograms.StartL2tpnsAsync(scenario);
            await scenario.ServeFileAsync(scenario.MainNamespace);
            Capture capture = await Capture.StartAsync(scenario, scenario.MainNamespace, "br0");
            CulvertDial dial = await CulvertDial.StartAsync(
                scenario, scenario.OtherNamespace, "203.0.113.1", "alice", "wonder", Secret, ["198.51.100.0/24"]);
            Assert.Equal("198.51.100.77", dial.Address); // RADIUS said so
            await TrafficAsync(scenario, dial, "198.51.100.1");
            await dial.HangUpAsync();
            await PeerPrograms.L2tpnsHasNothingAsync(scenario);
            await capture.StopAndCheckAsync(Client);
        });
    }

    [Fact(Timeout = 120_000)]
    public async Task Culvert_dials_SoftEther()
    {
        Requirements.SoftEther();
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseRigAsync();
            await scenario.UseOtherHostAsync();
            await PeerPrograms.StartSoftEtherAsync(scenario);

            // Behind SoftEther's NAT: an address that the client reaches only through the tunnel.
            const string Behind = "192.0.2.80";
            await scenario.CommandAsync(scenario.MainNamespace, $"ip addr add {Behind}/32 dev lo");
            await scenario.ServeFileAsync(scenario.MainNamespace);
            Capture capture = await Capture.StartAsync(scenario, scenario.MainNamespace, "br0");
            CulvertDial dial = await CulvertDial.StartAsync(
                scenario, scenario.OtherNamespace, "203.0.113.1", "alice", "wonder", null, ["198.18.30.0/24", $"{Behind}/32"]);
            await scenario.PingAsync(dial.Namespace, "198.18.30.1", size: 500);
            await scenario.FetchAsync(dial.Namespace, Behind);
            await dial.HangUpAsync();
            await capture.StopAndCheckAsync(Client);
        });
    }

    private static async Task TrafficAsync(Scenario scenario, CulvertDial dial, string target)
    {
        await scenario.PingAsync(dial.Namespace, target);
        await scenario.FetchAsync(dial.Namespace, target);
    }
}
