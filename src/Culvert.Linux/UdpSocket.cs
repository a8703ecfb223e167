using Culvert.Core;
using Culvert.Linux.Interop;

namespace Culvert.Linux;

/// <summary>
/// A UDP socket that never blocks, tells which local address each datagram came to, and reports what ICMP says. Datagrams pass
/// through <see cref="ReceiveBatch"/> and <see cref="SendBatch"/>. Belongs to one thread.
/// </summary>
public sealed unsafe class UdpSocket : IDisposable
{
    // An error queue entry that makes no sense is passed over, but not for ever.
    private const int MaximumSkippedErrors = 16;

    private readonly Descriptor _descriptor;
    private readonly NativeBlock _errorMemory;
    private readonly MessageHeader* _errorMessage;
    private readonly byte* _errorName;
    private readonly byte* _errorControl;

    private UdpSocket(Descriptor descriptor, IpFamily family)
    {
        _descriptor = descriptor;
        Family = family;
        _errorMemory = new NativeBlock(4096);
        _errorMessage = _errorMemory.Take<MessageHeader>(1);
        _errorName = _errorMemory.Take<byte>(SocketAddress.SizeIPv6);
        _errorControl = _errorMemory.Take<byte>(ErrorControlSize);
        IoVector* vector = _errorMemory.Take<IoVector>(1);
        // The datagram that caused the error comes back too; its first octets are enough, as nobody looks at them.
        *vector = new IoVector { Base = _errorMemory.Take<byte>(64), Length = 64 };
        *_errorMessage = new MessageHeader { Name = _errorName, Vectors = vector, VectorCount = 1, Control = _errorControl };
    }

    private const int ErrorControlSize = 256;

    public IpFamily Family { get; }

    /// <summary>The number to give to a <see cref="Poller"/>.</summary>
    public int Descriptor => _descriptor.Number;

    /// <summary>The address that the socket is bound to; unspecified when bound to all.</summary>
    public IpAddress LocalAddress { get; private set; }

    public ushort LocalPort { get; private set; }

    /// <summary>The kernel joins datagrams (Linux 5.0): it was asked to and can.</summary>
    public bool IsCoalescing { get; private set; }

    /// <summary>Whether the kernel cuts one send into datagrams (UDP_SEGMENT, Linux 4.18).</summary>
    public bool CanSegment { get; private set; }

    /// <summary>What the kernel granted, in octets of its own accounting (twice what was asked for, when allowed).</summary>
    public int ReceiveBufferSize => GetOption(Constants.ReceiveBuffer);

    /// <inheritdoc cref="ReceiveBufferSize"/>
    public int SendBufferSize => GetOption(Constants.SendBuffer);

    /// <summary>Datagrams that came while the receive buffer was full, since the socket was opened.</summary>
    public uint KernelDrops
    {
        get
        {
            // SK_MEMINFO_DROPS is the last of nine counters.
            uint* counters = stackalloc uint[9];
            uint size = 9 * sizeof(uint);
            int result = Libc.GetSocketOption(_descriptor.Number, Constants.LevelSocket, Constants.MemoryInfo, counters, &size);
            return result == 0 ? counters[8] : 0;
        }
    }

