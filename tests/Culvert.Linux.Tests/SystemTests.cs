using System.Net.Sockets;
using System.Text;
using Culvert.Core;
using Culvert.Testing;

namespace Culvert.Linux.Tests;

public class SystemTests
{
    [Fact]
    public void The_clock_advances_and_is_the_runtimes_monotonic_clock()
    {
        long before = Environment.TickCount64;
        Timestamp first = MonotonicClock.Now;
        Timestamp second = MonotonicClock.Now;
        Assert.True(second >= first);
        Assert.InRange(first.Nanoseconds / 1_000_000 - before, -1000, 10_000);
    }

    [Fact]
    public void Random_draws_differ_and_use_every_octet()
    {
        var random = new SystemRandomSource();
        HashSet<uint> drawn = [];
        for (int i = 0; i < 1000; i++)
        {
            _ = drawn.Add(random.NextUInt32());
        }

        Assert.InRange(drawn.Count, 995, 1000); // a collision among 1,000 of 2^32 comes once in 8,600 runs
        foreach (int size in new[] { 1, 127, 128, 129, 512, 5000 })
        {
            byte[] seen = new byte[size];
            byte[] octets = new byte[size];
            for (int i = 0; i < 64; i++)
            {
                random.Fill(octets);
                seen = [.. seen.Zip(octets, (a, b) => (byte)(a | b))];
            }

            Assert.All(seen, octet => Assert.NotEqual(0, octet));
        }
    }

    [Fact]
    public void Small_draws_allocate_nothing()
    {
        var random = new SystemRandomSource();
        uint sum = 0;
        Assert.Equal(0, Allocation.Of(() =>
        {
            for (int i = 0; i < 10_000; i++)
            {
                sum += random.NextUInt16();
            }
        }));
        Assert.NotEqual(0u, sum);
    }

    [Fact]
    public void Without_the_capability_every_refusal_says_what_is_needed()
    {
        NetworkNamespace.RunUnprivileged(() =>
        {
            Assert.False(Capabilities.HasNetworkAdministration);
            using var netlink = new Netlink();
            Assert.True(netlink.TryFindLink("lo", out LinkInfo loopback));
            LinuxException mtu = Assert.Throws<LinuxException>(() => netlink.SetLinkMtu(loopback.Index, 1500));
            Assert.Equal(Errno.EPERM, mtu.Error);
            Assert.Equal(
                "Cannot set the MTU of lo to 1500: Operation not permitted (EPERM); needs CAP_NET_ADMIN (run as root or grant it).",
                mtu.Message);
            if (Capabilities.HasTunDevice)
            {
                LinuxException tun = Assert.Throws<LinuxException>(() => TunDevice.Open("culvert%d"));
                Assert.Contains("CAP_NET_ADMIN", tun.Message);
            }

            // A socket needs none: its buffers are then as large as the system's limit.
            using UdpSocket socket = UdpSocket.Open(new() { Address = IpAddress.Parse("127.0.0.1"), ReceiveBufferSize = 1 << 30 });
            Assert.InRange(socket.ReceiveBufferSize, 1, (1 << 30) - 1);
        });
    }

    [Fact]
    public void Each_problem_says_what_to_do()
    {
        Assert.Empty(Capabilities.Problems(hasNetworkAdministration: true, hasTunDevice: true));
        IReadOnlyList<string> problems = Capabilities.Problems(hasNetworkAdministration: false, hasTunDevice: false);
        Assert.Contains("run as root", problems[0]);
        Assert.Contains("modprobe tun", problems[1]);
    }

    [Theory]
    [InlineData("Name:\tx\nCapEff:\t0000000000001000\nCapBnd:\t0\n", true)]
    [InlineData("CapEff:\t000001ffffffefff\n", false)]
    [InlineData("CapEff:\t000001ffffffffff", true)]
    [InlineData("CapEff:\tnonsense\n", false)]
    [InlineData("Name:\tx\n", false)]
    public void The_capability_is_bit_12_of_the_effective_set(string status, bool expected) =>
        Assert.Equal(expected, Capabilities.HasNetworkAdministrationIn(status));

    [Fact]
    public void The_service_manager_is_told_over_a_path_or_an_abstract_name()
    {
        string name = $"culvert-notify-{Environment.ProcessId}";
        string path = Path.Combine(Path.GetTempPath(), name);
        foreach ((string bound, string address) in new[] { (path, path), ($"\0{name}", $"@{name}") })
        {
            using var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            manager.ReceiveTimeout = 2000;
            manager.Bind(new UnixDomainSocketEndPoint(bound));
            Assert.True(SystemdNotify.Send("READY=1", address));
            byte[] buffer = new byte[100];
            int length = manager.Receive(buffer);
            Assert.Equal("READY=1", Encoding.UTF8.GetString(buffer, 0, length));
        }

        File.Delete(path);
        Assert.False(SystemdNotify.Send("READY=1", path));
        Assert.False(SystemdNotify.Send("READY=1", null));
        Assert.False(SystemdNotify.Send("READY=1", "relative"));
    }
}
