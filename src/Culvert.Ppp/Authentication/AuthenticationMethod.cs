namespace Culvert.Ppp.Authentication;

/// <summary>How one end of a link proves who it is.</summary>
public enum AuthenticationMethod : byte
{
    /// <summary>Password in clear (RFC 1334).</summary>
    Pap,

    /// <summary>Challenge and MD5 digest (RFC 1994).</summary>
    ChapMd5,

    /// <summary>Challenges in both directions over the NT password hash (RFC 2759).</summary>
    MsChapV2,
}

/// <summary>What LCP and the frame demultiplexer need to know of a method.</summary>
public static class AuthenticationMethods
{
    /// <summary>PPP protocol number of PAP.</summary>
    public const ushort PapProtocol = 0xC023;

    /// <summary>PPP protocol number of CHAP in all its kinds.</summary>
    public const ushort ChapProtocol = 0xC223;

    // The data of LCP option 3: protocol, then for CHAP the algorithm (RFC 1334 section 2.1, RFC 1994 section 3, RFC 2759 section 2).
    private static ReadOnlySpan<byte> PapOption => [0xC0, 0x23];

    private static ReadOnlySpan<byte> ChapMd5Option => [0xC2, 0x23, 0x05];

    private static ReadOnlySpan<byte> MsChapV2Option => [0xC2, 0x23, 0x81];

    /// <summary>PPP protocol number of the frames that carry this method.</summary>
    public static ushort ProtocolNumber(this AuthenticationMethod method) =>
        method == AuthenticationMethod.Pap ? PapProtocol : ChapProtocol;

    /// <summary>Data of LCP's Authentication-Protocol option, after its type and length octets.</summary>
    public static ReadOnlySpan<byte> OptionData(this AuthenticationMethod method) => method switch
    {
        AuthenticationMethod.Pap => PapOption,
        AuthenticationMethod.ChapMd5 => ChapMd5Option,
        _ => MsChapV2Option,
    };

    /// <summary>Reads what <see cref="OptionData"/> gives; false for anything that is not implemented (EAP, MS-CHAP v1).</summary>
    public static bool TryFromOptionData(ReadOnlySpan<byte> data, out AuthenticationMethod method)
    {
        for (method = AuthenticationMethod.Pap; method <= AuthenticationMethod.MsChapV2; method++)
        {
            if (data.SequenceEqual(method.OptionData()))
            {
                return true;
            }
        }

        method = default;
        return false;
    }

    /// <summary>The name that people use: "PAP", "CHAP-MD5", "MS-CHAPv2".</summary>
    public static string DisplayName(this AuthenticationMethod method) => method switch
    {
        AuthenticationMethod.Pap => "PAP",
        AuthenticationMethod.ChapMd5 => "CHAP-MD5",
        _ => "MS-CHAPv2",
    };
}
