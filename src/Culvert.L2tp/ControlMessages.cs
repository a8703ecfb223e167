using System.Buffers.Binary;
using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>Composes the control messages of RFC 2661 section 6 that this end sends. Numbers are filled in by the channel.</summary>
internal static partial class ControlMessages
{
    /// <summary>Longest message composed here: with all texts at their longest and hidden it stays far below.</summary>
    public const int MaximumSize = 4096;

    private const ushort ProtocolVersion = 0x0100;

    // The Message Type is the value of the first AVP.
    private const int TypeAt = L2tpHeader.ControlSize + Avp.HeaderSize;

    /// <summary>The type of a message that was composed here.</summary>
    public static MessageType TypeOf(ReadOnlySpan<byte> message) => (MessageType)BinaryPrimitives.ReadUInt16BigEndian(message[TypeAt..]);

    /// <summary>Section 6.1.</summary>
    public static byte[] Sccrq(Tunnel tunnel, IRandomSource random)
    {
        Span<byte> buffer = stackalloc byte[MaximumSize];
        ControlMessageWriter writer = Start(buffer, MessageType.Sccrq, tunnel, random);
        WriteStart(ref writer, tunnel.Settings, tunnel.LocalTunnelId, new(tunnel.Settings.ControlPhb, tunnel.Settings.EcnCapable), tunnel.LocalChallenge);
        if (tunnel.TieBreaker is ulong tie)
        {
            writer.WriteUInt64(AvpType.TieBreaker, tie);
        }

        return Finish(ref writer, buffer);
    }

    /// <summary>Section 6.2; <paramref name="peerChallenge"/> is empty when the SCCRQ had none.</summary>
    public static byte[] Sccrp(Tunnel tunnel, ReadOnlySpan<byte> peerChallenge, IRandomSource random)
    {
        Span<byte> buffer = stackalloc byte[MaximumSize];
        return Finish(buffer, WriteSccrp(
            buffer, tunnel.Settings, tunnel.LocalTunnelId, new(tunnel.ControlPhb, tunnel.IsEcnAgreed), tunnel.LocalChallenge, peerChallenge,
            random));
    }

    public static int WriteSccrp(
        Span<byte> buffer, TunnelSettings settings, ushort localTunnelId, StartCompanions companions, ReadOnlySpan<byte> localChallenge,
        ReadOnlySpan<byte> peerChallenge, IRandomSource random)
    {
        ControlMessageWriter writer = Start(buffer, MessageType.Sccrp, settings, random);
        WriteStart(ref writer, settings, localTunnelId, companions, localChallenge);
        WriteResponse(ref writer, MessageType.Sccrp, settings, peerChallenge);
        return writer.TryFinish(out int length) ? length : 0;
    }

    /// <summary>Section 6.3.</summary>
    public static byte[] Scccn(Tunnel tunnel, ReadOnlySpan<byte> peerChallenge, IRandomSource random)
    {
        Span<byte> buffer = stackalloc byte[MaximumSize];
        ControlMessageWriter writer = Start(buffer, MessageType.Scccn, tunnel, random);
        WriteResponse(ref writer, MessageType.Scccn, tunnel.Settings, peerChallenge);
        return Finish(ref writer, buffer);
    }

    /// <summary>Section 6.4. Never hidden: the peer may hold another secret, and must still learn why.</summary>
    public static byte[] StopCcn(ushort assignedTunnelId, Disconnect why)
    {
        Span<byte> buffer = stackalloc byte[MaximumSize];
        return Finish(buffer, WriteStopCcn(buffer, assignedTunnelId, why));
    }

    public static int WriteStopCcn(Span<byte> buffer, ushort assignedTunnelId, Disconnect why)
    {
        var writer = new ControlMessageWriter(buffer, MessageType.StopCcn);
        writer.WriteUInt16(AvpType.AssignedTunnelId, assignedTunnelId);
        writer.WriteResultCode(why.Result, why.Error, why.Message);
        return writer.TryFinish(out int length) ? length : 0;
    }

    /// <summary>Section 6.5.</summary>
    public static byte[] Hello()
    {
        Span<byte> buffer = stackalloc byte[64];
        var writer = new ControlMessageWriter(buffer, MessageType.Hello);
        return Finish(ref writer, buffer);
    }

    /// <summary>Section 6.6.</summary>
    public static byte[] Icrq(Session session, IRandomSource random)
    {
        Span<byte> buffer = stackalloc byte[MaximumSize];
        ControlMessageWriter writer = Start(buffer, MessageType.Icrq, session.Tunnel, random);
        IncomingCall call = session.Call;
        writer.WriteUInt16(AvpType.AssignedSessionId, session.LocalSessionId);
        writer.WriteUInt32(AvpType.CallSerialNumber, call.SerialNumber);
        WriteOptional(ref writer, AvpType.BearerType, call.BearerType);
        WriteOptional(ref writer, AvpType.PhysicalChannelId, call.PhysicalChannelId);
        WriteAddress(ref writer, AvpType.CallingNumber, call.CallingNumber, call.BearerType);
        WriteAddress(ref writer, AvpType.CalledNumber, call.CalledNumber, call.BearerType);
        WriteAddress(ref writer, AvpType.SubAddress, call.SubAddress, call.BearerType);
        WriteIncoming(ref writer, call);
        WritePhb(ref writer, AvpType.SessionDs, session.Tunnel.Settings.SessionPhb);
        return Finish(ref writer, buffer);
    }

