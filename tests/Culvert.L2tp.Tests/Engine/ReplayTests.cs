using System.Buffers.Binary;
using System.Text;
using Culvert.Core;
using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>The LAC's half of real conversations, said to a live endpoint with our IDs in place of those of the LNS of that time.</summary>
public sealed class ReplayTests
{
    private const int TunnelIdAt = 4;
    private const int SessionIdAt = 6;

    [Theory]
    [InlineData("xl2tpd-xl2tpd", 1)]
    [InlineData("xl2tpd-xl2tpd-pap", 1)]
    [InlineData("xl2tpd-xl2tpd-tunnelauth", 1)]
    [InlineData("xl2tpd-loss10", 1)]
    [InlineData("l2tpns-as-lac", 1)]
    [InlineData("l2tpns-xl2tpd", 1)]
    [InlineData("softether-raw", 1)]
    public void Real_LAC_gets_its_tunnel_and_session(string capture, int sessions)
    {
        // A recorded answer cannot fit a challenge of today, so the peer is not asked for one.
        var bench = new Bench(Bench.Plain with { Secret = Encoding.UTF8.GetBytes("s3kr1t"), AuthenticatePeer = false });
        PeerEndpoint? lac = null;
        foreach (CapturedDatagram datagram in PcapFile.ReadUdp(Path.Combine(AppContext.BaseDirectory, "Vectors", $"{capture}.pcap")))
        {
            if (!L2tpHeader.TryRead(datagram.Payload, out L2tpHeader header) || !header.IsControl)
            {
                continue;
            }

            lac ??= datagram.Source;
            if (datagram.Source == lac)
            {
                Replay(bench, datagram, header);
            }
        }

        Assert.Equal(1, bench.Events.Count(e => e.Kind == L2tpEventKind.TunnelEstablished));
        Assert.Equal(sessions, bench.Events.Count(e => e.Kind == L2tpEventKind.SessionEstablished));
        Assert.DoesNotContain(bench.Events, e => e.Disconnect is { Origin: not DisconnectOrigin.Peer });
    }

    private static void Replay(Bench bench, CapturedDatagram datagram, L2tpHeader header)
    {
        byte[] message = [.. datagram.Payload];
        Tunnel? tunnel = bench.Endpoint.Tunnels.FirstOrDefault();
        if (header.TunnelId != 0 && tunnel is not null)
        {
            BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(TunnelIdAt), tunnel.LocalTunnelId);
        }

        if (header.SessionId != 0 && tunnel?.Sessions.FirstOrDefault() is { } session)
        {
            BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(SessionIdAt), session.LocalSessionId);
        }

        bench.Receive(new(datagram.Destination.Address, datagram.Source), message);
        foreach (L2tpEvent e in bench.Events.Where(e => e.Kind == L2tpEventKind.CallOffered))
        {
            e.Session!.Accept(bench.Now);
        }

        bench.Drain();
    }
}
