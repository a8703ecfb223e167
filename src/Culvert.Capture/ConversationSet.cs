using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.Capture;

/// <summary>
/// Tells L2TP from other UDP. Port 1701 is only where a tunnel begins: the answer may come from any port (RFC 2661 section 8.1), and
/// a server may listen elsewhere. So whoever was seen to speak L2TP is remembered with its port.
/// </summary>
internal sealed class ConversationSet
{
    private const ushort WellKnownPort = 1701;

    /// <summary>Ends remembered in each of two generations; more than the tunnels that one server has, at some 3 MB.</summary>
    private const int MaximumEnds = 32_768;

    private HashSet<PeerEndpoint> _young = [];
    private HashSet<PeerEndpoint> _old = [];

    public bool IsL2tp(in PeerEndpoint source, in PeerEndpoint destination, ReadOnlySpan<byte> payload)
    {
        bool isWellKnown = source.Port == WellKnownPort || destination.Port == WellKnownPort;
        if (!L2tpHeader.TryRead(payload, out L2tpHeader header))
        {
            // Cut, or of a wrong version: on a port of L2TP that is worth a line.
            return isWellKnown || (Contains(source) && Contains(destination));
        }

        bool isControl = BeginsWithMessageType(header, payload);
        if (!isWellKnown && !isControl && !Contains(source) && !Contains(destination))
        {
            return false;
        }

        if (isWellKnown || header.IsControl)
        {
            Add(source);
            Add(destination);
        }

        return true;
    }

    /// <summary>A header without flaw and a whole Message Type AVP: too much for chance.</summary>
    private static bool BeginsWithMessageType(in L2tpHeader header, ReadOnlySpan<byte> payload)
    {
        if (!header.IsControl || header.ReservedBits != 0 || header.PayloadEnd != payload.Length)
        {
            return false;
        }

        var avps = new AvpReader(payload[header.PayloadStart..header.PayloadEnd]);
        return avps.MoveNext() && avps.Current.Id == AvpType.MessageType && avps.Current.Value.Length == sizeof(ushort)
            && !avps.Current.IsHidden && !avps.Current.HasReservedBits;
    }

    private bool Contains(in PeerEndpoint end) => _young.Contains(end) || _old.Contains(end);

    private void Add(in PeerEndpoint end)
    {
        if (end.Port == WellKnownPort || !_young.Add(end) || _young.Count < MaximumEnds)
        {
            return;
        }

        (_old, _young) = (_young, _old);
        _young.Clear();
    }
}
