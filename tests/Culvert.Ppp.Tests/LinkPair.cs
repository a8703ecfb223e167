using System.Text;
using Culvert.Core;
using Culvert.Ppp.Authentication;
using Culvert.Ppp.Wire;

namespace Culvert.Ppp.Tests;

/// <summary>One link with an owner that reacts to its events as an LNS or a client would, and remembers them.</summary>
internal sealed class LinkEnd(string name, PppLinkSettings settings, IpcpSettings ipcp, ulong seed)
{
    public PppLink Link { get; } = new(settings, new SeededRandom(seed));

    public List<PppLinkEvent> Events { get; } = [];

    public StringBuilder Trace { get; } = new();

    /// <summary>Password that the owner checks the peer against.</summary>
    public string Password { get; init; } = "correct-horse";

    /// <summary>When false, the test answers the events itself.</summary>
    public bool IsAutomatic { get; set; } = true;

    public IpcpSettings Ipcp { get; set; } = ipcp;

    public PppLinkEvent? Closed => Events.Where(e => e.Kind == PppLinkEventKind.Closed).Select(e => (PppLinkEvent?)e).FirstOrDefault();

    public int Count(PppLinkEventKind kind) => Events.Count(e => e.Kind == kind);

    public void React(Timestamp now)
    {
        while (Link.TryNextEvent(out PppLinkEvent happened))
        {
            Events.Add(happened);
            _ = Trace.AppendLine($"{now} {name} * {happened}");
            if (!IsAutomatic)
            {
                continue;
            }

            if (happened.Kind == PppLinkEventKind.AuthenticationRequested)
            {
                Link.Decide(happened.Request!, happened.Request!.Check(Password), now);
            }
            else if (happened.Kind == PppLinkEventKind.NetworkRequested)
            {
                Link.StartNetwork(Ipcp, now);
            }
        }
    }

    public List<byte[]> Pull(Timestamp now)
    {
        List<byte[]> frames = [];
        Span<byte> buffer = stackalloc byte[2048];
        React(now);
        while (Link.TryTransmit(buffer, out int length))
        {
            frames.Add(buffer[..length].ToArray());
            _ = Trace.AppendLine($"{now} {name} > {PppPrinter.Print(buffer[..length])}");
        }

        return frames;
    }
}

/// <summary>Two links with a path between them that may lose, double and delay (and so reorder) what they send.</summary>
internal sealed class LinkPair(LinkEnd left, LinkEnd right, ulong seed = 1)
{
    private readonly SeededRandom _random = new(seed);
    private readonly PriorityQueue<(LinkEnd To, byte[] Frame), (long At, long Order)> _path = new();
    private long _order;

    public int LossPercent { get; init; }

    public int DuplicatePercent { get; init; }

    /// <summary>Most delay in milliseconds beyond the one millisecond that the path always takes.</summary>
    public int JitterMilliseconds { get; init; }

    /// <summary>Looks at a frame on its way; false to lose it.</summary>
    public Func<LinkEnd, byte[], bool>? Filter { get; set; }

    public Timestamp Now { get; private set; } = Timestamp.FromMilliseconds(1000);

    public LinkEnd Left => left;

    public LinkEnd Right => right;

    public string Trace => left.Trace + "\n" + right.Trace;

    public void Open()
    {
        left.Link.Open(Now);
        right.Link.Open(Now);
    }

    /// <summary>Runs until <paramref name="until"/> or until <paramref name="limit"/> of simulated time is over; tells which.</summary>
    public bool Run(Func<bool> until, TimeSpan limit)
    {
        Timestamp end = Now + limit;
        for (int steps = 0; steps < 200_000; steps++)
        {
            Send(left, right);
            Send(right, left);
            if (until())
            {
                return true;
            }

            Timestamp next = Timestamp.Min(left.Link.NextDeadline, right.Link.NextDeadline);
            if (_path.TryPeek(out _, out (long At, long Order) first))
            {
                next = Timestamp.Min(next, new Timestamp(first.At));
            }

            if (next > end)
            {
                Now = end;
                return false;
            }

            Now = Timestamp.Max(Now, next);
            while (_path.TryPeek(out (LinkEnd To, byte[] Frame) arrived, out (long At, long Order) due) && due.At <= Now.Nanoseconds)
            {
                _ = _path.Dequeue();
                arrived.To.Link.Receive(arrived.Frame, Now);
                Send(left, right);
                Send(right, left);
            }

            left.Link.Advance(Now);
            right.Link.Advance(Now);
        }

        throw new InvalidOperationException("The links talk without end:\n" + Trace[..Math.Min(Trace.Length, 20_000)]);
    }

    public bool Run(double seconds) => Run(static () => false, TimeSpan.FromSeconds(seconds));

    private void Send(LinkEnd from, LinkEnd to)
    {
        foreach (byte[] frame in from.Pull(Now))
        {
            if (Filter is { } filter && !filter(from, frame))
            {
                continue;
            }

            int copies = _random.NextBelow(100) < LossPercent ? 0 : _random.NextBelow(100) < DuplicatePercent ? 2 : 1;
            for (int i = 0; i < copies; i++)
            {
                long delay = 1_000_000 + (JitterMilliseconds > 0 ? _random.NextBelow(JitterMilliseconds) * 1_000_000L : 0);
                _path.Enqueue((to, frame), (Now.Nanoseconds + delay, _order++));
            }
        }
    }
}

/// <summary>Settings that the tests begin with.</summary>
internal static class Links
{
    public static readonly IpAddress Gateway = IpAddress.Parse("100.64.0.1");
    public static readonly IpAddress Assigned = IpAddress.Parse("100.64.0.7");
    public static readonly IpAddress Dns = IpAddress.Parse("192.0.2.53");
    public static readonly IpAddress SecondDns = IpAddress.Parse("192.0.2.54");

    public static readonly IpcpPolicy ServerPolicy = new() { PrimaryDns = Dns, SecondaryDns = SecondDns };

    public static IpcpSettings ServerIpcp { get; } = new(Gateway, Assigned, ServerPolicy);

    public static PppLinkSettings ServerSettings(params AuthenticationMethod[] methods) => new()
    {
        AuthenticatePeer = [.. methods],
        Mru = 1410,
    };

    public static PppLinkSettings ClientSettings(params AuthenticationMethod[] methods) => new()
    {
        Credentials = new AuthenticationCredentials("alice", "correct-horse"),
        AcceptedMethods = methods.Length > 0 ? [.. methods] : [AuthenticationMethod.MsChapV2, AuthenticationMethod.ChapMd5, AuthenticationMethod.Pap],
        Mru = 1400,
    };

    public static LinkEnd Server(PppLinkSettings settings, IpcpSettings? ipcp = null, ulong seed = 11) =>
        new("server", settings, ipcp ?? ServerIpcp, seed);

    public static LinkEnd Client(PppLinkSettings? settings = null, IpcpSettings? ipcp = null, ulong seed = 12) =>
        new("client", settings ?? ClientSettings(), ipcp ?? IpcpSettings.ForClient, seed);

    public static LinkPair UpPair(PppLinkSettings? server = null, PppLinkSettings? client = null)
    {
        var pair = new LinkPair(Server(server ?? ServerSettings(AuthenticationMethod.ChapMd5)), Client(client));
        pair.Open();
        Assert.True(pair.Run(() => BothUp(pair), TimeSpan.FromSeconds(10)), pair.Trace);
        return pair;
    }

    public static bool BothUp(LinkPair pair) => pair.Left.Link.IsNetworkUp && pair.Right.Link.IsNetworkUp;
}
