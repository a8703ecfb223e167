using Culvert.Core;
using Culvert.Interop.Harness;
using Culvert.Testing;

namespace Culvert.Interop;

/// <summary>The judge is tested as well: it must pass what is right and object to what is wrong, at every layer.</summary>
public sealed class TsharkCheckTests
{
    private const string Local = "192.0.2.1";

    private static readonly byte[] Sccrq = L2tpBuilder.StartControlConnectionRequest(7);
    private static readonly byte[] GoodEcho = L2tpBuilder.Data(1, 2, PppBuilder.Echo(PppBuilder.EchoRequest, 1, 0x12345678));

    [Fact]
    public async Task Good_packets_pass()
    {
        Requirements.Tshark();
        Assert.Equal(2, await CheckAsync(Sccrq, GoodEcho));
    }

    [Fact]
    public async Task A_bad_avp_length_is_found()
    {
        Requirements.Tshark();
        TestAvp bad = TestAvp.HostName("lac") with { ClaimedLength = 3 };
        await Assert.ThrowsAsync<InteropException>(() => CheckAsync(Sccrq, L2tpBuilder.StartControlConnectionRequest(7, "lac", bad)));
    }

    [Fact]
    public async Task A_cut_message_is_found()
    {
        Requirements.Tshark();
        await Assert.ThrowsAsync<InteropException>(() => CheckAsync(Sccrq, Sccrq[..^3]));
    }

    [Fact]
    public async Task An_empty_capture_is_found()
    {
        Requirements.Tshark();
        await Assert.ThrowsAsync<InteropException>(() => CheckAsync());
    }

    private static async Task<int> CheckAsync(params byte[][] datagrams)
    {
        string file = Path.GetTempFileName();
        try
        {
            await File.WriteAllBytesAsync(file, PcapFile.Write(datagrams.Select((datagram, i) => (
                Timestamp.FromMilliseconds(i), IpBuilder.UdpPacket(IpAddress.Parse(Local), 1701, IpAddress.Parse("192.0.2.2"), 1701, datagram)))));
            return await TsharkCheck.AssertCleanAsync(file, Local);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