    /// <summary>Section 6.7.</summary>
    public static byte[] Icrp(Session session, IRandomSource random)
    {
        Span<byte> buffer = stackalloc byte[256];
        ControlMessageWriter writer = Start(buffer, MessageType.Icrp, session.Tunnel, random, session.PeerSessionId);
        writer.WriteUInt16(AvpType.AssignedSessionId, session.LocalSessionId);
        WritePhb(ref writer, AvpType.SessionDs, session.Phb);
        return Finish(ref writer, buffer);
    }

    /// <summary>Section 6.8.</summary>
    public static byte[] Iccn(Session session, IRandomSource random)
    {
        Span<byte> buffer = stackalloc byte[MaximumSize];
        ControlMessageWriter writer = Start(buffer, MessageType.Iccn, session.Tunnel, random, session.PeerSessionId);
        WriteConnection(ref writer, session);
        WriteOptional(ref writer, AvpType.PrivateGroupId, session.Call.PrivateGroupId);
        WriteProxy(ref writer, session.Tunnel, session.Call);
        return Finish(ref writer, buffer);
    }

    /// <summary>Section 6.9.</summary>
    public static byte[] Ocrq(Session session, OutgoingCall call, IRandomSource random)
    {
        Span<byte> buffer = stackalloc byte[MaximumSize];
        Tunnel tunnel = session.Tunnel;
        ControlMessageWriter writer = Start(buffer, MessageType.Ocrq, tunnel, random);
        writer.WriteUInt16(AvpType.AssignedSessionId, session.LocalSessionId);
        writer.WriteUInt32(AvpType.CallSerialNumber, call.SerialNumber);
        writer.WriteUInt32(AvpType.MinimumBps, call.MinimumBps);
        writer.WriteUInt32(AvpType.MaximumBps, call.MaximumBps);
        uint bearers = call.BearerType & (tunnel.PeerBearerCapabilities ?? 0);
        writer.WriteUInt32(AvpType.BearerType, bearers);
        writer.WriteUInt32(AvpType.FramingType, call.FramingType & tunnel.PeerFramingCapabilities);
        WriteAddress(ref writer, AvpType.CalledNumber, call.CalledNumber, bearers);
        WriteAddress(ref writer, AvpType.SubAddress, call.SubAddress, bearers);
        WriteOptional(ref writer, AvpType.RxMinimumBps, call.RxMinimumBps);
        WriteOptional(ref writer, AvpType.RxMaximumBps, call.RxMaximumBps);
        WritePhb(ref writer, AvpType.SessionDs, tunnel.Settings.SessionPhb);
        return Finish(ref writer, buffer);
    }

    /// <summary>Section 6.10.</summary>
    public static byte[] Ocrp(Session session, IRandomSource random)
    {
        Span<byte> buffer = stackalloc byte[256];
        ControlMessageWriter writer = Start(buffer, MessageType.Ocrp, session.Tunnel, random, session.PeerSessionId);
        writer.WriteUInt16(AvpType.AssignedSessionId, session.LocalSessionId);
        WriteOptional(ref writer, AvpType.PhysicalChannelId, session.Call.PhysicalChannelId);
        WritePhb(ref writer, AvpType.SessionDs, session.Phb);
        return Finish(ref writer, buffer);
    }

    /// <summary>Section 6.11.</summary>
    public static byte[] Occn(Session session, IRandomSource random)
    {
        Span<byte> buffer = stackalloc byte[512];
        ControlMessageWriter writer = Start(buffer, MessageType.Occn, session.Tunnel, random, session.PeerSessionId);
        WriteConnection(ref writer, session);
        return Finish(ref writer, buffer);
    }

    /// <summary>Section 6.13.</summary>
    public static byte[] Wen(Session session, CallErrors errors, IRandomSource random)
    {
        Span<byte> buffer = stackalloc byte[256];
        Span<byte> counters = stackalloc byte[CallErrors.Size];
        errors.Write(counters);
        ControlMessageWriter writer = Start(buffer, MessageType.Wen, session.Tunnel, random, session.PeerSessionId);
        writer.WriteBytes(AvpType.CallErrors, counters);
        return Finish(ref writer, buffer);
    }

    /// <summary>Section 6.14.</summary>
    public static byte[] Sli(Session session, Accm accm, IRandomSource random)
    {
        Span<byte> buffer = stackalloc byte[256];
        Span<byte> maps = stackalloc byte[10];
        maps.Clear();
        BinaryPrimitives.WriteUInt32BigEndian(maps[2..], accm.Send);
        BinaryPrimitives.WriteUInt32BigEndian(maps[6..], accm.Receive);
        ControlMessageWriter writer = Start(buffer, MessageType.Sli, session.Tunnel, random, session.PeerSessionId);
        writer.WriteBytes(AvpType.Accm, maps);
        return Finish(ref writer, buffer);
    }

