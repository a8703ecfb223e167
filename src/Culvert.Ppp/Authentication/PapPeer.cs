using Culvert.Core;

namespace Culvert.Ppp.Authentication;

/// <summary>Sends Authenticate-Requests until one is answered (RFC 1334 section 2.2).</summary>
internal sealed class PapPeer(AuthenticationCredentials credentials, AuthenticationSettings settings)
    : AuthenticationProtocol(AuthenticationMethod.Pap, settings)
{
    private byte _identifier;
    private byte _transmissions;
    private bool _isRequestDue;

    public override void Open(Timestamp now)
    {
        Close();
        State = AuthenticationState.Pending;
        SendRequest(now);
    }

    public override void Receive(ReadOnlySpan<byte> packet, Timestamp now)
    {
        if (!AuthenticationPacket.TryRead(packet, out AuthenticationPacket view))
        {
            Discarded++;
            return;
        }

        if (view.Code is not ((byte)PapCode.AuthenticateAck or (byte)PapCode.AuthenticateNak))
        {
            return;
        }

        // On a slow path the answer to an earlier request comes after a later one was sent; any of this exchange will do.
        if (State != AuthenticationState.Pending || (byte)(_identifier - view.Identifier) >= _transmissions)
        {
            Discarded++;
            return;
        }

        _isRequestDue = false;
        if (view.Code == (byte)PapCode.AuthenticateAck)
        {
            Succeed();
        }
        else
        {
            Fail($"PAP: the other end refused '{credentials.Name}': {AuthenticationText.Printable(view.ReadPapMessage())}");
        }
    }

    public override void Advance(Timestamp now)
    {
        if (State != AuthenticationState.Pending || now < NextDeadline)
        {
            return;
        }

        if (_transmissions < Settings.MaxTransmissions)
        {
            SendRequest(now);
        }
        else
        {
            _isRequestDue = false;
            Fail($"PAP: no answer to {_transmissions} Authenticate-Requests");
        }
    }

    public override bool TryTransmit(Span<byte> buffer, out int length)
    {
        length = 0;
        if (!_isRequestDue || !AuthenticationPacket.TryWritePapRequest(
            buffer, _identifier, credentials.NameOctets, credentials.PasswordOctets, out length))
        {
            return false;
        }

        _isRequestDue = false;
        return true;
    }

    public override void Close()
    {
        base.Close();
        _transmissions = 0;
        _isRequestDue = false;
    }

    private void SendRequest(Timestamp now)
    {
        _identifier++;
        _transmissions++;
        _isRequestDue = true;
        NextDeadline = now + Settings.RetransmitInterval;
    }
}
