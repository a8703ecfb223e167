using System.Buffers.Binary;
using Culvert.Core;
using Culvert.Dataplane;
using static Culvert.Fuzz.Claim;

namespace Culvert.Fuzz.Targets;

/// <summary>Sequenced data in any order: each message is delivered at most once, in order, and not kept for ever.</summary>
internal sealed class DataReorderTarget : FuzzTarget
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(100);

    public override string Name => "data-reorder";

    public override string Description => "sequence numbers of data messages in any order, and time; nothing delivered twice or out of order";

    public override int MaximumLength => 400;

    public override IEnumerable<byte[]> Seeds()
    {
        for (int depth = 0; depth < 4; depth++)
        {
            yield return [(byte)depth, 0, 0, .. Enumerable.Range(0, 60).SelectMany(i => new byte[] { (byte)(i % 11), (byte)((i * 7 % 13) + 1) })];
        }
    }

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        var decisions = new Decisions(input);
        int depth = decisions.Below(5) switch { 0 => 0, 1 => 1, 2 => 8, 3 => 64, _ => ReorderLimits.MostFrames };
        var buffer = new Reorderer(frames: 48); // fewer than some sessions may have, so that the memory runs out too
        ushort sent = decisions.Word();
        var window = new SequenceWindow(new SessionKey(1, 1), new ReorderLimits { Frames = depth, Patience = Patience }, sent);
        Timestamp now = Timestamp.FromMilliseconds(1);
        ushort? last = null;
        int messages = 0;
        long taken = 0;
        Span<byte> frame = stackalloc byte[4];
        while (!decisions.IsOver && messages < 200)
        {
            int what = decisions.Below(16);
            if (what == 15)
            {
                now += TimeSpan.FromMilliseconds(decisions.Octet());
            }
            else
            {
                sent = (ushort)(what == 14 ? decisions.Word() : sent + decisions.Below(24) - 4);
                messages++;
                BinaryPrimitives.WriteUInt16BigEndian(frame, sent);
                bool isBehind = window.Ahead(sent) < 0;
                SequenceVerdict verdict = buffer.Receive(window, sent, frame, 0, now);
                story?.Tell($"{now}: Ns {sent}: {verdict}");
                if (verdict == SequenceVerdict.Deliver)
                {
                    // A peer that has begun anew is followed.
                    last = isBehind ? null : last;
                    taken++;
                    NoteDelivered(ref last, sent);
                }
            }

            while (buffer.TryTake(now, out Span<byte> held, out _))
            {
                taken++;
                ushort ns = BinaryPrimitives.ReadUInt16BigEndian(held);
                story?.Tell($"{now}: Ns {ns} after waiting");
                NoteDelivered(ref last, ns);
            }

            SequenceCounters counters = window.Counters;
            Must(buffer.Count == window.Count && buffer.Count <= depth, $"{buffer.Count} wait, {depth} may");
            Must(buffer.Count == 0 ? buffer.NextDeadline == Timestamp.Never : buffer.NextDeadline > now || what != 15, $"{buffer.Count} wait until {buffer.NextDeadline}");
            Must(
                taken + counters.Late + counters.Duplicates + buffer.Count == messages,
                $"of {messages} messages {taken} were delivered, {counters.Late} late, {counters.Duplicates} duplicates, {buffer.Count} wait");
            Must(counters.Lost >= 0 && counters.Reordered <= taken, "the counters lie");
        }

        return messages;
    }

    private static void NoteDelivered(ref ushort? last, ushort ns)
    {
        Must(last is not { } before || (short)(ns - before) > 0 || (ushort)(ns - before) == 0x8000, $"Ns {ns} is delivered after {last}");
        last = ns;
    }
}
