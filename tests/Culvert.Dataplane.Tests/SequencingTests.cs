using Culvert.Core;

namespace Culvert.Dataplane.Tests;

/// <summary>Sequenced data messages leave in order, once, and within the limits of number, memory and time (RFC 2661 section 5.4).</summary>
public class SequencingTests
{
    private const ushort Other = 0x6789;

    private static readonly Timestamp Start = Timestamp.Zero + TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(50);

    // Numbers begin at 0 (section 3.1). "lost late duplicates reordered".
    [Theory]
    [InlineData("0 1 2", 4, "0 1 2", "0 0 0 0")]
    [InlineData("0 2 1 3", 4, "0 1 2 3", "0 0 0 1")]
    [InlineData("2 1 0 3", 4, "0 1 2 3", "0 0 0 2")]
    [InlineData("0 1 1 0 2", 4, "0 1 2", "0 0 2 0")]
    [InlineData("0 2 2 1", 4, "0 1 2", "0 0 1 1")]
    [InlineData("0 3 1 3 2 2", 4, "0 1 2 3", "0 0 2 1")]
    [InlineData("0 3 4 8 9", 4, "0 3 4 8 9", "5 0 0 2")]
    [InlineData("0 3 4 8 1 2", 4, "0 3 4 8", "5 2 0 2")]
    [InlineData("0 2 1 1", 0, "0 2", "1 1 1 0")]
    [InlineData("0 100 101 50", 4, "0 100 101", "99 1 0 0")]
    [InlineData("0 32767 65534 0 65535 1 65535", 4, "0 32767 65534 65535 0 1", "65532 0 1 1")]
    public void Order_is_restored_and_the_rest_counted(string arrives, int frames, string leaves, string counters)
    {
        var rig = new SequencedRig(new ReorderLimits { Frames = frames, Patience = Patience });
        foreach (string ns in arrives.Split(' '))
        {
            rig.Receive(ushort.Parse(ns), Start);
        }

        Assert.Equal(leaves, string.Join(' ', rig.Delivered));
        Assert.Equal(counters, rig.Counters());
        Assert.Equal(Timestamp.Never, rig.Forwarder.NextDeadline);
        Assert.Equal(rig.Delivered.Count, rig.Rig.Counters().PacketsReceived);
    }

    [Fact]
    public void A_missing_message_is_waited_for_only_so_long()
    {
        var rig = new SequencedRig(new ReorderLimits { Frames = 8, Patience = Patience });
        rig.Receive(0, Start);
        rig.Receive(2, Start);
        rig.Receive(5, Start + (Patience / 2));
        Assert.Equal(Start + Patience, rig.Forwarder.NextDeadline);
        rig.Take(Start + Patience - TimeSpan.FromTicks(1));
        Assert.Equal([0], rig.Delivered);
        rig.Take(Start + Patience);
        Assert.Equal([0, 2], rig.Delivered);
        Assert.Equal(Start + (Patience * 1.5), rig.Forwarder.NextDeadline);
        rig.Take(Start + (Patience * 1.5));
        Assert.Equal([0, 2, 5], rig.Delivered);
        rig.Receive(1, Start + (Patience * 2));
        rig.Receive(1, Start + (Patience * 2));
        rig.Receive(6, Start + (Patience * 2));
        Assert.Equal([0, 2, 5, 6], rig.Delivered);
        Assert.Equal("3 1 1 2", rig.Counters());
        Assert.Equal((1, 1), (rig.Rig.Counters().Drops(DropReason.Late), rig.Rig.Counters().Drops(DropReason.Duplicate)));
        Assert.Equal(Timestamp.Never, rig.Forwarder.NextDeadline);
    }

    /// <summary>Nothing waits longer than its patience, however many gaps are before it.</summary>
    [Fact]
    public void Several_gaps_do_not_add_up()
    {
        var rig = new SequencedRig(new ReorderLimits { Frames = 16, Patience = Patience });
        foreach (ushort ns in new ushort[] { 9, 7, 5, 3 })
        {
            rig.Receive(ns, Start);
        }

        rig.Take(Start + Patience);
        Assert.Equal([3, 5, 7, 9], rig.Delivered);
        Assert.Equal("6 0 0 4", rig.Counters());
    }

