using System.Collections.Concurrent;
using System.Net.Sockets;
using Culvert.Linux;
using Culvert.Linux.Tests;
using Culvert.Server.Configuration;
using Culvert.Subscribers;
using Culvert.Subscribers.Policy;
using Microsoft.Extensions.Logging.Abstractions;

namespace Culvert.Server.Tests;

/// <summary>A reload that the operating system does not let through.</summary>
public sealed class FailedReloadTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Such a dial connected all the same. Nothing could stop it, for it stood in no list, and its packets went to the subscribers' TUN.
    /// </summary>
    [Fact]
    public void A_dial_whose_interface_cannot_be_made_is_not_begun() => NetworkNamespace.RunWithTun(() =>
    {
        string folder = Directory.CreateTempSubdirectory("culvert-test").FullName;
        try
        {
            using var taken = TunDevice.Open("taken0");
            using var seen = new BlockingCollection<string>();
            NodeConfiguration next = Dialling(folder, "first", "free1");
            Node node = Node.Start(next, NullLoggerFactory.Instance, () => Volatile.Read(ref next), e => Note(seen, e)).GetAwaiter().GetResult();
            try
            {
                Volatile.Write(ref next, Dialling(folder, "second", "taken0"));
                (bool isGood, string answer) = Reload(folder);
                Assert.False(isGood, answer);
                Assert.Contains("taken0", answer, StringComparison.Ordinal);

                // The mended file. What the second dial began would be told before the third dial is.
                Volatile.Write(ref next, Dialling(folder, "third", "free3"));
                (isGood, answer) = Reload(folder);
                Assert.True(isGood, answer);
                var begun = new List<string>();
                do
                {
                    Assert.True(seen.TryTake(out string? name, Patience), "the third dial did not begin");
                    begun.Add(name);
                }
                while (begun[^1] != "third");

                Assert.Equal(["first", "third"], begun);
            }
            finally
            {
                node.DisposeAsync().AsTask().GetAwaiter().GetResult();
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    });

    private static (bool IsGood, string Answer) Reload(string folder)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, ConnectCallback = (_, cancel) => Connect(folder, cancel) });
        using HttpResponseMessage response = http.PostAsync(new Uri("http://culvert/v1/reload"), new StringContent("{}")).GetAwaiter().GetResult();
        return (response.IsSuccessStatusCode, response.Content.ReadAsStringAsync().GetAwaiter().GetResult());
    }

    private static async ValueTask<Stream> Connect(string folder, CancellationToken cancel)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(SocketOf(folder)), cancel);
        return new NetworkStream(socket, ownsSocket: true);
    }

    private static string SocketOf(string folder) => Path.Combine(folder, "api");

    private static void Note(BlockingCollection<string> seen, NodeEvent e)
    {
        if (e.Kind == NodeEventKind.DialResolve)
        {
            seen.Add(e.Dial!.Settings.Name);
        }
    }

    private static NodeConfiguration Dialling(string folder, string name, string interfaceName) => new()
    {
        Api = new ApiSettings { Socket = SocketOf(folder) },
        Settings = new NodeSettings
        {
            NodeName = "branch",
            Dial = [new DialSettings { Name = name, Lns = ["192.0.2.1"], User = "u", Password = "p", Interface = interfaceName }],
        },
    };
}
