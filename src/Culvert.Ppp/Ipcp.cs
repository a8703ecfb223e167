using Culvert.Core;
using Culvert.Ppp.Wire;

namespace Culvert.Ppp;

/// <summary>A network control protocol: what <see cref="PppLink"/> starts in the network phase, one object per protocol.</summary>
internal abstract class NetworkProtocol(INegotiationHost host) : ControlProtocol(host)
{
    /// <summary>The peer answered with Protocol-Reject: it is not spoken to again on this link.</summary>
    public bool IsRejected { get; set; }
}

/// <summary>The IP Control Protocol (RFC 1332; name servers: RFC 1877). Addresses are kept as numbers, 0 for none.</summary>
internal sealed class Ipcp(INegotiationHost host, IpcpSettings settings) : NetworkProtocol(host)
{
    private Wanted _wanted;
    private uint _local;
    private uint _peer;
    private uint _primaryDns;
    private uint _secondaryDns;
    private uint _disputedValue;

    [Flags]
    private enum Wanted : byte
    {
        None = 0,
        Address = 1,
        PrimaryDns = 2,
        SecondaryDns = 4,
    }

    public override PppProtocol Protocol => PppProtocol.Ipcp;

    public override string Name => "IPCP";

    public IpcpResult Result => new(ToAddress(_local), ToAddress(_peer), ToAddress(_primaryDns), ToAddress(_secondaryDns));

    private IpcpPolicy Policy => settings.Policy;

    private uint AssignedPeer => settings.Peer.IsIPv4 ? settings.Peer.ToUInt32() : 0;

    public override string DescribeDispute()
    {
        string said = $"{base.DescribeDispute()}, the peer says {IpAddress.FromUInt32(_disputedValue)}";
        return DisputedOption == IpcpOption.IpAddress && AssignedPeer != 0 ? $"{said}, assigned is {settings.Peer}" : said;
    }

    protected override void BeginRequest()
    {
        _wanted = Wanted.Address;
        _wanted |= Policy.RequestDns ? Wanted.PrimaryDns | Wanted.SecondaryDns : Wanted.None;
        _local = settings.Local.IsIPv4 ? settings.Local.ToUInt32() : 0;
        _peer = AssignedPeer;
        _primaryDns = 0;
        _secondaryDns = 0;
    }

    protected override void WriteRequest(ref WireWriter options)
    {
        if ((_wanted & Wanted.Address) != 0)
        {
            options.WriteOption(IpcpOption.IpAddress, _local);
        }

        if ((_wanted & Wanted.PrimaryDns) != 0)
        {
            options.WriteOption(IpcpOption.PrimaryDns, _primaryDns);
        }

        if ((_wanted & Wanted.SecondaryDns) != 0)
        {
            options.WriteOption(IpcpOption.SecondaryDns, _secondaryDns);
        }
    }

    protected override OptionVerdict Judge(in PppOption option, ref WireWriter nak) => option.Type switch
    {
        IpcpOption.IpAddress => JudgeAddress(option, ref nak),
        IpcpOption.PrimaryDns => JudgeServer(option, Policy.PrimaryDns, ref nak),
        IpcpOption.SecondaryDns => JudgeServer(option, Policy.SecondaryDns, ref nak),
        IpcpOption.PrimaryNbns => JudgeServer(option, Policy.PrimaryNbns, ref nak),
        IpcpOption.SecondaryNbns => JudgeServer(option, Policy.SecondaryNbns, ref nak),

        // IP-Addresses is deprecated (RFC 1332 section 3.1), and no headers are compressed here.
        _ => OptionVerdict.Reject,
    };

    /// <summary>A peer that does not ask for its address is told it (RFC 1332 section 3.3), as long as Naks are of use.</summary>
    protected override void AppendMissing(ReadOnlySpan<byte> options, ref WireWriter nak)
    {
        if (AssignedPeer == 0)
        {
            return;
        }

        foreach (PppOption option in new PppOptionList(options))
        {
            if (option.Type == IpcpOption.IpAddress)
            {
                return;
            }
        }

        // Once is a hint; a peer that leaves it out again means it.
        if (NaksSent == 0)
        {
            nak.WriteOption(IpcpOption.IpAddress, AssignedPeer);
        }
    }

