using Culvert.Core;

namespace Culvert.Ppp.Authentication;

/// <summary>
/// Challenges the other end by CHAP-MD5 (RFC 1994) or MS-CHAPv2 (RFC 2759) and answers its Responses. A retransmission is the same
/// Challenge under the same identifier, so that the Response to a slow first one still counts; a new Challenge has new ones.
/// </summary>
internal sealed class ChapAuthenticator : AuthenticationProtocol
{
    private readonly IRandomSource _random;
    private byte[] _challenge = [];
    private byte[] _message = [];
    private ChapCode _reply;
    private ChapCode _due;
    private byte _identifier;
    private byte _transmissions;

    public ChapAuthenticator(AuthenticationMethod method, AuthenticationSettings settings, IRandomSource random, byte? firstIdentifier)
        : base(method, settings)
    {
        _random = random;
        _identifier = (byte)((firstIdentifier ?? random.NextBelow(256)) - 1);
    }

    public override void Open(Timestamp now)
    {
        Close();
        BeginChallenge(now);
    }

    public override void Rechallenge(Timestamp now)
    {
        if (State == AuthenticationState.Succeeded)
        {
            BeginChallenge(now);
        }
    }

    public override void Receive(ReadOnlySpan<byte> packet, Timestamp now)
    {
        if (!AuthenticationPacket.TryRead(packet, out AuthenticationPacket view))
        {
            Discarded++;
            return;
        }

        if (view.Code != (byte)ChapCode.Response)
        {
            return;
        }

        if (view.Identifier != _identifier || !view.TryReadValueAndName(out ReadOnlySpan<byte> value, out ReadOnlySpan<byte> name))
        {
            Discarded++;
            return;
        }

        switch (State)
        {
            case AuthenticationState.Pending when AuthenticationRequest.TryCreateChap(
                Method, _identifier, name, _challenge, value, out AuthenticationRequest? request):
                AwaitVerdict(request!);
                break;
            case AuthenticationState.Succeeded or AuthenticationState.Failed when _reply != default:
                // The answer was lost, or someone tries other secrets: the same code again in any case (RFC 1994 section 4.1).
                _due = _reply;
                break;
            case AuthenticationState.AwaitingVerdict:
                break;
            default:
                Discarded++;
                break;
        }
    }

    public override void Decide(AuthenticationVerdict verdict, Timestamp now)
    {
        if (State != AuthenticationState.AwaitingVerdict)
        {
            return;
        }

        string name = Request!.Name;
        TakeRequest();
        bool lacksProof = verdict.IsAccepted && Method == AuthenticationMethod.MsChapV2 && verdict.AuthenticatorResponse is null;
        bool isAccepted = verdict.IsAccepted && !lacksProof;
        _reply = isAccepted ? ChapCode.Success : ChapCode.Failure;
        _message = MessageOf(verdict, isAccepted);
        _due = _reply;
        if (isAccepted)
        {
            Succeed();
            if (Settings.RechallengeInterval > TimeSpan.Zero)
            {
                NextDeadline = now + Settings.RechallengeInterval;
            }
        }
        else
        {
            string reason = lacksProof ? "accepted without the authenticator response that MS-CHAPv2 needs" : verdict.Message;
            Fail($"{Method.DisplayName()}: '{name}' was refused: {reason}");
        }
    }

    public override bool TryAdopt(AuthenticationRequest proxied)
    {
        if (proxied.Method != Method)
        {
            return false;
        }

        Close();
        _identifier = proxied.Identifier;
        AwaitVerdict(proxied);
        return true;
    }

    public override void Advance(Timestamp now)
    {
        if (now < NextDeadline)
        {
            return;
        }

        switch (State)
        {
            case AuthenticationState.Pending when _transmissions < Settings.MaxTransmissions:
                SendChallenge(now);
                break;
            case AuthenticationState.Pending:
                _due = default;
                Fail($"{Method.DisplayName()}: no answer to {_transmissions} Challenges"
                    + (Discarded > 0 ? $" ({Discarded} packets did not fit)" : string.Empty));
                break;
            case AuthenticationState.Succeeded:
                BeginChallenge(now);
                break;
        }
    }

    public override bool TryTransmit(Span<byte> buffer, out int length)
    {
        length = 0;
        bool written = _due switch
        {
            default(ChapCode) => false,
            ChapCode.Challenge => AuthenticationPacket.TryWriteValueAndName(
                buffer, _due, _identifier, _challenge, Settings.LocalNameOctets, out length),
            _ => AuthenticationPacket.TryWriteMessage(buffer, _due, _identifier, _message, out length),
        };
        if (written)
        {
            _due = default;
        }

        return written;
    }

    public override void Close()
    {
        base.Close();
        _challenge = [];
        _message = [];
        _reply = default;
        _due = default;
    }

    private void BeginChallenge(Timestamp now)
    {
        _identifier++;
        _challenge = new byte[MsChapV2.ChallengeSize];
        _random.Fill(_challenge);
        _message = [];
        _reply = default;
        _transmissions = 0;
        State = AuthenticationState.Pending;
        SendChallenge(now);
    }

    private void SendChallenge(Timestamp now)
    {
        _transmissions++;
        _due = ChapCode.Challenge;
        NextDeadline = now + Settings.RetransmitInterval;
    }

    private void AwaitVerdict(AuthenticationRequest request)
    {
        Request = request;
        _challenge = [];
        _due = default;
        State = AuthenticationState.AwaitingVerdict;
        NextDeadline = Timestamp.Never;
    }

    private byte[] MessageOf(AuthenticationVerdict verdict, bool isAccepted)
    {
        if (Method != AuthenticationMethod.MsChapV2)
        {
            return AuthenticationText.ToMessage(verdict.Message);
        }

        if (isAccepted)
        {
            return MsChapV2Message.Success(verdict.AuthenticatorResponse, verdict.Message);
        }

        Span<byte> nextChallenge = stackalloc byte[MsChapV2.ChallengeSize];
        _random.Fill(nextChallenge);
        int errorCode = verdict.IsAccepted ? AuthenticationVerdict.AuthenticationFailure : verdict.ErrorCode;
        return MsChapV2Message.Failure(errorCode, nextChallenge, verdict.IsAccepted ? string.Empty : verdict.Message);
    }
}
