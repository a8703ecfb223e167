using Culvert.Core;
using Culvert.Ppp.Wire;

namespace Culvert.Ppp;

/// <summary>What a negotiating protocol needs from the link that holds it.</summary>
internal interface INegotiationHost
{
    NegotiationSettings Negotiation { get; }

    void Send(PppProtocol protocol, ControlCode code, byte identifier, ReadOnlySpan<byte> data);

    void LayerUp(ControlProtocol layer, Timestamp now);

    void LayerDown(ControlProtocol layer, Timestamp now);

    void LayerFinished(ControlProtocol layer, Timestamp now);

    /// <summary>The peer does not know what every implementation must know: the protocol is over.</summary>
    void RejectedFatally(ControlProtocol layer, string text);

    /// <summary>The peer sent a Terminate-Request; <paramref name="text"/> is its data.</summary>
    void PeerTerminates(ControlProtocol layer, ReadOnlySpan<byte> text, Timestamp now);

    /// <summary>No agreement is possible; <paramref name="text"/> says on what.</summary>
    void NegotiationFailed(ControlProtocol layer, LinkCloseReason reason, string text, Timestamp now);
}

internal enum OptionVerdict : byte
{
    Acceptable,

    /// <summary>Another value is wanted; it has been written into the Nak.</summary>
    Nak,

    Reject,
}

/// <summary>
/// One negotiating protocol on one link: RFC 1661's automaton with its Restart timer, identifiers and the packets that are the same
/// in LCP and every NCP. Derived classes say which options they want, and judge those of the peer. Nothing of a negotiation is kept
/// but the values themselves: the request is written again from them whenever it is needed.
/// </summary>
internal abstract class ControlProtocol(INegotiationHost host)
{
    /// <summary>Requests larger than the default MRU are not answered: no peer may send them (RFC 1661 section 6.1).</summary>
    private const int MaxOptionsLength = 1500 - ControlPacket.HeaderLength;

    /// <summary>How often a request repeated in Opened is taken for "your Ack was lost"; after that it is a new negotiation.</summary>
    private const int MaxRepeatedAcks = 3;

    private Timestamp _restartAt = Timestamp.Never;
    private uint _acknowledgedDigest;
    private AutomatonState _state;
    private byte _restartCount;
    private byte _naksSent;
    private byte _rounds;
    private byte _identifier;
    private byte _acknowledgedIdentifier;
    private byte _repeatedAcks;
    private bool _isRequestOutstanding;
    private byte _refusedIdentifier;
    private bool _hasRefused;
    private bool _hasHeard;

    public abstract PppProtocol Protocol { get; }

    /// <summary>"LCP", "IPCP".</summary>
    public abstract string Name { get; }

    public AutomatonState State => _state;

    public bool IsOpened => _state == AutomatonState.Opened;

    public Timestamp NextDeadline => _restartAt;

    /// <summary>The option that was refused last, in either direction: what a negotiation that fails was about.</summary>
    public byte DisputedOption { get; private set; }

    /// <summary>True when it was this end that refused it.</summary>
    public bool HasRefusedLast { get; private set; }

    /// <summary>Whether the peer ever said anything in this protocol.</summary>
    public bool HasHeard => _hasHeard;

    protected INegotiationHost Host => host;

    /// <summary>False once Max-Failure Naks were sent: from then on an option is acknowledged or rejected (RFC 1661 section 4.6).</summary>
    protected bool MayNak => _naksSent < host.Negotiation.MaxFailure;

    /// <summary>Text of the next Terminate-Request.</summary>
    protected string TerminateText { get; private set; } = "";

    /// <summary>Naks sent since the last Ack, for a choice among several proposals.</summary>
    protected int NaksSent => _naksSent;

    public void Open(Timestamp now) => Fire(AutomatonEvent.Open, now);

    public void Up(Timestamp now)
    {
        ResetCounters();
        BeginRequest();
        Fire(AutomatonEvent.Up, now);
    }

    public void Down(Timestamp now) => Fire(AutomatonEvent.Down, now);

    public void Close(string text, Timestamp now)
    {
        TerminateText = text;
        Fire(AutomatonEvent.Close, now);
    }

    /// <summary>Ends a negotiation that has no hope without further packets (as if the Restart counter had run out).</summary>
    public void GiveUp(Timestamp now)
    {
        if (_state is AutomatonState.RequestSent or AutomatonState.AckReceived or AutomatonState.AckSent)
        {
            Fire(AutomatonEvent.TimeoutExpired, now);
        }
    }

    public void Advance(Timestamp now)
    {
        if (now >= _restartAt)
        {
            Fire(_restartCount > 0 ? AutomatonEvent.Timeout : AutomatonEvent.TimeoutExpired, now);
        }
    }

