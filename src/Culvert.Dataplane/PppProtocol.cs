namespace Culvert.Dataplane;

/// <summary>The PPP protocol numbers that the packet path tells from all others (RFC 1332 section 2, RFC 5072 section 2).</summary>
internal enum PppProtocol : ushort
{
    IPv4 = 0x0021,
    IPv6 = 0x0057,
}

internal static class PppFrame
{
    /// <summary>
    /// Reads the protocol field of a frame, with or without FF 03 and in one octet or two, whatever was negotiated (RFC 1661
    /// sections 2, 6.5 and 6.6): the last octet of a protocol number is odd, all others are even.
    /// </summary>
    public static bool TryReadProtocol(ReadOnlySpan<byte> frame, out PppProtocol protocol, out int headerLength)
    {
        headerLength = frame is [0xFF, 0x03, ..] ? 2 : 0;
        ReadOnlySpan<byte> rest = frame[headerLength..];
        protocol = default;
        if (rest.IsEmpty)
        {
            return false;
        }

        if ((rest[0] & 1) != 0)
        {
            protocol = (PppProtocol)rest[0];
            headerLength++;
            return true;
        }

        if (rest.Length < 2 || (rest[1] & 1) == 0)
        {
            return false;
        }

        protocol = (PppProtocol)((rest[0] << 8) | rest[1]);
        headerLength += 2;
        return true;
    }
}
