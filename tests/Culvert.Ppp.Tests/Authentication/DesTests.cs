using System.Security.Cryptography;
using Culvert.Core;
using OwnDes = Culvert.Ppp.Authentication.Des;
using SystemDes = System.Security.Cryptography.DES;

namespace Culvert.Ppp.Tests.Authentication;

public class DesTests
{
    // Published vectors and, for the weak and semi-weak keys, values computed by another implementation.
    [Theory]
    [InlineData("133457799BBCDFF1", "0123456789ABCDEF", "85E813540F0AB405")]
    [InlineData("0123456789ABCDEF", "4E6F772069732074", "3FA40E8A984D4815")]
    [InlineData("7CA110454A1A6E57", "01A1D6D039776742", "690F5B0D9A26939B")]
    [InlineData("0101010101010101", "0000000000000000", "8CA64DE9C1B123A7")]
    [InlineData("0000000000000000", "0000000000000000", "8CA64DE9C1B123A7")]
    [InlineData("FFFFFFFFFFFFFFFF", "FFFFFFFFFFFFFFFF", "7359B2163E4EDC58")]
    [InlineData("FEFEFEFEFEFEFEFE", "0123456789ABCDEF", "6DCE0DC9006556A3")]
    [InlineData("1F1F1F1F0E0E0E0E", "0123456789ABCDEF", "DB958605F8C8C606")]
    [InlineData("E0E0E0E0F1F1F1F1", "0123456789ABCDEF", "EE600BC06FC9EF23")]
    [InlineData("01FE01FE01FE01FE", "0123456789ABCDEF", "8A76C7A4F16D47ED")]
    [InlineData("FE01FE01FE01FE01", "0123456789ABCDEF", "FE44E3310FD98327")]
    [InlineData("1FE01FE00EF10EF1", "0123456789ABCDEF", "7CCF66359F9DFC11")]
    public void Vectors(string key, string clear, string expected)
    {
        var cipher = new byte[OwnDes.BlockSize];
        OwnDes.Encrypt(Convert.FromHexString(key), Convert.FromHexString(clear), cipher);
        Assert.Equal(expected, Convert.ToHexString(cipher));
    }

    // A weak key is its own inverse (FIPS 74 section 3.6): encrypting twice gives the block back.
    [Theory]
    [InlineData("0101010101010101")]
    [InlineData("FEFEFEFEFEFEFEFE")]
    [InlineData("1F1F1F1F0E0E0E0E")]
    [InlineData("E0E0E0E0F1F1F1F1")]
    public void WeakKeysAreTheirOwnInverse(string key)
    {
        byte[] block = Convert.FromHexString("0123456789ABCDEF");
        OwnDes.Encrypt(Convert.FromHexString(key), block, block);
        Assert.NotEqual("0123456789ABCDEF", Convert.ToHexString(block));
        OwnDes.Encrypt(Convert.FromHexString(key), block, block);
        Assert.Equal("0123456789ABCDEF", Convert.ToHexString(block));
    }

    [Fact]
    public void AgreesWithTheFrameworkOnRandomKeysAndBlocks()
    {
        var random = new SeededRandom(1);
        using var reference = SystemDes.Create();
        var key = new byte[8];
        var block = new byte[8];
        var cipher = new byte[8];
        for (int i = 0; i < 2000; i++)
        {
            random.Fill(key);
            random.Fill(block);
            reference.Key = key;
            OwnDes.Encrypt(key, block, cipher);
            Assert.Equal(reference.EncryptEcb(block, PaddingMode.None), cipher);
        }
    }

    // RFC 2759 section 9.3: raw keys of seven octets and the same keys with parity.
    [Theory]
    [InlineData("FC156AF7EDCD6C", "FD0B5B5E7F6E34D9")]
    [InlineData("0EDDE3337D427F", "0E6E796737EA08FE")]
    public void UnexpandedKeyEqualsItsExpandedForm(string raw, string withParity)
    {
        byte[] block = Convert.FromHexString("0123456789ABCDEF");
        var expected = new byte[8];
        var actual = new byte[8];
        OwnDes.Encrypt(Convert.FromHexString(withParity), block, expected);
        OwnDes.EncryptWithUnexpandedKey(Convert.FromHexString(raw), block, actual);
        Assert.Equal(expected, actual);
    }
}
