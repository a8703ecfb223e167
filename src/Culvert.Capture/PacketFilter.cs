using System.Globalization;
using Culvert.L2tp.Wire;

namespace Culvert.Capture;

/// <summary>
/// Chooses packets: <c>tunnel=ID</c>, <c>session=ID</c>, <c>type=NAME</c>. Several values for one field are alternatives, several fields must
/// all fit. An ID fits where it stands in the header or is being assigned, so that both numbers of a tunnel can be named.
/// </summary>
public sealed class PacketFilter
{
    private readonly HashSet<ushort> _tunnels = [];
    private readonly HashSet<ushort> _sessions = [];
    private readonly HashSet<string> _types = new(StringComparer.OrdinalIgnoreCase);

    private PacketFilter()
    {
    }

    /// <summary>Reads terms such as <c>tunnel=5</c> or <c>type=SCCRQ,ZLB</c>; the problem is a line for the user.</summary>
    public static bool TryParse(IEnumerable<string> terms, out PacketFilter filter, out string problem)
    {
        filter = new PacketFilter();
        foreach (string term in terms)
        {
            string[] parts = term.Split('=', 2);
            foreach (string value in parts.Length == 2 ? parts[1].Split(',', StringSplitOptions.TrimEntries) : [""])
            {
                if (!filter.TryAdd(parts[0].Trim(), value))
                {
                    problem = $"'{term}' is not tunnel=ID, session=ID (numbers up to 65535), or type=NAME such as SCCRQ, ZLB, LCP, IP, control, data";
                    return false;
                }
            }
        }

        problem = string.Empty;
        return true;
    }

    public bool Matches(in DissectedPacket packet) =>
        (_tunnels.Count == 0 || MatchesId(packet, _tunnels, packet.Header.TunnelId, AvpType.AssignedTunnelId))
        && (_sessions.Count == 0 || MatchesId(packet, _sessions, packet.Header.SessionId, AvpType.AssignedSessionId))
        && (_types.Count == 0 || MatchesType(packet));

    private bool TryAdd(string field, string value)
    {
        if (field == "type")
        {
            _ = _types.Add(value);
            return value.Length > 0;
        }

        if (field is not ("tunnel" or "session") || !ushort.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out ushort id))
        {
            return false;
        }

        _ = (field == "tunnel" ? _tunnels : _sessions).Add(id);
        return true;
    }

    private static bool MatchesId(in DissectedPacket packet, HashSet<ushort> ids, ushort inHeader, AvpType assigned)
    {
        if (!packet.HasHeader || ids.Contains(inHeader))
        {
            return packet.HasHeader;
        }

        return packet.IsControl
            && ControlMessage.TryRead(packet.Datagram[packet.Header.PayloadStart..packet.Header.PayloadEnd], out ControlMessage message)
            && message.TryGetUInt16(assigned, out ushort id) && ids.Contains(id);
    }

    private bool MatchesType(in DissectedPacket packet) =>
        _types.Contains(packet.TypeName)
        || (packet.IsControl && _types.Contains("control"))
        || (packet.HasHeader && !packet.IsControl && _types.Contains("data"));
}
