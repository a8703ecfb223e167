using Culvert.Core;
using Culvert.Ppp.Authentication;

namespace Culvert.Ppp.Tests.Authentication;

internal static class AuthenticationTesting
{
    public static readonly AuthenticationMethod[] Methods =
        [AuthenticationMethod.Pap, AuthenticationMethod.ChapMd5, AuthenticationMethod.MsChapV2];

    public static Timestamp Seconds(double seconds) => Timestamp.FromMilliseconds((long)(seconds * 1000));

    /// <summary>The one packet that is due, in hexadecimal; fails when there is none or another one.</summary>
    public static string Pull(this AuthenticationProtocol engine)
    {
        byte[]? packet = engine.PullOrNull();
        Assert.NotNull(packet);
        Assert.Null(engine.PullOrNull());
        return Convert.ToHexStringLower(packet);
    }

    public static byte[]? PullOrNull(this AuthenticationProtocol engine)
    {
        Span<byte> buffer = stackalloc byte[AuthenticationProtocol.MaxPacketSize];
        return engine.TryTransmit(buffer, out int length) ? buffer[..length].ToArray() : null;
    }

    public static AuthenticationProtocol Authenticator(
        AuthenticationMethod method, AuthenticationSettings? settings = null, ulong seed = 1) =>
        AuthenticationProtocol.CreateAuthenticator(method, settings ?? AuthenticationSettings.Default, new SeededRandom(seed));

    public static AuthenticationProtocol Peer(
        AuthenticationMethod method,
        string password = "wonder",
        AuthenticationSettings? settings = null,
        string name = "alice",
        ulong seed = 2) =>
        AuthenticationProtocol.CreatePeer(
            method, new AuthenticationCredentials(name, password), settings ?? AuthenticationSettings.Default, new SeededRandom(seed));

    /// <summary>Carries packets both ways without delay, judging by <paramref name="password"/>, until nobody has more to send.</summary>
    public static void Converse(
        AuthenticationProtocol authenticator, AuthenticationProtocol peer, Timestamp now, string password = "wonder")
    {
        for (bool moved = true; moved;)
        {
            moved = false;
            while (authenticator.PullOrNull() is { } toPeer)
            {
                peer.Receive(toPeer, now);
                moved = true;
            }

            while (peer.PullOrNull() is { } toAuthenticator)
            {
                authenticator.Receive(toAuthenticator, now);
                moved = true;
            }

            if (authenticator.State == AuthenticationState.AwaitingVerdict)
            {
                authenticator.Decide(authenticator.Request!.Check(password), now);
                moved = true;
            }
        }
    }
}

/// <summary>Gives the same octets for ever.</summary>
internal sealed class FixedRandom(byte[] octets) : IRandomSource
{
    public void Fill(Span<byte> destination)
    {
        for (int i = 0; i < destination.Length; i++)
        {
            destination[i] = octets[i % octets.Length];
        }
    }
}
