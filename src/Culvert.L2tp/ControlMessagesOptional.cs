using System.Buffers.Binary;
using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>Messages of later RFCs, and the parts of calls that few have: proxy facts, access lines, per-hop behaviours.</summary>
internal static partial class ControlMessages
{
    /// <summary>Sessions in one CSUN or CSURQ, so that it fits into a datagram.</summary>
    public const int SpeedsPerMessage = 48;

    /// <summary>RFC 3573: without M bit, as every message of a later RFC.</summary>
    public static byte[] Mdmst(Session session, ushort status, IRandomSource random)
    {
        Span<byte> buffer = stackalloc byte[256];
        ControlMessageWriter writer = Start(buffer, MessageType.Mdmst, session.Tunnel, random, session.PeerSessionId, isMandatory: false);
        writer.WriteUInt16(AvpType.ModemOnHoldStatus, status);
        return Finish(ref writer, buffer);
    }

    /// <summary>RFC 5515 sections 4.1 and 4.2: CSUN with the speeds, CSURQ with zeros.</summary>
    public static byte[] SpeedUpdate(MessageType type, Tunnel tunnel, ReadOnlySpan<Session> sessions, IRandomSource random)
    {
        Span<byte> buffer = stackalloc byte[MaximumSize];
        ControlMessageWriter writer = Start(buffer, type, tunnel, random, isMandatory: false);
        Span<byte> value = stackalloc byte[12];
        foreach (Session session in sessions[..Math.Min(sessions.Length, SpeedsPerMessage)])
        {
            value.Clear();
            BinaryPrimitives.WriteUInt16BigEndian(value[2..], session.PeerSessionId);
            if (type == MessageType.Csun)
            {
                BinaryPrimitives.WriteUInt32BigEndian(value[4..], session.Call.TxConnectSpeed);
                BinaryPrimitives.WriteUInt32BigEndian(value[8..], session.Call.RxConnectSpeed ?? session.Call.TxConnectSpeed);
            }

            writer.WriteBytes(AvpType.ConnectSpeedUpdate, value);
        }

        return Finish(ref writer, buffer);
    }

    private static void WriteIncoming(ref ControlMessageWriter writer, IncomingCall call)
    {
        call.AccessLine?.Write(ref writer);
        WriteOptional(ref writer, AvpType.ServiceName, call.Atm?.ServiceName);
        WriteOptional(ref writer, AvpType.VpiVciIdentifier, call.Atm?.VpiVci);
        Span<byte> caller = stackalloc byte[NsapAddress.Size];
        if (call.Atm?.CallingSubAddress is { } digits && NsapAddress.TryWrite(digits, caller))
        {
            writer.WriteBytes(AvpType.CallingSubAddress, caller);
        }

        if (call.Atm?.IsRealTime is bool isRealTime)
        {
            writer.WriteUInt16(AvpType.ServiceCategory, isRealTime ? (ushort)1 : (ushort)0);
        }

        if (call.SendsSpeedUpdates)
        {
            writer.WriteEmpty(AvpType.ConnectSpeedUpdateEnable);
        }
    }

    // Section 4.4.5. A password in clear is hidden wherever the tunnel has a secret, as the section recommends.
    private static void WriteProxy(ref ControlMessageWriter writer, Tunnel tunnel, IncomingCall call)
    {
        WriteOptional(ref writer, AvpType.InitialReceivedLcpConfreq, call.ProxyLcp?.InitialReceived);
        WriteOptional(ref writer, AvpType.LastSentLcpConfreq, call.ProxyLcp?.LastSent);
        WriteOptional(ref writer, AvpType.LastReceivedLcpConfreq, call.ProxyLcp?.LastReceived);
        if (call.ProxyAuthentication is not { } proxy)
        {
            return;
        }

        writer.WriteUInt16(AvpType.ProxyAuthenType, (ushort)proxy.Type);
        WriteUnlessEmpty(ref writer, AvpType.ProxyAuthenName, proxy.Name);
        WriteUnlessEmpty(ref writer, AvpType.ProxyAuthenChallenge, proxy.Challenge);
        if (proxy.Id is byte id)
        {
            writer.WriteUInt16(AvpType.ProxyAuthenId, id);
        }

        if (!proxy.Response.IsEmpty)
        {
            bool isPassword = proxy.Type is ProxyAuthenType.Pap or ProxyAuthenType.Textual;
            writer.WriteBytes(AvpType.ProxyAuthenResponse, proxy.Response.Span, hide: isPassword && tunnel.Settings.Secret is { Length: > 0 });
        }
    }

    private static void WriteOptional(ref ControlMessageWriter writer, AvpType type, ReadOnlyMemory<byte>? octets)
    {
        if (octets is { } value)
        {
            writer.WriteBytes(type, value.Span);
        }
    }

    private static void WriteUnlessEmpty(ref ControlMessageWriter writer, AvpType type, ReadOnlyMemory<byte> octets)
    {
        if (!octets.IsEmpty)
        {
            writer.WriteBytes(type, octets.Span);
        }
    }

    // RFC 3301 section 5.3: for a broadband bearer a number is an NSAP address with the M bit clear. One that is none, a name that an
    // access policy matches for example, is sent as it is.
    private static void WriteAddress(ref ControlMessageWriter writer, AvpType type, string? address, uint? bearerType)
    {
        Span<byte> octets = stackalloc byte[NsapAddress.Size];
        if (address is not null && NsapAddress.AppliesTo(bearerType) && NsapAddress.TryWrite(address, octets))
        {
            writer.WriteAvp(type, octets, isMandatory: false);
        }
        else
        {
            WriteOptional(ref writer, type, address);
        }
    }

    private static void WritePhb(ref ControlMessageWriter writer, AvpType type, ushort? phb)
    {
        if (phb is ushort code)
        {
            writer.WriteUInt16(type, code);
        }
    }
}
