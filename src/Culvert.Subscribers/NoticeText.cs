using Culvert.L2tp;

namespace Culvert.Subscribers;

/// <summary>What a peer does that is worth a line in a log, in words for the operator.</summary>
internal static class NoticeText
{
    public static string Of(L2tpNotice notice) => notice switch
    {
        L2tpNotice.ShortResultCode => "its Result Code AVP has no Error Code (legal; older Android and MikroTik do so)",
        L2tpNotice.SwappedResultCode => "its Result Code AVP is in little-endian order (Apple does so); read the other way round",
        L2tpNotice.TunnelIdZero => "it sends Tunnel ID 0 after set-up (some D-Link routers do so); taken for this tunnel",
        L2tpNotice.SessionIdZero => "it sent a CDN with Session ID 0; found by its Assigned Session ID",
        L2tpNotice.ForeignPath => "control messages for it come from another address or port and are dropped",
        L2tpNotice.PathFollowed => "its address or port changed and was followed",
        L2tpNotice.AnsweredFromOtherPort => "it answered from another address or port than it was called at",
        L2tpNotice.PeerRestarted => "it opened another tunnel from the same address and port and does not know the older one any more: it has restarted",
        L2tpNotice.EarlyStatusMessage => "it sent SLI or WEN where it means nothing; ignored",
        L2tpNotice.IgnoredAvp => "it sends an optional AVP that is unknown or malformed; ignored",
        L2tpNotice.UnreadableHiddenAvp => "it sends a hidden AVP that cannot be read with the shared secret; ignored",
        L2tpNotice.AcknowledgedUnsent => "it acknowledged control messages that were never sent; ignored",
        L2tpNotice.PathRefused => "control messages for it came from another address or port; closed, as its settings say",
        L2tpNotice.IgnoredHello => "it does not acknowledge HELLOs (Apple and some Android do so); kept while its data arrives",
        L2tpNotice.TrailingOctets => "octets follow the Length of its control messages; ignored",
        L2tpNotice.UnusualMandatoryBit => "an AVP of it has another M bit than its RFC says (Windows does so); taken all the same",
        _ => notice.ToString(),
    };
}
