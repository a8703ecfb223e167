using System.Text;
using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Wire;

public sealed class TunnelAuthenticationTests
{
    private static readonly byte[] Challenge = Hex.Parse("0102030405060708090a0b0c0d0e0f10");

    [Theory]
    [InlineData(MessageType.Sccrp, "dfd934081c6f09adac024836efa8a7c1")]
    [InlineData(MessageType.Scccn, "5de558f8cee2e6548d3b23f99f285572")]
    public void The_response_is_MD5_over_message_type_secret_and_challenge(MessageType carrier, string expected)
    {
        byte[] response = new byte[TunnelAuthentication.ResponseSize];
        TunnelAuthentication.ComputeResponse(carrier, Encoding.ASCII.GetBytes(GoldenPackets.Secret), Challenge, response);

        Assert.Equal(Hex.Parse(expected), response);
        Assert.True(TunnelAuthentication.Verify(carrier, Encoding.ASCII.GetBytes(GoldenPackets.Secret), Challenge, response));
    }

    // What l2tpns and xl2tpd computed themselves, from the captures.
    [Theory]
    [InlineData(MessageType.Sccrp, "e07ed2dba52274af6f0b6a69c7352fc7", "8e98e7e8d31fbcd8aa2c2e18fab0dc8b")]
    [InlineData(MessageType.Scccn, "2658a210320d2002b62da75b5c040899", "54e8efee146a6f59ddd873af3a5e66d3")]
    [InlineData(MessageType.Sccrp, "08364f6031253b383f22e20dbb3f4da4", "89930800779a07f0d7c0a5768dc6cbb8")]
    [InlineData(MessageType.Scccn, "65aebae116087f2b9e78d1e0500ebc6f", "c60b025988474c12071bc19fff027a77")]
    public void Real_peers_compute_the_same(MessageType carrier, string challenge, string response) =>
        Assert.True(TunnelAuthentication.Verify(carrier, "s3kr1t"u8, Hex.Parse(challenge), Hex.Parse(response)));

    [Fact]
    public void A_wrong_message_secret_length_or_octet_is_refused()
    {
        byte[] secret = Encoding.ASCII.GetBytes(GoldenPackets.Secret);
        byte[] response = new byte[TunnelAuthentication.ResponseSize];
        TunnelAuthentication.ComputeResponse(MessageType.Sccrp, secret, Challenge, response);

        Assert.False(TunnelAuthentication.Verify(MessageType.Scccn, secret, Challenge, response));
        Assert.False(TunnelAuthentication.Verify(MessageType.Sccrp, "another"u8, Challenge, response));
        Assert.False(TunnelAuthentication.Verify(MessageType.Sccrp, secret, Challenge, response.AsSpan(0, 15)));
        Assert.False(TunnelAuthentication.Verify(MessageType.Sccrp, secret, Challenge, default));
        response[15] ^= 1;
        Assert.False(TunnelAuthentication.Verify(MessageType.Sccrp, secret, Challenge, response));
    }
}
