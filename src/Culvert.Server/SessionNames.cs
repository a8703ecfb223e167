using System.Globalization;
using Culvert.Dataplane;

namespace Culvert.Server;

/// <summary>How a session is named to people: local Tunnel ID, a slash, local Session ID.</summary>
internal static class SessionNames
{
    public static bool TryParse(string text, out SessionKey key)
    {
        int slash = text.IndexOf('/');
        key = default;
        if (slash < 0
            || !ushort.TryParse(text.AsSpan(0, slash), NumberStyles.None, CultureInfo.InvariantCulture, out ushort tunnel)
            || !ushort.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort session))
        {
            return false;
        }

        key = new SessionKey(tunnel, session);
        return true;
    }
}
