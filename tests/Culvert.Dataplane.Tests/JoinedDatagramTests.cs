using Culvert.Core;

namespace Culvert.Dataplane.Tests;

/// <summary>Datagrams that came joined are handled faster than alone, and in no way differently.</summary>
public class JoinedDatagramTests
{
    private const int Groups = 30_000;
    private const int LongestGroup = 12;

    public static TheoryData<string> Sessions => [.. Variants.Keys];

    private static Dictionary<string, Func<SessionForwarding, SessionForwarding>> Variants { get; } = new()
    {
        ["plain"] = s => s,
        ["clamped"] = s => s with { MssIPv4 = 1300, MssIPv6 = 1280 },
        ["limited"] = s => s with { ReceiveLimit = 90 },
        ["follows the peer"] = s => s with { Policies = SessionPolicies.FollowPeer },
        ["takes any source"] = s => s with { Policies = SessionPolicies.AnySource, MssIPv4 = 1300, MssIPv6 = 1280 },
        ["orders"] = s => s with { Policies = SessionPolicies.OrderSequenced },
        ["follows sequencing"] = s => s with { Policies = SessionPolicies.FollowSequencing },
        ["propagates marks"] = s => s with { Marking = new TrafficMarking(0, propagateEcn: true) },
        ["is not up"] = s => s with { State = SessionState.Pending },
    };

    [Theory, MemberData(nameof(Sessions))]
    public void They_fare_as_they_would_alone(string session)
    {
        Rig together = Make(session);
        Rig alone = Make(session);
        var random = new SeededRandom((ulong)session.Length);
        int repeated = 0;
        for (int group = 0; group < Groups; group++)
        {
            UdpPath path = Below(random, 8) == 0 ? Bench.OtherPath : Bench.Path;
            byte trafficClass = (byte)Below(random, 4);
            var now = Timestamp.FromMilliseconds(group * 10);
            byte[] next = Draw(random);
            byte[] before = [];
            for (int i = Below(random, LongestGroup); i >= 0; i--)
            {
                byte[] here = [.. next];
                byte[] there = [.. next];
                Verdict verdict = together.Forwarder.Decapsulate(here, path, trafficClass, now, before);
                Verdict expected = alone.Forwarder.Decapsulate(there, path, trafficClass, now);
                Assert.True(Facts(expected) == Facts(verdict), $"{expected}, not {verdict}: {Convert.ToHexString(next)} after {Convert.ToHexString(before)}");
                Assert.Equal(there, here);
                repeated += verdict.Kind == VerdictKind.Deliver && before.AsSpan().SequenceEqual(next) ? 1 : 0;
                Release(together, alone, now);
                before = here;
                next = Vary(next, random);
            }
        }

        Assert.Equal(Facts(alone.Counters()), Facts(together.Counters()));
        Assert.All(Enum.GetValues<DropReason>(), r => Assert.Equal(alone.Forwarder.Counters.Drops(r), together.Forwarder.Counters.Drops(r)));
        Assert.Equal(session == "is not up", repeated == 0);
    }

    [Fact]
    public void What_a_stranger_sends_after_the_peer_gets_nowhere()
    {
        var rig = new Rig();
        byte[] frame = Bench.Frame(Bench.Ppp(Bench.IPv4(Bench.Subscriber, Bench.Server, 17, new byte[30])));
        Assert.Equal(VerdictKind.Deliver, rig.Forwarder.Decapsulate([.. frame], Bench.Path).Kind);
        Assert.Equal(DropReason.WrongPath, rig.Forwarder.Decapsulate([.. frame], Bench.OtherPath).Reason);
        Assert.Equal(DropReason.WrongPath, rig.Forwarder.Decapsulate([.. frame], Bench.OtherPath, before: frame).Reason);
        Assert.Equal(1, rig.Counters().PacketsReceived);
    }

    [Fact]
    public void Any_octets_of_any_size_can_be_looked_at_beforehand()
    {
        var rig = new Rig();
        byte[] frame = Bench.Frame(Bench.Ppp(Bench.IPv4(Bench.Subscriber, Bench.Server, 17, new byte[30])), length: true);
        byte[] joined = [.. frame, .. frame, .. Bench.Random(1, 4000), .. frame[..5]];
        for (int size = 1; size < 100; size++)
        {
            rig.Forwarder.Prefetch(joined, size);
            rig.Forwarder.Prefetch(joined.AsSpan(0, size), size);
        }

        rig.Forwarder.Prefetch([], 1);
        Assert.Equal(VerdictKind.Deliver, rig.Forwarder.Decapsulate(frame, Bench.Path).Kind);
    }

