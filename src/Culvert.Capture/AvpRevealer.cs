using System.Buffers.Binary;
using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.Capture;

/// <summary>Opens hidden AVPs (RFC 2661 section 4.3) with secrets that the reader of a capture knows, so that the printer can show them.</summary>
internal sealed class AvpRevealer(IReadOnlyList<Secret> secrets)
{
    private readonly byte[] _scratch = secrets.Count == 0 ? [] : new byte[ushort.MaxValue];
    private readonly byte[] _clear = secrets.Count == 0 ? [] : new byte[ushort.MaxValue];

    /// <summary>A copy of the message with its hidden AVPs in clear; false when there is nothing to open or no secret fits.</summary>
    public bool TryReveal(ReadOnlySpan<byte> datagram, scoped in L2tpHeader header, out ReadOnlySpan<byte> clear, out int revealed, out int unreadable)
    {
        clear = default;
        revealed = 0;
        unreadable = 0;
        ReadOnlySpan<byte> body = datagram[header.PayloadStart..header.PayloadEnd];
        Secret? best = null;
        foreach (Secret secret in secrets)
        {
            _ = ControlMessage.TryRead(body, secret.Octets, _scratch, out ControlMessage message);
            if (message.HiddenCount == 0)
            {
                return false;
            }

            // A wrong secret is known by a length that cannot be, or by a value that is too long or short for its AVP.
            int readable = message.WrongLength is null ? message.HiddenCount - message.UnreadableCount : 0;
            unreadable = message.HiddenCount - revealed;
            if (readable > revealed)
            {
                best = secret;
                revealed = readable;
                unreadable = message.UnreadableCount;
            }
        }

        if (best is not null)
        {
            _ = ControlMessage.TryRead(body, best.Octets, _scratch, out ControlMessage message);
            clear = Rebuild(datagram, header, message);
        }

        return best is not null;
    }

    private ReadOnlySpan<byte> Rebuild(ReadOnlySpan<byte> datagram, scoped in L2tpHeader header, ControlMessage message)
    {
        datagram[..header.PayloadStart].CopyTo(_clear);
        int length = header.PayloadStart;
        foreach (Avp avp in message)
        {
            avp.Whole.CopyTo(_clear.AsSpan(length));
            length += avp.Whole.Length;
        }

        // Section 3.1: control messages always have the Length field, right behind the flags.
        BinaryPrimitives.WriteUInt16BigEndian(_clear.AsSpan(2), (ushort)length);
        return _clear.AsSpan(0, length);
    }
}
