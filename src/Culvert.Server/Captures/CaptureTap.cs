using System.Buffers.Binary;
using Culvert.Core;
using Culvert.L2tp;
using Culvert.L2tp.Wire;
using Culvert.Ppp.Wire;
using Culvert.Subscribers;

namespace Culvert.Server.Captures;

/// <summary>
/// The shard's end of one capture: chooses datagrams and puts copies into the ring. Lives on the shard's thread. Received datagrams
/// carry the IDs that we assigned; sent ones those of the peer, which only together with its address mean one tunnel.
/// </summary>
internal sealed class CaptureTap
{
    /// <summary>Sessions of one user; more are a shared account, of which these are sample enough.</summary>
    private const int MaximumTargets = 256;

    private readonly CaptureRequest _request;
    private readonly CaptureRing _ring;
    private readonly CaptureBacklog? _backlog;
    private readonly List<Target> _targets = [];
    private bool _isNamed;

    public CaptureTap(CaptureRequest request, CaptureRing ring)
    {
        _request = request;
        _ring = ring;
        _backlog = request.User is null ? null : new CaptureBacklog();
    }

    private bool IsEverything => _request is { Tunnel: null, Session: null, User: null };

    /// <summary>Finds what is to be captured.</summary>
    /// <exception cref="NodeException">There is no such tunnel or session. A user may come later.</exception>
    public void Attach(AccessNode access)
    {
        if (_request.Tunnel is { } id)
        {
            Tunnel tunnel = access.Tunnels.FirstOrDefault(t => t.LocalTunnelId == id)
                ?? throw new NodeException($"no tunnel {id}; see 'culvert show tunnels'");
            _targets.Add(new Target(tunnel, null));
        }
        else if (!IsEverything)
        {
            var all = new List<Subscriber>();
            _ = access.PageOfSubscribers(0, int.MaxValue, all);
            all.ForEach(AddIfWanted);
            if (_targets.Count == 0 && _request.Session is { } session)
            {
                throw new NodeException($"no session {session}; see 'culvert show sessions'");
            }
        }
    }

    /// <summary>A user's next sessions are part of the capture too, with their logins, also those that fail.</summary>
    public void OnEvent(in NodeEvent e)
    {
        if (_request.User is null || e.Subscriber is null)
        {
            return;
        }

        if (e.Kind is NodeEventKind.SessionUp or NodeEventKind.DialUp)
        {
            AddIfWanted(e.Subscriber);
        }
        else if (e.Kind == NodeEventKind.AuthenticationFailed && e.UserName == _request.User)
        {
            Add(e.Subscriber);
        }
        else if (e.Kind == NodeEventKind.SessionDown)
        {
            Subscriber gone = e.Subscriber;
            _targets.RemoveAll(t => t.Subscriber == gone);
        }
    }

    public void Tap(ReadOnlySpan<byte> datagram, in UdpPath path, ushort localPort, bool isSent, Timestamp now)
    {
        // What is no L2TPv2 belongs to no tunnel, but to everything.
        bool isReadable = L2tpHeader.TryRead(datagram, out L2tpHeader header);
        if (_request.IsControlOnly && isReadable && !header.IsControl && IsUserTraffic(datagram[header.PayloadStart..header.PayloadEnd]))
        {
            return;
        }

        if (IsEverything)
        {
            if (_ring.TryPut(datagram, new TappedDatagram(now, path, localPort, isSent, _isNamed ? null : "all tunnels")))
            {
                _isNamed = true;
            }

            return;
        }

        if (!isReadable)
        {
            return;
        }

        var about = new TappedDatagram(now, path, localPort, isSent, null);
        if (Find(datagram, header, path, isSent) is { } target)
        {
            Put(datagram, about, target);
        }
        else if (_backlog is not null && (header.IsControl || !IsUserTraffic(datagram[header.PayloadStart..header.PayloadEnd])))
        {
            _backlog.Put(datagram, about);
        }
    }

