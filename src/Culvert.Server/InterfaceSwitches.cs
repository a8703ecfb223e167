namespace Culvert.Server;

/// <summary>The kernel's switches for one interface, under /proc/sys/net. Each says in words why it could not be set, and what follows.</summary>
internal static class InterfaceSwitches
{
    /// <summary>
    /// "Fragmentation needed" comes in through the subscribers' interface from the gateway's address, which is local: without this
    /// switch the kernel drops it as a martian source, and path MTU discovery towards subscribers fails.
    /// </summary>
    public static bool TryAcceptLocal(string name, out string problem) =>
        TrySet($"ipv4/conf/{name}/accept_local", "path MTU discovery towards subscribers will not work", out problem);

    /// <summary>
    /// No IPv6 may enter a link whose IPV6CP is not open (RFC 5072 section 2), and the kernel sends router solicitations as soon as an
    /// interface is up.
    /// </summary>
    public static bool TryDisableIPv6(string name, out string problem)
    {
        problem = "";
        return !Directory.Exists("/proc/sys/net/ipv6")
            || TrySet($"ipv6/conf/{name}/disable_ipv6", "the kernel may send IPv6 into a link that carries IPv4 only", out problem);
    }

    private static bool TrySet(string name, string consequence, out string problem)
    {
        try
        {
            File.WriteAllText($"/proc/sys/net/{name}", "1");
            problem = "";
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problem = $"{consequence}: {e.Message}; set net.{name.Replace('/', '.')}=1 by hand";
            return false;
        }
    }
}
