using Culvert.Core;
using Culvert.Ppp;
using Culvert.Ppp.Wire;

namespace Culvert.Blast;

/// <summary>IPCP (RFC 1332): the client asks for 0.0.0.0 and takes what it is told, the server tells.</summary>
internal sealed partial class PppMachine
{
    private const byte AddressOption = 3;

    private void EnterNetwork(ref BlastSession session, int index, IPppOutput output)
    {
        session.Phase = PppPhase.Network;
        session.Restarts = 0;
        SendIpcpRequest(ref session, index, output);
    }

    private PppOutcome ReceiveIpcp(ref BlastSession session, int index, ControlPacket packet, IPppOutput output)
    {
        if (session.Phase == PppPhase.Authenticate && !isServer)
        {
            // Who begins the network phase has accepted us, and its Success was lost.
            EnterNetwork(ref session, index, output);
        }

        if (session.Phase != PppPhase.Network)
        {
            return PppOutcome.Pending;
        }

        bool isOurs = packet.Identifier == session.IpcpIdentifier && !session.Has(PppMarks.IpcpAckReceived);
        switch (packet.Code)
        {
            case ControlCode.ConfigureRequest:
                return AnswerIpcpRequest(ref session, index, packet, output);
            case ControlCode.ConfigureAck when isOurs:
                return session.Address == 0 ? PppOutcome.AddressRefused : Mark(ref session, PppMarks.IpcpAckReceived);
            case ControlCode.ConfigureNak or ControlCode.ConfigureReject when isOurs:
                return ReviseIpcpRequest(ref session, index, packet, output);
            case ControlCode.TerminateRequest:
                Answer(index, PppProtocol.Ipcp, ControlCode.TerminateAck, packet.Identifier, default, output);
                return PppOutcome.NetworkRefused;
        }

        return PppOutcome.Pending;
    }

    private PppOutcome AnswerIpcpRequest(ref BlastSession session, int index, ControlPacket packet, IPppOutput output)
    {
        var writer = new WireWriter(output.Reserve(index));
        int start = Begin(ref writer, PppProtocol.Ipcp, ControlCode.ConfigureReject, packet.Identifier);
        int empty = writer.Length;
        bool isRight = !isServer;
        foreach (PppOption option in new PppOptionList(packet.Data))
        {
            if (option.Type != AddressOption || !option.TryGetUInt32(out uint wanted))
            {
                writer.WriteBytes(option.Octets);
            }
            else if (isServer)
            {
                isRight = wanted == session.Address;
            }
        }

        if (writer.Length > empty)
        {
            End(ref writer, start, index, output);
            return PppOutcome.Pending;
        }

        if (isRight)
        {
            Answer(index, PppProtocol.Ipcp, ControlCode.ConfigureAck, packet.Identifier, packet.Data, output);
            return Mark(ref session, PppMarks.IpcpAckSent);
        }

        SendAddress(index, ControlCode.ConfigureNak, packet.Identifier, session.Address, output);
        return PppOutcome.Pending;
    }

    private PppOutcome ReviseIpcpRequest(ref BlastSession session, int index, ControlPacket packet, IPppOutput output)
    {
        bool isTold = false;
        foreach (PppOption option in new PppOptionList(packet.Data))
        {
            if (option.Type == AddressOption && packet.Code == ControlCode.ConfigureNak && !isServer && option.TryGetUInt32(out uint told))
            {
                session.Address = told;
                isTold = true;
            }
        }

        if (!isTold || ++session.Restarts >= settings.MaxConfigure)
        {
            return PppOutcome.AddressRefused;
        }

        session.IpcpIdentifier++;
        SendIpcpRequest(ref session, index, output);
        return PppOutcome.Pending;
    }

    private void SendIpcpRequest(ref BlastSession session, int index, IPppOutput output) => SendAddress(
        index, ControlCode.ConfigureRequest, session.IpcpIdentifier, isServer ? settings.Gateway.ToUInt32() : session.Address, output);

    private static void SendAddress(int index, ControlCode code, byte identifier, uint address, IPppOutput output)
    {
        var writer = new WireWriter(output.Reserve(index));
        int start = Begin(ref writer, PppProtocol.Ipcp, code, identifier);
        writer.WriteOption(AddressOption, address);
        End(ref writer, start, index, output);
    }

    private static PppOutcome Mark(ref BlastSession session, PppMarks mark)
    {
        bool wasUp = session.Has(PppMarks.IpcpAckReceived | PppMarks.IpcpAckSent);
        session.Marks |= mark;
        return !wasUp && session.Has(PppMarks.IpcpAckReceived | PppMarks.IpcpAckSent) ? PppOutcome.Up : PppOutcome.Pending;
    }
}