    /// <summary>Takes one packet; false when it was malformed or out of place and had no effect.</summary>
    public bool Receive(ReadOnlySpan<byte> information, Timestamp now)
    {
        if (!ControlPacket.TryRead(information, out ControlPacket packet) || _state is AutomatonState.Initial or AutomatonState.Starting)
        {
            return false;
        }

        _hasHeard = true;
        switch (packet.Code)
        {
            case ControlCode.ConfigureRequest:
                return ReceiveConfigureRequest(packet, now);
            case ControlCode.ConfigureAck:
                return ReceiveConfigureAck(packet, now);
            case ControlCode.ConfigureNak:
            case ControlCode.ConfigureReject:
                return ReceiveConfigureNak(packet, now);
            case ControlCode.TerminateRequest:
                Fire(AutomatonEvent.ReceiveTerminateRequest, now, packet);
                host.PeerTerminates(this, packet.Data, now);
                return true;
            case ControlCode.TerminateAck:
                Fire(AutomatonEvent.ReceiveTerminateAck, now, packet);
                return true;
            case ControlCode.CodeReject:
                return ReceiveCodeReject(packet, now);
            default:
                if (!TryReceiveOther(packet, now))
                {
                    Fire(AutomatonEvent.ReceiveUnknownCode, now, packet);
                }

                return true;
        }
    }

    /// <summary>The peer does not know this protocol at all (RFC 1661 section 5.7).</summary>
    public void ReceiveProtocolReject(Timestamp now)
    {
        host.RejectedFatally(this, $"the peer rejects the protocol {Name}");
        Fire(AutomatonEvent.ReceiveCatastrophicReject, now);
    }

    /// <summary>Back to the beginning without a packet: the link is over.</summary>
    public void Reset()
    {
        _state = AutomatonState.Initial;
        _restartAt = Timestamp.Never;
    }

    /// <summary>In words, for a reason: what was refused and what it was about.</summary>
    public virtual string DescribeDispute() => $"option {OptionTable.NameOf(Protocol, DisputedOption)}";

    /// <summary>Back to what is asked for first, before a negotiation begins.</summary>
    protected abstract void BeginRequest();

    protected abstract void WriteRequest(ref WireWriter options);

    /// <summary>Judges one option of the peer's request. Has no effect but what it writes into <paramref name="nak"/>.</summary>
    protected abstract OptionVerdict Judge(in PppOption option, ref WireWriter nak);

    protected virtual void JudgeAll(ReadOnlySpan<byte> options, ref WireWriter nak, ref WireWriter reject)
    {
        foreach (PppOption option in new PppOptionList(options))
        {
            OptionVerdict verdict = Judge(option, ref nak);
            if (verdict == OptionVerdict.Reject)
            {
                reject.WriteBytes(option.Octets);
            }

            if (verdict != OptionVerdict.Acceptable)
            {
                DisputedOption = option.Type;
            }
        }
    }

    /// <summary>Adds Naks for options that the request lacks.</summary>
    protected virtual void AppendMissing(ReadOnlySpan<byte> options, ref WireWriter nak)
    {
    }

    /// <summary>The peer's request is being acknowledged: takes its values, defaults where an option is absent.</summary>
    protected abstract void TakePeerOptions(ReadOnlySpan<byte> options);

    protected abstract void TakeNak(in PppOption option, Timestamp now);

    protected abstract void TakeReject(in PppOption option, Timestamp now);

    /// <summary>Codes beyond the seven common ones; false for an unknown one, which is then rejected.</summary>
    protected virtual bool TryReceiveOther(in ControlPacket packet, Timestamp now) => false;

    /// <summary>The peer does not know a code beyond the common ones.</summary>
    protected virtual void TakeCodeReject(ControlCode code)
    {
    }

    protected byte NextIdentifier() => ++_identifier;

    /// <summary>Somebody else negotiated in this end's place: opened without a packet, from <see cref="AutomatonState.Starting"/>.</summary>
    protected void EnterOpened(Timestamp now)
    {
        ResetCounters();

        // Which identifier was acknowledged is not known, so nothing is a repetition: a request means that the peer begins anew.
        _repeatedAcks = MaxRepeatedAcks;
        _state = AutomatonState.Opened;
        _restartAt = Timestamp.Never;
        host.LayerUp(this, now);
    }

    protected void Fire(
        AutomatonEvent happened,
        Timestamp now,
        in ControlPacket packet = default,
        ControlCode answer = default,
        ReadOnlySpan<byte> answerData = default)
    {
        AutomatonTransition transition = NegotiationAutomaton.Look(_state, happened);
        if (!transition.IsLegal)
        {
            return;
        }

        if (_state == AutomatonState.Stopped && NegotiationAutomaton.HasRestartTimer(transition.Next))
        {
            // The peer begins again after an end: so does this end, with everything it wanted at first.
            ResetCounters();
            BeginRequest();
        }

        _state = transition.Next;
        if (!NegotiationAutomaton.HasRestartTimer(_state))
        {
            _restartAt = Timestamp.Never;
        }

        CarryOut(transition.Actions, now, packet, answer, answerData);
    }

