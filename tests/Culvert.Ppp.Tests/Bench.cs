using Culvert.Core;
using Culvert.Ppp.Wire;
using Culvert.Testing;

namespace Culvert.Ppp.Tests;

/// <summary>One link with the test as its peer: octets in, printed frames out.</summary>
internal sealed class Bench
{
    public Bench(LinkEnd end, bool open = true)
    {
        End = end;
        if (open)
        {
            End.Link.Open(Now);
        }
    }

    public LinkEnd End { get; }

    public PppLink Link => End.Link;

    public Timestamp Now { get; private set; } = Timestamp.FromMilliseconds(5000);

    /// <summary>Frames that the link sent and that were not looked at yet.</summary>
    public List<byte[]> Pull() => End.Pull(Now);

    public List<string> PullPrinted() => [.. Pull().Select(f => PppPrinter.Print(f))];

    public void Give(string hex) => Link.Receive(Hex.Parse(hex), Now);

    public void Give(byte[] frame) => Link.Receive(frame, Now);

    /// <summary>Gives a control packet with FF 03 in front.</summary>
    public void Give(PppProtocol protocol, ControlCode code, byte identifier, params byte[] data) => Give(Frame(protocol, code, identifier, data));

    public static byte[] Frame(PppProtocol protocol, ControlCode code, byte identifier, params byte[] data)
    {
        int length = data.Length + 4;
        return
        [
            0xFF, 0x03, (byte)((ushort)protocol >> 8), (byte)protocol,
            (byte)code, identifier, (byte)(length >> 8), (byte)length, .. data,
        ];
    }

    /// <summary>Acknowledges the last Configure-Request among <paramref name="frames"/>.</summary>
    public void Acknowledge(PppProtocol protocol, List<byte[]> frames)
    {
        byte[] request = frames.Last(f => f.Length > 4 && f[2] == (byte)((ushort)protocol >> 8) && f[3] == (byte)protocol && f[4] == 1);
        Give(protocol, ControlCode.ConfigureAck, request[5], request[8..]);
    }

    /// <summary>LCP up from both sides, the peer asking for <paramref name="options"/>.</summary>
    public void OpenLcp(params byte[] options)
    {
        Acknowledge(PppProtocol.Lcp, Pull());
        Give(PppProtocol.Lcp, ControlCode.ConfigureRequest, 1, options);
    }

    public void Wait(double seconds)
    {
        Timestamp end = Now + TimeSpan.FromSeconds(seconds);
        while (Link.NextDeadline <= end)
        {
            Now = Timestamp.Max(Now, Link.NextDeadline);
            Link.Advance(Now);
            End.React(Now);
        }

        Now = end;
    }
}
