using System.Security.Cryptography;
using System.Text;

namespace Culvert.Testing;

/// <summary>One AVP (RFC 2661 section 4.1) for <see cref="L2tpBuilder"/>. Constructors' numbers are the RFC's, typed here a second time.</summary>
public sealed record TestAvp(int Type, byte[] Value, bool Mandatory = true, int Vendor = 0, bool Hidden = false)
{
    /// <summary>Overrides the length field, for malformed packets.</summary>
    public int? ClaimedLength { get; init; }

    /// <summary>The four reserved bits, which must be zero.</summary>
    public int Reserved { get; init; }

    public static TestAvp Of16(int type, int value, bool mandatory = true) => new(type, new ByteBuilder().U16(value).ToArray(), mandatory);

    public static TestAvp Of32(int type, long value, bool mandatory = true) => new(type, new ByteBuilder().U32(value).ToArray(), mandatory);

    public static TestAvp OfText(int type, string value, bool mandatory = true) => new(type, Encoding.ASCII.GetBytes(value), mandatory);

    public static TestAvp MessageType(int type) => Of16(0, type);

    public static TestAvp ResultCode(int result, int? error = null, string message = "")
    {
        ByteBuilder value = new ByteBuilder().U16(result);
        return new(1, error is int code ? value.U16(code).Text(message).ToArray() : value.ToArray());
    }

    public static TestAvp ProtocolVersion(int version = 1, int revision = 0) => new(2, [(byte)version, (byte)revision]);

    public static TestAvp FramingCapabilities(int bits = 3) => Of32(3, bits);

    public static TestAvp BearerCapabilities(int bits = 0) => Of32(4, bits);

    public static TestAvp TieBreaker(ulong value) => new(5, new ByteBuilder().U64(value).ToArray(), Mandatory: false);

    public static TestAvp FirmwareRevision(int value) => Of16(6, value, mandatory: false);

    public static TestAvp HostName(string name) => OfText(7, name);

    public static TestAvp VendorName(string name) => OfText(8, name, mandatory: false);

    public static TestAvp AssignedTunnelId(int id) => Of16(9, id);

    public static TestAvp ReceiveWindowSize(int size) => Of16(10, size);

    public static TestAvp Challenge(byte[] value) => new(11, value);

    /// <summary>RFC 2661 section 4.4.3: MD5 over the CHAP identifier (the message type of the message that carries it), secret and challenge.</summary>
    public static TestAvp ChallengeResponse(int messageType, string secret, byte[] challenge) =>
        new(13, MD5.HashData([(byte)messageType, .. Encoding.UTF8.GetBytes(secret), .. challenge]));

    public static TestAvp AssignedSessionId(int id) => Of16(14, id);

    public static TestAvp CallSerialNumber(long number) => Of32(15, number);

    public static TestAvp BearerType(int bits) => Of32(18, bits);

    public static TestAvp FramingType(int bits = 1) => Of32(19, bits);

    public static TestAvp CalledNumber(string number) => OfText(21, number);

    public static TestAvp CallingNumber(string number) => OfText(22, number);

    public static TestAvp TxConnectSpeed(long bitsPerSecond) => Of32(24, bitsPerSecond);

    public static TestAvp PhysicalChannelId(long id) => Of32(25, id, mandatory: false);

    public static TestAvp RandomVector(byte[] value) => new(36, value);

    public static TestAvp RxConnectSpeed(long bitsPerSecond) => Of32(38, bitsPerSecond, mandatory: false);

    public static TestAvp SequencingRequired() => new(39, []);

    /// <summary>This AVP hidden (RFC 2661 section 4.3) under a Random Vector that goes before it in the message.</summary>
    public TestAvp Hide(string secret, byte[] randomVector, int padding = 0)
    {
        byte[] plain = new ByteBuilder().U16(Value.Length).Bytes(Value).Zeros(padding).ToArray();
        byte[] cipher = new byte[plain.Length];
        byte[] key = Encoding.UTF8.GetBytes(secret);
        byte[] pad = MD5.HashData(new ByteBuilder().U16(Type).Bytes(key).Bytes(randomVector).ToArray());
        for (int start = 0; start < plain.Length; start += 16)
        {
            int end = Math.Min(start + 16, plain.Length);
            for (int i = start; i < end; i++)
            {
                cipher[i] = (byte)(plain[i] ^ pad[i - start]);
            }

            pad = MD5.HashData([.. key, .. cipher[start..end]]);
        }

        return this with { Value = cipher, Hidden = true };
    }

    public byte[] ToBytes() => new ByteBuilder()
        .U16((Mandatory ? 0x8000 : 0) | (Hidden ? 0x4000 : 0) | (Reserved << 10) | ((ClaimedLength ?? (6 + Value.Length)) & 0x3FF))
        .U16(Vendor).U16(Type).Bytes(Value).ToArray();
}

