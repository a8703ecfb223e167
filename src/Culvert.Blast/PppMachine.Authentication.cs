using System.Buffers.Binary;
using System.Text;
using Culvert.Core;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;
using Culvert.Ppp.Wire;

namespace Culvert.Blast;

/// <summary>PAP (RFC 1334), CHAP (RFC 1994) and MS-CHAPv2 (RFC 2759). The server accepts everybody.</summary>
internal sealed partial class PppMachine
{
    private const byte ChapChallenge = 1;
    private const byte ChapResponse = 2;
    private const byte ChapSuccess = 3;
    private const byte ChapFailure = 4;
    private const byte PapRequest = 1;
    private const byte PapAck = 2;
    private const byte PapNak = 3;

    private static ReadOnlySpan<byte> ServerName => "blast"u8;

    private void BeginAuthentication(ref BlastSession session, int index, IPppOutput output)
    {
        if (isServer && session.Method != AuthenticationMethod.Pap)
        {
            SendChallenge(session, index, output);
        }
        else if (!isServer && session.Method == AuthenticationMethod.Pap)
        {
            SendPapRequest(session, index, output);
        }
    }

    private PppOutcome ReceiveChap(ref BlastSession session, int index, ControlPacket packet, IPppOutput output)
    {
        if (session.Phase is not (PppPhase.Authenticate or PppPhase.Network))
        {
            return PppOutcome.Pending;
        }

        switch ((byte)packet.Code)
        {
            // Also later: an authenticator may ask again at any time (RFC 1994 section 2).
            case ChapChallenge when !isServer && TryReadValue(packet.Data, out ReadOnlySpan<byte> challenge):
                SendResponse(session, index, packet.Identifier, challenge, output);
                return PppOutcome.Pending;
            case ChapSuccess when !isServer && session.Phase == PppPhase.Authenticate:
                EnterNetwork(ref session, index, output);
                return PppOutcome.Pending;
            case ChapFailure when !isServer:
                return PppOutcome.AuthenticationFailed;
            case ChapResponse when isServer && TryReadValue(packet.Data, out ReadOnlySpan<byte> response):
                SendSuccess(session, index, packet, response, output);
                return AcceptUser(ref session, index, output);
        }

        return PppOutcome.Pending;
    }

    private PppOutcome ReceivePap(ref BlastSession session, int index, ControlPacket packet, IPppOutput output)
    {
        switch ((byte)packet.Code)
        {
            case PapRequest when isServer && session.Phase is PppPhase.Authenticate or PppPhase.Network:
                Answer(index, PppProtocol.Pap, (ControlCode)PapAck, packet.Identifier, [0], output);
                return AcceptUser(ref session, index, output);
            case PapAck when !isServer && session.Phase == PppPhase.Authenticate:
                EnterNetwork(ref session, index, output);
                break;
            case PapNak when !isServer && session.Phase == PppPhase.Authenticate:
                return PppOutcome.AuthenticationFailed;
        }

        return PppOutcome.Pending;
    }

    private PppOutcome AcceptUser(ref BlastSession session, int index, IPppOutput output)
    {
        if (session.Phase == PppPhase.Authenticate)
        {
            EnterNetwork(ref session, index, output);
        }

        return PppOutcome.Pending;
    }

    private void SendPapRequest(in BlastSession session, int index, IPppOutput output)
    {
        Span<byte> name = stackalloc byte[NumberedText.MaxSize];
        Span<byte> password = stackalloc byte[NumberedText.MaxSize];
        name = name[..Write(settings.User, name, session, index)];
        password = password[..Write(settings.Password, password, session, index)];
        var writer = new WireWriter(output.Reserve(index));
        int start = Begin(ref writer, PppProtocol.Pap, (ControlCode)PapRequest, session.LcpIdentifier);
        writer.WriteByte((byte)name.Length);
        writer.WriteBytes(name);
        writer.WriteByte((byte)password.Length);
        writer.WriteBytes(password);
        End(ref writer, start, index, output);
    }

    private void SendResponse(in BlastSession session, int index, byte identifier, ReadOnlySpan<byte> challenge, IPppOutput output)
    {
        Span<byte> name = stackalloc byte[NumberedText.MaxSize];
        name = name[..Write(settings.User, name, session, index)];
        Span<byte> value = stackalloc byte[MsChapV2.ResponseSize];
        if (session.Method == AuthenticationMethod.MsChapV2 && challenge.Length == MsChapV2.ChallengeSize)
        {
            RespondToMsChapV2(session, index, challenge, name, value);
        }
        else
        {
            Span<byte> password = stackalloc byte[NumberedText.MaxSize];
            password = password[..Write(settings.Password, password, session, index)];
            value = value[..16];
            ChapMd5.Digest(identifier, password, challenge, value);
        }

        WriteValueAndName(index, ChapResponse, identifier, value, name, output);
    }

