using Culvert.Core;

namespace Culvert.Linux.Tests;

/// <summary>A TUN interface that is up and has addresses: the test plays everything behind it.</summary>
internal sealed class TunEnd : IDisposable
{
    private readonly Poller _poller = new();
    private readonly byte[] _buffer = new byte[70_000];

    public TunEnd(string name = "culvert%d", params string[] prefixes)
        : this(name, TunOffloads.None, prefixes)
    {
    }

    public TunEnd(string name, TunOffloads offloads, params string[] prefixes)
    {
        Device = TunDevice.Open(name, offloads: offloads);
        Assert.True(Netlink.TryFindLink(Device.Name, out LinkInfo link));
        Index = link.Index;
        foreach (string prefix in prefixes)
        {
            string[] parts = prefix.Split('/');
            Netlink.AddAddress(Index, IpAddress.Parse(parts[0]), int.Parse(parts[1]));
        }

        Netlink.SetLinkUp(Index);
        Array.ForEach(prefixes, prefix => NetworkNamespace.AwaitLocal(Netlink, IpAddress.Parse(prefix.Split('/')[0])));
        _poller.Add(Device.Descriptor, 1);
    }

    public TunDevice Device { get; }

    public Netlink Netlink { get; } = new();

    public int Index { get; }

    /// <summary>
    /// The next packet of that version and protocol that the kernel sends out of the interface, within two seconds; behind its offload
    /// header if there is one.
    /// </summary>
    public byte[] Await(int version, byte protocol)
    {
        Timestamp deadline = MonotonicClock.Now + TimeSpan.FromSeconds(2);
        while (MonotonicClock.Now < deadline)
        {
            while (Device.Read(_buffer, out int length) == TunResult.Packet)
            {
                // The kernel also sends router solicitations and the like.
                ReadOnlySpan<byte> packet = _buffer.AsSpan(Device.HeaderSize);
                if (packet[0] >> 4 == version && packet[version == 4 ? 9 : 6] == protocol)
                {
                    return _buffer[..length];
                }
            }

            _ = _poller.Wait(deadline);
        }

        Assert.Fail($"No IPv{version} packet of protocol {protocol} came.");
        return [];
    }

    public void Dispose()
    {
        _poller.Dispose();
        Netlink.Dispose();
        Device.Dispose();
    }
}
