using Culvert.Linux;
using Culvert.Server.Configuration;

namespace Culvert.Server.Tests;

public class OffloadNotesTests
{
    [Fact]
    public void Nothing_is_said_when_all_that_is_wanted_is_there()
    {
        Assert.Null(OffloadNotes.Describe(new OffloadSettings(), new OffloadSettings()));
        Assert.Null(OffloadNotes.Describe(OffloadSettings.None, OffloadSettings.None));
        Assert.Null(OffloadNotes.Describe(OffloadSettings.None, new OffloadSettings()));
    }

    [Fact]
    public void What_is_missing_is_named_as_in_the_file()
    {
        var old = new OffloadSettings { Tun = TunOffloads.Checksum | TunOffloads.Tcp, JoinReceived = false };
        Assert.StartsWith("this kernel does not know, or does not allow, tun-udp, receive;", OffloadNotes.Describe(new OffloadSettings(), old), StringComparison.Ordinal);
        Assert.StartsWith("this kernel does not know, or does not allow, tun-udp;", OffloadNotes.Describe(new OffloadSettings { JoinReceived = false }, old), StringComparison.Ordinal);
        Assert.StartsWith(
            "this kernel does not know, or does not allow, tun-checksum, tun-tcp, tun-udp, tun-calls, send, receive;",
            OffloadNotes.Describe(new OffloadSettings(), OffloadSettings.None),
            StringComparison.Ordinal);
    }
}
