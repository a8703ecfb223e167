using System.Buffers.Binary;
using Culvert.Core;
using Culvert.L2tp;
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
        int depth = decisions.Below(5) switch { 0 => 0, 1 => 1, 2 => 8, 3 => 64, _ => 1024 };
        var buffer = new DataReorderBuffer(depth, Patience);
        ushort sent = decisions.Word();
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
                buffer.Advance(now);
            }
            else
            {
                sent = (ushort)(what == 14 ? decisions.Word() : sent + decisions.Below(24) - 4);
                messages++;
                BinaryPrimitives.WriteUInt16BigEndian(frame, sent);
                DataVerdict verdict = buffer.Receive(sent, frame, now);
                story?.Tell($"{now}: Ns {sent}: {verdict}");
                if (verdict == DataVerdict.Deliver)
                {
                    taken++;
                    NoteDelivered(ref last, sent);
                }
            }

            while (buffer.TryTake(now, out byte[] held))
            {
                taken++;
                ushort ns = BinaryPrimitives.ReadUInt16BigEndian(held);
                story?.Tell($"{now}: Ns {ns} after waiting");
                NoteDelivered(ref last, ns);
            }

            DataSequenceCounters counters = buffer.Counters;
            Must(buffer.Count <= depth, $"{buffer.Count} wait, {depth} may");
            Must(buffer.Count == 0 ? buffer.NextDeadline == Timestamp.Never : buffer.NextDeadline > now || what != 15, $"{buffer.Count} wait until {buffer.NextDeadline}");
            Must(taken + counters.Late + buffer.Count == messages, $"of {messages} messages {taken} were delivered, {counters.Late} late, {buffer.Count} wait");
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
