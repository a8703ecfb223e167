using System.Globalization;

namespace Culvert.Linux;

/// <summary>What the process may do and what the machine has, checked before anything is opened.</summary>
public static class Capabilities
{
    private const string TunPath = "/dev/net/tun";
    private const int NetworkAdministrationBit = 12;

    /// <summary>Whether this thread may create interfaces and change routes (CAP_NET_ADMIN in its user namespace).</summary>
    public static bool HasNetworkAdministration => HasNetworkAdministrationIn(File.ReadAllText("/proc/thread-self/status"));

    /// <summary>Whether <c>/dev/net/tun</c> exists.</summary>
    public static bool HasTunDevice => File.Exists(TunPath);

    /// <summary>Everything that stands in the way of forwarding, each with what to do; empty when nothing does.</summary>
    public static IReadOnlyList<string> Problems() => Problems(HasNetworkAdministration, HasTunDevice);

    internal static IReadOnlyList<string> Problems(bool hasNetworkAdministration, bool hasTunDevice)
    {
        List<string> problems = [];
        if (!hasNetworkAdministration)
        {
            problems.Add(
                "CAP_NET_ADMIN is missing, so no interface or route can be made: run as root, or give the service"
                + " AmbientCapabilities=CAP_NET_ADMIN (systemd), or use 'setcap cap_net_admin+ep' on the program.");
        }

        if (!hasTunDevice)
        {
            problems.Add(
                $"{TunPath} is missing: load the module with 'modprobe tun'; in a container, pass the device (--device {TunPath}).");
        }

        return problems;
    }

    /// <summary>Reads the line "CapEff:" and a mask of 16 hexadecimal digits (proc(5)).</summary>
    internal static bool HasNetworkAdministrationIn(string status)
    {
        const string Label = "CapEff:";
        int start = status.IndexOf(Label, StringComparison.Ordinal);
        if (start < 0)
        {
            return false;
        }

        ReadOnlySpan<char> line = status.AsSpan(start + Label.Length);
        int end = line.IndexOf('\n');
        ReadOnlySpan<char> digits = (end < 0 ? line : line[..end]).Trim();
        return ulong.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong mask)
            && ((mask >> NetworkAdministrationBit) & 1) != 0;
    }
}