    [Fact]
    public void A_peer_that_starts_anew_from_another_number_is_followed()
    {
        var rig = new SequencedRig(ReorderLimits.Default);
        rig.Receive(0, Start);
        rig.Receive(1, Start);
        for (int i = 0; i < 60; i++)
        {
            rig.Receive((ushort)(40_000 + i), Start);
        }

        Assert.Equal(2 + 60 - 31, rig.Delivered.Count);
        Assert.Equal(40_059, rig.Delivered[^1]);
        Assert.Equal("0 31 0 0", rig.Counters());
    }

    [Fact]
    public void Frames_without_a_number_pass_at_once_and_PPP_control_frames_wait_as_well()
    {
        var rig = new SequencedRig(ReorderLimits.Default);
        rig.Receive(0, Start);
        rig.Receive(2, Start);
        byte[] bare = Bench.Frame(Bench.Ppp(Packet(777)));
        Assert.Equal(VerdictKind.Deliver, rig.Forwarder.Decapsulate(bare, Bench.Path, 0, Start).Kind);
        byte[] echo = Bench.Frame(Bench.Hex("FF03 C021 0901 0008 00000000"), sequence: true, ns: 3);
        Assert.Equal(VerdictKind.Held, rig.Forwarder.Decapsulate(echo, Bench.Path, 0, Start).Kind);
        byte[] second = Bench.Frame(Bench.Ppp(Packet(1)), length: true, sequence: true, ns: 1, offset: 3, priority: true);
        Assert.Equal(VerdictKind.Deliver, rig.Forwarder.Decapsulate(second, Bench.Path, 0, Start).Kind);
        Assert.True(rig.Forwarder.HasHeldToTake);
        Assert.True(rig.Forwarder.TryTakeHeld(Start, out _, out Verdict first) && first.Kind == VerdictKind.Deliver);
        Assert.True(rig.Forwarder.TryTakeHeld(Start, out Span<byte> frame, out Verdict last));
        Assert.Equal(VerdictKind.PppControl, last.Kind);
        Assert.Equal(Bench.Hex("FF03 C021 0901 0008 00000000"), frame.Slice(last.Offset, last.Length).ToArray());
        Assert.False(rig.Forwarder.TryTakeHeld(Start, out _, out _));
        Assert.False(rig.Forwarder.HasHeldToTake);
    }

    [Fact]
    public void A_session_that_does_not_sequence_takes_frames_as_they_come_and_holds_nothing()
    {
        var rig = new Rig();
        foreach (ushort ns in new ushort[] { 7, 5, 5, 9 })
        {
            byte[] frame = Bench.Frame(Bench.Ppp(Packet(ns)), sequence: true, ns: ns);
            Verdict verdict = rig.Forwarder.Decapsulate(frame, Bench.Path, 0, Start);
            Assert.Equal((VerdictKind.Deliver, true, ns, false), (verdict.Kind, verdict.HasSequence, verdict.Ns, verdict.SequencingChanged));
        }

        Assert.False(rig.Sessions.TryReadSequencing(Bench.Key, out _));
        Assert.False(rig.Sessions.TryTakeNs(Bench.Key, out _));
    }

