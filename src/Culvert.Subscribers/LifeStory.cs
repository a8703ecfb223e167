namespace Culvert.Subscribers;

/// <summary>What is remembered of a tunnel or session, for whoever asks why it is as it is.</summary>
/// <param name="Id">The tunnel's ID, or TUNNEL/SESSION.</param>
/// <param name="Summary">Which one it is, in words.</param>
/// <param name="Ended">Why it ended; null while it has not.</param>
/// <param name="History">Its last control messages and states, oldest first, one line each.</param>
public sealed record LifeStory(string Id, string Summary, string? Ended, IReadOnlyList<string> History);
