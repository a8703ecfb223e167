using System.Buffers.Binary;
using Culvert.Core;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;
using Culvert.Ppp.Wire;

namespace Culvert.Blast;

/// <summary>Takes the PPP frames of a session that are to be sent.</summary>
internal interface IPppOutput
{
    /// <summary>Room for one frame of up to <see cref="PppMachine.MaxFrameSize"/> octets to the peer of a session.</summary>
    Span<byte> Reserve(int session);

    /// <summary>Sends the first <paramref name="length"/> octets of what was reserved.</summary>
    void Commit(int session, int length);
}

/// <summary>
/// A PPP end that serves any number of links and keeps some twenty octets for each: LCP, one authentication, IPCP, as client or
/// server. It does what a well-behaved end does while a link comes up, answers echoes and rejects what it does not know, and leaves
/// out what costs memory: no echoes of its own, no check of MS-CHAPv2's answer, a challenge that follows from the link's Magic Number.
/// RFC 1661's automaton is reduced to who has acknowledged whom; the frames are the same.
/// </summary>
internal sealed partial class PppMachine(PppSettings settings, bool isServer, int sessionsPerTunnel, IRandomSource random)
{
    /// <summary>Longest frame ever written: a Configure-Reject or Echo-Reply may be as long as what it answers.</summary>
    public const int MaxFrameSize = 1600;

    private const byte MruOption = 1;
    private const byte AccmOption = 2;
    private const byte AuthenticationOption = 3;
    private const byte MagicOption = 5;
    private const byte PfcOption = 7;
    private const byte AcfcOption = 8;

    private readonly byte[] _passwordHash = HashOf(settings.Password);

    /// <summary>The link may begin: the session below is there.</summary>
    public void Open(ref BlastSession session, int index, IPppOutput output)
    {
        session.Phase = PppPhase.Establish;
        session.Marks = PppMarks.None;
        session.Magic = random.NextUInt32() | 1;
        session.Address = isServer ? settings.Pool.ToUInt32() + (uint)index : 0;
        session.Method = settings.Method ?? AuthenticationMethod.ChapMd5;
        session.Restarts = 0;
        SendLcpRequest(ref session, index, output);
    }

    /// <summary>A frame came, other than IP.</summary>
    public PppOutcome Receive(ref BlastSession session, int index, ReadOnlySpan<byte> frame, IPppOutput output)
    {
        if (session.Phase == PppPhase.Dead || !PppFrame.TryRead(frame, out PppProtocol protocol, out ReadOnlySpan<byte> information) ||
            !ControlPacket.TryRead(information, out ControlPacket packet))
        {
            return PppOutcome.Pending;
        }

        switch (protocol)
        {
            case PppProtocol.Lcp:
                return ReceiveLcp(ref session, index, packet, output);
            case PppProtocol.Chap:
                return ReceiveChap(ref session, index, packet, output);
            case PppProtocol.Pap:
                return ReceivePap(ref session, index, packet, output);
            case PppProtocol.Ipcp:
                return ReceiveIpcp(ref session, index, packet, output);
            default:
                RejectProtocol(ref session, index, protocol, information, output);
                return PppOutcome.Pending;
        }
    }

    /// <summary>The restart timer fired: says again what has not been answered.</summary>
    public PppOutcome Repeat(ref BlastSession session, int index, IPppOutput output)
    {
        if (++session.Restarts >= settings.MaxConfigure)
        {
            return session.Phase switch
            {
                PppPhase.Establish => PppOutcome.LcpTimeout,
                PppPhase.Authenticate => PppOutcome.AuthenticationTimeout,
                _ => PppOutcome.IpcpTimeout,
            };
        }

        switch (session.Phase)
        {
            case PppPhase.Establish when !session.Has(PppMarks.LcpAckReceived):
                SendLcpRequest(ref session, index, output);
                break;
            case PppPhase.Authenticate:
                BeginAuthentication(ref session, index, output);
                break;
            case PppPhase.Network when !session.Has(PppMarks.IpcpAckReceived):
                SendIpcpRequest(ref session, index, output);
                break;
        }

        return PppOutcome.Pending;
    }

    /// <summary>Says goodbye (LCP Terminate-Request); nobody waits for the answer, as the session below ends too.</summary>
    public static void Terminate(ref BlastSession session, int index, IPppOutput output)
    {
        var writer = new WireWriter(output.Reserve(index));
        int start = Begin(ref writer, PppProtocol.Lcp, ControlCode.TerminateRequest, ++session.LcpIdentifier);
        End(ref writer, start, index, output);
        session.Phase = PppPhase.Dead;
    }

