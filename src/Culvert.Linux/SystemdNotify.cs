using System.Net.Sockets;
using System.Text;

namespace Culvert.Linux;

/// <summary>Tells the service manager how the service is (sd_notify(3)), when one listens.</summary>
public static class SystemdNotify
{
    private const string Variable = "NOTIFY_SOCKET";

    /// <summary>Start-up is complete. Returns whether a manager was told.</summary>
    public static bool Ready(string? status = null) => Send(status is null ? "READY=1" : $"READY=1\nSTATUS={OneLine(status)}");

    /// <summary>The service is ending.</summary>
    public static bool Stopping() => Send("STOPPING=1");

    /// <summary>A line for <c>systemctl status</c>.</summary>
    public static bool Status(string status) => Send($"STATUS={OneLine(status)}");

    /// <summary>Sends one notification; false when no manager asked for any, or it does not listen any more.</summary>
    internal static bool Send(string state) => Send(state, Environment.GetEnvironmentVariable(Variable));

    internal static bool Send(string state, string? address)
    {
        if (string.IsNullOrEmpty(address) || address[0] is not ('/' or '@'))
        {
            return false;
        }

        // '@' stands for the zero octet of an abstract name.
        string path = address[0] == '@' ? string.Concat("\0", address.AsSpan(1)) : address;
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            _ = socket.SendTo(Encoding.UTF8.GetBytes(state), new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException)
        {
            // The service works without its manager.
            return false;
        }
    }

    private static string OneLine(string text) => text.ReplaceLineEndings(" ");
}
