using Culvert.Core;
using Culvert.Ppp.Authentication;
using static Culvert.Ppp.Tests.Authentication.AuthenticationTesting;

namespace Culvert.Ppp.Tests.Authentication;

/// <summary>Alone, because the heap is everybody's.</summary>
[CollectionDefinition(nameof(AuthenticationMemoryTests), DisableParallelization = true)]
[Collection(nameof(AuthenticationMemoryTests))]
public class AuthenticationMemoryTests
{
    [Fact]
    public void AFinishedAuthenticatorIsSmall()
    {
        const int count = 2000;

        // The engine itself with its settings, random source and deadline, and the text of the Success that it may have to repeat.
        const int limit = 256;
        foreach (AuthenticationMethod method in Methods)
        {
            var random = new SeededRandom(1);
            var kept = new AuthenticationProtocol[count];
            long before = GC.GetTotalMemory(forceFullCollection: true);
            for (int i = 0; i < count; i++)
            {
                kept[i] = AuthenticationProtocol.CreateAuthenticator(method, AuthenticationSettings.Default, random);
                AuthenticationProtocol peer = AuthenticationProtocol.CreatePeer(
                    method, new AuthenticationCredentials("alice", "wonder"), AuthenticationSettings.Default, random);
                kept[i].Open(Timestamp.Zero);
                peer.Open(Timestamp.Zero);
                Converse(kept[i], peer, Timestamp.Zero);
            }

            long each = (GC.GetTotalMemory(forceFullCollection: true) - before) / count;
            Assert.All(kept, engine => Assert.Equal(AuthenticationState.Succeeded, engine.State));
            Assert.True(each < limit, $"{method}: {each} octets each");
        }
    }
}
