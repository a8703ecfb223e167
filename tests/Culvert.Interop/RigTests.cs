using Culvert.Interop.Harness;

namespace Culvert.Interop;

/// <summary>The rig without our program: when this fails, look at the machine and not at Culvert.</summary>
public sealed class RigTests
{
    [Fact(Timeout = 300_000)]
    public async Task Two_xl2tpd_guests_talk()
    {
        Requirements.Guests(culvert: false);
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseRigAsync("tapA", "tapB");
            Capture capture = await Capture.StartAsync(scenario, scenario.MainNamespace, "br0");
            Guest server = Guest.Start(scenario, "server", "tapA", "server.sh", "AUTH=chap", "TSECRET=s3kr1t");
            Guest client = Guest.Start(scenario, "client", "tapB", "client.sh", "LNS=203.0.113.10", "TSECRET=s3kr1t");
            await server.ReadyAsync();
            await client.ReadyAsync();
            scenario.Note("both guests are up");
            var session = new Xl2tpdClient(client);
            await session.DialAsync(scenario);
            await scenario.ServeFileAsync(server);
            await session.PingAsync(scenario, "198.51.100.1");
            await scenario.FetchAsync(client, "198.51.100.1");
            await session.HangUpAsync(scenario);
            await capture.StopAndCheckAsync("203.0.113.20");
        });
    }
}