    private PppOutcome ReceiveLcp(ref BlastSession session, int index, ControlPacket packet, IPppOutput output)
    {
        switch (packet.Code)
        {
            case ControlCode.ConfigureRequest:
                return AnswerLcpRequest(ref session, index, packet, output);
            case ControlCode.ConfigureAck when packet.Identifier == session.LcpIdentifier && session.Phase == PppPhase.Establish:
                session.Marks |= PppMarks.LcpAckReceived;
                return ContinueAfterLcp(ref session, index, output);
            case ControlCode.ConfigureNak or ControlCode.ConfigureReject
                when packet.Identifier == session.LcpIdentifier && session.Phase == PppPhase.Establish:
                return ReviseLcpRequest(ref session, index, packet, output);
            case ControlCode.TerminateRequest:
                Answer(index, PppProtocol.Lcp, ControlCode.TerminateAck, packet.Identifier, default, output);
                session.Phase = PppPhase.Dead;
                return PppOutcome.PeerTerminated;
            case ControlCode.EchoRequest when packet.Data.Length >= sizeof(uint):
                AnswerEcho(session, index, packet, output);
                break;
            case ControlCode.ProtocolReject when packet.Data.Length >= sizeof(ushort) &&
                (PppProtocol)BinaryPrimitives.ReadUInt16BigEndian(packet.Data) == PppProtocol.Ipcp:
                return PppOutcome.NetworkRefused;
        }

        return PppOutcome.Pending;
    }

    private PppOutcome AnswerLcpRequest(ref BlastSession session, int index, ControlPacket packet, IPppOutput output)
    {
        bool wasUp = session.Has(PppMarks.IpcpAckReceived | PppMarks.IpcpAckSent);
        if (session.Phase == PppPhase.Network)
        {
            // Section 4.1, state Opened: the peer has begun anew, and so do we.
            uint address = session.Address;
            Open(ref session, index, output);
            session.Address = address;
        }

        bool isFine = TryAnswerOptions(ref session, index, packet, output, out bool authenticates);
        if (isFine)
        {
            session.Marks |= PppMarks.LcpAckSent | (authenticates ? PppMarks.Authenticates : PppMarks.None);
        }

        PppOutcome next = session.Phase == PppPhase.Establish ? ContinueAfterLcp(ref session, index, output) : PppOutcome.Pending;
        return wasUp && next == PppOutcome.Pending ? PppOutcome.Restarted : next;
    }

    // Sections 5.2 to 5.4: Configure-Reject for what is unknown, else Configure-Nak for another method, else Configure-Ack.
    private bool TryAnswerOptions(ref BlastSession session, int index, ControlPacket packet, IPppOutput output, out bool authenticates)
    {
        var writer = new WireWriter(output.Reserve(index));
        int start = Begin(ref writer, PppProtocol.Lcp, ControlCode.ConfigureReject, packet.Identifier);
        int empty = writer.Length;
        bool wantsOther = false;
        authenticates = false;
        foreach (PppOption option in new PppOptionList(packet.Data))
        {
            switch (option.Type)
            {
                case MruOption or AccmOption or MagicOption or PfcOption or AcfcOption:
                    break;
                case AuthenticationOption when !isServer:
                    authenticates = AuthenticationMethods.TryFromOptionData(option.Data, out AuthenticationMethod method) &&
                        (settings.Method is not { } only || only == method);
                    wantsOther = !authenticates;
                    session.Method = authenticates ? method : session.Method;
                    break;
                default:
                    writer.WriteBytes(option.Octets);
                    break;
            }
        }

        if (writer.Length > empty)
        {
            End(ref writer, start, index, output);
            return false;
        }

        Answer(
            index,
            PppProtocol.Lcp,
            wantsOther ? ControlCode.ConfigureNak : ControlCode.ConfigureAck,
            packet.Identifier,
            wantsOther ? MethodOption(session.Method) : packet.Data,
            output);
        return !wantsOther;
    }

