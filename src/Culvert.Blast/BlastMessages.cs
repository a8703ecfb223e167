using System.Buffers.Binary;
using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.Blast;

/// <summary>The control messages (RFC 2661 section 6) that a load generator sends: what is required, and nothing else.</summary>
internal static class BlastMessages
{
    public const int ChallengeSize = 16;

    private const int MaxSize = 1024;
    private const uint AllFramings = 3;
    private const uint SynchronousFraming = 1;

    /// <summary>100 Mbit/s: Tx Connect Speed is required and means nothing here.</summary>
    private const uint ConnectSpeed = 100_000_000;

    /// <summary>SCCRQ or SCCRP.</summary>
    /// <param name="challenge">Our Challenge, or null.</param>
    /// <param name="peerChallenge">The SCCRQ's Challenge, to be answered in an SCCRP; or empty.</param>
    public static byte[] Start(
        MessageType type, BlastSettings settings, string hostName, ushort tunnelId, byte[]? challenge, ReadOnlySpan<byte> peerChallenge)
    {
        Span<byte> buffer = stackalloc byte[MaxSize];
        var writer = new ControlMessageWriter(buffer, type);
        Span<byte> version = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(version, 0x0100);
        writer.WriteBytes(AvpType.ProtocolVersion, version);
        writer.WriteText(AvpType.HostName, hostName);
        writer.WriteUInt32(AvpType.FramingCapabilities, AllFramings);
        writer.WriteUInt16(AvpType.AssignedTunnelId, tunnelId);
        writer.WriteUInt16(AvpType.ReceiveWindowSize, (ushort)settings.Channel.ReceiveWindow);
        if (challenge is not null)
        {
            writer.WriteBytes(AvpType.Challenge, challenge);
        }

        WriteResponse(ref writer, type, settings.Secret, peerChallenge);
        return Finish(ref writer, buffer);
    }

    public static byte[] Scccn(Secret? secret, ReadOnlySpan<byte> peerChallenge)
    {
        Span<byte> buffer = stackalloc byte[64];
        var writer = new ControlMessageWriter(buffer, MessageType.Scccn);
        WriteResponse(ref writer, MessageType.Scccn, secret, peerChallenge);
        return Finish(ref writer, buffer);
    }

    public static byte[] StopCcn(ushort tunnelId, StopCcnResult result, string why)
    {
        Span<byte> buffer = stackalloc byte[256];
        var writer = new ControlMessageWriter(buffer, MessageType.StopCcn);
        writer.WriteUInt16(AvpType.AssignedTunnelId, tunnelId);
        writer.WriteResultCode(result, ErrorCode.None, why);
        return Finish(ref writer, buffer);
    }

    public static byte[] Hello()
    {
        Span<byte> buffer = stackalloc byte[64];
        var writer = new ControlMessageWriter(buffer, MessageType.Hello);
        return Finish(ref writer, buffer);
    }

    public static byte[] Icrq(ushort sessionId, uint serialNumber)
    {
        Span<byte> buffer = stackalloc byte[128];
        var writer = new ControlMessageWriter(buffer, MessageType.Icrq);
        writer.WriteUInt16(AvpType.AssignedSessionId, sessionId);
        writer.WriteUInt32(AvpType.CallSerialNumber, serialNumber);
        return Finish(ref writer, buffer);
    }

    public static byte[] Icrp(ushort sessionId, ushort peerSessionId)
    {
        Span<byte> buffer = stackalloc byte[128];
        var writer = new ControlMessageWriter(buffer, MessageType.Icrp, peerSessionId);
        writer.WriteUInt16(AvpType.AssignedSessionId, sessionId);
        return Finish(ref writer, buffer);
    }

    public static byte[] Iccn(ushort peerSessionId)
    {
        Span<byte> buffer = stackalloc byte[128];
        var writer = new ControlMessageWriter(buffer, MessageType.Iccn, peerSessionId);
        writer.WriteUInt32(AvpType.TxConnectSpeed, ConnectSpeed);
        writer.WriteUInt32(AvpType.FramingType, SynchronousFraming);
        return Finish(ref writer, buffer);
    }

    public static byte[] Cdn(ushort sessionId, ushort peerSessionId, CdnResult result)
    {
        Span<byte> buffer = stackalloc byte[128];
        var writer = new ControlMessageWriter(buffer, MessageType.Cdn, peerSessionId);
        writer.WriteResultCode(result);
        writer.WriteUInt16(AvpType.AssignedSessionId, sessionId);
        return Finish(ref writer, buffer);
    }

    /// <summary>The reason of a StopCCN or CDN in words.</summary>
    public static string Explain(in ControlMessage message)
    {
        if (!message.TryGetResultCode(out ResultCodeValue code))
        {
            return $"{message.Type.Name()} without a Result Code";
        }

        string result = ResultCodes.Describe(message.Type, code.Result);
        string error = code.Error == ErrorCode.None ? "" : $", {code.Error.Describe()}";
        string text = code.Message.IsEmpty ? "" : $" ('{SafeText.ToString(code.Message)}')";
        return $"{message.Type.Name()} {code.Result}: {result}{error}{text}";
    }

    private static void WriteResponse(ref ControlMessageWriter writer, MessageType carrier, Secret? secret, ReadOnlySpan<byte> peerChallenge)
    {
        if (!peerChallenge.IsEmpty)
        {
            Span<byte> response = stackalloc byte[TunnelAuthentication.ResponseSize];
            TunnelAuthentication.ComputeResponse(carrier, secret is null ? default : secret.Octets, peerChallenge, response);
            writer.WriteBytes(AvpType.ChallengeResponse, response);
        }
    }

    // Every text in it is bounded by NumberedText, so it fits.
    private static byte[] Finish(ref ControlMessageWriter writer, Span<byte> buffer) => writer.TryFinish(out int length)
        ? buffer[..length].ToArray()
        : throw new InvalidOperationException("A control message does not fit.");
}
