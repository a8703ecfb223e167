using System.Diagnostics.CodeAnalysis;
using System.Text;
using Culvert.Core;

namespace Culvert.L2tp;

/// <summary>Decides whether, and how, a peer that sent an SCCRQ is served.</summary>
public interface IPeerPolicy
{
    /// <summary>
    /// True with the settings for the tunnel, or false with the reason that the peer is told in a StopCCN. Called for every SCCRQ
    /// that is not a retransmission, so it must be quick; it must not call back into the endpoint.
    /// </summary>
    bool TryAccept(
        in TunnelRequest request, [NotNullWhen(true)] out TunnelSettings? settings, [NotNullWhen(false)] out Disconnect? refusal);
}

/// <summary>What an SCCRQ says about its sender, before anything is proved. Valid only during the call.</summary>
/// <param name="path">Where it came from, and to which of our addresses.</param>
/// <param name="hostName">The Host Name AVP, at least one octet; never hidden (section 4.4.3).</param>
/// <param name="vendorName">The Vendor Name AVP; empty when absent or hidden.</param>
public readonly ref struct TunnelRequest(UdpPath path, ReadOnlySpan<byte> hostName, ReadOnlySpan<byte> vendorName)
{
    public UdpPath Path { get; } = path;

    public ReadOnlySpan<byte> HostName { get; } = hostName;

    public ReadOnlySpan<byte> VendorName { get; } = vendorName;

    /// <summary>The Host Name as text (UTF-8, with replacement characters where it is not).</summary>
    public string HostNameText => Encoding.UTF8.GetString(HostName);
}