    private void Put(ReadOnlySpan<byte> datagram, in TappedDatagram about, Target target)
    {
        // Asked first: while there is no room no text is made, packet after packet, only to be thrown away.
        string? name = target.IsNamed || !_ring.HasRoom ? null : target.ToString();
        if (_ring.TryPut(datagram, about with { Comment = name }) && name is not null)
        {
            target.IsNamed = true;
        }
    }

    /// <summary>Protocol numbers below 0x4000 are network layer packets (RFC 1661 section 2).</summary>
    private static bool IsUserTraffic(ReadOnlySpan<byte> frame) =>
        PppFrame.TryRead(frame, out PppProtocol protocol, out _) && (ushort)protocol < 0x4000;

    private Target? Find(ReadOnlySpan<byte> datagram, in L2tpHeader header, in UdpPath path, bool isSent)
    {
        foreach (Target target in _targets)
        {
            if (target.Concerns(datagram, header, path, isSent))
            {
                return target;
            }
        }

        return null;
    }

    private void AddIfWanted(Subscriber subscriber)
    {
        bool isWanted = _request.Session is { } session ? subscriber.Key == session : subscriber.UserName == _request.User;
        if (isWanted)
        {
            Add(subscriber);
        }
    }

    private void Add(Subscriber subscriber)
    {
        if (_targets.Count >= MaximumTargets || _targets.Exists(t => t.Subscriber == subscriber))
        {
            return;
        }

        var target = new Target(subscriber.Tunnel, subscriber);
        _targets.Add(target);
        _backlog?.TakeWhere((datagram, in about) =>
        {
            // IDs are used again: what is older than the session was another's.
            bool isTaken = about.At >= subscriber.Since && L2tpHeader.TryRead(datagram, out L2tpHeader header)
                && target.Concerns(datagram, header, about.Path, about.IsSent);
            if (isTaken)
            {
                Put(datagram, about, target);
            }

            return isTaken;
        });
    }

    /// <param name="Subscriber">One session; null for the whole tunnel.</param>
    private sealed record Target(Tunnel Tunnel, Subscriber? Subscriber)
    {
        /// <summary>Its first packet is in the file, with the name of the target beside it.</summary>
        public bool IsNamed { get; set; }

        public bool Concerns(ReadOnlySpan<byte> datagram, in L2tpHeader header, in UdpPath path, bool isSent) =>
            (isSent ? header.TunnelId == Tunnel.PeerTunnelId && path.Peer == Tunnel.Path.Peer : header.TunnelId == Tunnel.LocalTunnelId)
            && (Subscriber is null || IsOfSession(Subscriber.Session, datagram, header, isSent));

        /// <summary>By the header; or by the Assigned Session ID, which is the sender's own, in an ICRQ and whatever else comes without.</summary>
        private static bool IsOfSession(Session session, ReadOnlySpan<byte> datagram, in L2tpHeader header, bool isSent) =>
            header.SessionId != 0
                ? header.SessionId == (isSent ? session.PeerSessionId : session.LocalSessionId)
                : header.IsControl && AssignedSessionId(datagram[header.PayloadStart..header.PayloadEnd]) is { } assigned && assigned != 0
                    && assigned == (isSent ? session.LocalSessionId : session.PeerSessionId);

        private static ushort? AssignedSessionId(ReadOnlySpan<byte> body)
        {
            var reader = new AvpReader(body);
            while (reader.MoveNext())
            {
                if (reader.Current.Id == AvpType.AssignedSessionId && !reader.Current.IsHidden && reader.Current.Value.Length == sizeof(ushort))
                {
                    return BinaryPrimitives.ReadUInt16BigEndian(reader.Current.Value);
                }
            }

            return null;
        }

        public override string ToString() => Subscriber?.ToString() ?? $"tunnel {Tunnel.LocalTunnelId} with {Tunnel.Path.Peer}";
    }
}
