using Culvert.Core;
using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>Fast retransmit, fast recovery and the measured timer (RFC 5681, 6298 and 6582, for the messages of RFC 2661 section 5.8).</summary>
public sealed class LossRecoveryTests
{
    private readonly ManualClock _clock = new();
    private readonly ControlChannel _channel;

    public LossRecoveryTests()
    {
        _channel = new(ControlChannelSettings.Default, _clock.Now);
        _channel.SetPeerWindow(64);
    }

    [Fact]
    public void Third_ZLB_without_progress_brings_the_missing_message_at_once_and_once()
    {
        int first = OpenWindow(8);
        Assert.Empty(Duplicates(first, 2));
        Assert.Equal([first], Duplicates(first, 1));
        Assert.Empty(Duplicates(first, 1));
        Assert.Equal(1, _channel.FastRetransmitted);
        Assert.Equal(4, _channel.CongestionWindow); // half of 8
    }

    [Fact]
    public void Every_ZLB_without_progress_lets_one_more_message_out_and_never_beyond_the_window_of_the_peer()
    {
        int first = OpenWindow(8, more: 100);
        _channel.SetPeerWindow(10);
        Assert.Equal([first + 8], Duplicates(first, 1));
        Assert.Equal([first + 9], Duplicates(first, 1));
        Assert.Equal([first], Duplicates(first, 1));
        Assert.Empty(Duplicates(first, 40));
        Assert.Equal(10, _channel.InFlight);
    }

    [Fact]
    public void Partial_acknowledgement_brings_the_next_missing_message_and_a_full_one_ends_the_recovery()
    {
        int first = OpenWindow(8);
        Assert.Equal([first], Duplicates(first, 3));
        _clock.AdvanceMilliseconds(10);
        Assert.Equal([first + 3], Acknowledge(first + 3)); // 3 is missing too
        _clock.AdvanceMilliseconds(10);
        Assert.Equal([first + 5], Acknowledge(first + 5));
        _clock.AdvanceMilliseconds(10);
        Assert.Empty(Acknowledge(first + 8));
        Assert.Equal(0, _channel.Unacknowledged);
        Assert.Equal(4, _channel.CongestionWindow);
    }

    [Fact]
    public void What_was_acknowledged_is_never_sent_again()
    {
        int first = OpenWindow(8);
        Assert.Equal(ChannelVerdict.Acknowledgement, Give(Zlb(first)));
        Assert.Equal(ChannelVerdict.Acknowledgement, Give(Zlb(first)));
        Assert.Equal(ChannelVerdict.Acknowledgement, Give(Zlb(first))); // its turn to be sent again
        Assert.Equal(ChannelVerdict.Acknowledgement, Give(Zlb(first + 8))); // and there it is
        Assert.Empty(Sent());
        Assert.False(_channel.WantsToTransmit);
    }

    [Fact]
    public void Path_that_reorders_is_given_time_before_anything_is_sent_again()
    {
        int first = OpenWindow(8);
        Duplicates(first, 2);
        _clock.AdvanceMilliseconds(10);
        Acknowledge(first + 8); // it came by itself
        first = Fill(8, first + 8);
        Assert.Empty(Duplicates(first, 3));
        Assert.Equal(_clock.Now + TimeSpan.FromMilliseconds(2.5), _channel.NextDeadline); // a quarter of the round trip
        Acknowledge(first + 8);
        Assert.Equal(0, _channel.FastRetransmitted);

        first = Fill(8, first + 8);
        Duplicates(first, 3);
        _clock.JumpTo(_channel.NextDeadline);
        _channel.Advance(_clock.Now);
        Assert.Equal([first], Sent()); // and if it does not come
    }

    [Fact]
    public void Message_sent_again_needlessly_leaves_the_window_as_it_was()
    {
        int first = OpenWindow(8);
        Assert.Equal([first], Duplicates(first, 3));
        Assert.Equal(4, _channel.CongestionWindow);
        _clock.AdvanceMilliseconds(1);
        Acknowledge(first + 8); // sooner than the repetition can have been answered
        Assert.InRange(_channel.CongestionWindow, 8, 9);
    }

