using Culvert.Core;
using Culvert.Ppp.Authentication;

namespace Culvert.Ppp.Tests.Authentication;

/// <summary>Exchanges that pppd, l2tpns and SoftEther had with each other: user "alice" (or "dave@fwd"), password "wonder".</summary>
public class CapturedExchangeTests
{
    public static TheoryData<string, string, string> ChapMd5 => new()
    {
        { "0101001b100f501ac022310be514005882452b57e56c3274706e73", "0201001a10060ab4bfa48bed7b56280fa66a295a4c616c696365", "03010004" },
        { "01a1001f1711964625df4a65959c8160e3a92b55f1dbd09ad66c73c56c6e73", "02a1001a10be329b299915756715e833a24df6eef4616c696365", "03a10012416363657373206772616e746564" },
        { "014e001d15dc253300bbf492eefd2c0e0cc06b4f194bbff6c5806c6e73", "024e001a10a4968fd0991eafbdbc2608329ddfda5a616c696365", "034e0012416363657373206772616e746564" },
        { "01e6001e162cf271a151ef2360b5229f59cf2bc7d59f48b830c2c06c6e73", "02e6001a101e74dd8f87fbf408b3fe04942a24f16e616c696365", "03e60012416363657373206772616e746564" },
        { "0180001f17bb4eb0cf4b9d3d671252040004a400d20ca6a5c0c8476f6c6e73", "0280001a1047befa975a5a736bb68f6f4acbb84d21616c696365", "03800012416363657373206772616e746564" },
        { "01fa001c14c0326f1683cd08e3982408c4b6834e4bd3b5cc906c6e73", "02fa001a10beaf0d5e11058d077da919498ff6d154616c696365", "03fa0012416363657373206772616e746564" },
        { "0106001e16a3d274787794eb737af977d881500f9297e765c4880f6c6e73", "0206001a10f03af6cddfba1ff1763a27ade65d235b616c696365", "03060012416363657373206772616e746564" },
        { "0101001c149cb474d863a39e64c5e0d7119fe19ad920d50b076c6e73", "0201001a10e922cdbb7c457d5a13da250b24f52a77616c696365", "03010012416363657373206772616e746564" },
        { "01ef001c14a4116367d7738d822cedec52175dddbeb1c857aa6c6e73", "02ef001a100344baa3fbab4ae0f176c1e342474504616c696365", "03ef0012416363657373206772616e746564" },
        { "0179001c14137e9db259f3ccc5189fd1c78c341ba948723e1f6c6e73", "0279001a10cfdae54faffd7bdfc4bd3a8d5bcf01b8616c696365", "03790012416363657373206772616e746564" },
        { "010d001d151d0c982270ff4a285894cf5c73114b66fb9d6861c06c6e73", "020d001a10102a7c5386e011103692d4e5effa2802616c696365", "030d0012416363657373206772616e746564" },
        { "018f001d15aa94be93e19071dae19c8bbf78d5c2bdfc4f4220c26c6e73", "028f001a10ca072f33a16306546b84cd1368893066616c696365", "038f0012416363657373206772616e746564" },
        { "01fe001f1756f01a940785264e9beb98e86af1b9ae51dc9b5c7bd4306c6e73", "02fe001a10c430a8797bdc0d1f874d78da7f66f90f616c696365", "03fe0012416363657373206772616e746564" },
        { "01e10018104cbd713cf8fbc2d3a7a23e5bf0d0de4e6c6e73", "02e1001a100b16cbcace49a43731fcc104fa9bab4e616c696365", "03e10012416363657373206772616e746564" },
        { "0140001b13fd453b5149cb0323779a17dfc12b2d9ff0053b6c6e73", "0240001d103831d4240c875ca68b0f0784466bc37e6461766540667764", "03400012416363657373206772616e746564" },
    };

    public static TheoryData<string, string, string> MsChapV2Exchanges => new()
    {
        {
            "013c00181034b382f2abbacb2859b319b3360705856c6e73",
            "023c003b3147a64e3d292e80bcbe9d99e29db3d1cd00000000000000003a7b5538e92e2ff662d630be90c2da16194f1e3fdb757c9a00616c696365",
            "033c003f533d45423630414635313744413545354430444130363531354343414131393132384430303832433738204d3d416363657373206772616e746564"
        },
        {
            "01020017106b096d79edc3757807b83a32ae43b954766d",
            "0202003b3118bc42cb5ef771ccae074e2cc3c245710000000000000000ecd53fbc0dbcbd766a08d03cea87a8d33142a727ce6d4f3900616c696365",
            "0302002e533d30433335464238313936413939304536313044303045413545393237364143343237364545364441"
        },
    };

