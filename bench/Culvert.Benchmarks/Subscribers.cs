using Culvert.Core;
using Culvert.Dataplane;

namespace Culvert.Benchmarks;

/// <summary>A session table with so many forwarding sessions, an address for each, and a forwarder.</summary>
internal sealed class Subscribers
{
    private const ushort Tunnel = 1;
    private const uint FirstAddress = 0x64400002;

    public Subscribers(int count)
    {
        Routes = new RouteTable();
        Table = new SessionTable(new SeededRandom(1), Routes);
        Forwarder = new Forwarder(Table, Routes);
        Keys = new SessionKey[count];
        for (int i = 0; i < count; i++)
        {
            Keys[i] = Table.TryReserve(Tunnel, out ushort id) && Routes.TryAdd(new IpPrefix(AddressOf(i), 32), new SessionKey(Tunnel, id))
                && Table.TryInstall(Session(id, AddressOf(i)))
                ? new SessionKey(Tunnel, id)
                : throw new InvalidOperationException($"no room for session {i}");
        }
    }

    public RouteTable Routes { get; }

    public SessionTable Table { get; }

    public Forwarder Forwarder { get; }

    public SessionKey[] Keys { get; }

    public static IpAddress AddressOf(int index) => IpAddress.FromUInt32(FirstAddress + (uint)index);

    private static SessionForwarding Session(ushort id, IpAddress address) => new()
    {
        LocalTunnelId = Tunnel,
        LocalSessionId = id,
        PeerTunnelId = 2,
        PeerSessionId = id,
        Path = Packets.Path,
        State = SessionState.Forwarding,
        Mtu = 1460,
        MssIPv4 = 1420,
        SourceIPv4 = address,
    };
}

/// <summary>Takes frames as the batch of a shard does, and forgets them.</summary>
internal struct ForgettingSink(byte[] room) : IFrameSink
{
    public long Octets { get; private set; }

    public bool TryAddInPlace(int offset, int length, in UdpPath path, byte trafficClass, SessionKey session)
    {
        Octets += length;
        return true;
    }

    public readonly bool TryTake(int length, in UdpPath path, out Span<byte> lent)
    {
        lent = room;
        return length <= room.Length;
    }

    public void Commit(int length, int frameLength, in UdpPath path, byte trafficClass, SessionKey session) => Octets += length;
}