    [Fact]
    public void Messages_with_an_old_Nr_are_no_sign_of_loss()
    {
        int first = OpenWindow(8);
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal(ChannelVerdict.Deliver, Give(L2tpBuilder.Control(1, 0, i, first, TestAvp.MessageType(6))));
        }

        Assert.Empty(Sent());
        Assert.Equal(0, _channel.FastRetransmitted);
    }

    [Theory]
    [InlineData(1, 9, 0)]
    [InlineData(2, 9, 0)] // a ZLB too many is all that can come
    [InlineData(3, 1, 0)]
    [InlineData(3, 2, 1)]
    public void Few_messages_under_way_need_fewer_signs_and_never_one(int inFlight, int duplicates, int repeated)
    {
        int first = OpenWindow(inFlight);
        Duplicates(first, duplicates);
        Assert.Equal(repeated, (int)_channel.FastRetransmitted);
    }

    [Fact]
    public void After_a_timeout_answers_to_repetitions_are_no_sign_of_loss()
    {
        int first = OpenWindow(8, more: 20);
        _clock.JumpTo(_channel.NextDeadline);
        _channel.Advance(_clock.Now);
        Assert.Equal([first], Sent());
        Acknowledge(first + 4);
        Duplicates(first + 4, 6);
        Assert.Equal(0, _channel.FastRetransmitted);
        Acknowledge(first + 8);
        int next = first + 9;
        Acknowledge(next);
        Acknowledge(next + 2);
        Duplicates(next + 2, 6);
        Assert.Equal(1, _channel.FastRetransmitted);
    }

    [Fact]
    public void Message_that_comes_too_early_is_answered_by_a_ZLB_of_its_own_even_when_there_is_something_to_say()
    {
        _channel.TrySend(Message());
        Give(L2tpBuilder.Control(1, 0, 3, 0, TestAvp.MessageType(6)));
        Give(L2tpBuilder.Control(1, 0, 4, 0, TestAvp.MessageType(6)));
        List<L2tpHeader> sent = [];
        byte[] buffer = new byte[4096];
        while (_channel.TryTransmit(buffer, _clock.Now, out int length))
        {
            sent.Add(HeaderOf(buffer[..length]));
        }

        Assert.Equal([false, true, true], sent.Select(header => header.IsZeroLengthBody));
        Assert.All(sent, header => Assert.Equal(0, header.Nr));
    }

    [Fact]
    public void Early_messages_whose_gap_is_filled_meanwhile_get_one_acknowledgement_in_all()
    {
        Give(L2tpBuilder.Control(1, 0, 1, 0, TestAvp.MessageType(6)));
        Give(L2tpBuilder.Control(1, 0, 2, 0, TestAvp.MessageType(6)));
        Give(L2tpBuilder.Control(1, 0, 0, 0, TestAvp.MessageType(6)));
        Assert.True(_channel.TryTakeHeld(out _) && _channel.TryTakeHeld(out _));
        byte[] buffer = new byte[64];
        Assert.True(_channel.TryTransmit(buffer, _clock.Now, out int length));
        Assert.Equal(3, HeaderOf(buffer[..length]).Nr);
        Assert.False(_channel.WantsToTransmit);
    }

    [Fact]
    public void Timer_follows_the_measured_round_trip_but_not_below_its_floor()
    {
        Assert.Equal(TimeSpan.FromSeconds(1), _channel.RetransmitInterval);
        RoundTrip(10);
        Assert.Equal(TimeSpan.FromMilliseconds(200), _channel.RetransmitInterval);
        for (int i = 0; i < 6; i++)
        {
            RoundTrip(799);
        }

        Assert.InRange(_channel.RetransmitInterval.TotalMilliseconds, 1198, 2400); // never faster than its slowest answer
        for (int i = 0; i < 200; i++)
        {
            RoundTrip(10);
        }

        Assert.Equal(TimeSpan.FromMilliseconds(200), _channel.RetransmitInterval);
    }

    [Fact]
    public void Repeated_message_measures_nothing()
    {
        _channel.TrySend(Message());
        Sent();
        _clock.JumpTo(_channel.NextDeadline);
        _channel.Advance(_clock.Now);
        Sent();
        _clock.AdvanceMilliseconds(5);
        Acknowledge(1); // of which copy?
        Assert.Equal(TimeSpan.FromSeconds(1), _channel.RetransmitInterval);
    }

    [Fact]
    public void Slow_acknowledgements_are_learnt_of_after_a_few_messages_too_many()
    {
        RoundTrip(10);
        long before = _channel.Retransmitted;
        for (int i = 0; i < 10; i++)
        {
            RoundTrip(350); // a peer that waits with its ZLBs
        }

        Assert.InRange(_channel.Retransmitted - before, 1, 3);
    }

    [Fact]
    public void Quick_timer_makes_more_tries_and_gives_up_no_earlier()
    {
        RoundTrip(10);
        _channel.TrySend(Message());
        Timestamp start = _clock.Now;
        int tries = 0;
        ChannelAlarm alarm = ChannelAlarm.None;
        while (alarm == ChannelAlarm.None)
        {
            tries += Sent().Count;
            _clock.JumpTo(_channel.NextDeadline);
            alarm = _channel.Advance(_clock.Now);
        }

        Assert.Equal((ChannelAlarm.Exhausted, 31.0, 9), (alarm, (_clock.Now - start).TotalSeconds, tries));
    }

    [Fact]
    public void Floor_of_zero_keeps_the_configured_interval()
    {
        var channel = new ControlChannel(ControlChannelSettings.Default with { RetransmitFloor = TimeSpan.Zero }, _clock.Now);
        channel.TrySend(Message());
        channel.TryTransmit(new byte[4096], _clock.Now, out _);
        _clock.AdvanceMilliseconds(3);
        channel.Receive(HeaderOf(Zlb(1)), Zlb(1), _clock.Now);
        Assert.Equal(TimeSpan.FromSeconds(1), channel.RetransmitInterval);
    }

    /// <summary>Lets the window grow to a size and fills it; returns the Ns of the oldest message under way.</summary>
    private int OpenWindow(int size, int more = 0)
    {
        int ns = 0;
        for (; _channel.CongestionWindow < size; ns++)
        {
            RoundTrip(10);
        }

        return Fill(size, ns, more);
    }

    private int Fill(int size, int first, int more = 0)
    {
        for (int i = 0; i < size + more; i++)
        {
            _channel.TrySend(Message());
        }

        Assert.InRange(Sent().Count, size, size + more);
        return first;
    }

    private void RoundTrip(double milliseconds)
    {
        _channel.TrySend(Message());
        int ns = Assert.Single(Sent());
        Timestamp answer = _clock.Now + TimeSpan.FromMilliseconds(milliseconds);
        while (_channel.NextDeadline < answer)
        {
            _clock.JumpTo(_channel.NextDeadline);
            _channel.Advance(_clock.Now);
            Sent();
        }

        _clock.JumpTo(answer);
        Acknowledge(ns + 1);
    }

    private List<int> Duplicates(int nr, int count)
    {
        List<int> sent = [];
        for (int i = 0; i < count; i++)
        {
            Give(Zlb(nr));
            sent.AddRange(Sent());
        }

        return sent;
    }

    private List<int> Acknowledge(int nr)
    {
        Give(Zlb(nr));
        return Sent();
    }

    /// <summary>Ns of what it sends now, ZLBs aside.</summary>
    private List<int> Sent()
    {
        List<int> numbers = [];
        byte[] buffer = new byte[4096];
        while (_channel.TryTransmit(buffer, _clock.Now, out int length))
        {
            L2tpHeader header = HeaderOf(buffer[..length]);
            if (!header.IsZeroLengthBody)
            {
                numbers.Add(header.Ns);
            }
        }

        return numbers;
    }

    private ChannelVerdict Give(byte[] message) => _channel.Receive(HeaderOf(message), message, _clock.Now);

    private static byte[] Zlb(int nr) => L2tpBuilder.Zlb(1, 0, nr);

    private static byte[] Message() => L2tpBuilder.Control(0, 0, 0, 0, TestAvp.MessageType(6));

    private static L2tpHeader HeaderOf(byte[] message) => L2tpHeader.TryRead(message, out L2tpHeader header) ? header
        : throw new InvalidOperationException("not a control message");
}
