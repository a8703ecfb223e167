using System.Text.Json;
using Culvert.Interop.Harness;
using Culvert.Testing;

namespace Culvert.Interop;

/// <summary>PEERS.md "Windows": through the kernel's L2TP and pppd a client asks by DHCPINFORM, and tshark reads the answer.</summary>
public sealed class DhcpInformTests
{
    private const string Lns = "203.0.113.1";

    [Fact(Timeout = 300_000)]
    public async Task A_client_behind_pppd_is_told_routes_and_domains()
    {
        Requirements.Guests();
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseRigAsync("tapB");
            Guest guest = Guest.Start(scenario, "client", "tapB", "client.sh", [$"LNS={Lns}"]);
            Capture capture = await Capture.StartAsync(scenario, scenario.MainNamespace, "br0");
            string configuration = (await Configurations.LnsAsync(scenario, "mschapv2")).Replace(
                "    dns: [192.0.2.53]", "    dns: [192.0.2.53]\n    dns-suffix: [corp.example.com, example.com]\n    client-routes: [198.18.0.0/15, 192.0.2.128/25]", StringComparison.Ordinal);
            CulvertServer server = await CulvertServer.StartAsync(scenario, scenario.MainNamespace, configuration);
            await guest.ReadyAsync();
            var client = new Xl2tpdClient(guest);
            await client.DialAsync(scenario);
            await server.SessionsUpAsync(1, TimeSpan.FromSeconds(15));

            // pppd acknowledges our addresses first and brings its interface up afterwards.
            await client.PingAsync(scenario, Configurations.Gateway);
            File.Copy(Path.Combine(AppContext.BaseDirectory, "Rig", "inform.pl"), Path.Combine(guest.Share, "inform.pl"));
            string answer = (await guest.RunAsync($"perl /share/inform.pl ppp0 {client.Address}")).Succeeded.Trim();
            scenario.Note($"DHCPINFORM is answered: {answer}");
            string[] words = answer.Split(' ');
            Assert.Equal((Configurations.Gateway, "67"), (words[0], words[1]));
            IReadOnlyList<(int Code, byte[] Value)> options = DhcpBuilder.OptionsOf(Convert.FromHexString(words[2]));
            Assert.Equal([53, 54, 61, 1, 15, 6, 119, 121, 249], options.Select(o => o.Code));

            JsonElement counter = (await server.ShowAsync("counters")).Single(c => c.GetProperty("name").GetString() == "dhcp-answered");
            Assert.Equal(1, counter.GetProperty("value").GetInt64());
            await client.HangUpAsync(scenario);
            await capture.StopAndCheckAsync(Lns);
            await CheckAsync(scenario, capture.File, client.Address);
        });
    }

    /// <summary>The dissector finds nothing wrong, and reads what was configured.</summary>
    private static async Task CheckAsync(Scenario scenario, string file, string address)
    {
        const string Answer = "dhcp.option.dhcp == 5";
        string[] checksums = (await Tshark.ReadWithChecksumsAsync(
            file, Answer, "-T", "fields", "-E", "separator=|", "-e", "udp.checksum.status", "-e", "ip.checksum.status")).Trim().Split('|');

        // The outer checksums are the sending kernel's business; the inner ones, which come last, are ours.
        Assert.Equal(("1", "1"), (checksums[0].Split(',')[^1], checksums[1].Split(',')[^1]));
        Assert.Equal("|", (await Tshark.ReadAsync(file, Answer, "-T", "fields", "-E", "separator=|", "-e", "_ws.malformed", "-e", "_ws.expert.severity")).Trim());
        string text = await Tshark.ReadAsync(file, Answer, "-V");
        foreach (string expected in (string[])
            [
                $"Client IP address: {address}", "Your (client) IP address: 0.0.0.0", "DHCP Server Identifier: 100.64.0.1", "Subnet Mask: 255.255.255.255",
                "Domain Name: corp.example.com", "Domain Name Server: 192.0.2.53", "FQDN: example.com",
                "198.18.0.0/15-100.64.0.1", "192.0.2.128/25-100.64.0.1", "Option: (249) Private/Classless Static Route (Microsoft)",
            ])
        {
            Assert.Contains(expected, text, StringComparison.Ordinal);
        }

        scenario.Note("tshark reads the answer as it was meant");
    }
}
