using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.Blast;

/// <summary>Where a run stands.</summary>
public enum BlastPhase : byte
{
    /// <summary>Tunnels and sessions are set up for the first time.</summary>
    Ramp,

    /// <summary>Everything that could be set up is.</summary>
    Hold,

    /// <summary>Flap: everybody is away.</summary>
    Away,

    /// <summary>Flap: everybody comes back.</summary>
    Return,

    /// <summary>Flap: one session after the other ends and comes back.</summary>
    Rolling,

    /// <summary>The last packets are waited for.</summary>
    Drain,

    /// <summary>Tunnels are closed in order.</summary>
    Closing,

    Done,
}

/// <summary>The plot: ramp, hold, flap and come back as often as asked, drain, close.</summary>
public sealed partial class BlastEngine
{
    /// <summary>How long peers may take to acknowledge the StopCCNs.</summary>
    private static readonly TimeSpan ClosingPatience = TimeSpan.FromSeconds(5);

    private Timestamp _endAt;
    private Timestamp _stepAt;
    private Timestamp _returnedSince;
    private Timestamp _nextRoll;
    private int _flapsDone;
    private int _rolled;

    public BlastPhase Phase { get; private set; }

    /// <summary>Sessions that are up now.</summary>
    public int SessionsUp => _upCount;

    /// <summary>Sessions that were given up after the last attempt.</summary>
    public int SessionsFailed => _failedCount;

    /// <summary>Sessions being set up now.</summary>
    public int SessionsSettingUp => _settingUp;

    /// <summary>Tunnels that are established now.</summary>
    public int TunnelsUp => _tunnelsEstablished;

    private bool IsClosing => Phase >= BlastPhase.Drain;

    private bool IsSettled => !_settings.IsAnswerer && _upCount + _failedCount == _sessions.Length;

    private Timestamp NextPhaseStep
    {
        get
        {
            Timestamp step = Phase == BlastPhase.Rolling ? Timestamp.Min(_stepAt, _nextRoll) : _stepAt;
            return Phase >= BlastPhase.Drain ? step : Timestamp.Min(_endAt, step);
        }
    }

    /// <summary>Ends the run early, in order.</summary>
    public void Stop(Timestamp now)
    {
        _now = now;
        if (Phase < BlastPhase.Drain)
        {
            BeginDrain();
        }
    }

    private void Begin(Timestamp now)
    {
        Counters.Begin(now);
        Phase = BlastPhase.Ramp;
        _stepAt = Timestamp.Never;
        _endAt = now + _settings.Duration;
        _nextStartOfStorm = now;
        _nextCallOfStorm = now;
        if (_settings.IsAnswerer)
        {
            BeginTraffic();
        }
        else
        {
            foreach (BlastTunnel tunnel in _tunnels)
            {
                QueueAll(tunnel);
            }

            WantAllTunnels();
        }
    }

    private void StepPhase()
    {
        if (Phase < BlastPhase.Drain && _now >= _endAt)
        {
            Counters.IsCutShort = !IsSettled && !_settings.IsAnswerer;
            BeginDrain();
        }

        switch (Phase)
        {
            case BlastPhase.Ramp when IsSettled:
                Counters.RampTime = _now - Counters.Began;
                Counters.SessionsEstablishedInRamp = Counters.SessionsEstablished;
                BeginHold();
                break;
            case BlastPhase.Return when IsSettled:
                Counters.NoteReturn(_now - _returnedSince);
                BeginHold();
                break;
            case BlastPhase.Hold when _now >= _stepAt:
                AfterHold();
                break;
            case BlastPhase.Away when _now >= _stepAt:
                Phase = BlastPhase.Return;
                _returnedSince = _now;
                _stepAt = Timestamp.Never;
                Counters.BeginWave(_now);
                WantAllTunnels();
                break;
            case BlastPhase.Rolling:
                Roll();
                break;
            case BlastPhase.Drain when _now >= _stepAt:
                BeginClosing();
                break;
            case BlastPhase.Closing when _tunnelsClosing == 0 || _now >= _stepAt:
                EndRun();
                break;
        }
    }

    private void BeginHold()
    {
        Phase = BlastPhase.Hold;
        _stepAt = _now + _settings.Hold;
        BeginTraffic();
    }

    private void AfterHold()
    {
        if (_settings.Flap is not { } flap || _flapsDone >= flap.Count)
        {
            BeginDrain();
            return;
        }

        _flapsDone++;
        if (flap.Kind == FlapKind.Rolling)
        {
            Phase = BlastPhase.Rolling;
            _rolled = 0;
            _nextRoll = _now;
            _stepAt = Timestamp.Never;
            _returnedSince = _now;
            return;
        }

        Phase = BlastPhase.Away;
        _stepAt = _now + flap.Time;
        _tunnelsWanted.Clear();
        foreach (BlastTunnel tunnel in _tunnels)
        {
            Depart(tunnel, flap.IsSilent);
        }
    }

    private void Depart(BlastTunnel tunnel, bool isSilent)
    {
        if (tunnel.State == BlastTunnelState.Failed)
        {
            return;
        }

        for (int i = tunnel.FirstSession; i < tunnel.FirstSession + _settings.SessionsPerTunnel; i++)
        {
            _failedCount -= _sessions[i].State == BlastSessionState.Failed ? 1 : 0;
            _sessions[i].Attempts = 0;
            Release(ref _sessions[i], i);
        }

        QueueAll(tunnel);
        if (isSilent)
        {
            ForgetTunnel(tunnel);
        }
        else
        {
            CloseTunnel(tunnel);
        }
    }

    private void Roll()
    {
        FlapPlan flap = _settings.Flap!;
        while (_rolled < _sessions.Length && _nextRoll <= _now)
        {
            RollSession(_rolled++, flap.IsSilent);
            _nextRoll += flap.Time / _sessions.Length;
        }

        if (_rolled == _sessions.Length && IsSettled)
        {
            Counters.NoteReturn(_now - _returnedSince);
            BeginHold();
        }
        else if (_rolled == _sessions.Length)
        {
            _nextRoll = Timestamp.Never;
        }
    }

    private void RollSession(int index, bool isSilent)
    {
        ref BlastSession session = ref _sessions[index];
        if (session.State != BlastSessionState.Up)
        {
            return;
        }

        BlastTunnel tunnel = _tunnels[session.Tunnel];
        if (!isSilent)
        {
            PppMachine.Terminate(ref session, index, this);
            HangUp(tunnel, index, CdnResult.LostCarrier);
        }

        Counters.Rolled++;
        Release(ref session, index);
        Enqueue(tunnel, index);
        NoteReady(tunnel);
    }

    private void BeginDrain()
    {
        Counters.UpAtEnd = _upCount;
        Counters.Ended = _now;
        Phase = BlastPhase.Drain;
        _stepAt = _settings.Traffic is { } traffic && Counters.PacketsSent > 0 ? _now + traffic.Drain : _now;
    }

    private void BeginClosing()
    {
        Phase = BlastPhase.Closing;
        _stepAt = _now + ClosingPatience;
        foreach (BlastTunnel tunnel in _tunnels)
        {
            CloseTunnel(tunnel);
        }
    }

    private void EndRun()
    {
        Counters.Unclosed = _tunnelsClosing;
        Phase = BlastPhase.Done;
        _stepAt = Timestamp.Never;
        foreach (BlastTunnel tunnel in _tunnels)
        {
            ForgetTunnel(tunnel);
        }
    }
}
