using Culvert.L2tp.Wire;

namespace Culvert.L2tp.Tests.Wire;

public sealed class AvpDefinitionTests
{
    // RFC 2661 section 4.4 a second time: type, M, H (1 may, 0 must not), AVP length before hiding ("8", or "6+" for 6 and more).
    private const string Section44 = """
        0 M 0 8;    1 M 0 8+;   2 M 0 8;    3 M 1 10;   4 M 1 10;   5 - 0 14;   6 - 1 8;    7 M 0 7+;   8 - 1 6+;   9 M 1 8
        10 M 0 8;   11 M 1 7+;  12 M 0 9+;  13 M 1 22;  14 M 1 8;   15 M 1 10;  16 M 1 10;  17 M 1 10;  18 M 1 10;  19 M 1 10
        21 M 1 6+;  22 M 1 6+;  23 M 1 6+;  24 M 1 10;  25 - 1 10;  26 - 1 6+;  27 - 1 6+;  28 - 1 6+;  29 - 1 8;   30 - 1 6+
        31 - 1 7+;  32 - 1 8;   33 - 1 6+;  34 M 1 32;  35 M 1 16;  36 M 0 7+;  37 - 1 6+;  38 - 1 10;  39 M 0 6
        """;

    // The companions: 3301, 3145, 3308, 3437, 3573, 3817, 4951, 5515, 9601.
    private const string Companions = """
        40 - 1 10;  41 - 1 10;  42 - 1 8;   43 - 1 7+;  44 - 1 26;  45 - 1 10;  46 - 1 11+; 47 - 1 8;   48 - 1 8;   49 - 1 6+
        50 - 1 6+;  51 - 1 6+;  52 - 1 6+;  53 - 1 6;   54 - 1 8;   55 - 1 6+;  56 - 1 6;   57 - 1 6;   76 - 1 12;  77 M 0 16
        78 - 1 12;  79 M 1 16;  97 - 1 18;  98 - 1 6;   103 - 1 6
        """;

    // RFC 5515 section 5.
    private const string AccessLine = """
        1 - 1 6+;   2 - 1 6+;   129 - 1 14; 130 - 1 14; 131 - 1 14; 132 - 1 14; 133 - 1 14; 134 - 1 14; 135 - 1 14; 136 - 1 14
        137 - 1 14; 138 - 1 14; 139 - 1 10; 140 - 1 10; 141 - 1 10; 142 - 1 10; 144 - 1 9;  145 - 1 10; 254 - 1 10
        """;

    // RFC 2661 section 6: message, then types that must be present, then those that may.
    private const string Section6 = """
        1: 0 2 7 3 9 | 4 10 11 5 6 8
        2: 0 2 3 7 9 | 4 6 8 10 11 13
        3: 0 | 13
        4: 0 9 1 |
        6: 0 |
        10: 0 14 15 | 18 25 22 21 23
        11: 0 14 |
        12: 0 24 19 | 26 27 28 29 30 31 32 33 37 38 39
        7: 0 14 15 16 17 18 19 21 | 23
        8: 0 14 | 25
        9: 0 24 19 | 38 39
        14: 0 1 14 | 12
        15: 0 34 |
        16: 0 35 |
        """;

    [Theory]
    [InlineData(VendorId.Ietf, Section44)]
    [InlineData(VendorId.Ietf, Companions)]
    [InlineData(VendorId.AdslForum, AccessLine)]
    public void The_table_is_what_the_RFCs_say(VendorId vendor, string rows)
    {
        foreach (string row in rows.Split([';', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] cells = row.Split(' ');
            AvpDefinition? found = AvpDefinitions.Find(new AvpId(vendor, ushort.Parse(cells[0])));

            Assert.True(found is not null, row);
            Assert.True((cells[1] == "M", cells[2] == "1") == (found.IsMandatory, found.MayBeHidden), row);
            int shortest = int.Parse(cells[3].TrimEnd('+')) - 6;
            Assert.True(found.Format.Allows(shortest), row);
            Assert.True(shortest == 0 || !found.Format.Allows(shortest - 1), row);
            Assert.True(found.Format.Allows(shortest + 1) == (cells[3][^1] == '+') || found.Id == AvpType.ResultCode, row);
        }
    }

    [Fact]
    public void Section_6_says_what_each_message_carries()
    {
        foreach (string row in Section6.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = row.Split([':', '|']);
            var message = (MessageType)int.Parse(parts[0]);
            int[] required = Numbers(parts[1]);
            int[] optional = Numbers(parts[2]);

            Assert.Equal(required.Order(), AvpDefinitions.RequiredIn(message).Select(avp => (int)avp.Id.Type).Order());
            IEnumerable<int> listed = AvpDefinitions.All
                .Where(avp => avp.Rfc == 2661 && avp.Optional.Contains(message) && avp.Id != AvpType.RandomVector)
                .Select(avp => (int)avp.Id.Type);
            Assert.Equal(optional.Order(), listed.Order());
        }
    }

    [Fact]
    public void Names_and_numbers_are_unique_and_every_enum_member_has_a_row()
    {
        Assert.Equal(AvpDefinitions.All.Length, AvpDefinitions.All.Select(avp => avp.Id).Distinct().Count());
        Assert.Equal(AvpDefinitions.All.Length, AvpDefinitions.All.Select(avp => avp.Name).Distinct().Count());
        Assert.All(Enum.GetValues<AvpType>(), type => Assert.NotNull(AvpDefinitions.Find(type)));
        Assert.All(Enum.GetValues<AccessLineAvpType>(), type => Assert.NotNull(AvpDefinitions.Find(type)));
    }

    [Fact]
    public void A_number_means_something_only_with_its_vendor()
    {
        Assert.Equal("Result Code", AvpDefinitions.Find(new(VendorId.Ietf, 1))?.Name);
        Assert.Equal("Agent-Circuit-Id", AvpDefinitions.Find(new(VendorId.AdslForum, 1))?.Name);
        Assert.Equal("Microsoft Correlation ID", AvpDefinitions.Find(new(VendorId.Microsoft, 1))?.Name);
        Assert.Null(AvpDefinitions.Find(new(VendorId.Cisco, 1)));
        Assert.Null(AvpDefinitions.Find(new(VendorId.Ietf, 20)));
        Assert.Null(AvpDefinitions.Find(new(VendorId.Ietf, ushort.MaxValue)));
        Assert.Equal("vendor 9 attribute 1", new AvpId(VendorId.Cisco, 1).ToString());
    }

    [Theory]
    [InlineData(1, "SCCRQ")]
    [InlineData(4, "StopCCN")]
    [InlineData(17, "MDMST")]
    [InlineData(29, "CSURQ")]
    [InlineData(5, "message type 5")]
    [InlineData(65535, "message type 65535")]
    public void Messages_have_the_RFC_s_names(int type, string name)
    {
        Assert.Equal(name, ((MessageType)type).Name());
        Assert.Equal(!name.StartsWith("message", StringComparison.Ordinal), ((MessageType)type).IsDefined());
    }

    private static int[] Numbers(string text) => [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
}
