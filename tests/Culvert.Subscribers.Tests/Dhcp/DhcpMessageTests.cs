using Culvert.Core;
using Culvert.Subscribers.Dhcp;
using Culvert.Testing;

namespace Culvert.Subscribers.Tests.Dhcp;

public sealed class DhcpMessageTests
{
    private static readonly IpAddress Client = IpAddress.Parse("100.64.0.2");

    [Fact]
    public void What_Windows_sends_is_read()
    {
        Assert.True(DhcpMessage.TryRead(DhcpBuilder.WindowsInform(Client), out DhcpMessage message));
        Assert.Equal(DhcpMessageType.Inform, message.Type);
        Assert.Equal(Client, message.ClientAddress);
        Assert.True(message.RelayAddress.IsUnspecified);
        Assert.True(message.IsWindows);
        Assert.Equal([1, 15, 3, 6, 44, 46, 47, 31, 33, 121, 249, 43], message.Requested.ToArray());
        Assert.Equal(7, message.ClientIdentifier.Length);
        Assert.Equal(0, message.MaximumSize);
    }

    [Fact]
    public void Options_go_on_where_the_overload_option_says()
    {
        byte[] message = DhcpBuilder.Message(0, Client, null, DhcpBuilder.Option(52, 3));
        DhcpBuilder.Option(53, 8).CopyTo(message, 108);
        DhcpBuilder.Option(57, 0x04, 0xB0).CopyTo(message, 44);
        Assert.True(DhcpMessage.TryRead(message, out DhcpMessage read));
        Assert.Equal((DhcpMessageType.Inform, (ushort)1200), (read.Type, read.MaximumSize));

        // Without the option these are a file name and a host name.
        message[240 + 2] = 1;
        Assert.True(DhcpMessage.TryRead(message, out read));
        Assert.Equal((DhcpMessageType.Inform, (ushort)0), (read.Type, read.MaximumSize));
    }

    [Fact]
    public void Of_an_option_that_comes_twice_the_first_counts()
    {
        Assert.True(DhcpMessage.TryRead(
            DhcpBuilder.Message(8, Client, null, DhcpBuilder.Option(53, 1), DhcpBuilder.Option(55, 6), DhcpBuilder.Option(55, 15)), out DhcpMessage read));
        Assert.Equal(DhcpMessageType.Inform, read.Type);
        Assert.Equal([6], read.Requested.ToArray());
    }

    public static TheoryData<string, byte[]> Wrong()
    {
        byte[] good = DhcpBuilder.WindowsInform(Client);
        byte[] With(int at, byte value)
        {
            byte[] copy = [.. good];
            copy[at] = value;
            return copy;
        }

        return new TheoryData<string, byte[]>
        {
            { "nothing", [] },
            { "no options field", good[..239] },
            { "a reply", With(0, 2) },
            { "a hardware address of 17 octets", With(2, 17) },
            { "another cookie", With(239, 0x64) },
            { "a message type of two octets", DhcpBuilder.Message(0, Client, null, DhcpBuilder.Option(53, 8, 8)) },
            { "a size of one octet", DhcpBuilder.Message(8, Client, null, DhcpBuilder.Option(57, 8)) },
            { "an empty list", DhcpBuilder.Message(8, Client, null, DhcpBuilder.Option(55)) },
            { "overload 0", DhcpBuilder.Message(8, Client, null, DhcpBuilder.Option(52, 0)) },
            { "overload of the file, whose option leaves it", Overloaded() },
            { "an option longer than the rest", DhcpBuilder.Message(8, Client, null, [12, 9, 1]) },
            { "an option without length", good[..^1].Append((byte)12).ToArray() },
        };

        static byte[] Overloaded()
        {
            byte[] message = DhcpBuilder.Message(8, Client, null, DhcpBuilder.Option(52, 1));
            message[108] = 12;
            message[109] = 127;
            return message;
        }
    }

    [Theory]
    [MemberData(nameof(Wrong))]
    public void What_is_wrong_is_not_read(string what, byte[] message) => Assert.False(DhcpMessage.TryRead(message, out _), what);

    /// <summary>Of a message that is cut anywhere behind the cookie either the rest is read or nothing; never an exception.</summary>
    [Fact]
    public void A_cut_message_is_read_only_between_two_options()
    {
        byte[] good = DhcpBuilder.WindowsInform(Client);
        int[] ends = [.. Enumerable.Range(0, good.Length + 1).Where(length => DhcpMessage.TryRead(good.AsSpan(0, length), out _))];
        Assert.Equal([240, 243, 252, 260, 270, 284, 285], ends);
    }
}
