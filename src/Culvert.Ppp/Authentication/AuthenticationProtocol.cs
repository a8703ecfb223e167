using Culvert.Core;

namespace Culvert.Ppp.Authentication;

public enum AuthenticationState : byte
{
    /// <summary>Not opened, or closed.</summary>
    Initial,

    /// <summary>Waiting for the other end.</summary>
    Pending,

    /// <summary>Authenticator only: <see cref="AuthenticationProtocol.Request"/> waits for <c>Decide</c>.</summary>
    AwaitingVerdict,

    /// <summary>Accepted. An authenticator goes back to Pending when it challenges again, a peer does not.</summary>
    Succeeded,

    /// <summary>Refused or given up; the link is to be terminated. <see cref="AuthenticationProtocol.Failure"/> says why.</summary>
    Failed,
}

/// <summary>
/// One direction of one method on one link: the authenticator judges the other end, the peer is judged by it. Packets begin at the
/// code octet (the PPP protocol field is stripped). An engine ignores the codes that belong to the other role, so a link that is
/// authenticated in both directions hands every packet to both of its engines.
/// </summary>
public abstract class AuthenticationProtocol
{
    /// <summary>The largest packet that any method sends (a PAP request): a buffer for <see cref="TryTransmit"/> has this size.</summary>
    public const int MaxPacketSize = 4 + 1 + AuthenticationSettings.MaxNameSize + 1 + AuthenticationCredentials.MaxPasswordSize;

    private protected AuthenticationProtocol(AuthenticationMethod method, AuthenticationSettings settings)
    {
        Method = method;
        Settings = settings;
    }

    public AuthenticationMethod Method { get; }

    public AuthenticationState State { get; private protected set; }

    /// <summary>True from the first success on, also while an authenticator challenges again in the network phase.</summary>
    public bool HasSucceeded { get; private set; }

    /// <summary>What the owner must judge; null except in <see cref="AuthenticationState.AwaitingVerdict"/>.</summary>
    public AuthenticationRequest? Request { get; private protected set; }

    /// <summary>Why the state is Failed, for the log and the operator; null otherwise.</summary>
    public string? Failure { get; private set; }

    /// <summary>Packets of this role that were malformed or did not belong to the exchange, since the start.</summary>
    public int Discarded { get; private protected set; }

    /// <summary>When <see cref="Advance"/> has something to do; <see cref="Timestamp.Never"/> when nothing is waited for.</summary>
    public Timestamp NextDeadline { get; private protected set; } = Timestamp.Never;

    private protected AuthenticationSettings Settings { get; }

    /// <param name="method">What LCP agreed on.</param>
    /// <param name="settings">Names and timers.</param>
    /// <param name="random">Source of challenges; must not be predictable in a node.</param>
    /// <param name="firstIdentifier">
    /// Identifier of the first CHAP Challenge; random when absent. After proxied authentication another one than the access
    /// concentrator used, because clients replay their answer to a known identifier.
    /// </param>
    public static AuthenticationProtocol CreateAuthenticator(
        AuthenticationMethod method, AuthenticationSettings settings, IRandomSource random, byte? firstIdentifier = null) =>
        method == AuthenticationMethod.Pap
            ? new PapAuthenticator(settings)
            : new ChapAuthenticator(method, settings, random, firstIdentifier);

    /// <param name="method">What LCP agreed on.</param>
    /// <param name="credentials">Name and password to answer with; not copied, cleared by its owner.</param>
    /// <param name="settings">Timers.</param>
    /// <param name="random">Source of MS-CHAPv2 peer challenges; must not be predictable in a node.</param>
    public static AuthenticationProtocol CreatePeer(
        AuthenticationMethod method, AuthenticationCredentials credentials, AuthenticationSettings settings, IRandomSource random) =>
        method == AuthenticationMethod.Pap
            ? new PapPeer(credentials, settings)
            : new ChapPeer(method, credentials, settings, random);

    /// <summary>Starts, or starts again after LCP was negotiated anew.</summary>
    public abstract void Open(Timestamp now);

    public abstract void Receive(ReadOnlySpan<byte> packet, Timestamp now);

    public abstract void Advance(Timestamp now);

    /// <summary>Gives the next packet; false when there is none (or, keeping it, when the buffer is too small).</summary>
    public abstract bool TryTransmit(Span<byte> buffer, out int length);

    /// <summary>Authenticator: answers the request. Ignored unless a verdict is awaited.</summary>
    public virtual void Decide(AuthenticationVerdict verdict, Timestamp now)
    {
    }

    /// <summary>
    /// As <see cref="Decide(AuthenticationVerdict, Timestamp)"/>, but ignored when <paramref name="request"/> is no longer the one that
    /// waits: for answers that come late from a server.
    /// </summary>
    public void Decide(AuthenticationRequest request, AuthenticationVerdict verdict, Timestamp now)
    {
        if (ReferenceEquals(request, Request))
        {
            Decide(verdict, now);
        }
    }

    /// <summary>
    /// Authenticator: instead of <see cref="Open"/>, takes a request that an access concentrator collected (RFC 2661 section 4.4.5)
    /// and waits for the verdict on it. False when the request is of another method; then nothing has changed.
    /// </summary>
    public virtual bool TryAdopt(AuthenticationRequest proxied) => false;

    /// <summary>CHAP authenticator after a success: challenges again with a new identifier. Otherwise does nothing.</summary>
    public virtual void Rechallenge(Timestamp now)
    {
    }

    /// <summary>LCP went down: forgets the exchange and clears what secrets it held.</summary>
    public virtual void Close()
    {
        TakeRequest();
        State = AuthenticationState.Initial;
        HasSucceeded = false;
        Failure = null;
        NextDeadline = Timestamp.Never;
    }

    private protected void Succeed()
    {
        State = AuthenticationState.Succeeded;
        HasSucceeded = true;
        NextDeadline = Timestamp.Never;
    }

    private protected void Fail(string reason)
    {
        TakeRequest();
        State = AuthenticationState.Failed;
        Failure = reason;
        NextDeadline = Timestamp.Never;
    }

    /// <summary>Ends the wait for a verdict; a password in the request is overwritten.</summary>
    private protected void TakeRequest()
    {
        Request?.Clear();
        Request = null;
    }
}
