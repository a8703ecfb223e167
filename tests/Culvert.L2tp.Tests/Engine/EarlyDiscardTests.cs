using Culvert.Core;
using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>
/// RFC 2661 section 5.8: a receiver may put messages that come early on a queue or discard them. xl2tpd and Linux discard, some with a
/// ZLB for what is missing and some without a word. Either way everything arrives, in order, and the tunnel is not given up.
/// </summary>
public sealed class EarlyDiscardTests
{
    private const int Messages = 300;

    private static readonly TimeSpan HalfRoundTrip = TimeSpan.FromMilliseconds(10);

    private readonly ManualClock _clock = new();
    private readonly ControlChannel _channel;
    private readonly SeededRandom _random = new(7);
    private int _delivered;
    private int _discarded;

    public EarlyDiscardTests()
    {
        _channel = new(ControlChannelSettings.Default, _clock.Now);
        _channel.SetPeerWindow(64);
    }

    /// <param name="answersEarly">The peer answers an early message with a ZLB.</param>
    /// <param name="lossPercent">Of messages and of ZLBs alike.</param>
    /// <param name="atMostSeconds">Until the last of 300 messages is there; without loss it would be 0.3 s.</param>
    [Theory]
    [InlineData(true, 1, 4)]
    [InlineData(true, 10, 30)]
    [InlineData(false, 1, 6)]
    [InlineData(false, 10, 60)]
    public void Everything_arrives_in_order_at_a_peer_that_keeps_nothing_early(bool answersEarly, int lossPercent, int atMostSeconds)
    {
        Timestamp start = _clock.Now;
        int queued = 0;
        while (_delivered < Messages || _channel.Unacknowledged > 0)
        {
            while (queued < Messages && _channel.TrySend(Message()))
            {
                queued++;
            }

            List<int> answers = [.. Sent().Where(_ => !IsLost(lossPercent)).Select(ns => Take(ns, answersEarly)).OfType<int>()];
            _clock.AdvanceMilliseconds(HalfRoundTrip.TotalMilliseconds);
            foreach (int nr in answers.Where(_ => !IsLost(lossPercent)))
            {
                Assert.Equal(ChannelVerdict.Acknowledgement, Give(L2tpBuilder.Zlb(1, 0, nr)));
            }

            if (_channel.NextDeadline <= _clock.Now)
            {
                Assert.Equal(ChannelAlarm.None, _channel.Advance(_clock.Now));
            }

            Assert.True((_clock.Now - start).TotalSeconds < atMostSeconds, $"{_delivered} of {Messages} after {atMostSeconds} s, {_channel.Retransmitted} sent again");
        }

        Assert.Equal((Messages, 0), (_delivered, _channel.Unacknowledged));
        Assert.True(_discarded > 0, "nothing came early: nothing was tested");
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{(_clock.Now - start).TotalSeconds:F1} s, {_channel.Retransmitted} of {Messages} sent again, {_discarded} discarded");
    }

    private bool IsLost(int percent) => _random.NextBelow(100) < percent;

    /// <summary>The peer: the Nr that it answers with, or nothing.</summary>
    private int? Take(int ns, bool answersEarly)
    {
        if (ns == _delivered)
        {
            return ++_delivered;
        }

        // Old ones are acknowledged once more (section 5.8), or a lost ZLB would never be made good.
        bool isEarly = ns > _delivered;
        _discarded += isEarly ? 1 : 0;
        return isEarly && !answersEarly ? null : _delivered;
    }

    private List<int> Sent()
    {
        List<int> numbers = [];
        byte[] buffer = new byte[4096];
        while (_channel.TryTransmit(buffer, _clock.Now, out int length))
        {
            Assert.True(L2tpHeader.TryRead(buffer.AsSpan(0, length), out L2tpHeader header));
            numbers.Add(header.Ns);
        }

        return numbers;
    }

    private ChannelVerdict Give(byte[] message)
    {
        Assert.True(L2tpHeader.TryRead(message, out L2tpHeader header));
        return _channel.Receive(header, message, _clock.Now);
    }

    private static byte[] Message() => L2tpBuilder.Control(0, 0, 0, 0, TestAvp.MessageType(6));
}
