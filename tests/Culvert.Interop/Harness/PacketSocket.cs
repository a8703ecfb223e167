using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Culvert.Interop.Harness;

/// <summary>IPv4 packets as they lie on a cable: sent octet by octet, received whatever their destination.</summary>
public sealed partial class PacketSocket : IDisposable
{
    private const int EthernetHeader = 14;
    private const ushort IPv4 = 0x0800;
    private const int Enough = 64 << 20;

    private readonly Socket _socket;
    private readonly byte[] _out = new byte[EthernetHeader + (1 << 16)];
    private readonly byte[] _in = new byte[EthernetHeader + (1 << 16)];

    private PacketSocket(Socket socket, string local, string peer)
    {
        _socket = socket;
        Convert.FromHexString(peer.Replace(":", "", StringComparison.Ordinal)).CopyTo(_out, 0);
        Convert.FromHexString(local.Replace(":", "", StringComparison.Ordinal)).CopyTo(_out, 6);
        BinaryPrimitives.WriteUInt16BigEndian(_out.AsSpan(12), IPv4);
    }

    /// <param name="inNamespace">Where.</param>
    /// <param name="device">On which cable.</param>
    /// <param name="local">Our MAC address.</param>
    /// <param name="peer">That of the next hop.</param>
    public static PacketSocket Open(string inNamespace, string device, string local, string peer) => new(
        NamespaceSockets.Open(inNamespace, () =>
        {
            const int SocketLevel = 1, ReceiveBufferForce = 33, SendBufferForce = 32;
            var socket = new Socket(AddressFamily.Packet, SocketType.Raw, (ProtocolType)BinaryPrimitives.ReverseEndianness(IPv4));
            byte[] size = BitConverter.GetBytes(Enough);
            socket.SetRawSocketOption(SocketLevel, ReceiveBufferForce, size);
            socket.SetRawSocketOption(SocketLevel, SendBufferForce, size);
            var address = new LinkAddress { Family = 17, Protocol = BinaryPrimitives.ReverseEndianness(IPv4), Index = IndexOf(device) };
            return Bind(socket.SafeHandle, address, Marshal.SizeOf<LinkAddress>()) == 0
                ? socket
                : throw new InteropException($"bind to {device}: error {Marshal.GetLastPInvokeError()}");
        }),
        local,
        peer);

    public void Send(ReadOnlySpan<byte> packet)
    {
        packet.CopyTo(_out.AsSpan(EthernetHeader));
        _ = _socket.Send(_out.AsSpan(0, EthernetHeader + packet.Length));
    }

    /// <summary>The next packet; empty when none comes within <paramref name="limit"/>.</summary>
    public ReadOnlySpan<byte> Receive(TimeSpan limit)
    {
        while (_socket.Poll(limit, SelectMode.SelectRead))
        {
            int length = _socket.Receive(_in);
            ReadOnlySpan<byte> packet = _in.AsSpan(EthernetHeader, Math.Max(0, length - EthernetHeader));
            if (packet.Length >= 20)
            {
                // Short frames may be padded on a cable; the packet says how long it is.
                int total = BinaryPrimitives.ReadUInt16BigEndian(packet[2..]);
                return packet[..Math.Min(total, packet.Length)];
            }
        }

        return [];
    }

    public void Dispose() => _socket.Dispose();

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    private static partial int Bind(SafeHandle socket, in LinkAddress address, int length);

    [LibraryImport("libc", EntryPoint = "if_nametoindex", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int IndexOf(string device);

    [StructLayout(LayoutKind.Sequential)]
    private struct LinkAddress
    {
        public ushort Family;
        public ushort Protocol;
        public int Index;
        public ushort Kind;
        public byte PacketType;
        public byte AddressLength;
        public ulong Address;
    }
}
