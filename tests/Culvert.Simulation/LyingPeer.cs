using System.Buffers.Binary;
using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.Simulation;

/// <summary>
/// A peer that knows the protocol and abuses it. It opens tunnels and places calls like everybody, and then lies: acknowledges what was
/// never sent or takes acknowledgements back, uses numbers and IDs twice, names other tunnels' and sessions' IDs, sends messages that
/// mean nothing in their state, answers late or not at all, stops half-way, and begins far too many tunnels from many addresses.
/// </summary>
public sealed class LyingPeer : SimulatedEnd, Culvert.L2tp.IPeerPolicy
{
    private const int MostHeld = 32;

    private readonly PeerEndpoint _victim;
    private readonly TunnelSettings _settings;
    private readonly SeededRandom _random;
    private readonly L2tpEndpoint _endpoint;
    private readonly List<(Timestamp At, byte[] Datagram, UdpPath Path)> _late = [];
    private Timestamp _next = Timestamp.Zero;
    private int _due;

    public LyingPeer(string name, PeerEndpoint at, PeerEndpoint victim, ulong seed, TunnelSettings settings)
        : base(name, at)
    {
        _victim = victim;
        _settings = settings;
        _random = new SeededRandom(seed);
        _endpoint = new L2tpEndpoint(EndpointLimits.Default with { MaxTunnels = 64, MaxSessions = 64 }, this, new SessionTable(_random), _random);
        WatchesWindows = false;
    }

    public override Timestamp NextDeadline
    {
        get
        {
            Timestamp next = Timestamp.Min(_endpoint.NextDeadline, _next);
            foreach ((Timestamp at, _, _) in _late)
            {
                next = Timestamp.Min(next, at);
            }

            return next;
        }
    }

    public override IEnumerable<Tunnel> Tunnels => [];

    public override void Receive(in UdpPath path, Span<byte> datagram, Timestamp now)
    {
        if (_random.NextBelow(10) != 0)
        {
            _endpoint.Receive(path, datagram, now);
        }
    }

    public override void Advance(Timestamp now)
    {
        _endpoint.Advance(now);
        if (_next <= now)
        {
            _next = now + TimeSpan.FromMilliseconds(50 + _random.NextBelow(1500));
            _due = 1 + _random.NextBelow(3);
        }
    }

    public override bool TakeEvents(SimulatedWorld world, Timestamp now)
    {
        bool isBusy = _due > 0;
        while (_endpoint.TryNextEvent(out L2tpEvent e))
        {
            isBusy = true;
            if (e.Kind is L2tpEventKind.CallOffered or L2tpEventKind.OutgoingCallRequested && _random.NextBelow(2) == 0)
            {
                e.Session!.Accept(now);
            }
        }

        for (; _due > 0; _due--)
        {
            Misbehave(world, now);
        }

        for (int i = _late.Count - 1; i >= 0; i--)
        {
            if (_late[i].At <= now)
            {
                world.Send(At, _late[i].Path.Peer, _late[i].Datagram);
                _late.RemoveAt(i);
                isBusy = true;
            }
        }

        return isBusy;
    }

    /// <summary>What the honest engine says, one message in three with a lie in it.</summary>
    public override bool TryTransmit(Span<byte> buffer, Timestamp now, out int length, out UdpPath path)
    {
        while (_endpoint.TryTransmit(buffer, out length, out path))
        {
            Span<byte> datagram = buffer[..length];
            switch (_random.NextBelow(18))
            {
                case 0:
                    continue; // never said
                case 1 when _late.Count < MostHeld:
                    _late.Add((now + TimeSpan.FromMilliseconds(_random.NextBelow(40_000)), datagram.ToArray(), path));
                    continue;
                case 2:
                    Add(datagram, 10, 1 + _random.NextBelow(300)); // Nr: of what was never sent
                    break;
                case 3:
                    Add(datagram, 10, -1 - _random.NextBelow(4)); // Nr: taken back
                    break;
                case 4:
                    Add(datagram, 8, _random.NextBelow(9) - 4); // Ns: again, or skipped
                    break;
                case 5:
                    BinaryPrimitives.WriteUInt16BigEndian(datagram[6..], _random.NextUInt16()); // a session of somebody else
                    break;
                case 6:
                    Add(datagram, 4, 1); // a tunnel of somebody else
                    break;
            }

            return true;
        }

        return false;
    }