    [Fact]
    public void A_session_that_follows_says_when_its_peer_begins_and_ceases()
    {
        var rig = new Rig(Bench.Session() with { Policies = SessionPolicies.FollowSequencing });
        Assert.False(Receive(null).SequencingChanged);
        Verdict begun = Receive(41);
        Assert.Equal((VerdictKind.Deliver, true, true, 41), (begun.Kind, begun.SequencingChanged, begun.HasSequence, begun.Ns));
        rig.Sessions.ExpectNs(Bench.Key, 42);
        SessionForwarding sequencing = Bench.Session() with
        {
            Policies = SessionPolicies.FollowSequencing | SessionPolicies.OrderSequenced,
            Framing = TransmitFraming.Sequence,
        };
        Assert.True(rig.Sessions.TryUpdate(sequencing));
        Assert.Equal(VerdictKind.Held, Receive(43).Kind);
        Assert.Equal((VerdictKind.Deliver, false), (Receive(42).Kind, rig.Forwarder.TryTakeHeld(Start, out _, out Verdict held) && held.SequencingChanged));
        _ = rig.Encapsulate(Bench.IPv4(Bench.Server, Bench.Subscriber, 17, []));
        Assert.True(rig.Sessions.TryTakeNs(Bench.Key, out ushort ns) && ns == 1);
        Verdict ceased = Receive(null);
        Assert.Equal((VerdictKind.Deliver, true, false), (ceased.Kind, ceased.SequencingChanged, ceased.HasSequence));

        // "If the LNS enables sequencing after disabling it, the sequence number state picks up where it left off before."
        Assert.True(rig.Sessions.TryUpdate(Bench.Session() with { Policies = SessionPolicies.FollowSequencing }));
        Assert.True(rig.Sessions.TryUpdate(sequencing));
        Assert.True(rig.Sessions.TryTakeNs(Bench.Key, out ns) && ns == 2);
        Assert.Equal(VerdictKind.Deliver, Receive(44).Kind);
        Assert.True(rig.Sessions.TryReadSequencing(Bench.Key, out SequenceCounters counters));
        Assert.Equal(new SequenceCounters(0, 0, 0, 1), counters);

        Verdict Receive(int? number)
        {
            byte[] frame = Bench.Frame(Bench.Ppp(Packet(1)), sequence: number is not null, ns: (ushort)(number ?? 0));
            return rig.Forwarder.Decapsulate(frame, Bench.Path, 0, Start);
        }
    }

    [Fact]
    public void Memory_of_all_sessions_has_a_limit_and_order_holds_beyond_it()
    {
        var rig = new SequencedRig(new ReorderLimits { Frames = 8, Patience = Patience }, heldFrames: 3);
        Assert.True(rig.Rig.Sessions.TryInstall(rig.Session with { LocalSessionId = Other }));
        rig.Receive(2, Start, Other);
        rig.Receive(1, Start, Other);
        rig.Receive(4, Start);
        Assert.Equal([], rig.Delivered);

        // No room: what this session held goes on, then this one; the other session keeps what it has.
        rig.Receive(5, Start);
        Assert.Equal([4, 5], rig.Delivered);
        Assert.Equal("4 0 0 1", rig.Counters());
        rig.Receive(0, Start, Other);
        Assert.Equal([4, 5, 0, 1, 2], rig.Delivered);
        Assert.Equal(Timestamp.Never, rig.Forwarder.NextDeadline);
    }

    [Fact]
    public void A_datagram_larger_than_what_may_wait_goes_after_what_waits()
    {
        var rig = new SequencedRig(ReorderLimits.Default);
        rig.Receive(1, Start);
        rig.Receive(3, Start, size: 9000);
        Assert.Equal([1, 3], rig.Delivered);
        rig.Receive(9, Start, size: 9000);
        Assert.Equal([1, 3, 9], rig.Delivered);
        Assert.Equal("7 0 0 1", rig.Counters());
    }

    [Fact]
    public void What_waits_of_a_session_that_ended_goes_nowhere_and_frees_its_memory()
    {
        var rig = new SequencedRig(ReorderLimits.Default, heldFrames: 2);
        rig.Receive(1, Start);
        rig.Receive(2, Start);
        Assert.True(rig.Rig.Sessions.Remove(Bench.Key));
        rig.Take(Start + TimeSpan.FromSeconds(1));
        Assert.Equal([], rig.Delivered);
        Assert.Equal(2, rig.Forwarder.Counters.Drops(DropReason.UnknownSession));
        Assert.Equal(Timestamp.Never, rig.Forwarder.NextDeadline);

        // The next session under the same ID begins at 0 and has the memory to itself.
        Assert.True(rig.Rig.Sessions.TryInstall(rig.Session));
        rig.Receive(2, Start);
        rig.Receive(1, Start);
        rig.Receive(0, Start);
        Assert.Equal([0, 1, 2], rig.Delivered);
    }

