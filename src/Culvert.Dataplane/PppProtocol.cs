namespace Culvert.Dataplane;

/// <summary>The PPP protocol numbers that the packet path tells from all others (RFC 1332, RFC 5072).</summary>
internal enum PppProtocol : ushort
{
    IPv4 = 0x0021,
    IPv6 = 0x0057,
}
