using Culvert.L2tp.Wire;

namespace Culvert.L2tp.Tests.Wire;

/// <summary>Reads a packet and writes it again from what was read.</summary>
internal static class Reencoding
{
    public static byte[] Of(ReadOnlySpan<byte> packet)
    {
        Assert.True(L2tpHeader.TryRead(packet, out L2tpHeader header));
        ReadOnlySpan<byte> payload = packet[header.PayloadStart..header.PayloadEnd];
        byte[] output = new byte[packet.Length + 64];
        if (!header.IsControl || header.IsZeroLengthBody)
        {
            Assert.True(header.TryWrite(output, out int written));
            payload.CopyTo(output.AsSpan(written));
            return output[..(written + payload.Length)];
        }

        Assert.True(ControlMessage.TryRead(payload, out ControlMessage message));
        var writer = new ControlMessageWriter(output, message.Type, header.SessionId, message.IsTypeMandatory);
        bool isFirst = true;
        foreach (Avp avp in new AvpReader(payload))
        {
            if (!isFirst)
            {
                writer.WriteAvp(avp.Id, avp.Value, avp.IsMandatory);
            }

            isFirst = false;
        }

        Assert.True(writer.TryFinish(out int length));
        L2tpHeader.Patch(output, header.TunnelId, header.Ns, header.Nr);
        return output[..length];
    }
}
