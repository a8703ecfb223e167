using System.Text.Json;
using Culvert.Interop.Harness;

namespace Culvert.Interop;

/// <summary>
/// A real client (xl2tpd, pppd, the kernel) whose user name makes l2tpns carry its session on to our LNS: l2tpns is an LNS to the one
/// and a LAC to the other. It asks the user for LCP and CHAP to learn the name, and tells us nothing of either (no proxy AVPs), so
/// our LNS negotiates both once more through it.
/// </summary>
public sealed class L2tpnsAsLacTests
{
    private const string L2tpnsAt = "203.0.113.1";
    private const string LnsAt = "203.0.113.10";
    private const string User = "dave@fwd";

    public enum Ending
    {
        ClientHangsUp,
        LnsClosesSession,
        LnsCloses,
    }

    [Theory(Timeout = 300_000)]
    [InlineData("[chap]", Ending.ClientHangsUp)]
    [InlineData("[mschapv2, chap]", Ending.LnsClosesSession)]
    [InlineData("[pap]", Ending.LnsCloses)]
    public async Task Xl2tpd_reaches_culvert_through_l2tpns(string authentication, Ending ending)
    {
        Requirements.Guests();
        Requirements.L2tpns();
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseRigAsync("tapB");
            Guest guest = Guest.Start(
                scenario, "client", "tapB", "client.sh", $"LNS={L2tpnsAt}", $"PPPUSER={User}", "PPPPASS=wonder", $"TSECRET={L2tpns.TunnelSecret}");
            await scenario.UseOtherHostAsync();
            await scenario.CommandAsync(null, $"ip -n {scenario.OtherNamespace} addr add {LnsAt}/24 dev eth0");
            Capture capture = await Capture.StartAsync(scenario, scenario.MainNamespace, "br0", $"udp and host {LnsAt}"); // l2tpns sends each inner packet once more
            string configuration = await Configurations.LnsAsync(scenario, authentication.Trim('[', ']'), L2tpns.TunnelSecret);
            CulvertServer server = await CulvertServer.StartAsync(
                scenario, scenario.OtherNamespace, configuration.Replace("name: alice", $"name: {User}", StringComparison.Ordinal));
            L2tpns l2tpns = await L2tpns.StartAsync(scenario);
            await scenario.ServeFileAsync(scenario.OtherNamespace);
            await guest.ReadyAsync();
            var client = new Xl2tpdClient(guest);
            await client.DialAsync(scenario);

            await server.SessionsUpAsync(1, TimeSpan.FromSeconds(15));
            JsonElement session = (await server.ShowAsync("sessions"))[0];
            Assert.Equal((User, client.Address), (session.GetProperty("user").GetString(), session.GetProperty("address").GetString()));
            await client.PingAsync(scenario, Configurations.Gateway);
            await scenario.FetchAsync(guest, Configurations.Gateway);
            await EndAsync(scenario, server, client, session.GetProperty("id").GetString()!, ending);
            await capture.StopAndCheckAsync(LnsAt);
            Assert.False(l2tpns.HasEnded);
        }, $"l2tpns-as-lac-{ending}");
    }

    private static async Task EndAsync(Scenario scenario, CulvertServer server, Xl2tpdClient client, string session, Ending ending)
    {
        switch (ending)
        {
            case Ending.ClientHangsUp:
                await client.HangUpAsync(scenario);
                break;
            case Ending.LnsClosesSession:
                await server.CloseAsync("session", session);
                await client.IsDownAsync(scenario);
                break;
            case Ending.LnsCloses:
                await server.StopAsync();
                await client.IsDownAsync(scenario);
                return;
        }

        // The tunnel is l2tpns's to keep.
        await server.HasSessionsAsync(0, TimeSpan.FromSeconds(20));
    }
}