    protected override void TakePeerOptions(ReadOnlySpan<byte> options)
    {
        _peer = AssignedPeer;
        foreach (PppOption option in new PppOptionList(options))
        {
            if (option.Type == IpcpOption.IpAddress && option.TryGetUInt32(out uint address))
            {
                _peer = address;
            }
        }
    }

    protected override void TakeNak(in PppOption option, Timestamp now)
    {
        if (!option.TryGetUInt32(out uint value))
        {
            return;
        }

        _disputedValue = value;
        switch (option.Type)
        {
            case IpcpOption.IpAddress when (_wanted & Wanted.Address) != 0 && (Policy.AcceptLocalAddress || _local == 0):
                _local = value;
                break;
            case IpcpOption.PrimaryDns when (_wanted & Wanted.PrimaryDns) != 0:
                _primaryDns = value;
                break;
            case IpcpOption.SecondaryDns when (_wanted & Wanted.SecondaryDns) != 0:
                _secondaryDns = value;
                break;
            default:
                break;
        }
    }

    protected override void TakeReject(in PppOption option, Timestamp now)
    {
        switch (option.Type)
        {
            case IpcpOption.IpAddress when (_wanted & Wanted.Address) != 0:
                _wanted &= ~Wanted.Address;
                if (_local == 0)
                {
                    Host.NegotiationFailed(
                        this, LinkCloseReason.NegotiationFailed, "IPCP: the peer refuses to assign an address (rejects IP-Addr)", now);
                }

                break;
            case IpcpOption.PrimaryDns:
                _wanted &= ~Wanted.PrimaryDns;
                _primaryDns = 0;
                break;
            case IpcpOption.SecondaryDns:
                _wanted &= ~Wanted.SecondaryDns;
                _secondaryDns = 0;
                break;
            default:
                break;
        }
    }

    /// <summary>True when the peer acknowledged 0.0.0.0: it has no address for this end, and without one nothing can be sent.</summary>
    public bool LacksLocalAddress => _local == 0;

    private OptionVerdict JudgeAddress(in PppOption option, ref WireWriter nak)
    {
        uint assigned = AssignedPeer;
        if (!option.TryGetUInt32(out uint wish))
        {
            return assigned == 0 ? OptionVerdict.Reject : NakOrReject(option, assigned, ref nak);
        }

        if (wish != 0 && (wish == assigned || assigned == 0 || Policy.AcceptPeerAddress))
        {
            return OptionVerdict.Acceptable;
        }

        _disputedValue = wish;
        if (assigned == 0)
        {
            // The peer asks for an address, and there is none to give.
            return OptionVerdict.Reject;
        }

        bool hasItsWay = !MayNak && wish != 0 && Policy.InsistentAddress == InsistencePolicy.Allow;
        return hasItsWay ? OptionVerdict.Acceptable : NakOrReject(option, assigned, ref nak);
    }

    private OptionVerdict JudgeServer(in PppOption option, IpAddress server, ref WireWriter nak)
    {
        if (!server.IsIPv4)
        {
            // Nothing to give: a peer that names its own server keeps it only where the policy lets it.
            bool keeps = option.TryGetUInt32(out uint own) && own != 0 && Policy.InsistentDns == InsistencePolicy.Allow;
            return keeps ? OptionVerdict.Acceptable : OptionVerdict.Reject;
        }

        uint value = server.ToUInt32();
        if (!option.TryGetUInt32(out uint wish))
        {
            return NakOrReject(option, value, ref nak);
        }

        if (wish == value)
        {
            return OptionVerdict.Acceptable;
        }

        _disputedValue = wish;
        bool hasItsWay = !MayNak && wish != 0 && Policy.InsistentDns == InsistencePolicy.Allow;
        return hasItsWay ? OptionVerdict.Acceptable : NakOrReject(option, value, ref nak);
    }

    private OptionVerdict NakOrReject(in PppOption option, uint value, ref WireWriter nak)
    {
        if (!MayNak)
        {
            return OptionVerdict.Reject;
        }

        nak.WriteOption(option.Type, value);
        return OptionVerdict.Nak;
    }

    private static IpAddress ToAddress(uint value) => value == 0 ? default : IpAddress.FromUInt32(value);
}
