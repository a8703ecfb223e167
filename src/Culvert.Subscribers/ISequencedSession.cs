namespace Culvert.Subscribers;

/// <summary>What a session's owner remembers of sequencing that was not agreed (RFC 2661 section 5.4).</summary>
internal interface ISequencedSession
{
    /// <summary>The peer's data carries sequence numbers now, although nobody agreed to it.</summary>
    bool PeerSequences { get; set; }

    /// <summary>It did so once.</summary>
    bool HasSequenced { get; set; }
}
