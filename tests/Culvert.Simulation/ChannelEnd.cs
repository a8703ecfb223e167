using System.Diagnostics.CodeAnalysis;
using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;

namespace Culvert.Simulation;

/// <summary>A bare L2TP endpoint that accepts every tunnel and every call: for what the control channel alone can do.</summary>
public sealed class ChannelEnd : SimulatedEnd, IPeerPolicy
{
    private readonly TunnelSettings _settings;
    private readonly SessionTable _ids;

    public ChannelEnd(string name, PeerEndpoint at, ulong seed)
        : base(name, at)
    {
        var random = new SeededRandom(seed);
        _settings = new TunnelSettings { HostName = name };
        _ids = new SessionTable(random);
        Endpoint = new L2tpEndpoint(EndpointLimits.Default, this, _ids, random);
    }

    public L2tpEndpoint Endpoint { get; }

    public int SessionsEstablished { get; private set; }

    public bool HasLostTunnel { get; private set; }

    public override Timestamp NextDeadline => Endpoint.NextDeadline;

    public override IEnumerable<Tunnel> Tunnels => Endpoint.Tunnels.Where(t => t.Ended is null);

    public Tunnel? Connect(SimulatedWorld world, PeerEndpoint to)
    {
        _ = Endpoint.TryConnect(new UdpPath(default, to), _settings, world.Now, out Tunnel? tunnel);
        return tunnel;
    }

    public override void Receive(in UdpPath path, Span<byte> datagram, Timestamp now) => Endpoint.Receive(path, datagram, now);

    public override void Advance(Timestamp now) => Endpoint.Advance(now);

    public override bool TryTransmit(Span<byte> buffer, Timestamp now, out int length, out UdpPath path) =>
        Endpoint.TryTransmit(buffer, out length, out path);

    public override bool TakeEvents(SimulatedWorld world, Timestamp now)
    {
        bool isBusy = false;
        while (Endpoint.TryNextEvent(out L2tpEvent e))
        {
            isBusy = true;
            switch (e.Kind)
            {
                case L2tpEventKind.CallOffered:
                    e.Session!.Accept(now);
                    break;
                case L2tpEventKind.SessionEstablished:
                    SessionsEstablished++;
                    break;
                case L2tpEventKind.TunnelClosed:
                    HasLostTunnel = true;
                    break;
            }
        }

        return isBusy;
    }

    public override void Restart(Timestamp now) => throw new NotSupportedException("A bare endpoint is made anew instead.");

    public override void Check() => CheckTunnels();

    bool IPeerPolicy.TryAccept(in TunnelRequest request, [NotNullWhen(true)] out TunnelSettings? settings, [NotNullWhen(false)] out Disconnect? refusal)
    {
        settings = _settings;
        refusal = null;
        return true;
    }
}