    private void CarryOut(
        AutomatonActions actions, Timestamp now, in ControlPacket packet, ControlCode answer, ReadOnlySpan<byte> answerData)
    {
        for (int rest = (int)actions; rest != 0; rest &= rest - 1)
        {
            switch ((AutomatonActions)(rest & -rest))
            {
                case AutomatonActions.ThisLayerDown:
                    ResetCounters();
                    BeginRequest();
                    host.LayerDown(this, now);
                    break;
                case AutomatonActions.InitializeRestartCount:
                    bool terminates = (actions & AutomatonActions.SendTerminateRequest) != 0;
                    _restartCount = terminates ? host.Negotiation.MaxTerminate : host.Negotiation.MaxConfigure;
                    break;
                case AutomatonActions.ZeroRestartCount:
                    _restartCount = 0;
                    _restartAt = now + host.Negotiation.TerminatePause;
                    break;
                case AutomatonActions.SendConfigureRequest:
                    SendConfigureRequest(now);
                    break;
                case AutomatonActions.SendConfigureAck:
                    SendConfigureAck(packet);
                    break;
                case AutomatonActions.SendConfigureNak:
                    host.Send(Protocol, answer, packet.Identifier, answerData);
                    break;
                case AutomatonActions.SendTerminateRequest:
                    SendTerminateRequest(now);
                    break;
                case AutomatonActions.SendTerminateAck:
                    host.Send(Protocol, ControlCode.TerminateAck, packet.Identifier, []);
                    break;
                case AutomatonActions.SendCodeReject:
                    host.Send(Protocol, ControlCode.CodeReject, NextIdentifier(), packet.Packet);
                    break;
                case AutomatonActions.SendEchoReply:
                    host.Send(Protocol, answer, packet.Identifier, answerData);
                    break;
                case AutomatonActions.ThisLayerUp:
                    ResetCounters();
                    host.LayerUp(this, now);
                    break;
                case AutomatonActions.ThisLayerFinished:
                    host.LayerFinished(this, now);
                    break;
                default:
                    // tls: the lower layer is there before the protocol is opened.
                    break;
            }
        }
    }

    /// <summary>A retransmission keeps its identifier (RFC 1661 section 5.1), so that an Ack to any copy counts.</summary>
    private void SendConfigureRequest(Timestamp now)
    {
        if (!_isRequestOutstanding)
        {
            _ = NextIdentifier();
            _isRequestOutstanding = true;
        }

        Span<byte> buffer = stackalloc byte[256];
        var options = new WireWriter(buffer);
        WriteRequest(ref options);
        host.Send(Protocol, ControlCode.ConfigureRequest, _identifier, options.Written);
        StartRestartTimer(now);
    }

    private void SendTerminateRequest(Timestamp now)
    {
        _isRequestOutstanding = false;
        Span<byte> text = stackalloc byte[128];
        host.Send(Protocol, ControlCode.TerminateRequest, NextIdentifier(), text[..PppText.Write(TerminateText, text)]);
        StartRestartTimer(now);
    }

    private void StartRestartTimer(Timestamp now)
    {
        if (_restartCount > 0)
        {
            _restartCount--;
        }

        _restartAt = now + host.Negotiation.RestartInterval;
    }

    private void SendConfigureAck(in ControlPacket packet)
    {
        _naksSent = 0;
        _acknowledgedIdentifier = packet.Identifier;
        _acknowledgedDigest = Digest(packet.Data);
        TakePeerOptions(packet.Data);
        host.Send(Protocol, ControlCode.ConfigureAck, packet.Identifier, packet.Data);
    }