    [Theory]
    [MemberData(nameof(ChapMd5))]
    public void ChapMd5ResponsesAreJudged(string challenge, string response, string success)
    {
        AuthenticationRequest request = RequestOf(AuthenticationMethod.ChapMd5, challenge, response);
        Assert.True(request.Check("wonder").IsAccepted);
        Assert.False(request.Check("wonder2").IsAccepted);
        Assert.False(request.Check(string.Empty).IsAccepted);
        Assert.StartsWith("03", success, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(ChapMd5))]
    public void ChapMd5PeerGivesTheSameResponsesAndTakesTheSuccess(string challenge, string response, string success)
    {
        string name = RequestOf(AuthenticationMethod.ChapMd5, challenge, response).Name;
        AuthenticationProtocol peer = AuthenticationProtocol.CreatePeer(
            AuthenticationMethod.ChapMd5, new AuthenticationCredentials(name, "wonder"), AuthenticationSettings.Default, new SeededRandom(1));
        peer.Open(Timestamp.Zero);
        peer.Receive(Convert.FromHexString(challenge), Timestamp.Zero);
        Assert.Equal(response, peer.Pull());
        peer.Receive(Convert.FromHexString(success), Timestamp.Zero);
        Assert.Equal(AuthenticationState.Succeeded, peer.State);
    }

    [Theory]
    [MemberData(nameof(MsChapV2Exchanges))]
    public void MsChapV2ResponsesAreJudged(string challenge, string response, string success)
    {
        AuthenticationRequest request = RequestOf(AuthenticationMethod.MsChapV2, challenge, response);
        Assert.Equal("alice", request.Name);
        AuthenticationVerdict verdict = request.Check("wonder");
        Assert.True(verdict.IsAccepted);
        Assert.False(request.Check("wonder2").IsAccepted);
        Assert.True(AuthenticationVerdict.TryParseMsChapV2Success(Convert.FromHexString(success).AsSpan(4), out AuthenticationVerdict? captured));
        Assert.Equal(captured!.AuthenticatorResponse, verdict.AuthenticatorResponse);
    }

    // Both used 16 octets of challenge, so this end can be made to issue the same and must answer octet for octet as pppd did.
    [Theory]
    [InlineData(AuthenticationMethod.ChapMd5, "01e10018104cbd713cf8fbc2d3a7a23e5bf0d0de4e6c6e73", "02e1001a100b16cbcace49a43731fcc104fa9bab4e616c696365", "03e10012416363657373206772616e746564")]
    [InlineData(AuthenticationMethod.MsChapV2, "013c00181034b382f2abbacb2859b319b3360705856c6e73", "023c003b3147a64e3d292e80bcbe9d99e29db3d1cd00000000000000003a7b5538e92e2ff662d630be90c2da16194f1e3fdb757c9a00616c696365", "033c003f533d45423630414635313744413545354430444130363531354343414131393132384430303832433738204d3d416363657373206772616e746564")]
    public void AuthenticatorRepeatsPppdsSideOfTheExchange(AuthenticationMethod method, string challenge, string response, string success)
    {
        byte[] issued = Convert.FromHexString(challenge);
        AuthenticationProtocol authenticator = AuthenticationProtocol.CreateAuthenticator(
            method, new AuthenticationSettings { LocalName = "lns" }, new FixedRandom(issued[5..21]), issued[1]);
        authenticator.Open(Timestamp.Zero);
        Assert.Equal(challenge, authenticator.Pull());
        authenticator.Receive(Convert.FromHexString(response), Timestamp.Zero);
        Assert.Equal(AuthenticationState.AwaitingVerdict, authenticator.State);
        authenticator.Decide(authenticator.Request!.Check("wonder"), Timestamp.Zero);
        Assert.Equal(success, authenticator.Pull());
        Assert.Equal(AuthenticationState.Succeeded, authenticator.State);
    }

    [Fact]
    public void PapRequestAndAck()
    {
        const string request = "0101001105616c69636506776f6e646572";
        AuthenticationProtocol authenticator = AuthenticationProtocol.CreateAuthenticator(
            AuthenticationMethod.Pap, AuthenticationSettings.Default, new SeededRandom(1));
        AuthenticationProtocol peer = AuthenticationProtocol.CreatePeer(
            AuthenticationMethod.Pap, new AuthenticationCredentials("alice", "wonder"), AuthenticationSettings.Default, new SeededRandom(1));
        authenticator.Open(Timestamp.Zero);
        peer.Open(Timestamp.Zero);
        Assert.Equal(request, peer.Pull());

        authenticator.Receive(Convert.FromHexString(request), Timestamp.Zero);
        Assert.Equal("alice", authenticator.Request!.Name);
        Assert.False(authenticator.Request.Check("wonder2").IsAccepted);
        Assert.True(authenticator.Request.Check("wonder").IsAccepted);
        authenticator.Decide(AuthenticationVerdict.Accept("Login ok"), Timestamp.Zero);
        string ack = authenticator.Pull();
        Assert.Equal("0201000d084c6f67696e206f6b", ack);

        peer.Receive(Convert.FromHexString(ack), Timestamp.Zero);
        Assert.Equal(AuthenticationState.Succeeded, peer.State);
    }

    private static AuthenticationRequest RequestOf(AuthenticationMethod method, string challenge, string response)
    {
        byte[] issued = Convert.FromHexString(challenge);
        byte[] answer = Convert.FromHexString(response);
        Assert.True(AuthenticationRequest.TryCreateChap(
            method, answer[1], answer.AsSpan(5 + answer[4]), issued.AsSpan(5, issued[4]), answer.AsSpan(5, answer[4]), out AuthenticationRequest? request));
        return request!;
    }
}
