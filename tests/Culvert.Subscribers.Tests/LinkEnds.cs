using Culvert.Core;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;

namespace Culvert.Subscribers.Tests;

/// <summary>Links that end as only a peer with its own ideas can end them.</summary>
internal static class LinkEnds
{
    private static readonly IpAddress Gateway = IpAddress.Parse("100.64.0.1");
    private static readonly IpAddress Assigned = IpAddress.Parse("100.64.0.7");

    /// <summary>The last event of a link whose peer behaves in <paramref name="way"/>.</summary>
    public static PppLinkEvent Of(string way) => way switch
    {
        "no method" => Run(Settings(AuthenticationMethod.ChapMd5), null, RejectAuthentication),
        "loop" => Run(Settings(AuthenticationMethod.ChapMd5), null, frame => [frame]),
        "LCP rounds" => Run(Settings(), null, frame => frame is [_, _, _, _, 1, ..] ? [Answer(frame, 3, [1, 4, 4, 0])] : []),
        "IPCP rejected" => Run(Settings(), new IpcpSettings(Gateway, Assigned, new IpcpPolicy()), frame => frame switch
        {
            [0xFF, 0x03, 0xC0, 0x21, 1, ..] => Agree(frame),
            [0xFF, 0x03, 0x80, 0x21, 1, ..] => [[0xFF, 0x03, 0xC0, 0x21, 8, 1, 0, 10, 0x80, 0x21, 1, 1, 0, 4]],
            _ => [],
        }),
        "IPCP without address" => Run(Settings(), IpcpSettings.ForClient, frame => frame switch
        {
            [0xFF, 0x03, 0xC0, 0x21, 1, ..] => Agree(frame),
            [0xFF, 0x03, 0x80, 0x21, 1, ..] => [Answer(frame, 4, frame[8..14])],
            _ => [],
        }),
        "IPCP insists" => Run(Settings(), new IpcpSettings(Gateway, Assigned, new IpcpPolicy()), frame => frame switch
        {
            [0xFF, 0x03, 0xC0, 0x21, 1, ..] => Agree(frame),
            [0xFF, 0x03, 0x80, 0x21, 1 or 3 or 4, ..] =>
                [[0xFF, 0x03, 0x80, 0x21, 1, (byte)(frame[5] + 1), 0, 10, 3, 6, 192, 0, 2, 66]],
            _ => [],
        }),
        _ => throw new ArgumentOutOfRangeException(nameof(way)),
    };

    // Option 3 comes after the MRU of 1410.
    private static byte[][] RejectAuthentication(byte[] frame) => frame is [_, _, _, _, 1, ..] ? [Answer(frame, 4, frame[12..17])] : [];

    private static PppLinkSettings Settings(params AuthenticationMethod[] methods) => new() { AuthenticatePeer = [.. methods], Mru = 1410 };

    private static PppLinkEvent Run(PppLinkSettings settings, IpcpSettings? network, Func<byte[], byte[][]> peer)
    {
        var link = new PppLink(settings, new SeededRandom(3));
        Timestamp now = Timestamp.FromMilliseconds(1);
        byte[] buffer = new byte[2048];
        link.Open(now);
        for (int step = 0; step < 1000; step++)
        {
            while (link.TryNextEvent(out PppLinkEvent e))
            {
                if (e.Kind == PppLinkEventKind.Closed)
                {
                    return e;
                }

                if (e.Kind == PppLinkEventKind.NetworkRequested)
                {
                    link.StartNetwork(network!, now);
                }
            }

            if (link.TryTransmit(buffer, out int length))
            {
                foreach (byte[] answer in peer(buffer[..length]))
                {
                    link.Receive(answer, now);
                }
            }
            else
            {
                now = Timestamp.Max(now, link.NextDeadline);
                link.Advance(now);
            }
        }

        throw new InvalidOperationException($"the link does not end: {link}");
    }

    /// <summary>Acknowledges LCP, and asks for nothing itself.</summary>
    private static byte[][] Agree(byte[] request) => [[0xFF, 0x03, 0xC0, 0x21, 1, 1, 0, 4], Answer(request, 2, request[8..])];

    private static byte[] Answer(byte[] request, byte code, byte[] options) =>
        [0xFF, 0x03, request[2], request[3], code, request[5], 0, (byte)(4 + options.Length), .. options];
}