    private PppOutcome ReviseLcpRequest(ref BlastSession session, int index, ControlPacket packet, IPppOutput output)
    {
        foreach (PppOption option in new PppOptionList(packet.Data))
        {
            switch (option.Type)
            {
                case MruOption:
                    session.Marks |= PppMarks.NoMru;
                    break;
                case MagicOption:
                    session.Marks |= packet.Code == ControlCode.ConfigureReject ? PppMarks.NoMagic : PppMarks.None;
                    session.Magic = random.NextUInt32() | 1;
                    break;
                case AuthenticationOption when packet.Code == ControlCode.ConfigureReject ||
                    !AuthenticationMethods.TryFromOptionData(option.Data, out session.Method):
                    return PppOutcome.MethodRefused;
            }
        }

        if (++session.Restarts >= settings.MaxConfigure)
        {
            return PppOutcome.LcpTimeout;
        }

        session.LcpIdentifier++;
        SendLcpRequest(ref session, index, output);
        return PppOutcome.Pending;
    }

    private PppOutcome ContinueAfterLcp(ref BlastSession session, int index, IPppOutput output)
    {
        if (session.Has(PppMarks.LcpAckReceived | PppMarks.LcpAckSent))
        {
            session.Restarts = 0;
            if (isServer ? settings.Method is not null : session.Has(PppMarks.Authenticates))
            {
                session.Phase = PppPhase.Authenticate;
                BeginAuthentication(ref session, index, output);
            }
            else
            {
                EnterNetwork(ref session, index, output);
            }
        }

        return PppOutcome.Pending;
    }

    private void SendLcpRequest(ref BlastSession session, int index, IPppOutput output)
    {
        var writer = new WireWriter(output.Reserve(index));
        int start = Begin(ref writer, PppProtocol.Lcp, ControlCode.ConfigureRequest, session.LcpIdentifier);
        if (settings.Mru != 0 && !session.Has(PppMarks.NoMru))
        {
            writer.WriteOption(MruOption, settings.Mru);
        }

        if (isServer && settings.Method is not null)
        {
            writer.WriteBytes(MethodOption(session.Method));
        }

        if (!session.Has(PppMarks.NoMagic))
        {
            writer.WriteOption(MagicOption, session.Magic);
        }

        End(ref writer, start, index, output);
    }

    // Section 5.8: the Magic Number is ours, the rest is sent back.
    private static void AnswerEcho(in BlastSession session, int index, ControlPacket packet, IPppOutput output)
    {
        var writer = new WireWriter(output.Reserve(index));
        int start = Begin(ref writer, PppProtocol.Lcp, ControlCode.EchoReply, packet.Identifier);
        writer.WriteUInt32(session.Has(PppMarks.NoMagic) ? 0 : session.Magic);
        writer.WriteBytes(packet.Data[sizeof(uint)..]);
        End(ref writer, start, index, output);
    }

    // Section 5.7. Only from the network phase on: before, such a packet is discarded silently (section 3.5).
    private static void RejectProtocol(ref BlastSession session, int index, PppProtocol protocol, ReadOnlySpan<byte> information, IPppOutput output)
    {
        if (session.Phase != PppPhase.Network)
        {
            return;
        }

        var writer = new WireWriter(output.Reserve(index));
        int start = Begin(ref writer, PppProtocol.Lcp, ControlCode.ProtocolReject, ++session.LcpIdentifier);
        writer.WriteUInt16((ushort)protocol);
        writer.WriteBytes(information[..Math.Min(information.Length, MaxFrameSize - 16)]);
        End(ref writer, start, index, output);
    }

    private static void Answer(int index, PppProtocol protocol, ControlCode code, byte identifier, ReadOnlySpan<byte> data, IPppOutput output)
    {
        var writer = new WireWriter(output.Reserve(index));
        int start = Begin(ref writer, protocol, code, identifier);
        writer.WriteBytes(data);
        End(ref writer, start, index, output);
    }

    private static int Begin(ref WireWriter writer, PppProtocol protocol, ControlCode code, byte identifier)
    {
        PppFrame.WriteHeader(ref writer, protocol, default);
        return ControlPacket.Begin(ref writer, code, identifier);
    }

    private static void End(ref WireWriter writer, int start, int index, IPppOutput output)
    {
        ControlPacket.Finish(ref writer, start);
        if (!writer.Overflowed)
        {
            output.Commit(index, writer.Length);
        }
    }

    // LCP option 3 with its type and length (RFC 1661 section 6.2).
    private static ReadOnlySpan<byte> MethodOption(AuthenticationMethod method) => method switch
    {
        AuthenticationMethod.Pap => [AuthenticationOption, 4, 0xC0, 0x23],
        AuthenticationMethod.ChapMd5 => [AuthenticationOption, 5, 0xC2, 0x23, 0x05],
        _ => [AuthenticationOption, 5, 0xC2, 0x23, 0x81],
    };
}
