using Culvert.Linux;
using Culvert.Server.Configuration;

namespace Culvert.Server;

/// <summary>What an operator is told about offloads that the kernel does not have.</summary>
internal static class OffloadNotes
{
    /// <summary>A line that names, as the file does, what was wanted and is not there; null when nothing is missing.</summary>
    /// <param name="wanted">From the file.</param>
    /// <param name="granted">What the kernel took.</param>
    public static string? Describe(OffloadSettings wanted, OffloadSettings granted)
    {
        List<string> missing = [];
        foreach ((TunOffloads offload, string name) in ((TunOffloads, string)[])
            [(TunOffloads.Checksum, "tun-checksum"), (TunOffloads.Tcp, "tun-tcp"), (TunOffloads.Udp, "tun-udp")])
        {
            if ((wanted.Tun & offload) != 0 && (granted.Tun & offload) == 0)
            {
                missing.Add(name);
            }
        }

        if (wanted.JoinTunCalls && !granted.JoinTunCalls)
        {
            missing.Add("tun-calls");
        }

        if (wanted.JoinSent && !granted.JoinSent)
        {
            missing.Add("send");
        }

        if (wanted.JoinReceived && !granted.JoinReceived)
        {
            missing.Add("receive");
        }

        return missing.Count == 0 ? null : $"this kernel does not know, or does not allow, {string.Join(", ", missing)}; packets are moved without, which costs speed and nothing else";
    }
}
