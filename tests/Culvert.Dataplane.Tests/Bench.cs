using System.Buffers.Binary;
using Culvert.Core;
using Culvert.Dataplane.Offload;
using Culvert.Testing;

namespace Culvert.Dataplane.Tests;

/// <summary>Builds packets and frames octet by octet, sharing nothing with the code under test.</summary>
internal static class Bench
{
    public static readonly IpAddress Gateway = IpAddress.Parse("100.64.0.1");
    public static readonly IpAddress Gateway6 = IpAddress.Parse("2001:db8::1");
    public static readonly IpAddress Subscriber = IpAddress.Parse("100.64.9.9");
    public static readonly IpAddress Subscriber6 = IpAddress.Parse("2001:db8:100:9::9");
    public static readonly IpAddress Server = IpAddress.Parse("203.0.113.80");
    public static readonly IpAddress Server6 = IpAddress.Parse("2001:db8:ffff::80");
    public static readonly UdpPath Path = new(IpAddress.Parse("198.51.100.1"), new PeerEndpoint(IpAddress.Parse("192.0.2.7"), 1701));
    public static readonly UdpPath OtherPath = new(IpAddress.Parse("198.51.100.1"), new PeerEndpoint(IpAddress.Parse("192.0.2.8"), 1701));

    public const ushort LocalTunnel = 0x1234;
    public const ushort LocalSession = 0x5678;
    public const ushort PeerTunnel = 0x0A0B;
    public const ushort PeerSession = 0x0C0D;

    public static readonly SessionKey Key = new(LocalTunnel, LocalSession);

    public static SessionForwarding Session() => new()
    {
        LocalTunnelId = LocalTunnel,
        LocalSessionId = LocalSession,
        PeerTunnelId = PeerTunnel,
        PeerSessionId = PeerSession,
        Path = Path,
        State = SessionState.Forwarding,
        Mtu = 1452,
        SourceIPv4 = Subscriber,
    };

    public static byte[] Hex(string text) => Convert.FromHexString(text.Replace(" ", "", StringComparison.Ordinal));

    /// <summary>RFC 1071 as its authors wrote it: add, carry, invert.</summary>
    public static ushort SlowChecksum(ReadOnlySpan<byte> data, uint start = 0)
    {
        uint sum = start;
        for (int i = 0; i < data.Length; i++)
        {
            sum += (i & 1) == 0 ? (uint)data[i] << 8 : data[i];
            if (sum > 0xFFFF)
            {
                sum = (sum & 0xFFFF) + 1;
            }
        }

        return (ushort)~sum;
    }

    public static byte[] Octets(IpAddress address)
    {
        byte[] octets = new byte[address.Size];
        address.WriteTo(octets);
        return octets;
    }

