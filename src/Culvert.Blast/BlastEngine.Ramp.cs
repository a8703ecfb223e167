using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.Blast;

/// <summary>The pace: tunnels a few at a time, sessions at the ramp's rate or as fast as the peer answers; and storms on purpose.</summary>
public sealed partial class BlastEngine
{
    /// <summary>A ramp that was held up (nothing could be begun) makes up for so much time, and not for more.</summary>
    private static readonly TimeSpan RampBacklog = TimeSpan.FromMilliseconds(20);

    /// <summary>The IDs of calls that are never completed lie above all others.</summary>
    private const int StormIds = ushort.MaxValue - BlastSettings.MostSessionsPerTunnel;

    private readonly Queue<BlastTunnel> _tunnelsWanted = new();
    private readonly Queue<BlastTunnel> _ready = new();
    private Timestamp _nextStart;
    private Timestamp _nextStartOfStorm;
    private Timestamp _nextCallOfStorm;
    private int _stormTunnel;

    // While calls wait for answers and not for the ramp, there is nothing to wake up for.
    private Timestamp NextStart => _ready.Count > 0 && _settingUp < _settings.InFlight && !IsClosing ? _nextStart : Timestamp.Never;

    private Timestamp NextStorm => IsClosing ? Timestamp.Never : Timestamp.Min(
        _settings.Faults.StartStorm > 0 ? _nextStartOfStorm : Timestamp.Never,
        _settings.Faults.CallStorm > 0 && _tunnelsEstablished > 0 ? _nextCallOfStorm : Timestamp.Never);

    private void WantAllTunnels()
    {
        _tunnelsWanted.Clear();
        _nextStart = _now;
        foreach (BlastTunnel tunnel in _tunnels)
        {
            if (tunnel.State == BlastTunnelState.Closing)
            {
                ForgetTunnel(tunnel);
            }

            if (tunnel.State == BlastTunnelState.Idle)
            {
                tunnel.Attempts = 0;
                _tunnelsWanted.Enqueue(tunnel);
            }
        }
    }

    private void StartWhatMay()
    {
        if (IsClosing)
        {
            return;
        }

        while (_tunnelsStarting < _settings.TunnelsInFlight && _tunnelsWanted.TryDequeue(out BlastTunnel? wanted))
        {
            StartTunnel(wanted);
        }

        while (_settingUp < _settings.InFlight && _nextStart <= _now && _ready.TryDequeue(out BlastTunnel? tunnel))
        {
            tunnel.IsReady = false;
            if (tunnel.HasRoom && tunnel.QueueHead != BlastSession.None)
            {
                PlaceCall(tunnel);
                if (_settings.Ramp > 0)
                {
                    _nextStart = Timestamp.Max(_nextStart, _now - RampBacklog) + TimeSpan.FromSeconds(1 / _settings.Ramp);
                }
            }
        }
    }

    private void NoteReady(BlastTunnel tunnel)
    {
        if (!tunnel.IsReady && !_settings.IsAnswerer && tunnel.QueueHead != BlastSession.None && tunnel.HasRoom)
        {
            tunnel.IsReady = true;
            _ready.Enqueue(tunnel);
        }
    }

    private void Storm()
    {
        FaultPlan faults = _settings.Faults;
        while (faults.StartStorm > 0 && _nextStartOfStorm <= _now && !IsClosing)
        {
            SendStartOfStorm();
            _nextStartOfStorm = Timestamp.Max(_nextStartOfStorm, _now - RampBacklog) + TimeSpan.FromSeconds(1 / faults.StartStorm);
        }

        while (faults.CallStorm > 0 && _nextCallOfStorm <= _now && _tunnelsEstablished > 0 && !IsClosing)
        {
            SendCallOfStorm();
            _nextCallOfStorm = Timestamp.Max(_nextCallOfStorm, _now - RampBacklog) + TimeSpan.FromSeconds(1 / faults.CallStorm);
        }
    }

    // Its answer finds no tunnel here and is counted as such.
    private void SendStartOfStorm()
    {
        ushort id = (ushort)(_random.NextUInt16() | 1);
        if (_tunnelOfId[id] != NoTunnel)
        {
            return;
        }

        byte[] message = BlastMessages.Start(MessageType.Sccrq, _settings, _settings.HostName.ToString(0, 0, 0), id, null, default);
        int socket = id % _settings.LocalAddresses;
        message.CopyTo(_sink.Reserve(socket));
        _sink.Commit(socket, message.Length, new UdpPath(default, _settings.Peer));
        Counters.StartsOfStorm++;
        Counters.DatagramsSent++;
    }

    private void SendCallOfStorm()
    {
        for (int tried = 0; tried < _tunnels.Length; tried++)
        {
            BlastTunnel tunnel = _tunnels[_stormTunnel++ % _tunnels.Length];
            _stormTunnel %= _tunnels.Length;
            if (tunnel.HasRoom)
            {
                var id = (ushort)(BlastSettings.MostSessionsPerTunnel + 1 + (tunnel.StormCalls++ % (StormIds - 1)));
                Send(tunnel, BlastMessages.Icrq(id, ++_serialNumber));
                Counters.StormCallsPlaced++;
                return;
            }
        }
    }

    private static bool IsStormCall(ushort sessionId) => sessionId > BlastSettings.MostSessionsPerTunnel;
}
