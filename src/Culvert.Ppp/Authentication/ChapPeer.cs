using System.Security.Cryptography;
using Culvert.Core;

namespace Culvert.Ppp.Authentication;

/// <summary>
/// Answers every Challenge at any time (RFC 1994 section 4.1) and, in MS-CHAPv2, has the authenticator prove that it knows the
/// password too (RFC 2759 section 5). The same Challenge always gets the same Response: the MS-CHAPv2 peer challenge is derived
/// from it, so that a repetition long after the Success needs nothing remembered.
/// </summary>
internal sealed class ChapPeer : AuthenticationProtocol
{
    private const int SeedSize = 16;

    private readonly AuthenticationCredentials _credentials;
    private readonly IRandomSource _random;
    private byte[] _seed = [];

    // Two, because an older Challenge may overtake a newer one; whichever is judged counts.
    private Exchange? _latest;
    private Exchange? _earlier;
    private Timestamp _giveUpAt;
    private byte _transmissions;
    private bool _isResponseDue;

    public ChapPeer(
        AuthenticationMethod method, AuthenticationCredentials credentials, AuthenticationSettings settings, IRandomSource random)
        : base(method, settings)
    {
        _credentials = credentials;
        _random = random;
    }

    public override void Open(Timestamp now)
    {
        Close();
        if (Method == AuthenticationMethod.MsChapV2)
        {
            _seed = new byte[SeedSize];
            _random.Fill(_seed);
        }

        State = AuthenticationState.Pending;
        _giveUpAt = now + Settings.PeerTimeout;
        NextDeadline = _giveUpAt;
    }

    public override void Receive(ReadOnlySpan<byte> packet, Timestamp now)
    {
        if (!AuthenticationPacket.TryRead(packet, out AuthenticationPacket view))
        {
            Discarded++;
            return;
        }

        if (State is not (AuthenticationState.Pending or AuthenticationState.Succeeded))
        {
            return;
        }

        switch ((ChapCode)view.Code)
        {
            case ChapCode.Challenge:
                ReceiveChallenge(view, now);
                break;
            case ChapCode.Success or ChapCode.Failure when Find(view.Identifier) is { } exchange:
                ReceiveVerdict(view, exchange);
                break;
            case ChapCode.Success or ChapCode.Failure:
                Discarded++;
                break;
        }
    }

    public override void Advance(Timestamp now)
    {
        if (State != AuthenticationState.Pending || now < NextDeadline)
        {
            return;
        }

        if (now >= _giveUpAt)
        {
            string reason = _latest is null ? "no Challenge came" : "the Response was never answered";
            Forget();
            Fail($"{Method.DisplayName()}: {reason}" + (Discarded > 0 ? $" ({Discarded} packets did not fit)" : string.Empty));
        }
        else if (_latest is not null && _transmissions < Settings.MaxTransmissions)
        {
            SendResponse(now);
        }
        else
        {
            NextDeadline = _giveUpAt;
        }
    }

    public override bool TryTransmit(Span<byte> buffer, out int length)
    {
        length = 0;
        if (!_isResponseDue || _latest is null || !AuthenticationPacket.TryWriteValueAndName(
            buffer, ChapCode.Response, _latest.Identifier, _latest.Response, _credentials.NameOctets, out length))
        {
            return false;
        }

        _isResponseDue = false;
        return true;
    }

    public override void Close()
    {
        base.Close();
        Forget();
    }

    private void ReceiveChallenge(AuthenticationPacket view, Timestamp now)
    {
        bool isUsable = view.TryReadValueAndName(out ReadOnlySpan<byte> challenge, out _)
            && (Method == AuthenticationMethod.ChapMd5 || challenge.Length == MsChapV2.ChallengeSize);
        if (!isUsable)
        {
            Discarded++;
            return;
        }

        Exchange answer = Method == AuthenticationMethod.ChapMd5
            ? AnswerMd5(view.Identifier, challenge)
            : AnswerMsChapV2(view.Identifier, challenge);
        _earlier = _latest is { } latest && latest.Identifier != answer.Identifier ? latest : _earlier;
        _latest = answer;
        _transmissions = 0;
        SendResponse(now);
    }

