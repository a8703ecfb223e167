using System.Buffers.Binary;
using System.Text;
using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Wire;

public sealed class MalformedInputTests
{
    private const int MutationsPerPacket = 100_000;

    // Two of so many are printed, one with the repaired header and one without: printing costs ten times what parsing does.
    private const int PrintEvery = 8;
    private const int LongestText = L2tpPrinter.MaximumCharacters + 2000;

    private static readonly byte[] Secret = Encoding.ASCII.GetBytes(GoldenPackets.Secret);

    private readonly byte[] _scratch = new byte[Mutator.MaximumLength];
    private readonly StringBuilder _text = new();

    [Theory]
    [MemberData(nameof(GoldenPackets.Names), MemberType = typeof(GoldenPackets))]
    public void Truncations_are_refused_or_read_without_harm(string name)
    {
        foreach (byte[] cut in Mutator.Truncations(GoldenPackets.All[name]))
        {
            FeedParsers(cut);
            FeedPrinter(cut, verbose: true);
            if (cut.Length > 1 && (cut[0] & 0x40) != 0)
            {
                Assert.False(L2tpHeader.TryRead(cut, out _));
            }
        }
    }

    [Theory]
    [MemberData(nameof(GoldenPackets.Names), MemberType = typeof(GoldenPackets))]
    public void Mutations_never_throw_and_print_within_bounds(string name)
    {
        byte[][] others = [.. GoldenPackets.All.Values];
        byte[] packet = GoldenPackets.All[name];
        var mutator = new Mutator((ulong)name.Sum(letter => letter * 31L));
        for (int i = 0; i < MutationsPerPacket; i++)
        {
            byte[] mutated = mutator.Mutate(packet, others[i % others.Length]);
            if (i % 2 == 0)
            {
                RepairHeader(mutated);
            }

            FeedParsers(mutated);
            if (i % PrintEvery < 2)
            {
                FeedPrinter(mutated, verbose: i % (4 * PrintEvery) < 2);
            }
        }
    }

    // Most mutations break the header, and then nothing behind it is reached: half of them get a header that fits.
    private static void RepairHeader(byte[] packet)
    {
        if (packet.Length >= L2tpHeader.ControlSize)
        {
            BinaryPrimitives.WriteUInt16BigEndian(packet, 0xC802);
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
        }
    }

    private void FeedParsers(byte[] datagram)
    {
        if (L2tpHeader.TryRead(datagram, out L2tpHeader header))
        {
            if (header.PayloadStart < L2tpHeader.MinimumSize || header.PayloadStart > header.PayloadEnd ||
                header.PayloadEnd > datagram.Length)
            {
                Assert.Fail($"payload {header.PayloadStart}..{header.PayloadEnd} of {datagram.Length}");
            }

            FeedBody(datagram.AsSpan(header.PayloadStart..header.PayloadEnd));
        }
    }

    private void FeedPrinter(byte[] datagram, bool verbose)
    {
        _text.Clear();
        L2tpPrinter.AppendLine(_text, datagram);
        CheckText(isLine: true);
        if (verbose)
        {
            _text.Clear();
            L2tpPrinter.AppendVerbose(_text, datagram);
            CheckText(isLine: false);
        }
    }

    private void FeedBody(ReadOnlySpan<byte> body)
    {
        _ = ControlMessage.TryRead(body, Secret, _scratch, out ControlMessage message);
        _ = message.TryFindMissing(out _);
        _ = message.TryGetResultCode(out _);
        _ = message.TryGetAccm(out _, out _);
        _ = message.TryGetText(AvpType.HostName, out _);
        _ = message.TryGetUInt16(AvpType.AssignedTunnelId, out _);
        int octets = 0;
        foreach (Avp avp in message)
        {
            octets += avp.Whole.Length;
        }

        if (octets > body.Length || message.AvpCount > AvpReader.MaximumPerMessage)
        {
            Assert.Fail($"{octets} octets of AVPs out of {body.Length}");
        }

        // Without the secret and without room, too.
        _ = ControlMessage.TryRead(body, out _);
    }

    private void CheckText(bool isLine)
    {
        if (_text.Length > LongestText)
        {
            Assert.Fail($"{_text.Length} characters");
        }

        foreach (ReadOnlyMemory<char> chunk in _text.GetChunks())
        {
            if (isLine ? chunk.Span.ContainsAnyInRange('\0', '\u001F') : chunk.Span.ContainsAnyInRange('\u000B', '\u001F'))
            {
                Assert.Fail("A control character got through.");
            }
        }
    }
}
