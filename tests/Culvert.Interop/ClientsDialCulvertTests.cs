using System.Text.Json;
using Culvert.Interop.Harness;

namespace Culvert.Interop;

/// <summary>Real clients, xl2tpd and pppd over the kernel's L2TP, dial our LNS.</summary>
public sealed class ClientsDialCulvertTests
{
    private const string Lns = "203.0.113.1";
    private const string Secret = "s3kr1t";

    public enum Ending
    {
        ClientHangsUp,
        CloseSession,
        CloseTunnel,
        CloseUser,
        Stop,
    }

    /// <summary>Every method with and without tunnel secret; the endings are spread over them.</summary>
    [Theory(Timeout = 300_000)]
    [InlineData("pap", false, Ending.ClientHangsUp)]
    [InlineData("pap", true, Ending.CloseSession)]
    [InlineData("chap", false, Ending.CloseTunnel)]
    [InlineData("chap", true, Ending.Stop)]
    [InlineData("mschapv2", false, Ending.CloseUser)]
    [InlineData("mschapv2", true, Ending.ClientHangsUp)]
    public async Task Xl2tpd_dials_culvert(string authentication, bool tunnelSecret, Ending ending)
    {
        Requirements.Guests();
        await Scenario.RunAsync(async scenario =>
        {
            (CulvertServer server, Xl2tpdClient client, Capture capture) = await SetUpAsync(scenario, authentication, tunnelSecret);
            await client.DialAsync(scenario);
            await server.SessionsUpAsync(1, TimeSpan.FromSeconds(15));
            JsonElement session = (await server.ShowAsync("sessions"))[0];
            Assert.Equal("alice", session.GetProperty("user").GetString());
            Assert.Equal(client.Address, session.GetProperty("address").GetString());

            await client.PingAsync(scenario, Configurations.Gateway);
            await scenario.FetchAsync(client.Guest, Configurations.Gateway);
            await scenario.ServeFileAsync(client.Guest);
            await scenario.FetchAsync(scenario.MainNamespace, client.Address);

            await EndAsync(scenario, server, client, session, ending);
            await capture.StopAndCheckAsync(Lns);
        }, $"xl2tpd-{authentication}-{(tunnelSecret ? "secret" : "open")}");
    }

    [Fact(Timeout = 300_000)]
    public async Task Xl2tpd_dials_culvert_over_a_path_that_loses_a_tenth()
    {
        Requirements.Guests();
        await Scenario.RunAsync(async scenario =>
        {
            (CulvertServer server, Xl2tpdClient client, Capture capture) =
                await SetUpAsync(scenario, "mschapv2", tunnelSecret: true, "NETEM=delay,30ms,loss,10%");
            await client.DialAsync(scenario, TimeSpan.FromSeconds(60));

            // The client's acknowledgement may be lost: then the LNS asks again after three seconds, and pppd begins IPCP once more.
            await server.SessionsUpAsync(1, TimeSpan.FromSeconds(30));
            await client.PingAsync(scenario, Configurations.Gateway, count: 10);
            await scenario.FetchAsync(client.Guest, Configurations.Gateway);
            await client.HangUpAsync(scenario);

            // The client's own StopCCN may be lost and sent again: 1 + 2 + 4 + 8 s.
            await server.HasNothingAsync(TimeSpan.FromSeconds(20));
            await capture.StopAndCheckAsync(Lns);
        });
    }

