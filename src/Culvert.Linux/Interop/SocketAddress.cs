using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Linux.Interop;

/// <summary>
/// struct sockaddr_in and sockaddr_in6: family (host order), port, then the address (in6: flow label, address, scope in host order).
/// </summary>
internal static unsafe class SocketAddress
{
    internal const int SizeIPv4 = 16;
    internal const int SizeIPv6 = 28;

    private const int ScopeOffset = 24;

    internal static uint Write(byte* target, in IpAddress address, ushort port)
    {
        bool isIPv6 = address.IsIPv6;
        int size = isIPv6 ? SizeIPv6 : SizeIPv4;
        var octets = new Span<byte>(target, size);
        octets.Clear();
        *(ushort*)target = (ushort)(isIPv6 ? Constants.FamilyIPv6 : Constants.FamilyIPv4);
        BinaryPrimitives.WriteUInt16BigEndian(octets[2..], port);
        address.WriteTo(octets[(isIPv6 ? 8 : 4)..]);
        if (isIPv6)
        {
            *(uint*)(target + ScopeOffset) = address.Scope;
        }

        return (uint)size;
    }

    /// <summary>Reads what the kernel wrote; no address when the family is another or the length is short.</summary>
    internal static IpAddress Read(byte* source, uint length, out ushort port)
    {
        port = 0;
        if (length < SizeIPv4)
        {
            return default;
        }

        int family = *(ushort*)source;
        if (family == Constants.FamilyIPv4)
        {
            port = BinaryPrimitives.ReadUInt16BigEndian(new ReadOnlySpan<byte>(source + 2, 2));
            return IpAddress.FromBytes(new ReadOnlySpan<byte>(source + 4, 4));
        }

        if (family == Constants.FamilyIPv6 && length >= SizeIPv6)
        {
            port = BinaryPrimitives.ReadUInt16BigEndian(new ReadOnlySpan<byte>(source + 2, 2));

            // The kernel fills in the scope of link-local addresses only.
            return IpAddress.FromBytes(new ReadOnlySpan<byte>(source + 8, 16)) with { Scope = *(uint*)(source + ScopeOffset) };
        }

        return default;
    }
}
