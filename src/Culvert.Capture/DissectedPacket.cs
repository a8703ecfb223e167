using System.Buffers.Binary;
using Culvert.Core;
using Culvert.L2tp.Wire;
using Culvert.Ppp.Wire;

namespace Culvert.Capture;

/// <summary>An L2TP datagram, or a bare PPP frame, found in a capture. Lives until the next frame is read.</summary>
public readonly ref struct DissectedPacket
{
    internal DissectedPacket(in CapturedFrame frame, FrameDirection direction)
    {
        At = frame.At;
        Direction = direction;
        Comment = frame.Comment;
    }

    /// <summary>Since 1970.</summary>
    public Timestamp At { get; }

    public FrameDirection Direction { get; }

    public ReadOnlySpan<byte> Comment { get; }

    /// <summary>The outer addresses; none for bare PPP.</summary>
    public PeerEndpoint Source { get; internal init; }

    public PeerEndpoint Destination { get; internal init; }

    /// <summary>The capture did not keep all of it.</summary>
    public bool IsCut { get; internal init; }

    /// <summary>The L2TP datagram, with its hidden AVPs in clear where a secret fitted; empty for bare PPP.</summary>
    public ReadOnlySpan<byte> Datagram { get; internal init; }

    /// <summary>Its header; meaningful only with <see cref="HasHeader"/>.</summary>
    public L2tpHeader Header { get; internal init; }

    /// <summary>The header could be read; false for other versions of L2TP, damaged datagrams, bare PPP.</summary>
    public bool HasHeader { get; internal init; }

    /// <summary>Hidden AVPs that are shown in clear.</summary>
    public int RevealedCount { get; internal init; }

    /// <summary>Hidden AVPs that none of the secrets opened.</summary>
    public int UnreadableCount { get; internal init; }

    /// <summary>The PPP frame inside a data message, or by itself; empty where there is none.</summary>
    public ReadOnlySpan<byte> PppFrame { get; internal init; }

    public bool IsControl => HasHeader && Header.IsControl;

    /// <summary>The message type; 0 for everything that is not a control message with a body.</summary>
    public MessageType MessageType
    {
        get
        {
            if (!IsControl)
            {
                return default;
            }

            var avps = new AvpReader(Datagram[Header.PayloadStart..Header.PayloadEnd]);
            return avps.MoveNext() && avps.Current.Id == AvpType.MessageType && avps.Current.Value.Length == sizeof(ushort)
                ? (MessageType)BinaryPrimitives.ReadUInt16BigEndian(avps.Current.Value)
                : default;
        }
    }

    /// <summary>What it is in a word, in the names that the printers use: "SCCRQ", "ZLB", "LCP", "IP", "data", "refused".</summary>
    public string TypeName
    {
        get
        {
            if (!PppFrame.IsEmpty)
            {
                return Ppp.Wire.PppFrame.TryRead(PppFrame, out PppProtocol protocol, out _) ? PppPrinter.NameOf(protocol) : "data";
            }

            return !HasHeader ? "refused" : !Header.IsControl ? "data" : Header.IsZeroLengthBody ? "ZLB" : MessageType.Name();
        }
    }
}
