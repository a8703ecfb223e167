namespace Culvert.Interop.Harness;

/// <summary>xl2tpd and pppd as client in a guest that runs Rig/client.sh.</summary>
public sealed class Xl2tpdClient(Guest guest)
{
    private const string Control = "/run/xl2tpd/l2tp-control";

    public Guest Guest => guest;

    /// <summary>The address that the server gave us.</summary>
    public string Address { get; private set; } = string.Empty;

    public async Task DialAsync(Scenario scenario, TimeSpan? limit = null)
    {
        TimeSpan wait = limit ?? TimeSpan.FromSeconds(40);
        CommandResult up = await guest.RunAsync(
            $$"""
            echo "c culvert" > {{Control}}
            for i in $(seq {{wait.TotalSeconds * 20}}); do
              ip -4 -o addr show dev ppp0 2>/dev/null | grep -q 'inet ' && break; sleep .05
            done
            ip -4 -o addr show dev ppp0 | sed -n 's/.*inet \([0-9.]*\).*/\1/p' | grep .
            """, wait + TimeSpan.FromSeconds(10));
        Address = up.ExitCode == 0 ? up.Output.Trim() : throw new InteropException($"no PPP session within {wait.TotalSeconds} s");
        scenario.Note($"PPP is up, address {Address}");
    }

    public async Task PingAsync(Scenario scenario, string target, int count = 3)
    {
        CommandResult ping = await guest.RunAsync($"busybox ping -q -c {count} -i 0.2 -W 3 -s 1000 {target}", TimeSpan.FromSeconds(30));
        _ = ping.Succeeded;
        scenario.Note($"ping {target} passes");
    }

    public async Task HangUpAsync(Scenario scenario)
    {
        _ = (await guest.RunAsync($"echo 'd culvert' > {Control}")).Succeeded;
        await IsDownAsync(scenario);
    }

    /// <summary>The session is gone, whoever ended it.</summary>
    public async Task IsDownAsync(Scenario scenario)
    {
        CommandResult down = await guest.RunAsync(
            "for i in $(seq 600); do ip link show ppp0 >/dev/null 2>&1 || exit 0; sleep .05; done; exit 1");
        if (down.ExitCode != 0)
        {
            throw new InteropException("ppp0 is still there 30 s after the end of the session");
        }

        scenario.Note("PPP is down at the client");
    }

    /// <summary>What xl2tpd wrote, to see who closed.</summary>
    public Task LoggedAsync(string text) => guest.LoggedAsync("xl2tpd.log", text, TimeSpan.FromSeconds(15));
}