    private bool ReceiveConfigureRequest(in ControlPacket packet, Timestamp now)
    {
        ReadOnlySpan<byte> options = packet.Data;
        if (options.Length > MaxOptionsLength || !PppOptionList.IsSound(options))
        {
            return false;
        }

        if (IsOpened && IsRepeated(packet))
        {
            // The peer did not get our Ack: the table would take the layer down for a lost packet.
            _repeatedAcks++;
            host.Send(Protocol, ControlCode.ConfigureAck, packet.Identifier, options);
            return true;
        }

        if (_state is AutomatonState.Closed or AutomatonState.Closing or AutomatonState.Stopping)
        {
            Fire(AutomatonEvent.ReceiveBadConfigureRequest, now, packet);
            return true;
        }

        Span<byte> nakBuffer = stackalloc byte[MaxOptionsLength];
        Span<byte> rejectBuffer = stackalloc byte[MaxOptionsLength];
        var nak = new WireWriter(nakBuffer);
        var reject = new WireWriter(rejectBuffer);
        JudgeAll(options, ref nak, ref reject);
        if (reject.Length == 0 && MayNak)
        {
            AppendMissing(options, ref nak);
        }

        if (reject.Length == 0 && nak.Length == 0)
        {
            Fire(AutomatonEvent.ReceiveGoodConfigureRequest, now, packet);
            return true;
        }

        bool isReject = reject.Length > 0;
        Fire(
            AutomatonEvent.ReceiveBadConfigureRequest,
            now,
            packet,
            isReject ? ControlCode.ConfigureReject : ControlCode.ConfigureNak,
            isReject ? reject.Written : nak.Written);
        if (!isReject && !(_hasRefused && packet.Identifier == _refusedIdentifier))
        {
            // The same identifier is a copy, or the Nak was lost: not a peer that insists.
            _naksSent++;
        }

        _hasRefused = true;
        HasRefusedLast = true;
        _refusedIdentifier = packet.Identifier;
        CountRound(now);
        return true;
    }

    private bool IsRepeated(in ControlPacket packet) =>
        packet.Identifier == _acknowledgedIdentifier && Digest(packet.Data) == _acknowledgedDigest && _repeatedAcks < MaxRepeatedAcks;

    private bool ReceiveConfigureAck(in ControlPacket packet, Timestamp now)
    {
        Span<byte> buffer = stackalloc byte[256];
        var options = new WireWriter(buffer);
        WriteRequest(ref options);

        // RFC 1661 section 5.2: the identifier and the options of the last request, exactly; anything else is discarded.
        if (!TakeAnswer(packet) || !packet.Data.SequenceEqual(options.Written))
        {
            return false;
        }

        _isRequestOutstanding = false;
        Fire(AutomatonEvent.ReceiveConfigureAck, now, packet);
        return true;
    }

    private bool ReceiveConfigureNak(in ControlPacket packet, Timestamp now)
    {
        if (!TakeAnswer(packet) || packet.Data.IsEmpty || !PppOptionList.IsSound(packet.Data))
        {
            return false;
        }

        _isRequestOutstanding = false;
        HasRefusedLast = false;
        AutomatonState before = _state;
        foreach (PppOption option in new PppOptionList(packet.Data))
        {
            DisputedOption = option.Type;
            if (packet.Code == ControlCode.ConfigureNak)
            {
                TakeNak(option, now);
            }
            else
            {
                TakeReject(option, now);
            }
        }

        // Taking an option may have ended the negotiation.
        if (_state == before)
        {
            Fire(AutomatonEvent.ReceiveConfigureNak, now, packet);
            CountRound(now);
        }

        return true;
    }

    /// <summary>Only an answer to the request that is outstanding counts: copies and late ones would take an open layer down.</summary>
    private bool TakeAnswer(in ControlPacket packet) => _isRequestOutstanding && packet.Identifier == _identifier;

    private bool ReceiveCodeReject(in ControlPacket packet, Timestamp now)
    {
        if (packet.Data.IsEmpty)
        {
            return false;
        }

        var rejected = (ControlCode)packet.Data[0];
        bool isCatastrophic = rejected is >= ControlCode.ConfigureRequest and <= ControlCode.CodeReject;
        if (!isCatastrophic)
        {
            TakeCodeReject(rejected);
        }

        if (isCatastrophic)
        {
            host.RejectedFatally(this, $"the peer rejects {Name} {rejected}");
        }

        Fire(isCatastrophic ? AutomatonEvent.ReceiveCatastrophicReject : AutomatonEvent.ReceivePermittedReject, now, packet);
        return true;
    }

    private void CountRound(Timestamp now)
    {
        if (++_rounds >= host.Negotiation.MaxRounds)
        {
            _rounds = 0;
            string text = $"{Name} did not converge in {host.Negotiation.MaxRounds} rounds: {DescribeDispute()}";
            host.NegotiationFailed(this, LinkCloseReason.NegotiationFailed, text, now);
        }
    }

    private void ResetCounters()
    {
        _naksSent = 0;
        _rounds = 0;
        _repeatedAcks = 0;
        _hasRefused = false;
        _isRequestOutstanding = false;
    }

    /// <summary>FNV-1a: tells a repeated request from another one without keeping it.</summary>
    private static uint Digest(ReadOnlySpan<byte> octets)
    {
        uint hash = 2166136261;
        foreach (byte octet in octets)
        {
            hash = (hash ^ octet) * 16777619;
        }

        return hash;
    }
}
