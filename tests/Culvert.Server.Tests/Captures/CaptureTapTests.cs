using Culvert.Core;
using Culvert.L2tp.Wire;
using Culvert.Server.Captures;
using Culvert.Simulation;
using Culvert.Subscribers;
using Culvert.Subscribers.Policy;
using Culvert.Testing;

namespace Culvert.Server.Tests.Captures;

/// <summary>What a capture of one user has put aside, at an LNS to which several users come.</summary>
public sealed class CaptureTapTests
{
    private static readonly PeerEndpoint LnsAt = new(IpAddress.Parse("192.0.2.1"), 1701);
    private static readonly PeerEndpoint LacAt = new(IpAddress.Parse("198.51.100.7"), 1701);

    private readonly SimulatedWorld _world = new(1);
    private readonly CaptureRing _ring = new(4096, 2048);
    private readonly AccessEnd _lns;
    private readonly LacEnd _lac;
    private readonly CaptureTap _tap;
    private int _eventsSeen;

    public CaptureTapTests()
    {
        _lns = _world.Add(new AccessEnd("lns", LnsAt, Settings, 1));
        _lac = _world.Add(new LacEnd("lac", LacAt, LnsAt, 2));
        _tap = new CaptureTap(new CaptureRequest(null, null, "alice", false, long.MaxValue, long.MaxValue, null), _ring);
        _world.Filter = d =>
        {
            bool isSent = d.Source == LnsAt;
            Timestamp atLns = isSent ? _world.Now : _world.Now + LinkConditions.Perfect.Delay;
            _tap.Tap(d.Payload.Span, new UdpPath(LnsAt.Address, isSent ? d.Destination : d.Source), LnsAt.Port, isSent, atLns);
            return true;
        };
        _world.AfterStep = () =>
        {
            for (; _eventsSeen < _lns.Events.Count; _eventsSeen++)
            {
                _tap.OnEvent(_lns.Events[_eventsSeen]);
            }
        };
    }

    private static NodeSettings Settings => new()
    {
        NodeName = "lns",
        Peers = [new PeerRule { Name = "any" }],
        Profiles = [new Profile { Name = "home", Pool = "pool" }],
        Pools = [new PoolSettings { Name = "pool", Ipv4 = IpPrefix.Parse("100.64.0.0/24"), Gateway = IpAddress.Parse("100.64.0.1") }],
        Users = [new User { Name = "alice", Password = "right" }, new User { Name = "bob", Password = "right" }],
    };

    [Fact]
    public void A_users_capture_begins_with_the_ICRQ_of_the_login()
    {
        _lac.PlaceCall("bob", "right");
        LacLine alice = _lac.PlaceCall("alice", "right");
        Assert.True(_world.RunUntil(() => _lac.UpCount == 2, 30));
        _world.Pass(1);
        List<string> captured = Captured();
        Assert.Equal("received ICRQ", captured[0]);
        Assert.Equal("sent ICRP", captured[1]);
        Assert.Equal("received ICCN", captured[2]);
        Assert.Contains("sent c223", captured);
        Assert.Contains("received c223", captured);
        Assert.Contains("received 8021", captured);
        Assert.Single(captured, c => c.EndsWith("ICRQ", StringComparison.Ordinal));

        _lac.HangUp(alice, isOrderly: true, isForGood: true, _world.Now);
        _world.Settle(_lac);
        _world.Pass(3);
        Assert.Contains(Captured(), c => c.EndsWith("CDN", StringComparison.Ordinal));
    }

    [Fact]
    public void A_login_that_fails_is_captured_too()
    {
        _lac.PlaceCall("alice", "wrong");
        Assert.True(_world.RunUntil(() => _lns.Told(NodeEventKind.SessionDown).Any(), 30));
        _world.Pass(0.5);
        List<string> captured = Captured();
        Assert.Equal("received ICRQ", captured[0]);
        Assert.Contains("received c223", captured);
        Assert.Contains("sent CDN", captured);
    }

    [Fact]
    public void Somebody_elses_login_is_not_captured()
    {
        _lac.PlaceCall("bob", "right");
        Assert.True(_world.RunUntil(() => _lac.UpCount == 1, 30));
        _world.Pass(1);
        Assert.Empty(Captured());
    }

    private List<string> Captured()
    {
        var captured = new List<string>();
        while (_ring.TryPeek(out TappedDatagram about, out ReadOnlySpan<byte> datagram))
        {
            captured.Add($"{(about.IsSent ? "sent" : "received")} {Name(datagram)}");
            _ring.Release();
        }

        return captured;
    }

    private static string Name(ReadOnlySpan<byte> datagram)
    {
        Assert.True(L2tpHeader.TryRead(datagram, out L2tpHeader header));
        ReadOnlySpan<byte> body = datagram[header.PayloadStart..header.PayloadEnd];
        if (header.IsControl)
        {
            return header.IsZeroLengthBody ? "ZLB" : ((MessageType)((body[6] << 8) | body[7])).Name();
        }

        ReadOnlySpan<byte> ppp = body[..2].SequenceEqual((ReadOnlySpan<byte>)[0xFF, 0x03]) ? body[2..] : body;
        return Convert.ToHexStringLower(ppp[..2]);
    }
}