    [Fact]
    public void Whatever_comes_leaves_in_order_once_and_soon()
    {
        for (ulong seed = 1; seed <= 40; seed++)
        {
            var random = new SeededRandom(seed);
            var rig = new SequencedRig(new ReorderLimits { Frames = 8, Patience = Patience }, heldFrames: 6);
            Timestamp now = Start;
            var cameAt = new Dictionary<int, Timestamp>();
            int next = 0;
            for (int i = 0; i < 1500; i++)
            {
                next += random.NextBelow(20) == 0 ? random.NextBelow(12) : 1;
                int ns = Math.Max(0, next - random.NextBelow(6));
                cameAt.TryAdd(ns, now);
                int before = rig.Delivered.Count;
                rig.Receive((ushort)ns, now);
                now += TimeSpan.FromMilliseconds(random.NextBelow(20));
                rig.Take(now);
                Assert.All(rig.Delivered.Skip(before), n => Assert.True(now - cameAt[n] <= Patience + TimeSpan.FromMilliseconds(20)));
                Assert.True(rig.Forwarder.NextDeadline > now);
            }

            rig.Take(now + Patience);
            Assert.Equal(Timestamp.Never, rig.Forwarder.NextDeadline);
            Assert.All(rig.Delivered.Zip(rig.Delivered.Skip(1)), pair => Assert.True(pair.First < pair.Second));
            Assert.True(rig.Rig.Sessions.TryReadSequencing(Bench.Key, out SequenceCounters counters));
            Assert.Equal(rig.Delivered[^1] + 1, rig.Delivered.Count + counters.Lost);
            Assert.Equal(1500, rig.Delivered.Count + counters.Late + counters.Duplicates);
        }
    }

    private static byte[] Packet(int ns, int size = 4)
    {
        byte[] payload = new byte[size];
        payload[0] = (byte)(ns >> 8);
        payload[1] = (byte)ns;
        return Bench.IPv4(Bench.Subscriber, Bench.Server, 17, payload);
    }

    /// <summary>A session that orders, and the numbers of what left it: each packet says its own in its payload.</summary>
    private sealed class SequencedRig
    {
        public SequencedRig(ReorderLimits limits, int heldFrames = 4096)
        {
            Session = Bench.Session() with { Policies = SessionPolicies.OrderSequenced, Reorder = limits };
            Rig = new Rig(Session, new ForwarderOptions { HeldFrames = heldFrames });
        }

        public Rig Rig { get; }

        public SessionForwarding Session { get; }

        public Forwarder Forwarder => Rig.Forwarder;

        public List<int> Delivered { get; } = [];

        public void Receive(ushort ns, Timestamp now, ushort session = Bench.LocalSession, int size = 4)
        {
            byte[] frame = Bench.Frame(Bench.Ppp(Packet(ns, size)), sequence: true, ns: ns, session: session);
            Note(frame, Forwarder.Decapsulate(frame, Bench.Path, 0, now));
            Assert.True(Forwarder.HasHeldToTake || !Forwarder.TryTakeHeld(now - TimeSpan.FromSeconds(1), out _, out _));
            Take(now);
        }

        public void Take(Timestamp now)
        {
            while (Forwarder.TryTakeHeld(now, out Span<byte> frame, out Verdict verdict))
            {
                Note(frame, verdict);
            }
        }

        public string Counters()
        {
            Assert.True(Rig.Sessions.TryReadSequencing(Bench.Key, out SequenceCounters c));
            return $"{c.Lost} {c.Late} {c.Duplicates} {c.Reordered}";
        }

        private void Note(ReadOnlySpan<byte> frame, in Verdict verdict)
        {
            if (verdict.Kind == VerdictKind.Deliver)
            {
                Delivered.Add((frame[verdict.Offset + 20] << 8) | frame[verdict.Offset + 21]);
            }
        }
    }
}
