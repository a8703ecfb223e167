using System.Globalization;
using Culvert.Dataplane;
using Microsoft.AspNetCore.Http;

namespace Culvert.Server.Captures;

/// <summary>What <c>GET v1/capture</c> asks for. At most one of tunnel, session and user; none is everything.</summary>
/// <param name="Tunnel">Local Tunnel ID.</param>
/// <param name="User">The name under which sessions are up.</param>
/// <param name="IsControlOnly">Control messages and PPP negotiation, no user traffic.</param>
/// <param name="MaximumOctets">Of the file; it ends before it would exceed them.</param>
internal sealed record CaptureRequest(
    ushort? Tunnel, SessionKey? Session, string? User, bool IsControlOnly, long MaximumOctets, long MaximumPackets, TimeSpan? Duration)
{
    private const double MostSeconds = 365 * 24 * 3600;

    /// <summary>For the file: what it holds, in words.</summary>
    public override string ToString()
    {
        string what = Tunnel is { } tunnel ? $"tunnel {tunnel}" : Session is { } session ? $"session {session}" : User is { } user ? $"user {user}" : "all tunnels";
        return IsControlOnly ? $"{what}, control messages and PPP negotiation only" : what;
    }

    /// <exception cref="NodeException">The message says which parameter is wrong.</exception>
    public static CaptureRequest Parse(IQueryCollection query)
    {
        string? tunnel = query["tunnel"];
        string? session = query["session"];
        string? user = query["user"];
        if (new[] { tunnel, session, user }.Count(v => v is not null) > 1)
        {
            throw new NodeException("a capture is of a tunnel, of a session or of a user: name one of them");
        }

        return new CaptureRequest(
            tunnel is null ? null : ParseTunnel(tunnel),
            session is null ? null : SessionNames.TryParse(session, out SessionKey key) ? key : throw new NodeException($"session '{session}' is not TUNNEL/SESSION, as 'culvert show sessions' prints it"),
            user,
            query["control-only"] == "true",
            ParseCount(query, "max-size"),
            ParseCount(query, "max-packets"),
            ParseSeconds(query["seconds"]));
    }

    private static ushort ParseTunnel(string text) => ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ushort id)
        ? id
        : throw new NodeException($"tunnel '{text}' is not a tunnel ID, as 'culvert show tunnels' prints it");

    private static long ParseCount(IQueryCollection query, string name)
    {
        string? text = query[name];
        return text is null ? long.MaxValue
            : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) && value > 0 ? value
            : throw new NodeException($"{name} must be a number above 0, not '{text}'");
    }

    private static TimeSpan? ParseSeconds(string? text) =>
        text is null ? null
        : double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds) && seconds is > 0 and <= MostSeconds
            ? TimeSpan.FromSeconds(seconds)
        : throw new NodeException($"seconds must be a number above 0, not '{text}'");
}
