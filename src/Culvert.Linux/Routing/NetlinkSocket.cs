using System.Runtime.InteropServices;
using Culvert.Linux.Interop;

namespace Culvert.Linux.Routing;

/// <summary>One question to the kernel at a time, and its answers. Every answer is bounded in size, number and time.</summary>
internal sealed unsafe class NetlinkSocket : IDisposable
{
    /// <summary>Called for each message of an answer.</summary>
    internal delegate void MessageHandler(NetlinkType type, ReadOnlySpan<byte> body);

    // The kernel fills at most 32 KiB per datagram of a list.
    private const int BufferSize = 32768;

    // A list of 60,000 links makes about 5,000 datagrams; ten times that is no list but an error.
    private const int MaximumDatagrams = 50_000;

    // The kernel answers within the call or not at all.
    private const int TimeoutSeconds = 5;

    // A list during which links came or went is asked for again; on a busy node the last one must do.
    private const int MaximumListAttempts = 4;

    private const int CapAcknowledge = 10;
    private const int ExtendedAcknowledge = 11;

    private readonly Descriptor _descriptor;
    private readonly byte[] _buffer = new byte[BufferSize];
    private uint _sequence;

    internal NetlinkSocket()
    {
        int type = Constants.SocketRaw | Constants.OpenCloseOnExec;
        _descriptor = Descriptor.Own(Libc.Socket(Constants.FamilyNetlink, type, 0), "open a netlink socket");
        var timeout = new TimeSpec { Seconds = TimeoutSeconds };
        int on = 1;
        // The kernel's own words and short answers are welcome, not needed.
        _ = Libc.SetSocketOption(_descriptor.Number, Constants.LevelNetlink, CapAcknowledge, &on, sizeof(int));
        _ = Libc.SetSocketOption(_descriptor.Number, Constants.LevelNetlink, ExtendedAcknowledge, &on, sizeof(int));
        if (Libc.SetSocketOption(_descriptor.Number, Constants.LevelSocket, Constants.ReceiveTimeout, &timeout, (uint)sizeof(TimeSpec)) < 0)
        {
            Errno error = Libc.LastError;
            _descriptor.Dispose();
            throw new LinuxException(error, "set up a netlink socket");
        }
    }

    /// <summary>Sends a request that wants an acknowledgement; returns what the kernel said.</summary>
    internal Errno Execute(ref NetlinkWriter request, out string? kernelWords) =>
        Exchange(ref request, null, isList: false, out kernelWords);

    /// <summary>Sends a question (with the Acknowledge flag): an answer comes, then the acknowledgement; or only an error.</summary>
    internal Errno Ask(ref NetlinkWriter request, MessageHandler handler, out string? kernelWords) =>
        Exchange(ref request, handler, isList: false, out kernelWords);

    /// <summary>Sends a request for a list. Each attempt begins with <paramref name="restart"/>: what was heard before is void.</summary>
    internal Errno List(ref NetlinkWriter request, Action restart, MessageHandler handler, out string? kernelWords)
    {
        for (int attempt = 1; ; attempt++)
        {
            restart();
            Errno error = Exchange(ref request, handler, isList: true, out kernelWords);
            if (error != Errno.EINTR || attempt == MaximumListAttempts)
            {
                return error == Errno.EINTR ? Errno.None : error;
            }
        }
    }

    public void Dispose() => _descriptor.Dispose();

    private Errno Exchange(ref NetlinkWriter request, MessageHandler? handler, bool isList, out string? kernelWords)
    {
        kernelWords = null;
        uint sequence = ++_sequence;
        Errno sent = Send(request.Finish(sequence));
        if (sent != Errno.None)
        {
            return sent;
        }

        bool isInterrupted = false;
        for (int datagrams = 0; datagrams < MaximumDatagrams; datagrams++)
        {
            Errno error = Receive(out int length);
            if (error != Errno.None)
            {
                return error;
            }

            var reader = new NetlinkReader(_buffer.AsSpan(0, length));
            while (reader.MoveNext())
            {
                if (reader.Sequence != sequence)
                {
                    continue; // The late answer to a question that timed out.
                }

                isInterrupted |= isList && (reader.Flags & NetlinkFlags.DumpInterrupted) != 0;
                if (reader.Type is NetlinkType.Error)
                {
                    return ParseError(ref reader, out kernelWords);
                }

                if (reader.Type is NetlinkType.Done)
                {
                    return isInterrupted ? Errno.EINTR : Errno.None;
                }

                handler?.Invoke(reader.Type, reader.Body);
            }
        }

        return Errno.EPROTO;
    }

    private Errno Send(ReadOnlySpan<byte> message)
    {
        // struct sockaddr_nl: family, pad, port 0 (the kernel), no groups.
        byte* kernel = stackalloc byte[12];
        new Span<byte>(kernel, 12).Clear();
        *(ushort*)kernel = Constants.FamilyNetlink;
        fixed (byte* start = message)
        {
            nint sent;
            do
            {
                sent = Libc.SendTo(_descriptor.Number, start, (nuint)message.Length, 0, kernel, 12);
            }
            while (sent < 0 && Libc.LastError == Errno.EINTR);

            return sent < 0 ? Libc.LastError : Errno.None;
        }
    }

    private Errno Receive(out int length)
    {
        fixed (byte* start = _buffer)
        {
            nint received;
            do
            {
                // With this flag the kernel tells the true length of a datagram that was cut.
                received = Libc.Receive(_descriptor.Number, start, BufferSize, Constants.MessageTruncated);
            }
            while (received < 0 && Libc.LastError == Errno.EINTR);

            length = (int)Math.Clamp(received, 0, BufferSize);
            return received switch
            {
                < 0 => Libc.LastError == Errno.EAGAIN ? Errno.ETIMEDOUT : Libc.LastError,
                > BufferSize => Errno.EMSGSIZE,
                _ => Errno.None,
            };
        }
    }

    /// <summary>struct nlmsgerr: the negative error number, the header of the request, then attributes with the kernel's words.</summary>
    private static Errno ParseError(ref NetlinkReader reader, out string? kernelWords)
    {
        const int WordsAttribute = 1;
        const NetlinkFlags HasAttributes = (NetlinkFlags)0x200; // in an acknowledgement; in a request the bit means Exclusive
        kernelWords = null;
        if (reader.Body.Length < sizeof(int) + NetlinkWriter.HeaderSize)
        {
            return Errno.EPROTO;
        }

        var error = (Errno)(-MemoryMarshal.Read<int>(reader.Body));
        if (error != Errno.None && (reader.Flags & HasAttributes) != 0)
        {
            var attributes = new AttributeReader(reader.Body[(sizeof(int) + NetlinkWriter.HeaderSize)..]);
            while (attributes.MoveNext())
            {
                kernelWords = attributes.Type == WordsAttribute ? attributes.Text : kernelWords;
            }
        }

        return error;
    }
}