    [Fact(Timeout = 300_000)]
    public async Task Ten_clients_at_once()
    {
        const int Clients = 10;
        Requirements.Guests();
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseRigAsync("tapB");
            Guest guest = Guest.Start(scenario, "clients", "tapB", "many-clients.sh", $"N={Clients}", $"LNS={Lns}", $"TSECRET={Secret}");
            Capture capture = await Capture.StartAsync(scenario, scenario.MainNamespace, "br0");
            CulvertServer server = await CulvertServer.StartAsync(
                scenario, scenario.MainNamespace, await Configurations.LnsAsync(scenario, "chap", Secret, users: Clients));
            await scenario.ServeFileAsync(scenario.MainNamespace);
            await guest.ReadyAsync();
            _ = (await guest.RunAsync($"bash /run/dial.sh {Clients}")).Succeeded;
            await server.SessionsUpAsync(Clients, TimeSpan.FromSeconds(90));
            scenario.Note("all clients have a session");

            IReadOnlyList<JsonElement> sessions = await server.ShowAsync("sessions");
            Assert.Equal(
                Enumerable.Range(1, Clients).Select(i => $"user{i}").Order(StringComparer.Ordinal),
                sessions.Select(s => s.GetProperty("user").GetString()).Order(StringComparer.Ordinal));
            Assert.Equal(Clients, sessions.Select(s => s.GetProperty("address").GetString()).Distinct(StringComparer.Ordinal).Count());

            string ping = $"ip netns exec c$i busybox ping -q -c 2 -i 0.2 -W 5 {Configurations.Gateway}";
            CommandResult pings = await guest.RunAsync(
                $"for i in $(seq {Clients}); do {ping} > /share/ping$i.log & p=\"$p $!\"; done; for j in $p; do wait $j || exit 1; done", TimeSpan.FromSeconds(40));
            _ = pings.Succeeded;
            scenario.Note("every client pings the gateway");
            await scenario.FetchAsync(guest, Configurations.Gateway, "ip netns exec c1");
            await scenario.FetchAsync(guest, Configurations.Gateway, $"ip netns exec c{Clients}");

            _ = (await guest.RunAsync("for f in /run/xl2tpd/*.pid; do kill $(cat $f); done")).Succeeded;
            await server.HasNothingAsync(TimeSpan.FromSeconds(20));
            await capture.StopAndCheckAsync(Lns);
        });
    }

    /// <summary>A wrong password is refused, and the next attempt with the right one is served.</summary>
    [Fact(Timeout = 300_000)]
    public async Task A_wrong_password_is_refused()
    {
        Requirements.Guests();
        await Scenario.RunAsync(async scenario =>
        {
            (CulvertServer server, Xl2tpdClient client, Capture capture) = await SetUpAsync(scenario, "mschapv2", tunnelSecret: false, "PPPPASS=wrong");
            _ = (await client.Guest.RunAsync("echo 'c culvert' > /run/xl2tpd/l2tp-control")).Succeeded;
            await client.Guest.LoggedAsync("pppd.log", "authentication failed", TimeSpan.FromSeconds(20));
            await server.HasSessionsAsync(0, TimeSpan.FromSeconds(20));

            // xl2tpd keeps the tunnel and calls its entry "already active" until it is told to drop it.
            _ = (await client.Guest.RunAsync("sed -i 's/wrong/wonder/' /etc/ppp/options.rig; echo 'd culvert' > /run/xl2tpd/l2tp-control")).Succeeded;
            await server.HasNothingAsync(TimeSpan.FromSeconds(20));
            await client.DialAsync(scenario);
            await client.PingAsync(scenario, Configurations.Gateway);
            await client.HangUpAsync(scenario);
            await server.HasNothingAsync(TimeSpan.FromSeconds(20));
            await capture.StopAndCheckAsync(Lns);
        });
    }

    private static async Task<(CulvertServer Server, Xl2tpdClient Client, Capture Capture)> SetUpAsync(
        Scenario scenario, string authentication, bool tunnelSecret, params string[] settings)
    {
        await scenario.UseRigAsync("tapB");
        Guest guest = Guest.Start(
            scenario, "client", "tapB", "client.sh", [$"LNS={Lns}", .. tunnelSecret ? (string[])[$"TSECRET={Secret}"] : [], .. settings]);
        Capture capture = await Capture.StartAsync(scenario, scenario.MainNamespace, "br0");
        CulvertServer server = await CulvertServer.StartAsync(
            scenario, scenario.MainNamespace, await Configurations.LnsAsync(scenario, authentication, tunnelSecret ? Secret : null));
        await scenario.ServeFileAsync(scenario.MainNamespace);
        await guest.ReadyAsync();
        scenario.Note("the guest is up");
        return (server, new Xl2tpdClient(guest), capture);
    }

    private static async Task EndAsync(Scenario scenario, CulvertServer server, Xl2tpdClient client, JsonElement session, Ending ending)
    {
        string id = session.GetProperty("id").GetString()!;
        switch (ending)
        {
            case Ending.ClientHangsUp:
                await client.HangUpAsync(scenario);
                break;
            case Ending.CloseSession:
                await server.CloseAsync("session", id);
                await client.LoggedAsync("control_finish: Connection closed to 203.0.113.1, serial");
                break;
            case Ending.CloseUser:
                await server.CloseAsync("user", "alice");
                await client.LoggedAsync("control_finish: Connection closed to 203.0.113.1, serial");
                break;
            case Ending.CloseTunnel:
                await server.CloseAsync("tunnel", id.Split('/')[0]);
                await client.LoggedAsync("control_finish: Connection closed to 203.0.113.1, port 1701");
                break;
            case Ending.Stop:
                await server.StopAsync();
                await client.LoggedAsync("control_finish: Connection closed to 203.0.113.1, port 1701");
                break;
        }

        if (ending is Ending.ClientHangsUp)
        {
            await server.HasNothingAsync(TimeSpan.FromSeconds(20));
            return;
        }

        await client.IsDownAsync(scenario);
        if (ending is Ending.Stop)
        {
            return;
        }

        if (ending is Ending.CloseSession or Ending.CloseUser)
        {
            // The tunnel is the client's to keep or to drop: nothing but sessions has to be gone.
            await server.HasSessionsAsync(0, TimeSpan.FromSeconds(15));
            _ = await client.Guest.RunAsync("echo 'd culvert' > /run/xl2tpd/l2tp-control");
        }

        await server.HasNothingAsync(TimeSpan.FromSeconds(20));
    }
}
