using Culvert.Core;

namespace Culvert.Ppp.Authentication;

/// <summary>Waits for an Authenticate-Request and answers it (RFC 1334 section 2.2).</summary>
internal sealed class PapAuthenticator(AuthenticationSettings settings) : AuthenticationProtocol(AuthenticationMethod.Pap, settings)
{
    private byte[] _message = [];
    private PapCode _reply;
    private byte _identifier;
    private bool _isReplyDue;

    public override void Open(Timestamp now)
    {
        Close();
        State = AuthenticationState.Pending;
        NextDeadline = now + Settings.RequestTimeout;
    }

    public override void Receive(ReadOnlySpan<byte> packet, Timestamp now)
    {
        if (!AuthenticationPacket.TryRead(packet, out AuthenticationPacket view))
        {
            Discarded++;
            return;
        }

        if (view.Code != (byte)PapCode.AuthenticateRequest)
        {
            return;
        }

        if (!view.TryReadPapRequest(out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> password))
        {
            Discarded++;
            return;
        }

        switch (State)
        {
            case AuthenticationState.Pending when AuthenticationRequest.TryCreatePap(
                view.Identifier, name, password, out AuthenticationRequest? request):
                Request = request;
                State = AuthenticationState.AwaitingVerdict;
                NextDeadline = Timestamp.Never;
                break;
            case AuthenticationState.AwaitingVerdict when Request!.IsSamePap(name, password):
                // A peer changes the identifier each time it asks and may take only an answer to the last (section 2.2.1).
                Request.Identifier = view.Identifier;
                break;
            case AuthenticationState.Succeeded or AuthenticationState.Failed when _reply != default:
                // The answer was lost: the same code again, whatever is asked now (section 2.2.1).
                _identifier = view.Identifier;
                _isReplyDue = true;
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

        _identifier = Request!.Identifier;
        _message = AuthenticationText.ToMessage(verdict.Message);
        _reply = verdict.IsAccepted ? PapCode.AuthenticateAck : PapCode.AuthenticateNak;
        _isReplyDue = true;
        string name = Request.Name;
        TakeRequest();
        if (verdict.IsAccepted)
        {
            Succeed();
        }
        else
        {
            Fail($"PAP: '{name}' was refused: {verdict.Message}");
        }
    }

    public override bool TryAdopt(AuthenticationRequest proxied)
    {
        if (proxied.Method != Method)
        {
            return false;
        }

        Close();
        Request = proxied;
        State = AuthenticationState.AwaitingVerdict;
        return true;
    }

    public override void Advance(Timestamp now)
    {
        if (State == AuthenticationState.Pending && now >= NextDeadline)
        {
            Fail("PAP: no Authenticate-Request came" + (Discarded > 0 ? $" ({Discarded} packets were malformed)" : string.Empty));
        }
    }

    public override bool TryTransmit(Span<byte> buffer, out int length)
    {
        length = 0;
        if (!_isReplyDue || !AuthenticationPacket.TryWritePapMessage(buffer, _reply, _identifier, _message, out length))
        {
            return false;
        }

        _isReplyDue = false;
        return true;
    }

    public override void Close()
    {
        base.Close();
        _message = [];
        _reply = default;
        _isReplyDue = false;
    }
}