    [Fact]
    public void Any_packets_for_any_session_or_none_can_be_looked_at_beforehand()
    {
        var rig = new Rig();
        byte[] known = Bench.IPv4(Bench.Server, Bench.Subscriber, 17, new byte[30]);
        byte[] unknown = Bench.IPv4(Bench.Subscriber, Bench.Server, 17, new byte[30]);
        byte[] memory = [.. known, .. unknown, .. Bench.IPv6(Bench.Server6, Bench.Subscriber6, 17, new byte[30]), .. Bench.Random(1, 2000)];
        var random = new SeededRandom(3);
        for (int round = 0; round < 1000; round++)
        {
            var packets = new BufferRange[Below(random, 100)];
            for (int i = 0; i < packets.Length; i++)
            {
                int start = Below(random, 4) == 0 ? Below(random, memory.Length) : Below(random, 4) * known.Length;
                packets[i] = new BufferRange(start, Below(random, memory.Length - start + 1));
            }

            rig.Forwarder.Prefetch(memory, packets);
        }

        Assert.Equal(0, rig.Counters().PacketsSent + rig.Counters().PacketsReceived);
    }

    private static Rig Make(string session) => new(Variants[session](Bench.Session()));

    private static byte[] Draw(SeededRandom random)
    {
        byte flags = (byte)(Below(random, 4) == 0 ? 0x02 : 0x10);
        byte[] payload = Bench.Random(random.NextUInt16(), Below(random, 60));
        byte[] packet = Below(random, 8) switch
        {
            0 => Bench.IPv4(Bench.Subscriber, Bench.Server, 17, payload),
            1 => Bench.IPv6(Bench.Subscriber6, Bench.Server6, 17, payload),
            2 => Bench.IPv6(Bench.Subscriber6, Bench.Server6, 6, Bench.Tcp(Bench.Subscriber6, Bench.Server6, flags, Bench.Hex("020405B4"))),
            3 => Bench.IPv6(
                Bench.Subscriber6, Bench.Server6, 0, [6, 0, 0, 0, 0, 0, 0, 0, .. Bench.Tcp(Bench.Subscriber6, Bench.Server6, flags, Bench.Hex("020405B4"))]),
            4 => Bench.IPv4(Bench.Subscriber, Bench.Server, 47, payload),
            5 => Bench.IPv4(Bench.Subscriber, IpAddress.Parse("255.255.255.255"), 17, [0, 68, 0, 67, .. payload]),
            _ => Bench.IPv4(Bench.Subscriber, Bench.Server, 6, Bench.Tcp(Bench.Subscriber, Bench.Server, flags, Bench.Hex("020405B4"))),
        };
        packet[1] |= (byte)(Below(random, 4) << (packet[0] >> 4 == 6 ? 4 : 0)); // ECN
        return Bench.Frame(
            Bench.Ppp(packet, Below(random, 2) == 0, Below(random, 2) == 0), length: Below(random, 2) == 0, sequence: Below(random, 4) == 0,
            offset: Below(random, 6) == 0 ? Below(random, 4) : -1, ns: (ushort)Below(random, 4));
    }

    // Mostly the same again or with a few octets changed, as in a flow; sometimes shorter, sometimes something else.
    private static byte[] Vary(byte[] frame, SeededRandom random)
    {
        switch (Below(random, 10))
        {
            case 0:
                return Draw(random);
            case 1:
                return frame[..Math.Max(1, frame.Length - Below(random, 4))];
            case < 5:
                return frame;
            default:
                byte[] varied = [.. frame];
                for (int i = Below(random, 3); i >= 0; i--)
                {
                    varied[Below(random, Math.Min(64, varied.Length))] ^= (byte)(1 << Below(random, 8));
                }

                return varied;
        }
    }

    private static void Release(Rig together, Rig alone, Timestamp now)
    {
        while (alone.Forwarder.HasHeldToTake)
        {
            bool isTaken = alone.Forwarder.TryTakeHeld(now, out _, out Verdict expected);
            Assert.Equal(isTaken, together.Forwarder.TryTakeHeld(now, out _, out Verdict verdict));
            Assert.Equal(Facts(expected), Facts(verdict));
        }
    }

    private static int Below(SeededRandom random, int limit) => random.NextUInt16() % limit;

    private static (long PacketsReceived, long OctetsReceived, long Drops) Facts(in SessionCounters c) => (c.PacketsReceived, c.OctetsReceived, c.DropsTotal);

    private static (VerdictKind Kind, DropReason Reason, bool Moved, bool Sequencing, bool HasNs, ushort Ns, int Offset, int Length, SessionKey Session) Facts(
        in Verdict v) => (v.Kind, v.Reason, v.PathChanged, v.SequencingChanged, v.HasSequence, v.Ns, v.Offset, v.Length, v.Session);
}
