using System.Text;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>Everything that this end sends, held against the table of AVPs: what belongs where, with which M and H bits.</summary>
public sealed class SentMessageTests
{
    private static readonly byte[] Secret = Encoding.UTF8.GetBytes("one-secret");

    private static readonly MessageType[] Expected =
    [
        MessageType.Sccrq, MessageType.Sccrp, MessageType.Scccn, MessageType.StopCcn, MessageType.Hello, MessageType.Ocrq,
        MessageType.Ocrp, MessageType.Occn, MessageType.Icrq, MessageType.Icrp, MessageType.Iccn, MessageType.Cdn, MessageType.Wen,
        MessageType.Sli,
    ];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Every_message_carries_what_section_6_says_with_the_bits_of_section_4_4(bool hide)
    {
        var seen = new HashSet<MessageType>();
        var world = new World(1);
        world.Network.Filter = packet =>
        {
            Check(packet.Payload.Span, hide, seen);
            return true;
        };
        TunnelSettings settings = Bench.Plain with
        {
            Secret = Secret,
            HideAvps = hide,
            AcceptOutgoingCalls = true,
            SendTieBreaker = true,
            BearerCapabilities = 3,
        };
        Node left = world.Add("192.0.2.10", settings);
        Node right = world.Add("192.0.2.20", settings);
        Tunnel tunnel = world.Connect(left, right, settings);
        var call = new IncomingCall
        {
            BearerType = 1,
            PhysicalChannelId = 4,
            CallingNumber = "1",
            CalledNumber = "2",
            SubAddress = "3",
            RxConnectSpeed = 5,
            PrivateGroupId = "red",
            SequencingRequired = true,
        };
        Assert.True(tunnel.TryPlaceIncomingCall(call, world.Now, out Session? incoming));
        Assert.True(tunnel.TryPlaceOutgoingCall(new() { CalledNumber = "2", SubAddress = "3" }, world.Now, out Session? outgoing));
        world.RunUntil(() => left.Count(L2tpEventKind.SessionEstablished) + right.Count(L2tpEventKind.SessionEstablished) == 4);
        Assert.True(outgoing.TrySendAccm(new(1, 2), world.Now));
        Assert.True(incoming.TrySendCallErrors(new() { Crc = 1 }, world.Now));
        world.Pass(70);
        incoming.Close(Disconnect.OfSession(CdnResult.LostCarrier), world.Now);
        world.Pass(1);
        tunnel.Close(Disconnect.OfTunnel(StopCcnResult.GeneralRequest), world.Now);
        world.Pass(1);
        Assert.Equal(Expected, Expected.Where(seen.Contains));
    }

    private static void Check(ReadOnlySpan<byte> datagram, bool hide, HashSet<MessageType> seen)
    {
        Assert.True(L2tpHeader.TryRead(datagram, out L2tpHeader header));
        if (header.IsZeroLengthBody)
        {
            return;
        }

        ReadOnlySpan<byte> body = datagram[header.PayloadStart..];
        Assert.True(ControlMessage.TryRead(body, Secret, new byte[body.Length], out ControlMessage message));
        seen.Add(message.Type);
        Assert.False(message.TryFindMissing(out AvpId missing), $"{message.Type} without {missing}");
        Assert.Equal((0, 0), (message.DuplicateCount, message.IgnoredCount));
        foreach (Avp avp in new AvpReader(body))
        {
            AvpDefinition row = AvpDefinitions.Find(avp.Id)!;
            Assert.True(row.Required.Contains(message.Type) || row.Optional.Contains(message.Type), $"{row.Name} in {message.Type}");
            Assert.Equal(row.IsMandatory, avp.IsMandatory);

            // What ends something must be read by whoever holds another secret.
            bool mayHide = hide && message.Type is not (MessageType.Cdn or MessageType.StopCcn or MessageType.Hello);
            Assert.Equal(mayHide && row.MayBeHidden, avp.IsHidden);
            Assert.False(avp.HasReservedBits);
        }
    }
}