    public static byte[] IPv4(
        IpAddress source, IpAddress destination, byte protocol, ReadOnlySpan<byte> payload, ushort flagsAndOffset = 0, byte[]? options = null)
    {
        int header = 20 + (options?.Length ?? 0);
        byte[] packet = new byte[header + payload.Length];
        packet[0] = (byte)(0x40 | (header / 4));
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
        packet[4] = 0xBE;
        packet[5] = 0xEF;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(6), flagsAndOffset);
        packet[8] = 61;
        packet[9] = protocol;
        Octets(source).CopyTo(packet, 12);
        Octets(destination).CopyTo(packet, 16);
        options?.CopyTo(packet, 20);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(10), SlowChecksum(packet.AsSpan(0, header)));
        payload.CopyTo(packet.AsSpan(header));
        return packet;
    }

    public static byte[] IPv6(IpAddress source, IpAddress destination, byte nextHeader, ReadOnlySpan<byte> payload)
    {
        byte[] packet = new byte[40 + payload.Length];
        packet[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), (ushort)payload.Length);
        packet[6] = nextHeader;
        packet[7] = 61;
        Octets(source).CopyTo(packet, 8);
        Octets(destination).CopyTo(packet, 24);
        payload.CopyTo(packet.AsSpan(40));
        return packet;
    }

    /// <summary>A TCP segment with a right checksum for the pseudo-header of these addresses.</summary>
    public static byte[] Tcp(IpAddress source, IpAddress destination, byte flags, byte[] options, int payload = 0)
    {
        int header = 20 + ((options.Length + 3) / 4 * 4);
        byte[] segment = new byte[header + payload];
        Hex("C001 0050 01020304 05060708").CopyTo(segment, 0);
        segment[12] = (byte)(header / 4 << 4);
        segment[13] = flags;
        segment[14] = 0xFA;
        options.CopyTo(segment, 20);
        for (int i = header; i < segment.Length; i++)
        {
            segment[i] = (byte)(i * 7);
        }

        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(16), TransportChecksum(source, destination, 6, segment));
        return segment;
    }

    /// <summary>Over a segment whose checksum field is right this is 0.</summary>
    public static ushort TransportChecksum(IpAddress source, IpAddress destination, byte protocol, ReadOnlySpan<byte> segment)
    {
        byte[] pseudo = source.IsIPv4
            ? [.. Octets(source), .. Octets(destination), 0, protocol, (byte)(segment.Length >> 8), (byte)segment.Length]
            : [.. Octets(source), .. Octets(destination), 0, 0, (byte)(segment.Length >> 8), (byte)segment.Length, 0, 0, 0, protocol];
        return SlowChecksum([.. pseudo, .. segment]);
    }

    /// <summary>An L2TP data message (RFC 2661 section 3.1) around a PPP frame.</summary>
    public static byte[] Frame(
        ReadOnlySpan<byte> ppp, bool length = false, bool sequence = false, int offset = -1, bool priority = false,
        ushort tunnel = LocalTunnel, ushort session = LocalSession, ushort ns = 7)
    {
        List<byte> frame = [(byte)((length ? 0x40 : 0) | (sequence ? 0x08 : 0) | (offset >= 0 ? 0x02 : 0) | (priority ? 0x01 : 0)), 0x02];
        int total = 6 + (length ? 2 : 0) + (sequence ? 4 : 0) + (offset >= 0 ? 2 + offset : 0) + ppp.Length;
        if (length)
        {
            frame.AddRange([(byte)(total >> 8), (byte)total]);
        }

        frame.AddRange([(byte)(tunnel >> 8), (byte)tunnel, (byte)(session >> 8), (byte)session]);
        if (sequence)
        {
            frame.AddRange([(byte)(ns >> 8), (byte)ns, 0, 0]);
        }

        if (offset >= 0)
        {
            frame.AddRange([(byte)(offset >> 8), (byte)offset]);
            for (int i = 0; i < offset; i++)
            {
                frame.Add(0xEE);
            }
        }

        frame.AddRange(ppp);
        return [.. frame];
    }

    public static byte[] Ppp(ReadOnlySpan<byte> packet, bool addressControl = true, bool compressed = false)
    {
        byte protocol = packet[0] >> 4 == 6 ? (byte)0x57 : (byte)0x21;
        byte[] front = [.. addressControl ? new byte[] { 0xFF, 0x03 } : [], .. compressed ? new[] { protocol } : [0, protocol]];
        return [.. front, .. packet];
    }

    public static byte[] Random(ulong seed, int length)
    {
        byte[] octets = new byte[length];
        new SeededRandom(seed).Fill(octets);
        return octets;
    }
}

/// <summary>One session table, one route table, one shard.</summary>
internal sealed class Rig
{
    private readonly byte[] _buffer = new byte[80_000];
    private readonly byte[] _reply = new byte[Forwarder.ReplyCapacity];

    public Rig(SessionForwarding? session = null, ForwarderOptions? options = null)
    {
        Routes = new RouteTable();
        Sessions = new SessionTable(new SeededRandom(1), Routes);
        Forwarder = new Forwarder(
            Sessions, Routes, options ?? new ForwarderOptions { IcmpSourceIPv4 = Bench.Gateway, IcmpSourceIPv6 = Bench.Gateway6 });
        SessionForwarding installed = session ?? Bench.Session();
        Assert.True(Sessions.TryInstall(installed));
        Assert.True(Routes.TryAdd(new IpPrefix(Bench.Subscriber, 32), installed.Key));
        Assert.True(Routes.TryAdd(new IpPrefix(Bench.Subscriber6, 64), installed.Key));
    }

    public RouteTable Routes { get; }

    public SessionTable Sessions { get; }