    /// <summary>Opens and binds a socket.</summary>
    /// <exception cref="LinuxException">EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT (IPv6 is off), EACCES (port below 1024)...</exception>
    public static UdpSocket Open(UdpSocketOptions options)
    {
        bool isIPv6 = options.Address.IsIPv6;
        if (options.Address.IsNone)
        {
            throw new ArgumentException("A socket needs an address; 0.0.0.0 or :: for all.", nameof(options));
        }

        int type = Constants.SocketDatagram | Constants.OpenNonBlocking | Constants.OpenCloseOnExec;
        Descriptor descriptor = Interop.Descriptor.Own(
            Libc.Socket(isIPv6 ? Constants.FamilyIPv6 : Constants.FamilyIPv4, type, 0), $"open a UDP socket for {options.Address}");
        var socket = new UdpSocket(descriptor, options.Address.Family);
        try
        {
            socket.Configure(options);
            socket.Bind(options);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Takes the next report from the error queue; false when it is empty. Call it until false whenever <see cref="Poller"/> shows an
    /// error on this socket: unread reports keep it ready and use up the receive buffer.
    /// </summary>
    public bool TryReadError(out UdpError error)
    {
        for (int skipped = 0; skipped < MaximumSkippedErrors; skipped++)
        {
            _errorMessage->NameLength = SocketAddress.SizeIPv6;
            _errorMessage->ControlLength = ErrorControlSize;
            if (Libc.ReceiveMessage(_descriptor.Number, _errorMessage, Constants.MessageErrorQueue | Constants.MessageDoNotWait) < 0)
            {
                break;
            }

            if (TryParseError(out error))
            {
                return true;
            }
        }

        error = default;
        return false;
    }

    /// <summary>
    /// Tells the kernel which of the sockets that share this one's address and port gets a datagram: control messages go to the one that
    /// was bound first, data messages to one chosen by their Session ID (RFC 2661 section 3.1).
    /// </summary>
    /// <param name="sockets">How many share the port.</param>
    /// <returns>False when the kernel cannot (before 4.5); it then spreads datagrams by their addresses.</returns>
    public bool TrySteerBySession(int sockets)
    {
        ReadOnlySpan<FilterInstruction> program =
        [
            new(FilterInstruction.LoadHalf, 0),
            new(FilterInstruction.JumpIfSet, 0x8000, 6, 0), // T: control
            new(FilterInstruction.JumpIfSet, 0x4000, 2, 0), // L: a Length field comes first
            new(FilterInstruction.LoadHalf, 4),
            new(FilterInstruction.Jump, 1),
            new(FilterInstruction.LoadHalf, 6),
            new(FilterInstruction.Modulo, (uint)sockets),
            new(FilterInstruction.ReturnA, 0),
            new(FilterInstruction.Return, 0),
        ];
        return TryAttach(program);
    }

    /// <summary>
    /// Like <see cref="TrySteerBySession"/>, but data messages go by the address and port that they come from, so that one peer's stay
    /// together and in order.
    /// </summary>
    /// <param name="sockets">How many share the port.</param>
    /// <returns>False when the kernel cannot.</returns>
    public bool TrySteerByPeer(int sockets)
    {
        // Source address (the last 32 bits of IPv6's) and UDP source port, where they lie without options.
        bool isIPv6 = Family == IpFamily.IPv6;
        uint address = FilterInstruction.NetworkHeader + (isIPv6 ? 20u : 12u);
        uint port = FilterInstruction.NetworkHeader + (isIPv6 ? 40u : 20u);
        ReadOnlySpan<FilterInstruction> program =
        [
            new(FilterInstruction.LoadHalf, 0),
            new(FilterInstruction.JumpIfSet, 0x8000, 6, 0), // T: control
            new(FilterInstruction.LoadWord, address),
            new(FilterInstruction.CopyToIndex, 0),
            new(FilterInstruction.LoadHalf, port),
            new(FilterInstruction.AddIndex, 0),
            new(FilterInstruction.Modulo, (uint)sockets),
            new(FilterInstruction.ReturnA, 0),
            new(FilterInstruction.Return, 0),
        ];
        return TryAttach(program);
    }

    private bool TryAttach(ReadOnlySpan<FilterInstruction> program)
    {
        fixed (FilterInstruction* first = program)
        {
            var filter = new FilterProgram { Count = (ushort)program.Length, Instructions = first };
            return Libc.SetSocketOption(
                _descriptor.Number, Constants.LevelSocket, Constants.AttachReusePortFilter, &filter, (uint)sizeof(FilterProgram)) == 0;
        }
    }

    public void Dispose()
    {
        _descriptor.Dispose();
        _errorMemory.Dispose();
    }

    private bool TryParseError(out UdpError error)
    {
        var reader = new ControlReader(_errorMessage->Control, _errorMessage->ControlLength);
        while (reader.MoveNext())
        {
            bool isReport = (reader.Level == Constants.LevelIPv4 && reader.Type == Constants.IPv4ReceiveErrors)
                || (reader.Level == Constants.LevelIPv6 && reader.Type == Constants.IPv6ReceiveErrors);
            if (isReport && reader.Length >= sizeof(ExtendedError))
            {
                const byte LocalOrigin = 1;
                var report = (ExtendedError*)reader.Data;
                IpAddress address = SocketAddress.Read(_errorName, _errorMessage->NameLength, out ushort port);
                error = UdpError.Create(new PeerEndpoint(address, port), (Errno)report->Errno, report->Info, report->Origin == LocalOrigin);
                return !address.IsNone;
            }
        }

        error = default;
        return false;
    }

    private void Configure(UdpSocketOptions options)
    {
        bool isIPv6 = options.Address.IsIPv6;
        int level = isIPv6 ? Constants.LevelIPv6 : Constants.LevelIPv4;
        SetOption(level, isIPv6 ? Constants.IPv6ReceivePacketInfo : Constants.IPv4PacketInfo, 1, "ask for the local address of datagrams");
        SetOption(level, isIPv6 ? Constants.IPv6ReceiveErrors : Constants.IPv4ReceiveErrors, 1, "ask for ICMP errors");
        SetOption(
            level, isIPv6 ? Constants.IPv6MtuDiscover : Constants.IPv4MtuDiscover, (int)options.PathMtuDiscovery, "set path MTU discovery");
        if (isIPv6)
        {
            SetOption(level, Constants.IPv6Only, 1, "keep IPv4 off an IPv6 socket");
        }

        SetWhen(options.ReuseAddress, Constants.LevelSocket, Constants.ReuseAddress, "share the address");
        SetWhen(options.ReusePort, Constants.LevelSocket, Constants.ReusePort, "share the port");
        SetWhen(options.ReceiveMark, Constants.LevelSocket, Constants.ReceiveMark, "ask for the mark of datagrams");
        SetWhen(
            options.ReceiveTrafficClass,
            level,
            isIPv6 ? Constants.IPv6ReceiveTrafficClass : Constants.IPv4ReceiveTos,
            "ask for the traffic class of datagrams");
        IsCoalescing = options.ReceiveCoalesced && TrySetOption(Constants.LevelUdp, Constants.UdpCoalesce, 1);
        CanSegment = TrySetOption(Constants.LevelUdp, Constants.UdpSegment, 0);
        SetBuffer(Constants.ReceiveBufferForce, Constants.ReceiveBuffer, options.ReceiveBufferSize, "set the receive buffer");
        SetBuffer(Constants.SendBufferForce, Constants.SendBuffer, options.SendBufferSize, "set the send buffer");
    }

    private void Bind(UdpSocketOptions options)
    {
        byte* name = stackalloc byte[SocketAddress.SizeIPv6];
        uint length = SocketAddress.Write(name, options.Address, options.Port);
        if (Libc.Bind(_descriptor.Number, name, length) < 0)
        {
            var wanted = new PeerEndpoint(options.Address, options.Port);
            throw new LinuxException(Libc.LastError, $"listen on UDP {wanted}", capability: "CAP_NET_BIND_SERVICE");
        }

        length = SocketAddress.SizeIPv6;
        if (Libc.GetSocketName(_descriptor.Number, name, &length) < 0)
        {
            throw new LinuxException(Libc.LastError, "read a socket's address");
        }

        LocalAddress = SocketAddress.Read(name, length, out ushort port);
        LocalPort = port;
    }

    private void SetWhen(bool isWanted, int level, int name, string attempted)
    {
        if (isWanted)
        {
            SetOption(level, name, 1, attempted);
        }
    }

    /// <summary>The forcing option passes the system's limit and needs CAP_NET_ADMIN; the plain one takes what the limit allows.</summary>
    private void SetBuffer(int forced, int plain, int size, string attempted)
    {
        if (Libc.SetSocketOption(_descriptor.Number, Constants.LevelSocket, forced, &size, sizeof(int)) < 0)
        {
            SetOption(Constants.LevelSocket, plain, size, attempted);
        }
    }

    private void SetOption(int level, int name, int value, string attempted)
    {
        if (!TrySetOption(level, name, value))
        {
            throw new LinuxException(Libc.LastError, attempted);
        }
    }

    private bool TrySetOption(int level, int name, int value) =>
        Libc.SetSocketOption(_descriptor.Number, level, name, &value, sizeof(int)) == 0;

    private int GetOption(int name)
    {
        int value = 0;
        uint size = sizeof(int);
        return Libc.GetSocketOption(_descriptor.Number, Constants.LevelSocket, name, &value, &size) == 0 ? value : 0;
    }
}
