using System.Buffers.Binary;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>
/// What a message says in clear before a secret is known, read without any state: its type, whom it is from, and the ID it assigns.
/// </summary>
internal ref struct StartFacts
{
    public MessageType Type;

    /// <summary>0 when absent or hidden.</summary>
    public ushort AssignedTunnelId;

    /// <summary>Empty when absent (which is malformed: section 4.4.3).</summary>
    public ReadOnlySpan<byte> HostName;

    /// <summary>Empty when absent or hidden.</summary>
    public ReadOnlySpan<byte> VendorName;

    /// <summary>False when the body does not begin with a Message Type, or its AVPs cannot be walked.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, out StartFacts facts)
    {
        facts = default;
        var reader = new AvpReader(body);
        if (!reader.MoveNext() || reader.Current.Id != AvpType.MessageType || !IsNumber(reader.Current))
        {
            return false;
        }

        facts.Type = (MessageType)BinaryPrimitives.ReadUInt16BigEndian(reader.Current.Value);
        while (reader.MoveNext())
        {
            facts.Take(reader.Current);
        }

        return reader.Fault == AvpFault.None;
    }

    private void Take(in Avp avp)
    {
        if (avp.IsHidden || avp.HasReservedBits)
        {
            return;
        }

        if (avp.Id == AvpType.AssignedTunnelId && IsNumber(avp) && AssignedTunnelId == 0)
        {
            AssignedTunnelId = BinaryPrimitives.ReadUInt16BigEndian(avp.Value);
        }
        else if (avp.Id == AvpType.HostName && HostName.IsEmpty)
        {
            HostName = avp.Value;
        }
        else if (avp.Id == AvpType.VendorName && VendorName.IsEmpty)
        {
            VendorName = avp.Value;
        }
    }

    private static bool IsNumber(in Avp avp) => avp.Value.Length == sizeof(ushort);
}