    /// <summary>
    /// Repeats a Response whose Success may be lost, which the authenticator must allow (RFC 1994 section 4.1). After the first
    /// success it is left to the authenticator to challenge again.
    /// </summary>
    private void SendResponse(Timestamp now)
    {
        _transmissions++;
        _isResponseDue = true;
        if (State == AuthenticationState.Pending)
        {
            NextDeadline = Timestamp.Min(now + Settings.RetransmitInterval, _giveUpAt);
        }
    }

    private void ReceiveVerdict(AuthenticationPacket view, Exchange exchange)
    {
        Forget();
        if (view.Code == (byte)ChapCode.Failure)
        {
            Fail($"{Method.DisplayName()}: the other end refused '{_credentials.Name}': {RefusalOf(view.Data)}");
        }
        else if (Method == AuthenticationMethod.MsChapV2 && !IsProven(view.Data, exchange))
        {
            Fail("MS-CHAPv2: the other end accepted, but did not prove that it knows the password");
        }
        else
        {
            Succeed();
        }
    }

    private Exchange AnswerMd5(byte identifier, ReadOnlySpan<byte> challenge)
    {
        var digest = new byte[MD5.HashSizeInBytes];
        ChapMd5.Digest(identifier, _credentials.PasswordOctets, challenge, digest);
        return new Exchange(identifier, digest, []);
    }

    private Exchange AnswerMsChapV2(byte identifier, ReadOnlySpan<byte> challenge)
    {
        var response = new byte[MsChapV2.ResponseSize];
        Span<byte> peerChallenge = response.AsSpan(0, MsChapV2.ChallengeSize);
        Span<byte> ntResponse = response.AsSpan(MsChapV2.ChallengeSize + 8, MsChapV2.NtResponseSize);
        DerivePeerChallenge(identifier, challenge, peerChallenge);

        ReadOnlySpan<byte> user = MsChapV2.UserNameOf(_credentials.NameOctets);
        Span<byte> passwordHash = stackalloc byte[MsChapV2.PasswordHashSize];
        MsChapV2.NtPasswordHash(_credentials.PasswordOctets, passwordHash);
        MsChapV2.GenerateNtResponse(challenge, peerChallenge, user, passwordHash, ntResponse);
        var expected = new byte[SHA1.HashSizeInBytes];
        MsChapV2.GenerateAuthenticatorResponse(passwordHash, ntResponse, peerChallenge, challenge, user, expected);
        CryptographicOperations.ZeroMemory(passwordHash);
        return new Exchange(identifier, response, expected);
    }

    /// <summary>As unpredictable as the seed, which never leaves this object.</summary>
    private void DerivePeerChallenge(byte identifier, ReadOnlySpan<byte> challenge, Span<byte> peerChallenge)
    {
        Span<byte> input = stackalloc byte[1 + MsChapV2.ChallengeSize];
        input[0] = identifier;
        challenge.CopyTo(input[1..]);
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        HMACSHA256.HashData(_seed, input, digest);
        digest[..MsChapV2.ChallengeSize].CopyTo(peerChallenge);
    }

    private static bool IsProven(ReadOnlySpan<byte> message, Exchange exchange)
    {
        Span<byte> received = stackalloc byte[SHA1.HashSizeInBytes];
        return MsChapV2Message.TryReadSuccess(message, received, out _)
            && CryptographicOperations.FixedTimeEquals(received, exchange.Expected);
    }

    private string RefusalOf(ReadOnlySpan<byte> message)
    {
        if (Method != AuthenticationMethod.MsChapV2)
        {
            return AuthenticationText.Printable(message[..Math.Min(message.Length, AuthenticationText.MaxMessageSize)]);
        }

        // A retry (R=1) is for a person who types another password; the same one again would only lock the account.
        (int errorCode, _, string text) = MsChapV2Message.ReadFailure(message);
        return $"{MsChapV2Message.Explain(errorCode)} (E={errorCode}) {text}".TrimEnd();
    }

    private Exchange? Find(byte identifier) =>
        _latest?.Identifier == identifier ? _latest : _earlier?.Identifier == identifier ? _earlier : null;

    private void Forget()
    {
        _latest = null;
        _earlier = null;
        _isResponseDue = false;
    }

    /// <summary>A Response that was given and, in MS-CHAPv2, what the authenticator must answer.</summary>
    private sealed record Exchange(byte Identifier, byte[] Response, byte[] Expected);
}
