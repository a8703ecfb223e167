using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Text.Json;
using Culvert.Core;

[assembly: DefaultDllImportSearchPaths(DllImportSearchPath.System32)]

namespace Culvert.Linux.Tests;

/// <summary>
/// Runs a test body on a thread of its own in a fresh network namespace, so that it may do as it likes with interfaces and routes. The
/// namespace ends with the thread and the sockets made on it. Programs started from that thread run in the namespace too.
/// </summary>
internal static unsafe partial class NetworkNamespace
{
    private const int NewNetwork = 0x40000000;
    private const uint CapabilityVersion = 0x20080522;

    public static void Run(Action body) => OnThread(() =>
    {
        if (Unshare(NewNetwork) != 0)
        {
            string reason = Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());
            Assert.Skip($"NOT TESTED: a network namespace cannot be made here ({reason}). Run as root.");
        }

        using (var netlink = new Netlink())
        {
            Assert.True(netlink.TryFindLink("lo", out LinkInfo loopback));
            netlink.SetLinkUp(loopback.Index);
        }

        body();
    });

    public static void RunWithTun(Action body)
    {
        if (!Capabilities.HasTunDevice)
        {
            Assert.Skip("NOT TESTED: /dev/net/tun is missing here.");
        }

        Run(body);
    }

    /// <summary>Runs the body on a thread without any capability, as an ordinary user would.</summary>
    public static void RunUnprivileged(Action body) => OnThread(() =>
    {
        uint* header = stackalloc uint[] { CapabilityVersion, 0 };
        uint* none = stackalloc uint[6];
        new Span<uint>(none, 6).Clear();
        Assert.Equal(0, SetCapabilities(header, none));
        body();
    });

    /// <summary>The kernel finishes an IPv6 address on a worker of its own: waits until it has, two seconds at most.</summary>
    public static void AwaitLocal(Netlink netlink, IpAddress address)
    {
        using var poller = new Poller();
        Timestamp deadline = MonotonicClock.Now + TimeSpan.FromSeconds(2);
        while (MonotonicClock.Now < deadline)
        {
            if (netlink.TryGetRoute(address, out RouteInfo route, out _) && route.IsLocal)
            {
                return;
            }

            _ = poller.Wait(MonotonicClock.Now + TimeSpan.FromMilliseconds(1));
        }

        Assert.Fail($"{address} did not become usable.");
    }

    /// <summary>What `ip -j ...` prints; the test is skipped where iproute2 is missing.</summary>
    public static JsonElement Ip(string arguments)
    {
        string output = Command("ip", $"-j {arguments}");
        return JsonDocument.Parse(output.Length == 0 ? "[]" : output).RootElement;
    }

    public static string Command(string program, string arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip($"NOT TESTED: the program {program} is missing here.");
            throw;
        }

        using (process)
        {
            string output = process.StandardOutput.ReadToEnd();
            string errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, $"{program} {arguments}: {errors}");
            return output.Trim();
        }
    }

    private static void OnThread(Action body)
    {
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                body();
            }
            catch (Exception exception)
            {
                failure = ExceptionDispatchInfo.Capture(exception);
            }
        });
        thread.Start();
        thread.Join();
        failure?.Throw();
    }

    [LibraryImport("libc", EntryPoint = "unshare", SetLastError = true)]
    private static partial int Unshare(int flags);

    [LibraryImport("libc", EntryPoint = "capset", SetLastError = true)]
    private static partial int SetCapabilities(uint* header, uint* data);
}