    public Forwarder Forwarder { get; }

    public ReadOnlySpan<byte> Reply => _reply;

    public List<(byte[] Frame, UdpPath Path)> Sent { get; } = [];

    /// <summary>Beside <see cref="Sent"/>: DSCP and ECN of each outer packet.</summary>
    public List<byte> TrafficClasses { get; } = [];

    public int Room { get; set; } = int.MaxValue;

    public Encapsulation Encapsulate(ReadOnlySpan<byte> packet, Timestamp now = default, SessionKey to = default)
    {
        _buffer.AsSpan().Fill(0xAA);
        packet.CopyTo(_buffer.AsSpan(Forwarder.Headroom));
        var sink = new ListSink(this, _buffer);
        return to.IsNone
            ? Forwarder.Encapsulate(_buffer, Forwarder.Headroom, packet.Length, _reply, now, ref sink)
            : Forwarder.EncapsulateTo(to, _buffer, Forwarder.Headroom, packet.Length, _reply, now, ref sink);
    }

    /// <summary>Octets of the largest run that was committed at once.</summary>
    public int LargestRun { get; private set; }

    public Encapsulation EncapsulateOffloaded(in OffloadHeader offload, ReadOnlySpan<byte> packet)
    {
        packet.CopyTo(_buffer.AsSpan(Forwarder.Headroom));
        var sink = new ListSink(this, _buffer);
        return Forwarder.EncapsulateOffloaded(offload, _buffer, Forwarder.Headroom, packet.Length, _reply, default, ref sink);
    }

    /// <summary>Octets allocated by so many encapsulations into a sink that keeps nothing.</summary>
    public long AllocatedBy(OffloadHeader offload, ReadOnlySpan<byte> packet, int rounds)
    {
        packet.CopyTo(_buffer.AsSpan(Forwarder.Headroom));
        int length = packet.Length;
        var sink = new ForgettingSink(new byte[1 << 17]);
        return Allocation.Of(() =>
        {
            for (int i = 0; i < rounds; i++)
            {
                _ = Forwarder.EncapsulateOffloaded(offload, _buffer, Forwarder.Headroom, length, _reply, default, ref sink);
            }
        });
    }

    public Encapsulation EncapsulatePpp(SessionKey session, ReadOnlySpan<byte> frame, bool priority)
    {
        var sink = new ListSink(this, _buffer);
        return Forwarder.EncapsulatePpp(session, frame, priority, ref sink);
    }

    public SessionCounters Counters(SessionKey? key = null)
    {
        Assert.True(Sessions.TryReadCounters(key ?? Bench.Key, out SessionCounters counters));
        return counters;
    }

    private readonly struct ForgettingSink(byte[] room) : IFrameSink
    {
        public bool TryAddInPlace(int offset, int length, in UdpPath path, byte trafficClass, SessionKey session) => true;

        public bool TryTake(int length, in UdpPath path, out Span<byte> lent)
        {
            lent = room;
            return true;
        }

        public void Commit(int length, int frameLength, in UdpPath path, byte trafficClass, SessionKey session)
        {
        }
    }

    private struct ListSink(Rig rig, byte[] buffer) : IFrameSink
    {
        private byte[] _lent = [];

        public readonly bool TryAddInPlace(int offset, int length, in UdpPath path, byte trafficClass, SessionKey session)
        {
            if (rig.Sent.Count >= rig.Room)
            {
                return false;
            }

            rig.Sent.Add((buffer.AsSpan(offset, length).ToArray(), path));
            rig.TrafficClasses.Add(trafficClass);
            return true;
        }

        public bool TryTake(int length, in UdpPath path, out Span<byte> room)
        {
            _lent = new byte[length];
            room = _lent;
            return rig.Sent.Count < rig.Room;
        }

        public readonly void Commit(int length, int frameLength, in UdpPath path, byte trafficClass, SessionKey session)
        {
            rig.LargestRun = Math.Max(rig.LargestRun, length);
            for (int at = 0; at < length; at += frameLength)
            {
                rig.Sent.Add((_lent.AsSpan(at, Math.Min(frameLength, length - at)).ToArray(), path));
                rig.TrafficClasses.Add(trafficClass);
            }
        }
    }
}