/// <summary>L2TP packets, octet by octet (RFC 2661 section 3.1).</summary>
public static class L2tpBuilder
{
    public const int Sccrq = 1, Sccrp = 2, Scccn = 3, StopCcn = 4, Hello = 6, Ocrq = 7, Ocrp = 8, Occn = 9, Icrq = 10, Icrp = 11,
        Iccn = 12, Cdn = 14, Wen = 15, Sli = 16;

    /// <summary>A control message: flags T, L, S, version 2. Without AVPs it is a ZLB.</summary>
    public static byte[] Control(int tunnelId, int sessionId, int ns, int nr, params TestAvp[] avps)
    {
        byte[] body = [.. avps.SelectMany(avp => avp.ToBytes())];
        return new ByteBuilder().U16(0xC802).U16(12 + body.Length).U16(tunnelId).U16(sessionId).U16(ns).U16(nr).Bytes(body).ToArray();
    }

    public static byte[] Zlb(int tunnelId, int ns, int nr) => Control(tunnelId, 0, ns, nr);

    /// <summary>A start that every LNS should accept: SCCRQ, Ns 0, Nr 0, to tunnel 0.</summary>
    public static byte[] StartControlConnectionRequest(int assignedTunnelId, string hostName = "lac", params TestAvp[] more) =>
        Control(0, 0, 0, 0,
        [
            TestAvp.MessageType(Sccrq), TestAvp.ProtocolVersion(), TestAvp.FramingCapabilities(), TestAvp.HostName(hostName),
            TestAvp.AssignedTunnelId(assignedTunnelId), .. more,
        ]);

    public static byte[] StartControlConnectionReply(int tunnelId, int assignedTunnelId, int ns, int nr, string hostName = "lns", params TestAvp[] more) =>
        Control(tunnelId, 0, ns, nr,
        [
            TestAvp.MessageType(Sccrp), TestAvp.ProtocolVersion(), TestAvp.FramingCapabilities(), TestAvp.HostName(hostName),
            TestAvp.AssignedTunnelId(assignedTunnelId), .. more,
        ]);

    public static byte[] StartControlConnectionConnected(int tunnelId, int ns, int nr, params TestAvp[] more) =>
        Control(tunnelId, 0, ns, nr, [TestAvp.MessageType(Scccn), .. more]);

    public static byte[] HelloMessage(int tunnelId, int ns, int nr) => Control(tunnelId, 0, ns, nr, TestAvp.MessageType(Hello));

    public static byte[] IncomingCallRequest(int tunnelId, int assignedSessionId, int ns, int nr, int serial = 1, params TestAvp[] more) =>
        Control(tunnelId, 0, ns, nr,
            [TestAvp.MessageType(Icrq), TestAvp.AssignedSessionId(assignedSessionId), TestAvp.CallSerialNumber(serial), .. more]);

    public static byte[] IncomingCallReply(int tunnelId, int sessionId, int assignedSessionId, int ns, int nr, params TestAvp[] more) =>
        Control(tunnelId, sessionId, ns, nr, [TestAvp.MessageType(Icrp), TestAvp.AssignedSessionId(assignedSessionId), .. more]);

    public static byte[] IncomingCallConnected(int tunnelId, int sessionId, int ns, int nr, params TestAvp[] more) =>
        Control(tunnelId, sessionId, ns, nr,
            [TestAvp.MessageType(Iccn), TestAvp.TxConnectSpeed(100_000_000), TestAvp.FramingType(), .. more]);

    public static byte[] CallDisconnectNotify(int tunnelId, int sessionId, int assignedSessionId, int ns, int nr, int result = 3) =>
        Control(tunnelId, sessionId, ns, nr,
            TestAvp.MessageType(Cdn), TestAvp.ResultCode(result), TestAvp.AssignedSessionId(assignedSessionId));

    public static byte[] StopControlConnectionNotification(int tunnelId, int assignedTunnelId, int ns, int nr, int result = 1, int? error = null) =>
        Control(tunnelId, 0, ns, nr,
            TestAvp.MessageType(StopCcn), TestAvp.AssignedTunnelId(assignedTunnelId), TestAvp.ResultCode(result, error));

    /// <summary>A data message with any of the optional fields. <paramref name="offset"/> counts the pad octets; null is "no Offset field".</summary>
    public static byte[] Data(
        int tunnelId, int sessionId, byte[] frame, bool length = false, (int Ns, int Nr)? sequence = null, int? offset = null, bool priority = false)
    {
        int flags = 0x0002 | (length ? 0x4000 : 0) | (sequence is null ? 0 : 0x0800) | (offset is null ? 0 : 0x0200) | (priority ? 0x0100 : 0);
        ByteBuilder packet = new ByteBuilder().U16(flags);
        if (length)
        {
            packet.U16(0);
        }

        packet.U16(tunnelId).U16(sessionId);
        if (sequence is (int ns, int nr))
        {
            packet.U16(ns).U16(nr);
        }

        if (offset is int pad)
        {
            packet.U16(pad).Zeros(pad);
        }

        packet.Bytes(frame);
        return length ? packet.Patch16(2, packet.Length).ToArray() : packet.ToArray();
    }
}
