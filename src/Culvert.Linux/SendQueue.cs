using System.Runtime.CompilerServices;
using Culvert.Core;
using Culvert.Linux.Interop;

namespace Culvert.Linux;

/// <summary>
/// What a <see cref="SendBatch"/> will send, as the kernel wants it: messages, each a datagram or a run of datagrams of one size on one
/// path, which may lie apart in memory. A datagram joins the run of its size if that changes the order of no flow.
/// </summary>
internal sealed unsafe class SendQueue : IDisposable
{
    /// <summary>Messages that are looked at for one to join: so many sizes may take turns.</summary>
    private const int Lookback = 8;

    private readonly NativeBlock _memory;
    private readonly IoVector* _vectors;
    private readonly byte* _names;
    private readonly byte* _controls;
    private readonly byte* _frames;
    private readonly int _mostPieces;
    private readonly IpFamily _family;
    private readonly Message[] _about;

    /// <param name="capacity">Messages.</param>
    /// <param name="family">The socket's.</param>
    /// <param name="frames">Where the datagrams lie.</param>
    /// <param name="joins">Whether <see cref="Join"/> will be called.</param>
    public SendQueue(int capacity, IpFamily family, byte* frames, bool joins)
    {
        _family = family;
        _frames = frames;
        _mostPieces = joins ? SendBatch.LongestRun : 1;
        _about = new Message[capacity];
        _memory = new NativeBlock(
            NativeBlock.SizeOf<MultiMessageHeader>(capacity) + NativeBlock.SizeOf<IoVector>(capacity * _mostPieces)
            + NativeBlock.SizeOf<byte>(capacity * SocketAddress.SizeIPv6) + NativeBlock.SizeOf<byte>(capacity * ControlWriter.Capacity));
        Messages = _memory.Take<MultiMessageHeader>(capacity);
        _vectors = _memory.Take<IoVector>(capacity * _mostPieces);
        _names = _memory.Take<byte>(capacity * SocketAddress.SizeIPv6);
        _controls = _memory.Take<byte>(capacity * ControlWriter.Capacity);
        for (int i = 0; i < capacity; i++)
        {
            Messages[i].Message = new MessageHeader { Name = _names + (i * SocketAddress.SizeIPv6), Vectors = VectorsOf(i) };
        }
    }

    /// <summary>For sendmmsg.</summary>
    public MultiMessageHeader* Messages { get; }

    public int Count { get; private set; }

    public static int DatagramsIn(int length, int segment) => length <= segment ? 1 : (length + segment - 1) / segment;

    public bool IsRun(int index) => _about[index].Segment < _about[index].Length;

    public int DatagramsBetween(int first, int end)
    {
        int datagrams = 0;
        for (int i = first; i < end; i++)
        {
            datagrams += _about[i].Datagrams;
        }

        return datagrams;
    }

    /// <summary>A message of its own.</summary>
    /// <param name="start">Where its octets lie.</param>
    /// <param name="length">How many.</param>
    /// <param name="segment">Octets of each of its datagrams; the last may have less.</param>
    /// <param name="path">Where to.</param>
    /// <param name="trafficClass">DSCP and ECN; 0 for the socket's.</param>
    /// <param name="flow">What must keep its order; 0: all.</param>
    public void Add(int start, int length, int segment, in UdpPath path, byte trafficClass, uint flow)
    {
        ref Message about = ref _about[Count];
        about = new Message { Length = length, Segment = segment, Pieces = 1, TrafficClass = trafficClass, Path = path };
        about.Flows.Add(flow);
        VectorsOf(Count)[0] = new IoVector { Base = _frames + start, Length = (nuint)length };
        MessageHeader* message = &Messages[Count].Message;
        message->NameLength = SocketAddress.Write((byte*)message->Name, path.Peer.Address, path.Peer.Port);
        message->VectorCount = 1;
        WriteControl(message, _controls + (Count * ControlWriter.Capacity), about, IsRun(Count));
        Count++;
    }

    /// <summary>
    /// Lengthens a message that waits by as much of what follows as has its size and its path; the last message also by one shorter
    /// datagram, which ends it.
    /// </summary>
    /// <returns>How many of the octets it took.</returns>
    /// <inheritdoc cref="Add"/>
    public int Join(int start, int length, int segment, in UdpPath path, byte trafficClass, uint flow)
    {
        for (int i = Count - 1; i >= Math.Max(0, Count - Lookback); i--)
        {
            ref Message message = ref _about[i];
            if (message.Segment == segment && message.IsAlong(path, trafficClass))
            {
                int fits = Math.Min(length, message.Room * segment);
                if (fits > 0)
                {
                    Append(i, start, fits, flow);
                    return fits;
                }
            }

            // It cannot overtake what is of its own flow.
            if (message.Flows.MayHold(flow))
            {
                break;
            }
        }

        bool mayEnd = Count > 0 && length > 0 && segment == length && length < _about[Count - 1].Segment
            && _about[Count - 1].Room > 0 && _about[Count - 1].IsAlong(path, trafficClass);
        if (mayEnd)
        {
            Append(Count - 1, start, length, flow);
        }

        return mayEnd ? length : 0;
    }

