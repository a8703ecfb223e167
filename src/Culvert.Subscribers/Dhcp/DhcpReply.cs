using Culvert.Core;

namespace Culvert.Subscribers.Dhcp;

/// <summary>The DHCPACK that answers a DHCPINFORM (RFC 2131 sections 4.3.5 and 4.3.1, table 3).</summary>
internal static class DhcpReply
{
    /// <summary>Shorter ones are dropped by some clients and relays (RFC 1542 section 2.1).</summary>
    public const int LeastLength = 300;

    /// <summary>A list is written in this order when the client asks for nothing in particular.</summary>
    private static ReadOnlySpan<byte> Usual =>
    [
        (byte)DhcpOption.SubnetMask, (byte)DhcpOption.DomainNameServers, (byte)DhcpOption.DomainName,
        (byte)DhcpOption.ClasslessRoutes, (byte)DhcpOption.DomainSearch,
    ];

    /// <summary>
    /// Writes the message. What the client asked for stands in its order; when that does not fit, what says the same twice and then the
    /// search list go last, and what finds no room is left out whole. Returns its length; 0 when there is not even room for
    /// <see cref="LeastLength"/>.
    /// </summary>
    /// <param name="request">A DHCPINFORM.</param>
    /// <param name="server">Our end of the link, IPv4.</param>
    /// <param name="parameters">What to tell.</param>
    /// <param name="room">As large as the message may become.</param>
    /// <param name="isComplete">Everything that was asked for and is known is in it.</param>
    public static int Write(in DhcpMessage request, IpAddress server, ClientParameters parameters, Span<byte> room, out bool isComplete)
    {
        isComplete = false;
        if (room.Length < LeastLength)
        {
            return 0;
        }

        Span<byte> codes = stackalloc byte[256];
        codes = codes[..Choose(request, codes)];
        var writer = new WireWriter(room[..^1]);
        WriteStart(ref writer, request, server, room.Length);
        isComplete = TryWriteAll(ref writer, codes, server, parameters);
        if (!isComplete)
        {
            PutExpendableLast(codes, request.IsWindows);
            writer = new WireWriter(room[..^1]);
            WriteStart(ref writer, request, server, room.Length);
            WriteWhatFits(ref writer, codes, server, parameters);
        }

        int length = writer.Length;
        room[length++] = (byte)DhcpOption.End;
        int padding = Math.Max(0, LeastLength - length);
        room.Slice(length, padding).Clear();
        return length + padding;
    }

    /// <summary>The codes to write, each once.</summary>
    private static int Choose(in DhcpMessage request, Span<byte> codes)
    {
        int count = 0;
        foreach (byte code in request.Requested.IsEmpty ? Usual : request.Requested)
        {
            count += Add(codes, count, code);
        }

        // Windows takes its routes from this option whether its list names it or not.
        return request.IsWindows ? count + Add(codes, count, (byte)DhcpOption.MicrosoftClasslessRoutes) : count;
    }

    private static int Add(Span<byte> codes, int count, byte code)
    {
        if (codes[..count].Contains(code))
        {
            return 0;
        }

        codes[count] = code;
        return 1;
    }

    private static void PutExpendableLast(Span<byte> codes, bool isWindows)
    {
        bool hasBoth = codes.Contains((byte)DhcpOption.ClasslessRoutes) && codes.Contains((byte)DhcpOption.MicrosoftClasslessRoutes);
        if (hasBoth)
        {
            PutLast(codes, isWindows ? DhcpOption.ClasslessRoutes : DhcpOption.MicrosoftClasslessRoutes);
        }

        PutLast(codes, DhcpOption.DomainSearch);
    }

    private static void PutLast(Span<byte> codes, DhcpOption code)
    {
        int at = codes.IndexOf((byte)code);
        if (at >= 0)
        {
            codes[(at + 1)..].CopyTo(codes[at..]);
            codes[^1] = (byte)code;
        }
    }

    private static void WriteStart(ref WireWriter writer, in DhcpMessage request, IpAddress server, int room)
    {
        // Table 3: xid, flags, giaddr and chaddr as in the request; ciaddr too (section 4.3.5 sends the answer there). yiaddr stays
        // empty and no lease time is given: the address is not ours to lease.
        ReadOnlySpan<byte> header = request.Header;
        writer.WriteByte(DhcpMessage.BootReply);
        writer.WriteBytes(header[1..3]);
        writer.WriteByte(0);
        writer.WriteBytes(header[4..8]);
        writer.WriteUInt16(0);
        writer.WriteBytes(header[10..16]);
        writer.WriteUInt64(0);
        writer.WriteBytes(header[24..28]);
        writer.WriteBytes(header.Slice(DhcpMessage.HardwareAddressOffset, DhcpMessage.HardwareAddressRoom));
        if (writer.TryTake(DhcpMessage.CookieOffset - writer.Length, out Span<byte> names))
        {
            names.Clear();
        }

        writer.WriteUInt32(DhcpMessage.MagicCookie);
        writer.WriteByte((byte)DhcpOption.MessageType);
        writer.WriteByte(1);
        writer.WriteByte((byte)DhcpMessageType.Ack);
        writer.WriteByte((byte)DhcpOption.ServerIdentifier);
        writer.WriteByte(4);
        writer.WriteUInt32(server.ToUInt32());
        if (writer.Length + 2 + request.ClientIdentifier.Length < room)
        {
            // RFC 6842 section 3: the client knows its answers by it.
            WriteOption(ref writer, DhcpOption.ClientIdentifier, request.ClientIdentifier);
        }
    }

    private static bool TryWriteAll(ref WireWriter writer, scoped ReadOnlySpan<byte> codes, IpAddress server, ClientParameters parameters)
    {
        foreach (byte code in codes)
        {
            WriteOption(ref writer, (DhcpOption)code, server, parameters);
        }

        return !writer.Overflowed;
    }

    private static void WriteWhatFits(ref WireWriter writer, scoped ReadOnlySpan<byte> codes, IpAddress server, ClientParameters parameters)
    {
        foreach (byte code in codes)
        {
            WireWriter attempt = writer;
            WriteOption(ref attempt, (DhcpOption)code, server, parameters);
            writer = attempt.Overflowed ? writer : attempt;
        }
    }

    /// <summary>Nothing for an option that is not known, or for which nothing is configured.</summary>
    private static void WriteOption(ref WireWriter writer, DhcpOption code, IpAddress server, ClientParameters parameters)
    {
        switch (code)
        {
            case DhcpOption.SubnetMask:
                // On a point-to-point link nobody else shares the network.
                WriteOption(ref writer, code, [255, 255, 255, 255]);
                break;
            case DhcpOption.DomainNameServers:
                WriteOption(ref writer, code, parameters.Dns);
                break;
            case DhcpOption.DomainName:
                WriteOption(ref writer, code, parameters.Domain);
                break;
            case DhcpOption.DomainSearch:
                WriteOption(ref writer, code, parameters.Search);
                break;
            case DhcpOption.ClasslessRoutes or DhcpOption.MicrosoftClasslessRoutes when parameters.RoutesLength > 0:
                writer.WriteByte((byte)code);
                writer.WriteByte((byte)parameters.RoutesLength);
                parameters.WriteRoutes(ref writer, server);
                break;
        }
    }

    private static void WriteOption(ref WireWriter writer, DhcpOption code, scoped ReadOnlySpan<byte> value)
    {
        if (!value.IsEmpty)
        {
            writer.WriteByte((byte)code);
            writer.WriteByte((byte)value.Length);
            writer.WriteBytes(value);
        }
    }
}
