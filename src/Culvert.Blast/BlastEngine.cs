using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Culvert.Core;
using Culvert.L2tp.Wire;
using Culvert.Ppp;
using Culvert.Ppp.Wire;

namespace Culvert.Blast;

/// <summary>
/// The load generator without its sockets: many tunnels with many sessions, every one with a PPP end, set up at a given pace, filled
/// with stamped packets, torn down and set up again. It has the face that all engines here have, except that it writes straight into
/// the sink's memory. One session costs about 120 octets, its place in the list of deadlines included.
/// </summary>
public sealed partial class BlastEngine : IPppOutput
{
    /// <summary>Longest datagram ever written, octets.</summary>
    public const int MaxDatagramSize = 2048;

    private const int NoTunnel = -1;

    private readonly BlastSettings _settings;
    private readonly IRandomSource _random;
    private readonly FaultySink _sink;
    private readonly PppMachine _ppp;
    private readonly BlastTunnel[] _tunnels;
    private readonly BlastSession[] _sessions;
    private readonly int[] _tunnelOfId = new int[1 << 16];
    private readonly DeadlineHeap _sessionDeadlines = new();
    private readonly DeadlineHeap _tunnelDeadlines = new();
    private readonly Queue<BlastTunnel> _toTransmit = new();
    private readonly byte[] _scratch = new byte[MaxDatagramSize];
    private readonly byte[] _control = new byte[MaxDatagramSize];
    private Timestamp _now;

    /// <param name="settings">What is to be done.</param>
    /// <param name="sink">Where datagrams go.</param>
    /// <param name="random">IDs, challenges and faults.</param>
    /// <param name="now">The time.</param>
    /// <exception cref="ArgumentException">More tunnels or sessions than the limits of <see cref="BlastSettings"/>.</exception>
    public BlastEngine(BlastSettings settings, IDatagramSink sink, IRandomSource random, Timestamp now)
    {
        Check(settings);
        _settings = settings;
        _random = random;
        _now = now;
        _sink = new FaultySink(sink, settings.Faults, random);
        _ppp = new PppMachine(settings.Ppp, settings.IsAnswerer, settings.SessionsPerTunnel, random);
        _run = random.NextUInt32();
        _sessions = new BlastSession[settings.Sessions];
        _up = new int[settings.Sessions];
        _tunnels = new BlastTunnel[settings.Tunnels];
        Array.Fill(_tunnelOfId, NoTunnel);
        for (int i = 0; i < _tunnels.Length; i++)
        {
            _tunnels[i] = new BlastTunnel(i, i % settings.LocalAddresses, i * settings.SessionsPerTunnel);
        }

        Begin(now);
    }

    public BlastCounters Counters { get; } = new();

    /// <summary>The next moment at which <see cref="Advance"/> has something to do.</summary>
    public Timestamp NextDeadline
    {
        get
        {
            Timestamp next = Timestamp.Min(_sessionDeadlines.Next, _tunnelDeadlines.Next);
            next = Timestamp.Min(next, Timestamp.Min(NextPhaseStep, NextStart));
            return Timestamp.Min(next, Timestamp.Min(NextPacket, NextStorm));
        }
    }

    /// <summary>Takes a datagram.</summary>
    /// <param name="socket">Number of the socket that it came to.</param>
    /// <param name="path">Where it came from; only looked at when it is a control message.</param>
    /// <param name="datagram">All of it.</param>
    /// <param name="now">The time.</param>
    public void Receive(int socket, in UdpPath path, ReadOnlySpan<byte> datagram, Timestamp now)
    {
        _now = now;
        Counters.DatagramsReceived++;
        if (_sink.Loses() || !L2tpHeader.TryRead(datagram, out L2tpHeader header))
        {
            return;
        }

        if (header.IsControl)
        {
            ReceiveControl(socket, path, header, datagram[..header.PayloadEnd]);
        }
        else if (TryFind(header.TunnelId, header.SessionId, out int index, out BlastTunnel? tunnel))
        {
            tunnel.Channel!.NoteHeard(now);
            ReceiveFrame(tunnel, index, datagram[header.PayloadStart..header.PayloadEnd]);
        }
        else
        {
            Counters.UnknownSession++;
        }
    }

    /// <summary>Does what is due, and sends what all that was received has led to.</summary>
    public void Advance(Timestamp now)
    {
        _now = now;
        while (_sessionDeadlines.TryTakeDue(now, out int index))
        {
            OnSessionDeadline(index);
        }

        while (_tunnelDeadlines.TryTakeDue(now, out int index))
        {
            OnTunnelDeadline(_tunnels[index]);
        }

        StepPhase();
        StartWhatMay();
        Storm();
        TransmitControl();
        SendPackets();
    }

    Span<byte> IPppOutput.Reserve(int session) => _sink.Reserve(_tunnels[_sessions[session].Tunnel].Socket)[L2tpHeader.MinimumSize..];

    void IPppOutput.Commit(int session, int length) => CommitData(session, length);

    /// <summary>Puts the L2TP header before what was written behind it, and sends both.</summary>
    private void CommitData(int index, int length)
    {
        ref BlastSession session = ref _sessions[index];
        BlastTunnel tunnel = _tunnels[session.Tunnel];
        Span<byte> datagram = _sink.Reserve(tunnel.Socket);
        BinaryPrimitives.WriteUInt16BigEndian(datagram, 2); // Ver, no optional field (section 3.1)
        BinaryPrimitives.WriteUInt16BigEndian(datagram[2..], tunnel.Channel!.PeerTunnelId);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[4..], session.PeerSessionId);
        Counters.DatagramsSent++;
        _sink.Commit(tunnel.Socket, L2tpHeader.MinimumSize + length, tunnel.Path);
    }

    private void ReceiveFrame(BlastTunnel tunnel, int index, ReadOnlySpan<byte> frame)
    {
        ref BlastSession session = ref _sessions[index];
        if (PppFrame.TryRead(frame, out PppProtocol protocol, out ReadOnlySpan<byte> packet) && protocol == PppProtocol.IPv4)
        {
            ReceivePacket(packet);
            return;
        }

        if (session.State is not (BlastSessionState.Negotiating or BlastSessionState.Up))
        {
            return;
        }

        if (session.Phase == PppPhase.Dead && session.State == BlastSessionState.Negotiating)
        {
            _ppp.Open(ref session, index, this);
        }

        Follow(tunnel, index, _ppp.Receive(ref session, index, frame, this));
    }

    private bool TryFind(ushort tunnelId, ushort sessionId, out int index, [NotNullWhen(true)] out BlastTunnel? tunnel)
    {
        index = BlastSession.None;
        tunnel = null;
        if (_tunnelOfId[tunnelId] == NoTunnel || sessionId == 0)
        {
            return false;
        }

        tunnel = _tunnels[_tunnelOfId[tunnelId]];
        index = tunnel.FirstSession + ((sessionId - 1) % _settings.SessionsPerTunnel);
        return _sessions[index].LocalSessionId == sessionId;
    }

    private static void Check(BlastSettings settings)
    {
        bool isSound = settings.Tunnels is > 0 and <= BlastSettings.MostTunnels &&
            settings.SessionsPerTunnel is > 0 and <= BlastSettings.MostSessionsPerTunnel &&
            (long)settings.Tunnels * settings.SessionsPerTunnel <= BlastSettings.MostSessions &&
            settings is { LocalAddresses: > 0, Tries: > 0 };
        if (!isSound)
        {
            throw new ArgumentException("Numbers of tunnels, sessions, local addresses and tries are at least 1 and within the limits.", nameof(settings));
        }
    }
}
