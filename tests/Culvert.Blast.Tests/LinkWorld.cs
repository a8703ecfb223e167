using Culvert.Core;
using Culvert.Ppp;

namespace Culvert.Blast.Tests;

/// <summary>The real PPP engine at one end, the load generator's at the other, on a clock of their own; frames may be lost.</summary>
internal sealed class LinkWorld : IPppOutput
{
    private const int Index = 6;
    private static readonly TimeSpan Restart = TimeSpan.FromSeconds(3);

    private readonly SeededRandom _random;
    private readonly PppMachine _machine;
    private readonly byte[] _room = new byte[PppMachine.MaxFrameSize];
    private readonly Queue<byte[]> _toLink = new();
    private readonly IpcpSettings _ipcp;
    private readonly string _password;
    private BlastSession _session;
    private Timestamp _deadline;

    public LinkWorld(PppSettings settings, bool isServer, PppLinkSettings link, IpcpSettings ipcp, string password = "wonder", ulong seed = 1)
    {
        _random = new SeededRandom(seed);
        _ipcp = ipcp;
        _password = password;
        Link = new PppLink(link, new SeededRandom(seed + 1));
        _machine = new PppMachine(settings, isServer, sessionsPerTunnel: 100, new SeededRandom(seed + 2));
    }

    public PppLink Link { get; }

    public int LossPercent { get; init; }

    public Timestamp Now { get; private set; } = Timestamp.FromMilliseconds(1000);

    /// <summary>The last outcome, or the first failure.</summary>
    public PppOutcome Outcome { get; private set; }

    public bool IsBlastUp { get; private set; }

    public string? LinkClosed { get; private set; }

    public string UserName { get; private set; } = "";

    public uint Address => _session.Address;

    public byte[]? LastFrame { get; private set; }

    public Span<byte> Reserve(int session)
    {
        Assert.Equal(Index, session);
        return _room;
    }

    public void Commit(int session, int length)
    {
        LastFrame = _room[..length];
        if (!IsLost())
        {
            _toLink.Enqueue(LastFrame);
        }
    }

    public void Open()
    {
        Link.Open(Now);
        _machine.Open(ref _session, Index, this);
        _deadline = Now + Restart;
    }

    /// <summary>A frame comes to the load generator's end.</summary>
    public void Deliver(ReadOnlySpan<byte> frame)
    {
        Note(_machine.Receive(ref _session, Index, frame, this));
        _deadline = IsBlastUp ? Timestamp.Never : Now + Restart;
    }

    /// <summary>Runs until <paramref name="until"/> holds; false when it does not within two minutes.</summary>
    public bool Run(Func<bool> until)
    {
        Timestamp end = Now + TimeSpan.FromMinutes(2);
        byte[] buffer = new byte[2048];
        while (Now < end)
        {
            bool isBusy = true;
            while (isBusy && !until())
            {
                isBusy = false;
                React();
                while (_toLink.TryDequeue(out byte[]? frame))
                {
                    Link.Receive(frame, Now);
                    React();
                    isBusy = true;
                }

                while (Link.TryTransmit(buffer, out int length))
                {
                    isBusy = true;
                    if (!IsLost())
                    {
                        Deliver(buffer.AsSpan(0, length));
                    }
                }
            }

            if (until())
            {
                return true;
            }

            Now = Timestamp.Min(end, Timestamp.Max(Now + TimeSpan.FromMilliseconds(1), Timestamp.Min(Link.NextDeadline, _deadline)));
            Link.Advance(Now);
            if (_deadline <= Now)
            {
                Note(_machine.Repeat(ref _session, Index, this));
                _deadline = Now + Restart;
            }
        }

        return until();
    }

    private void Note(PppOutcome outcome)
    {
        Outcome = outcome == PppOutcome.Pending || Outcome.IsFailure() ? Outcome : outcome;
        IsBlastUp = (IsBlastUp || outcome == PppOutcome.Up) && outcome is PppOutcome.Up or PppOutcome.Pending;
    }

    private void React()
    {
        while (Link.TryNextEvent(out PppLinkEvent happened))
        {
            switch (happened.Kind)
            {
                case PppLinkEventKind.AuthenticationRequested:
                    UserName = happened.Request!.Name;
                    Link.Decide(happened.Request, happened.Request.Check(_password), Now);
                    break;
                case PppLinkEventKind.NetworkRequested:
                    Link.StartNetwork(_ipcp, Now);
                    break;
                case PppLinkEventKind.Closed:
                    LinkClosed = happened.Text;
                    break;
            }
        }
    }

    private bool IsLost() => LossPercent > 0 && _random.NextBelow(100) < LossPercent;
}
