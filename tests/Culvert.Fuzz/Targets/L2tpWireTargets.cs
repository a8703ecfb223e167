using System.Text;
using Culvert.L2tp.Wire;
using static Culvert.Fuzz.Claim;

namespace Culvert.Fuzz.Targets;

/// <summary>A datagram's L2TP header: what is read can be written, and reads the same again.</summary>
internal sealed class L2tpHeaderTarget : FuzzTarget
{
    private readonly byte[] _again = new byte[1 << 16];

    public override string Name => "l2tp-header";

    public override string Description => "a datagram; its L2TP header written and read again";

    public override int MaximumLength => 256;

    public override long AllocationLimit => 0;

    public override IEnumerable<byte[]> Seeds() => Transcripts.Datagrams;

    public override IEnumerable<byte[]> Import(ReadOnlyMemory<byte> datagram) => [datagram.ToArray()];

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        bool isRead = L2tpHeader.TryRead(input, out L2tpHeader header, out L2tpHeaderFault fault);
        story?.Tell(isRead ? L2tpPrinter.ToLine(input) : $"refused: {fault}");
        Must(isRead == (fault == L2tpHeaderFault.None), "a fault, and read all the same");
        if (!isRead)
        {
            return 1;
        }

        Must(header.PayloadStart <= header.PayloadEnd && header.PayloadEnd <= input.Length, "the payload is not in the datagram");
        Must(header.TryWrite(_again, out int written) && written == header.PayloadStart, "the header is not written as long as it was read");
        Must(L2tpHeader.TryRead(_again.AsSpan(0, header.PayloadEnd), out L2tpHeader again), "what was written cannot be read");
        Must(
            again.Flags == header.Flags && again.Length == header.Length && again.TunnelId == header.TunnelId
                && again.SessionId == header.SessionId && again.Ns == header.Ns && again.Nr == header.Nr
                && again.OffsetSize == header.OffsetSize && again.PayloadStart == header.PayloadStart && again.PayloadEnd == header.PayloadEnd,
            "written and read again it is another header");
        return 1;
    }
}

/// <summary>The body of a control message, in clear and with hidden AVPs, asked for every kind of value, and written again.</summary>
internal sealed class L2tpMessageTarget : FuzzTarget
{
    private static readonly byte[] Secret = Encoding.ASCII.GetBytes(Transcripts.Secret);

    private readonly byte[] _scratch = new byte[1 << 16];
    private readonly byte[] _again = new byte[1 << 16];

    public override string Name => "l2tp-message";

    public override string Description => "a control message's body, with and without a secret; all values asked for; written again";

    public override IEnumerable<byte[]> Seeds() => Transcripts.Datagrams.SelectMany(d => Import(d));

    public override IReadOnlyList<byte[]> Words => L2tpSurgeon.AvpHeaders;

    public override IEnumerable<byte[]> Import(ReadOnlyMemory<byte> datagram) =>
        L2tpHeader.TryRead(datagram.Span, out L2tpHeader header) && header is { IsControl: true, PayloadLength: > 0 }
            ? [[0, .. datagram.Span[header.PayloadStart..header.PayloadEnd]], [1, .. datagram.Span[header.PayloadStart..header.PayloadEnd]]]
            : [];

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        if (input.IsEmpty)
        {
            return 1;
        }

        ReadOnlySpan<byte> secret = (input[0] & 1) != 0 ? Secret : default;
        ReadOnlySpan<byte> body = input[1..];
        bool isRead = ControlMessage.TryRead(body, secret, _scratch, out ControlMessage message);
        story?.Tell($"{message.Type.Name()}: {message.Fault} {message.AvpFault} {message.HidingFault}, {message.AvpCount} AVPs");
        Must(isRead == (message.Fault == ControlMessageFault.None), "a fault, and read all the same");
        AskAll(message);
        if (isRead && message.HiddenCount == 0)
        {
            WriteAgain(message, body);
        }

