using Culvert.Core;
using Culvert.Dataplane;
using Culvert.Server.Captures;
using Culvert.Testing;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Culvert.Server.Tests.Captures;

public sealed class CaptureRingTests
{
    private static readonly TappedDatagram About = new(Timestamp.FromMilliseconds(1), default, 1701, IsSent: true, Comment: null);

    [Fact]
    public void What_does_not_fit_is_dropped_and_counted()
    {
        var ring = new CaptureRing(slots: 2, slotSize: 4);
        Assert.True(ring.TryPut([1], About));
        Assert.False(ring.TryPut([1, 2, 3, 4, 5], About));
        Assert.True(ring.TryPut([2, 3, 4, 5], About));
        Assert.False(ring.TryPut([3], About));
        Assert.Equal((2, 2), (ring.Accepted, ring.Dropped));

        Assert.True(ring.TryPeek(out TappedDatagram about, out ReadOnlySpan<byte> datagram));
        Assert.Equal(About, about);
        Assert.Equal([1], datagram.ToArray());
        ring.Release();
        Assert.True(ring.TryPut([9], About));
        Assert.True(ring.TryPeek(out _, out datagram));
        Assert.Equal([2, 3, 4, 5], datagram.ToArray());
        ring.Release();
        Assert.True(ring.TryPeek(out _, out datagram));
        Assert.Equal([9], datagram.ToArray());
        ring.Release();
        Assert.False(ring.TryPeek(out _, out _));
    }

    /// <summary>One thread puts in while another takes out: nothing is lost uncounted, nothing is torn, the order holds.</summary>
    [Fact]
    public async Task Two_threads_share_it()
    {
        const int Count = 200_000;
        var ring = new CaptureRing(slots: 64, slotSize: 8);
        Task producer = Task.Run(() =>
        {
            for (int i = 0; i < Count; i++)
            {
                _ = ring.TryPut(BitConverter.GetBytes(i * 4_000_000_007L), About with { At = new Timestamp(i) });
            }
        });
        long last = -1;
        long taken = 0;
        while (!producer.IsCompleted || taken < ring.Accepted)
        {
            if (ring.TryPeek(out TappedDatagram about, out ReadOnlySpan<byte> datagram))
            {
                Assert.True(about.At.Nanoseconds > last);
                last = about.At.Nanoseconds;
                Assert.Equal(last * 4_000_000_007L, BitConverter.ToInt64(datagram));
                ring.Release();
                taken++;
            }
        }

        await producer;
        Assert.Equal(Count, ring.Accepted + ring.Dropped);
    }

    [Fact]
    public void Putting_allocates_nothing()
    {
        var ring = new CaptureRing(slots: 64, slotSize: 8);
        Assert.Equal(0, Allocation.Of(() =>
        {
            for (int i = 0; i < 1000; i++)
            {
                _ = ring.TryPut([1, 2, 3], About);
            }
        }));
    }

    [Fact]
    public void A_request_is_read()
    {
        CaptureRequest request = Parse(("session", "5/9"), ("control-only", "true"), ("max-size", "1000"), ("max-packets", "7"), ("seconds", "1.5"));
        Assert.Equal(new CaptureRequest(null, new SessionKey(5, 9), null, true, 1000, 7, TimeSpan.FromSeconds(1.5)), request);
        Assert.Equal("session 5/9, control messages and PPP negotiation only", request.ToString());
        Assert.Equal("all tunnels", Parse().ToString());
    }

    [Theory]
    [InlineData("tunnel", "0x5", "tunnel '0x5' is not a tunnel ID")]
    [InlineData("session", "5", "session '5' is not TUNNEL/SESSION")]
    [InlineData("max-size", "-1", "max-size must be a number above 0")]
    [InlineData("max-packets", "0", "max-packets must be a number above 0")]
    [InlineData("seconds", "1e300", "seconds must be a number above 0")]
    public void A_wrong_request_is_refused_in_words(string name, string value, string expected)
    {
        NodeException refusal = Assert.Throws<NodeException>(() => Parse((name, value)));
        Assert.Contains(expected, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Only_one_thing_is_captured() =>
        Assert.Contains("name one of them", Assert.Throws<NodeException>(() => Parse(("tunnel", "5"), ("user", "alice"))).Message, StringComparison.Ordinal);

    private static CaptureRequest Parse(params (string Name, string Value)[] parameters) =>
        CaptureRequest.Parse(new QueryCollection(parameters.ToDictionary(p => p.Name, p => new StringValues(p.Value))));
}
