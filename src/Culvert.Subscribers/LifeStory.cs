using Culvert.L2tp;

namespace Culvert.Subscribers;

/// <summary>What is remembered of a tunnel or session, for whoever asks why it is as it is.</summary>
/// <param name="Id">The tunnel's ID, or TUNNEL/SESSION.</param>
/// <param name="Summary">Which one it is, in words.</param>
/// <param name="Ended">Why it ended; null while it has not.</param>
/// <param name="History">Its last control messages and states, oldest first, one line each.</param>
public sealed record LifeStory(string Id, string Summary, string? Ended, IReadOnlyList<string> History)
{
    /// <summary>The tunnel, while it lives.</summary>
    public Tunnel? Tunnel { get; init; }

    /// <summary>The session, while it lives.</summary>
    public Session? Session { get; init; }

    /// <summary>The facts of a call that has ended.</summary>
    public IncomingCall? EndedCall { get; init; }

    /// <summary>Why it ended, as the messages say it; null while it has not.</summary>
    public Disconnect? Cause { get; init; }
}