        return 1;
    }

    private static void AskAll(in ControlMessage message)
    {
        _ = message.TryFindMissing(out _);
        _ = message.TryGetAccm(out _, out _);
        if (message.TryGetResultCode(out ResultCodeValue code))
        {
            _ = (code.Error, code.Message.Length);
        }

        int count = 0;
        foreach (Avp avp in message)
        {
            count++;
            bool isFound = message.TryGetBytes(avp.Id, out ReadOnlySpan<byte> value);
            Must(!isFound || value.Length <= Avp.MaximumValueSize, "a value is longer than an AVP can be");
            switch (value.Length)
            {
                case 2:
                    Must(message.TryGetUInt16(avp.Id, out _), "a number of 16 bits is not found");
                    break;
                case 4:
                    Must(message.TryGetUInt32(avp.Id, out _), "a number of 32 bits is not found");
                    break;
                case 8:
                    Must(message.TryGetUInt64(avp.Id, out _), "a number of 64 bits is not found");
                    break;
            }

            if (count == 4)
            {
                return; // each look walks from the front
            }
        }
    }

    private void WriteAgain(in ControlMessage message, ReadOnlySpan<byte> body)
    {
        var writer = new ControlMessageWriter(_again, message.Type, 0, message.IsTypeMandatory);
        bool isFirst = true;
        foreach (Avp avp in message)
        {
            if (avp.HasReservedBits)
            {
                return; // never written
            }

            if (!isFirst)
            {
                writer.WriteAvp(avp.Id, avp.Value, avp.IsMandatory);
            }

            isFirst = false;
        }

        Must(writer.TryFinish(out int length), "what was read cannot be written");
        Must(_again.AsSpan(L2tpHeader.ControlSize..length).SequenceEqual(body), "written again it is another message");
    }
}

/// <summary>Hidden AVPs: any octets revealed, and any value hidden and revealed.</summary>
internal sealed class AvpHidingTarget : FuzzTarget
{
    private readonly byte[] _hidden = new byte[2048];
    private readonly byte[] _clear = new byte[2048];

    public override string Name => "avp-hiding";

    public override string Description => "type, secret, random vector and value: revealed as they are, and hidden and revealed";

    public override int MaximumLength => 96;

    public override IEnumerable<byte[]> Seeds() => [[0, 7, 4, 1, 2, 3, 4, 16, .. new byte[16], .. "hidden"u8], [0, 21, 1, 9, 2, 8, 8, .. new byte[40]]];

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        var decisions = new Decisions(input);
        ushort type = decisions.Word();
        ReadOnlySpan<byte> secret = decisions.Octets(31);
        ReadOnlySpan<byte> vector = decisions.Octets(31);
        ReadOnlySpan<byte> value = decisions.Rest;
        AvpHidingFault fault = AvpHiding.Unhide(value, type, secret, vector, _clear, out ReadOnlySpan<byte> revealed);
        story?.Tell($"type {type}, secret of {secret.Length}, vector of {vector.Length}, {value.Length} octets: {fault}");
        Must(fault != AvpHidingFault.None || revealed.Length + AvpHiding.LengthSize <= value.Length, "more was revealed than was hidden");
        if (secret.IsEmpty || vector.IsEmpty)
        {
            return 1;
        }

        int whole = AvpHiding.LengthSize + value.Length;
        (_hidden[0], _hidden[1]) = ((byte)(value.Length >> 8), (byte)value.Length);
        value.CopyTo(_hidden.AsSpan(AvpHiding.LengthSize));
        AvpHiding.Hide(_hidden.AsSpan(0, whole), type, secret, vector);
        fault = AvpHiding.Unhide(_hidden.AsSpan(0, whole), type, secret, vector, _clear, out revealed);
        Must(fault == AvpHidingFault.None && revealed.SequenceEqual(value), "what was hidden is not what is revealed");
        return 1;
    }
}

/// <summary>Any datagram in words, on one line and on many.</summary>
internal sealed class L2tpPrinterTarget : FuzzTarget
{
    private readonly StringBuilder _text = new();

    public override string Name => "l2tp-printer";

    public override string Description => "a datagram in words: printable, on one line, and not too many of them";

    public override IEnumerable<byte[]> Seeds() => Transcripts.Datagrams;

    public override IReadOnlyList<byte[]> Words => L2tpSurgeon.AvpHeaders;

    public override IEnumerable<byte[]> Import(ReadOnlyMemory<byte> datagram) => [datagram.ToArray()];

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        L2tpPrinter.AppendLine(_text.Clear(), input);
        CheckPrinted(_text, isOneLine: true, 3 * L2tpPrinter.MaximumCharacters);
        story?.Tell(_text.ToString());
        L2tpPrinter.AppendVerbose(_text.Clear(), input);
        CheckPrinted(_text, isOneLine: false, 3 * L2tpPrinter.MaximumCharacters);
        return 1;
    }

    internal static void CheckPrinted(StringBuilder text, bool isOneLine, int most)
    {
        Must(text.Length <= most, $"{text.Length} characters were printed");
        foreach (ReadOnlyMemory<char> chunk in text.GetChunks())
        {
            foreach (char c in chunk.Span)
            {
                Must(c >= ' ' && c is not ('\x7F' or '\u2028' or '\u2029' or '\u202E') || (c == '\n' && !isOneLine), $"character {(int)c:x4} was printed");
            }
        }
    }
}
