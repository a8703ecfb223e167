using Culvert.Core;
using Culvert.Fuzz.Coverage;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;
using static Culvert.Fuzz.Claim;

namespace Culvert.Fuzz.Targets;

/// <summary>A PPP link with an owner that reacts as an LNS or a client would, and watches what it is told.</summary>
internal sealed class LinkSide(PppLinkSettings settings, bool isServer, ulong seed)
{
    private static readonly IpcpSettings ServerAddresses = new(
        IpAddress.Parse("100.64.0.1"), IpAddress.Parse("100.64.0.9"),
        new IpcpPolicy { PrimaryDns = IpAddress.Parse("192.0.2.53"), InsistentAddress = InsistencePolicy.Allow });

    private bool _isClosed;

    public PppLink Link { get; } = new(settings, new SeededRandom(seed));

    /// <summary>Questions are left open, for a decision to come later.</summary>
    public bool IsHesitant { get; init; }

    public AuthenticationRequest? Question { get; private set; }

    public bool WantsNetwork { get; private set; }

    public bool TakeEvent(Timestamp now, out PppLinkEvent e)
    {
        if (!Link.TryNextEvent(out e))
        {
            return false;
        }

        EdgeMap.Note(2, ((int)e.Kind << 8) | (int)e.Reason);
        Must(!_isClosed, $"{e} after the end");
        _isClosed = e.Kind == PppLinkEventKind.Closed;
        Must(!_isClosed || e.Text.Length > 0, $"{e.Reason} without a word");
        Question = e.Request ?? Question;
        WantsNetwork |= e.Kind == PppLinkEventKind.NetworkRequested;
        if (!IsHesitant)
        {
            AnswerAll(now);
        }

        return true;
    }

    /// <summary>Answers whatever was asked.</summary>
    public void AnswerAll(Timestamp now)
    {
        if (Question is { } question)
        {
            Question = null;
            Link.Decide(question, question.Check(Transcripts.Password), now);
        }

        if (WantsNetwork)
        {
            WantsNetwork = false;
            Link.StartNetwork(isServer ? ServerAddresses : IpcpSettings.ForClient, now);
        }
    }

    /// <summary>Another life after <see cref="PppLinkEventKind.Closed"/>.</summary>
    public void Open(Timestamp now)
    {
        if (Link.Phase == PppPhase.Dead)
        {
            _isClosed = false;
            Link.Open(now);
        }
    }

    public void Check()
    {
        Must(Link.Dropped == 0, "frames were lost before they were sent");
        Must(Link.Phase != PppPhase.Dead || Link.NextDeadline == Timestamp.Never, $"the link is dead, and waits for {Link.NextDeadline}");
        Must(!Link.IsNetworkUp || Link.Phase == PppPhase.Network, $"IPCP is open in phase {Link.Phase}");
        Must(Link.PeerMru >= PppLinkSettings.MinMru, $"the peer's MRU is {Link.PeerMru}");
        Must(Link.ToString().Length > 0, "the link cannot be told");
    }
}
