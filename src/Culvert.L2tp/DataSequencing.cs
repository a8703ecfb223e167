namespace Culvert.L2tp;

/// <summary>Whether data messages carry sequence numbers (RFC 2661 section 5.4). Either end may ask; then both send them.</summary>
public enum SequencingPolicy : byte
{
    /// <summary>When the peer asks for it.</summary>
    OnRequest = 0,

    /// <summary>Never: a call that requires it is refused with CDN 2 and an error message.</summary>
    Off,

    /// <summary>Always. As a LAC the Sequencing Required AVP says so; an LNS just sends them, and the LAC follows (section 5.4).</summary>
    Required,
}
