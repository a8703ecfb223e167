using System.Security.Cryptography;

namespace Culvert.L2tp.Wire;

/// <summary>The CHAP-like authentication of tunnel endpoints (RFC 2661 sections 4.4.3 and 5.1.1).</summary>
public static class TunnelAuthentication
{
    /// <summary>Octets of a Challenge Response AVP's value.</summary>
    public const int ResponseSize = MD5.HashSizeInBytes;

    /// <summary>Response = MD5(one octet of the Message Type that carries it + secret + challenge).</summary>
    /// <param name="carrier">The message that carries the response: SCCRP or SCCCN.</param>
    /// <param name="response">Room for <see cref="ResponseSize"/> octets.</param>
    public static void ComputeResponse(MessageType carrier, ReadOnlySpan<byte> secret, ReadOnlySpan<byte> challenge, Span<byte> response)
    {
        Span<byte> identifier = [(byte)carrier];
        AvpHiding.HashOf(response, identifier, secret, challenge);
    }

    /// <summary>True when <paramref name="response"/> answers the challenge; every wrong answer takes the same time.</summary>
    public static bool Verify(
        MessageType carrier, ReadOnlySpan<byte> secret, ReadOnlySpan<byte> challenge, ReadOnlySpan<byte> response)
    {
        Span<byte> expected = stackalloc byte[ResponseSize];
        ComputeResponse(carrier, secret, challenge, expected);
        bool same = CryptographicOperations.FixedTimeEquals(expected, response);
        CryptographicOperations.ZeroMemory(expected);
        return same;
    }
}
