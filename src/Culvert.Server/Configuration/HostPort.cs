using System.Globalization;

namespace Culvert.Server.Configuration;

/// <summary>"host", "host:port", "192.0.2.1:1701", "2001:db8::1", "[2001:db8::1]:1701".</summary>
public static class HostPort
{
    public static bool TryParse(string text, ushort defaultPort, out string host, out ushort port)
    {
        port = defaultPort;
        host = text;
        ReadOnlySpan<char> portText = [];
        if (text.StartsWith('['))
        {
            int close = text.IndexOf(']');
            if (close < 0)
            {
                return false;
            }

            host = text[1..close];
            if (close + 1 < text.Length)
            {
                if (text[close + 1] != ':')
                {
                    return false;
                }

                portText = text.AsSpan(close + 2);
                return TryPort(portText, ref port) && host.Length > 0;
            }

            return host.Length > 0;
        }

        int colon = text.LastIndexOf(':');
        if (colon >= 0 && text.IndexOf(':') == colon)
        {
            host = text[..colon];
            portText = text.AsSpan(colon + 1);
            return TryPort(portText, ref port) && host.Length > 0;
        }

        return host.Length > 0;
    }

    private static bool TryPort(ReadOnlySpan<char> text, ref ushort port) =>
        ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port > 0;
}
