using System.Text;
using Culvert.Core;
using Culvert.L2tp.Wire;
using Culvert.Ppp.Authentication;
using Culvert.Ppp.Wire;
using static Culvert.Fuzz.Claim;

namespace Culvert.Fuzz.Targets;

/// <summary>A PPP frame: header, control packet, options; written and read again.</summary>
internal sealed class PppFrameTarget : FuzzTarget
{
    private readonly byte[] _again = new byte[4096];

    public override string Name => "ppp-frame";

    public override string Description => "a PPP frame, its control packet and options; written again";

    public override long AllocationLimit => 0;

    public override IEnumerable<byte[]> Seeds() => Transcripts.PppFrames;

    public override IEnumerable<byte[]> Import(ReadOnlyMemory<byte> datagram) => PppFramesOf(datagram);

    internal static IEnumerable<byte[]> PppFramesOf(ReadOnlyMemory<byte> datagram) =>
        L2tpHeader.TryRead(datagram.Span, out L2tpHeader header) && !header.IsControl
            ? [datagram[header.PayloadStart..header.PayloadEnd].ToArray()]
            : [];

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        story?.Tell(PppPrinter.Print(input));
        if (!PppFrame.TryRead(input, out PppProtocol protocol, out ReadOnlySpan<byte> information))
        {
            return 1;
        }

        var writer = new WireWriter(_again);
        PppFrame.WriteHeader(ref writer, protocol, new PppFraming((input[0] & 1) != 0, (input[^1] & 1) != 0));
        if (ControlPacket.TryRead(information, out ControlPacket packet))
        {
            Must(packet.Data.Length + ControlPacket.HeaderLength + packet.Padding == information.Length, "octets of the packet are missing");
            int start = ControlPacket.Begin(ref writer, packet.Code, packet.Identifier);
            WriteOptions(ref writer, packet.Data);
            ControlPacket.Finish(ref writer, start);
            information = packet.Packet;
        }
        else
        {
            writer.WriteBytes(information);
        }

        Must(!writer.Overflowed, "what was read does not fit");
        Must(PppFrame.TryRead(writer.Written, out PppProtocol again, out ReadOnlySpan<byte> informationAgain), "what was written cannot be read");
        Must(again == protocol && informationAgain.SequenceEqual(information), "written and read again it is another frame");
        return 1;
    }

    private static void WriteOptions(ref WireWriter writer, ReadOnlySpan<byte> data)
    {
        int before = writer.Length;
        var list = new PppOptionList(data);
        while (list.MoveNext())
        {
            PppOption option = list.Current;
            bool isNumber = option.TryGetUInt16(out ushort word);
            bool isWide = option.TryGetUInt32(out uint number);
            Must(!(isNumber && isWide), "an option has two lengths");
            if (isNumber)
            {
                writer.WriteOption(option.Type, word);
            }
            else if (isWide)
            {
                writer.WriteOption(option.Type, number);
            }
            else
            {
                writer.WriteOption(option.Type, option.Data);
            }
        }

        Must(PppOptionList.IsSound(data) == list.Rest.IsEmpty, "the options are sound, and are not");
        writer.WriteBytes(list.Rest);
        Must(writer.Length - before == data.Length, "the options are not written as long as they were read");
    }
}

/// <summary>Any PPP frame in words.</summary>
internal sealed class PppPrinterTarget : FuzzTarget
{
    private readonly StringBuilder _text = new();

    public override string Name => "ppp-printer";

    public override string Description => "a PPP frame in words: printable, on one line, and not too many of them";

    public override IEnumerable<byte[]> Seeds() => Transcripts.PppFrames;

    public override IEnumerable<byte[]> Import(ReadOnlyMemory<byte> datagram) => PppFrameTarget.PppFramesOf(datagram);

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        PppPrinter.Print(_text.Clear(), input);
        story?.Tell(_text.ToString());
        L2tpPrinterTarget.CheckPrinted(_text, isOneLine: true, 1000 + (40 * input.Length));
        return 1;
    }
}

/// <summary>What authentication servers and peers write: MS-CHAPv2 messages, names, digests of wrong sizes.</summary>
internal sealed class AuthenticationTextTarget : FuzzTarget
{
    public override string Name => "authentication";

    public override string Description => "MS-CHAPv2 success and failure texts; names, challenges and responses of any size, checked against a password";

    public override int MaximumLength => 600;

    public override IReadOnlyList<byte[]> Words =>
        ["S="u8.ToArray(), " M="u8.ToArray(), "E=691"u8.ToArray(), " R=1"u8.ToArray(), " C="u8.ToArray(), " V=3"u8.ToArray(), "0123456789ABCDEF0123456789ABCDEF01234567"u8.ToArray()];

    public override IEnumerable<byte[]> Seeds() =>
    [
        [0, .. "S=407A5589115FD0D6209F510FE9C04566932CDA56 M=Welcome"u8],
        [1, .. "E=691 R=0 C=0123456789ABCDEF0123456789ABCDEF V=3 M=Authentication failure"u8],
        [2, 5, .. "alice"u8, 16, .. new byte[16], 49, .. new byte[49]],
        [3, 5, .. "alice"u8, 16, .. new byte[16], 16, .. new byte[16]],
        [4, 5, .. "alice"u8, 4, .. "pass"u8],
    ];

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        var decisions = new Decisions(input);
        int kind = decisions.Below(5);
        switch (kind)
        {
            case 0:
                bool isRead = AuthenticationVerdict.TryParseMsChapV2Success(decisions.Rest, out AuthenticationVerdict? success);
                Must(isRead == success is { IsAccepted: true, AuthenticatorResponse.Length: 20 }, "a success is none");
                story?.Tell($"{success}");
                break;
            case 1:
                AuthenticationVerdict failure = AuthenticationVerdict.ParseMsChapV2Failure(decisions.Rest);
                Must(!failure.IsAccepted, "a failure is none");
                story?.Tell($"{failure}");
                break;
            default:
                Check(ref decisions, kind, story);
                break;
        }

        return 1;
    }

    private static void Check(ref Decisions decisions, int kind, Story? story)
    {
        ReadOnlySpan<byte> name = decisions.Octets(255);
        ReadOnlySpan<byte> challenge = decisions.Octets(255);
        bool isMade = kind == 4
            ? AuthenticationRequest.TryCreatePap(7, name, challenge, out AuthenticationRequest? request)
            : AuthenticationRequest.TryCreateChap(kind == 2 ? AuthenticationMethod.MsChapV2 : AuthenticationMethod.ChapMd5, 7, name, challenge, decisions.Octets(255), out request);
        Must(isMade == request is not null, "a request is made, and is not there");
        if (request is not null)
        {
            story?.Tell($"{request}");
            AuthenticationVerdict verdict = request.Check(Transcripts.Password);
            Must(!verdict.IsAccepted || request.Method != AuthenticationMethod.Pap || challenge.SequenceEqual("correct-horse"u8), "a wrong password is accepted");
            L2tpPrinterTarget.CheckPrinted(new StringBuilder(request.ToString()), isOneLine: true, 1000);
        }
    }
}