    /// <summary>The header for each datagram of a run that is sent one by one.</summary>
    /// <param name="index">The run.</param>
    /// <param name="control">Room of <see cref="ControlWriter.Capacity"/>.</param>
    /// <param name="vector">Where each of them will lie.</param>
    public MessageHeader HeaderOfOne(int index, byte* control, IoVector* vector)
    {
        MessageHeader message = Messages[index].Message;
        message.Vectors = vector;
        message.VectorCount = 1;
        WriteControl(&message, control, _about[index], isRun: false);
        return message;
    }

    /// <summary>The next datagram of a run; false behind the last.</summary>
    /// <param name="index">The run.</param>
    /// <param name="piece">0 at first.</param>
    /// <param name="at">0 at first.</param>
    /// <param name="datagram">Where it lies.</param>
    public bool TryNextOfRun(int index, ref int piece, ref int at, out IoVector datagram)
    {
        // A piece consists of whole datagrams.
        if (piece < _about[index].Pieces && at >= (int)VectorsOf(index)[piece].Length)
        {
            piece++;
            at = 0;
        }

        datagram = default;
        if (piece >= _about[index].Pieces)
        {
            return false;
        }

        IoVector whole = VectorsOf(index)[piece];
        int length = Math.Min(_about[index].Segment, (int)whole.Length - at);
        datagram = new IoVector { Base = (byte*)whole.Base + at, Length = (nuint)length };
        at += length;
        return true;
    }

    public void Clear() => Count = 0;

    public void Dispose()
    {
        Count = 0;
        _memory.Dispose();
    }

    private IoVector* VectorsOf(int index) => _vectors + (index * _mostPieces);

    private void Append(int index, int start, int length, uint flow)
    {
        ref Message about = ref _about[index];
        IoVector* last = VectorsOf(index) + about.Pieces - 1;
        if ((byte*)last->Base + last->Length == _frames + start)
        {
            last->Length += (nuint)length;
        }
        else
        {
            last[1] = new IoVector { Base = _frames + start, Length = (nuint)length };
            about.Pieces++;
        }

        MessageHeader* message = &Messages[index].Message;
        message->VectorCount = (nuint)about.Pieces;
        bool wasRun = IsRun(index);
        about.Length += length;
        about.Flows.Add(flow);
        if (!wasRun)
        {
            WriteControl(message, _controls + (index * ControlWriter.Capacity), about, isRun: true);
        }
    }

    private void WriteControl(MessageHeader* message, byte* memory, in Message about, bool isRun)
    {
        var control = new ControlWriter(memory);
        if (!about.Path.Local.IsNone)
        {
            control.AddLocalAddress(about.Path.Local);
        }

        if (about.Path.Peer.Mark != 0)
        {
            control.AddMark(about.Path.Peer.Mark);
        }

        if (isRun)
        {
            control.AddSegmentSize((ushort)about.Segment);
        }

        if (about.TrafficClass != 0)
        {
            control.AddTrafficClass(about.TrafficClass, _family);
        }

        message->Control = control.Length == 0 ? null : memory;
        message->ControlLength = control.Length;
    }

    private struct Message
    {
        public int Length;
        public int Segment;
        public int Pieces;
        public byte TrafficClass;
        public UdpPath Path;
        public FlowFilter Flows;

        public readonly int Datagrams => DatagramsIn(Length, Segment);

        /// <summary>Datagrams of its size that may still join it: none behind a shorter one.</summary>
        public readonly int Room => Segment == 0 || Length % Segment != 0
            ? 0
            : Math.Min(SendBatch.LongestRun - Datagrams, (SendBatch.LargestRun - Length) / Segment);

        public readonly bool IsAlong(in UdpPath path, byte trafficClass) => TrafficClass == trafficClass && Path == path;
    }

    /// <summary>Which flows a message has datagrams of; sometimes it holds one for present that is not.</summary>
    [InlineArray(4)]
    private struct FlowFilter
    {
        private ulong _bits;

        public void Add(uint flow)
        {
            if (flow == 0)
            {
                ((Span<ulong>)this).Fill(ulong.MaxValue);
                return;
            }

            uint hash = Hash(flow);
            this[(int)(hash >> 30)] |= 1UL << (int)(hash >> 24);
        }

        public readonly bool MayHold(uint flow)
        {
            uint hash = Hash(flow);
            return flow == 0 || (this[(int)(hash >> 30)] & (1UL << (int)(hash >> 24))) != 0;
        }

        private static uint Hash(uint flow) => flow * 0x9E37_79B1;
    }
}