    /// <summary>Section 6.12. Never hidden, as StopCCN.</summary>
    public static byte[] Cdn(ushort localSessionId, ushort peerSessionId, Disconnect why)
    {
        Span<byte> buffer = stackalloc byte[MaximumSize];
        var writer = new ControlMessageWriter(buffer, MessageType.Cdn, peerSessionId);
        writer.WriteResultCode(why.Result, why.Error, why.Message);
        writer.WriteUInt16(AvpType.AssignedSessionId, localSessionId);
        why.Q931?.Write(ref writer);
        why.PppCause?.Write(ref writer);
        return Finish(ref writer, buffer);
    }

    private static void WriteConnection(ref ControlMessageWriter writer, Session session)
    {
        IncomingCall call = session.Call;
        writer.WriteUInt32(AvpType.TxConnectSpeed, call.TxConnectSpeed);
        writer.WriteUInt32(AvpType.FramingType, session.Tunnel.FramingFor(call));
        WriteOptional(ref writer, AvpType.RxConnectSpeed, call.RxConnectSpeed);
        if (call.SequencingRequired || session.Tunnel.Settings.Sequencing == SequencingPolicy.Required)
        {
            writer.WriteEmpty(AvpType.SequencingRequired);
        }
    }

    private static ControlMessageWriter Start(
        Span<byte> buffer, MessageType type, Tunnel tunnel, IRandomSource random, ushort peerSessionId = 0, bool isMandatory = true) =>
        Start(buffer, type, tunnel.Settings, random, peerSessionId, isMandatory);

    private static ControlMessageWriter Start(
        Span<byte> buffer, MessageType type, TunnelSettings settings, IRandomSource random, ushort peerSessionId = 0, bool isMandatory = true)
    {
        var writer = new ControlMessageWriter(buffer, type, peerSessionId, isMandatory);
        if (settings.Secret is { Length: > 0 } secret)
        {
            writer.EnableHiding(secret, random, settings.HideAvps ? AvpHidingScope.Everything : AvpHidingScope.Requested);
        }

        return writer;
    }

    // Host Name first: it is never hidden, and leads the peer to the secret for what is.
    private static void WriteStart(
        ref ControlMessageWriter writer, TunnelSettings settings, ushort localTunnelId, StartCompanions companions, ReadOnlySpan<byte> challenge)
    {
        Span<byte> version = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(version, ProtocolVersion);
        writer.WriteBytes(AvpType.ProtocolVersion, version);
        writer.WriteText(AvpType.HostName, settings.HostName);
        writer.WriteUInt16(AvpType.ReceiveWindowSize, (ushort)settings.Channel.ReceiveWindow);
        writer.WriteUInt32(AvpType.FramingCapabilities, settings.FramingCapabilities);
        writer.WriteUInt16(AvpType.AssignedTunnelId, localTunnelId);
        WriteOptional(ref writer, AvpType.BearerCapabilities, settings.AdvertisedBearers);
        writer.WriteUInt16(AvpType.FirmwareRevision, settings.FirmwareRevision);
        WriteOptional(ref writer, AvpType.VendorName, settings.VendorName.Length == 0 ? null : settings.VendorName);
        WritePhb(ref writer, AvpType.ControlConnectionDs, companions.ControlPhb);
        if (companions.Ecn)
        {
            writer.WriteEmpty(AvpType.EcnCapability);
        }

        if (settings.ModemOnHoldCapable)
        {
            writer.WriteEmpty(AvpType.ModemOnHoldCapable);
        }

        if (!challenge.IsEmpty)
        {
            writer.WriteBytes(AvpType.Challenge, challenge);
        }
    }

    private static void WriteResponse(
        ref ControlMessageWriter writer, MessageType carrier, TunnelSettings settings, ReadOnlySpan<byte> peerChallenge)
    {
        if (peerChallenge.IsEmpty)
        {
            return;
        }

        Span<byte> response = stackalloc byte[TunnelAuthentication.ResponseSize];
        TunnelAuthentication.ComputeResponse(carrier, settings.Secret, peerChallenge, response);
        writer.WriteBytes(AvpType.ChallengeResponse, response);
    }

    private static void WriteOptional(ref ControlMessageWriter writer, AvpType type, uint? value)
    {
        if (value is uint number)
        {
            writer.WriteUInt32(type, number);
        }
    }

    private static void WriteOptional(ref ControlMessageWriter writer, AvpType type, string? value)
    {
        if (value is not null)
        {
            writer.WriteText(type, value.Length <= IncomingCall.TextLimit ? value : value[..IncomingCall.TextLimit]);
        }
    }

    private static byte[] Finish(ref ControlMessageWriter writer, Span<byte> buffer) =>
        Finish(buffer, writer.TryFinish(out int length) ? length : 0);

    private static byte[] Finish(Span<byte> buffer, int length) => length > 0
        ? buffer[..length].ToArray()
        : throw new InvalidOperationException("A control message does not fit: a configured text is too long.");
}