    // RFC 2759 section 4: peer challenge, eight reserved octets, NT-Response, flags.
    private void RespondToMsChapV2(in BlastSession session, int index, ReadOnlySpan<byte> challenge, ReadOnlySpan<byte> name, Span<byte> value)
    {
        value.Clear();
        Span<byte> peerChallenge = value[..MsChapV2.ChallengeSize];
        random.Fill(peerChallenge);
        Span<byte> hash = stackalloc byte[MsChapV2.PasswordHashSize];
        HashPassword(session, index, hash);
        MsChapV2.GenerateNtResponse(challenge, peerChallenge, MsChapV2.UserNameOf(name), hash, value.Slice(24, MsChapV2.NtResponseSize));
    }

    private static void SendChallenge(in BlastSession session, int index, IPppOutput output)
    {
        Span<byte> challenge = stackalloc byte[MsChapV2.ChallengeSize];
        WriteChallenge(session, challenge);
        WriteValueAndName(index, ChapChallenge, session.LcpIdentifier, challenge, ServerName, output);
    }

    // Whoever asks for MS-CHAPv2 wants proof from the server too (RFC 2759 section 5).
    private void SendSuccess(in BlastSession session, int index, ControlPacket packet, ReadOnlySpan<byte> response, IPppOutput output)
    {
        if (session.Method != AuthenticationMethod.MsChapV2 || response.Length != MsChapV2.ResponseSize)
        {
            Answer(index, PppProtocol.Chap, (ControlCode)ChapSuccess, packet.Identifier, default, output);
            return;
        }

        Span<byte> challenge = stackalloc byte[MsChapV2.ChallengeSize];
        Span<byte> hash = stackalloc byte[MsChapV2.PasswordHashSize];
        Span<byte> proof = stackalloc byte[20];
        WriteChallenge(session, challenge);
        HashPassword(session, index, hash);
        ReadOnlySpan<byte> name = MsChapV2.UserNameOf(packet.Data[(1 + MsChapV2.ResponseSize)..]);
        MsChapV2.GenerateAuthenticatorResponse(
            hash, response.Slice(24, MsChapV2.NtResponseSize), response[..MsChapV2.ChallengeSize], challenge, name, proof);
        Answer(
            index, PppProtocol.Chap, (ControlCode)ChapSuccess, packet.Identifier, Encoding.ASCII.GetBytes($"S={Convert.ToHexString(proof)}"), output);
    }

    private static void WriteValueAndName(
        int index, byte code, byte identifier, ReadOnlySpan<byte> value, ReadOnlySpan<byte> name, IPppOutput output)
    {
        var writer = new WireWriter(output.Reserve(index));
        int start = Begin(ref writer, PppProtocol.Chap, (ControlCode)code, identifier);
        writer.WriteByte((byte)value.Length);
        writer.WriteBytes(value);
        writer.WriteBytes(name);
        End(ref writer, start, index, output);
    }

    // Nobody attacks a load generator: what follows from the Magic Number need not be kept.
    private static void WriteChallenge(in BlastSession session, Span<byte> challenge)
    {
        ulong state = session.Magic;
        for (int i = 0; i < challenge.Length; i += sizeof(ulong))
        {
            state = (state * 6364136223846793005) + 1442695040888963407;
            BinaryPrimitives.WriteUInt64BigEndian(challenge[i..], state ^ (state >> 29));
        }
    }

    private void HashPassword(in BlastSession session, int index, Span<byte> hash)
    {
        if (settings.Password.IsConstant)
        {
            _passwordHash.CopyTo(hash);
            return;
        }

        Span<byte> password = stackalloc byte[NumberedText.MaxSize];
        MsChapV2.NtPasswordHash(password[..Write(settings.Password, password, session, index)], hash);
    }

    private int Write(NumberedText text, Span<byte> destination, in BlastSession session, int index) =>
        text.Write(destination, settings.FirstNumber + index, session.Tunnel + 1, (index % sessionsPerTunnel) + 1);

    private static byte[] HashOf(NumberedText password)
    {
        byte[] hash = new byte[MsChapV2.PasswordHashSize];
        Span<byte> octets = stackalloc byte[NumberedText.MaxSize];
        MsChapV2.NtPasswordHash(octets[..password.Write(octets, 0, 0, 0)], hash);
        return hash;
    }

    private static bool TryReadValue(ReadOnlySpan<byte> data, out ReadOnlySpan<byte> value)
    {
        var reader = new WireReader(data);
        value = default;
        return reader.TryReadByte(out byte size) && reader.TryReadBytes(size, out value) && size > 0;
    }
}