    public override void Restart(Timestamp now) => _next = now;

    public override void Check()
    {
    }

    bool Culvert.L2tp.IPeerPolicy.TryAccept(in TunnelRequest request, out TunnelSettings settings, out Disconnect refusal)
    {
        settings = _settings;
        refusal = null!;
        return true;
    }

    private void Misbehave(SimulatedWorld world, Timestamp now)
    {
        Tunnel[] tunnels = [.. _endpoint.Tunnels.Where(t => t.Ended is null).OrderBy(t => t.LocalTunnelId)];
        Tunnel? tunnel = tunnels.Length == 0 ? null : tunnels[_random.NextBelow(tunnels.Length)];
        Session[] sessions = tunnel is null ? [] : [.. tunnel.Sessions.OrderBy(s => s.LocalSessionId)];
        ushort peerSession = sessions.Length == 0 ? (ushort)0 : sessions[_random.NextBelow(sessions.Length)].PeerSessionId;
        switch (_random.NextBelow(9))
        {
            case 0 or 1 when tunnels.Length < 6:
                _ = _endpoint.TryConnect(new UdpPath(default, _victim), _settings, now, out _);
                break;
            case 2 or 3 when tunnel is not null:
                _ = tunnel.TryPlaceIncomingCall(IncomingCall.Default with { FramingType = (uint)_random.NextBelow(4) }, now, out _);
                break;
            case 4 when tunnel is { PeerTunnelId: not 0 }:
                // The right numbers, and a type that means nothing here.
                Say(world, L2tpBuilder.Control(
                    tunnel.PeerTunnelId, peerSession, tunnel.NextNs, tunnel.NextNr, TestAvp.MessageType(1 + _random.NextBelow(20)),
                    TestAvp.AssignedTunnelId(tunnel.LocalTunnelId), TestAvp.AssignedSessionId(1 + _random.NextBelow(4)), TestAvp.CallSerialNumber(1), TestAvp.ResultCode(2, 6)));
                break;
            case 5 when tunnel is { PeerTunnelId: not 0 }:
                // One Assigned Session ID for many calls.
                for (int i = 0; i < 3; i++)
                {
                    Say(world, L2tpBuilder.IncomingCallRequest(tunnel.PeerTunnelId, 77, tunnel.NextNs + i, tunnel.NextNr, i));
                }

                break;
            case 6:
                Flood(world);
                break;
            case 7 when tunnel is not null:
                // Data before, without and after a session.
                Say(world, L2tpBuilder.Data(tunnel.PeerTunnelId, peerSession == 0 ? _random.NextUInt16() : peerSession, PppBuilder.Control(
                    PppBuilder.Lcp, 1 + _random.NextBelow(12), _random.NextBelow(256), PppBuilder.MagicNumber(_random.NextUInt32()))));
                break;
            default:
                tunnel?.Close(Disconnect.OfTunnel(StopCcnResult.GeneralRequest, "enough"), now);
                break;
        }
    }

    // Half-valid starts from addresses where nobody is (198.18.0.0/16): each would cost a tunnel if it were believed.
    private void Flood(SimulatedWorld world)
    {
        for (int i = _random.NextBelow(20); i > 0; i--)
        {
            byte[] start = L2tpBuilder.StartControlConnectionRequest(1 + _random.NextBelow(65_535), $"lac{i % 3}", TestAvp.ReceiveWindowSize(_random.NextBelow(4)));
            var source = new PeerEndpoint(IpAddress.FromUInt32(0xC6120000 | (uint)_random.NextBelow(64)), _random.NextUInt16());
            world.Send(source, _victim, start);
        }
    }

    private void Say(SimulatedWorld world, byte[] datagram) => world.Send(At, _victim, datagram);

    private static void Add(Span<byte> datagram, int at, int change)
    {
        if (datagram.Length >= L2tpHeader.ControlSize && (datagram[0] & 0x80) != 0)
        {
            BinaryPrimitives.WriteUInt16BigEndian(datagram[at..], (ushort)(BinaryPrimitives.ReadUInt16BigEndian(datagram[at..]) + change));
        }
    }
}
