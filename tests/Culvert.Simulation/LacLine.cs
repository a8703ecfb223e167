using Culvert.Core;
using Culvert.L2tp;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;

namespace Culvert.Simulation;

/// <summary>One subscriber of a <see cref="LacEnd"/>: a call, and the user's own end of the PPP link in it.</summary>
public sealed class LacLine
{
    private static readonly System.Collections.Immutable.ImmutableArray<AuthenticationMethod> Methods =
        [AuthenticationMethod.MsChapV2, AuthenticationMethod.ChapMd5, AuthenticationMethod.Pap];

    internal LacLine(int index, string user, string password)
    {
        Index = index;
        User = user;
        LinkSettings = SettingsOf(user, password);
    }

    public string User { get; internal set; }

    public Session? Session { get; internal set; }

    public PppLink? Link { get; internal set; }

    public bool IsUp { get; internal set; }

    /// <summary>What the LAC says of the call.</summary>
    public IncomingCall Call { get; init; } = IncomingCall.Default;

    /// <summary>
    /// The user's end, which has negotiated with the LAC already and goes on with the LNS; it serves one call. Null: it begins with the LNS.
    /// </summary>
    public PppLink? ProxiedLink { get; internal set; }

    /// <summary>The call is placed again whenever it ends.</summary>
    public bool IsWanted { get; internal set; } = true;

    /// <summary>When it was up first since <see cref="LacEnd.Restart"/>; never while it was not.</summary>
    public Timestamp FirstUp { get; internal set; } = Timestamp.Never;

    internal int Index { get; }

    internal PppLinkSettings LinkSettings { get; set; }

    internal int Failures { get; set; }

    internal Timestamp RetryAt { get; set; } = Timestamp.Zero;

    internal bool IsQueued { get; set; }

    internal bool IsLinkClosed { get; set; }

    internal Timestamp NextDeadline => Timestamp.Min(RetryAt, Link?.NextDeadline ?? Timestamp.Never);

    internal static PppLinkSettings SettingsOf(string user, string password) =>
        new() { Credentials = new AuthenticationCredentials(user, password), AcceptedMethods = Methods };

    /// <summary>All memory of a call is gone.</summary>
    internal void Forget()
    {
        Session = null;
        Link = null;
        IsUp = false;
        IsQueued = false;
        IsLinkClosed = false;
        Failures = 0;
        FirstUp = Timestamp.Never;
        RetryAt = IsWanted ? Timestamp.Zero : Timestamp.Never;
    }
}
