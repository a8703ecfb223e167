using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Culvert.Server.Configuration;

namespace Culvert.Cli;

/// <summary>Talks to a running node through the Unix socket of its control API.</summary>
internal sealed class ControlClient : IDisposable
{
    private const string CaptureIdHeader = "Culvert-Capture";

    private readonly string _socketPath;
    private readonly HttpClient _http;

    public ControlClient(string? socketPath)
    {
        _socketPath = socketPath ?? ApiSettings.DefaultSocket;
        _http = new HttpClient(new SocketsHttpHandler { ConnectCallback = Connect, UseProxy = false })
        {
            BaseAddress = new Uri("http://culvert/"),
            Timeout = TimeSpan.FromSeconds(30),
        };
    }

    /// <summary>Asks for something; the answer is JSON.</summary>
    public async Task<JsonElement> Get(string path, CancellationToken cancel) =>
        await Ask(() => _http.GetAsync(new Uri(path, UriKind.Relative), cancel), cancel);

    /// <summary>Tells the node to do something; the answer is JSON.</summary>
    public async Task<JsonElement> Post(string path, JsonNode body, CancellationToken cancel) =>
        await Ask(
            () => _http.PostAsync(
                new Uri(path, UriKind.Relative), new StringContent(body.ToJsonString(), System.Text.Encoding.UTF8, "application/json"), cancel),
            cancel);

    /// <summary>Starts a capture; its content comes as it is captured.</summary>
    public async Task<CaptureStream> OpenCapture(string path)
    {
        HttpResponseMessage? response = null;
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(path, UriKind.Relative));
            response = await Send(() => _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead));
            if (!response.IsSuccessStatusCode)
            {
                _ = await ReadAnswer(response, CancellationToken.None);
            }

            string id = response.Headers.TryGetValues(CaptureIdHeader, out IEnumerable<string>? ids) ? ids.First() : "";
            return new CaptureStream(response, await response.Content.ReadAsStreamAsync(), id);
        }
        catch
        {
            response?.Dispose();
            throw;
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<JsonElement> Ask(Func<Task<HttpResponseMessage>> request, CancellationToken cancel)
    {
        using HttpResponseMessage response = await Send(request);
        return await ReadAnswer(response, cancel);
    }

    private async Task<JsonElement> ReadAnswer(HttpResponseMessage response, CancellationToken cancel)
    {
        try
        {
            string body = await response.Content.ReadAsStringAsync(cancel);
            using var document = JsonDocument.Parse(body.Length == 0 ? "{}" : body);
            if (response.IsSuccessStatusCode)
            {
                return document.RootElement.Clone();
            }

            string reason = document.RootElement.TryGetProperty("error", out JsonElement error) ? error.ToString() : $"HTTP {(int)response.StatusCode}";
            throw new Failure(reason);
        }
        catch (HttpRequestException e)
        {
            throw new Failure($"the node at {_socketPath} broke off: {e.Message}");
        }
        catch (JsonException e)
        {
            throw new Failure($"the node at {_socketPath} answered something that is not JSON: {e.Message}");
        }
    }

    private async Task<HttpResponseMessage> Send(Func<Task<HttpResponseMessage>> request)
    {
        try
        {
            return await request();
        }
        catch (HttpRequestException e) when (e.InnerException is SocketException socket)
        {
            throw new Failure(socket.SocketErrorCode switch
            {
                SocketError.AccessDenied => $"no permission to open {_socketPath}; run this as the user that the node runs as",
                _ => $"no node answers at {_socketPath} ({socket.Message}); is 'culvert serve' running? Name another socket with --socket",
            });
        }
        catch (HttpRequestException e)
        {
            throw new Failure($"the node at {_socketPath} broke off: {e.Message}");
        }
    }

    private async ValueTask<Stream> Connect(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(_socketPath), cancel);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>A capture that comes from a node, and the ID to stop it by.</summary>
internal sealed record CaptureStream(HttpResponseMessage Response, Stream Content, string Id) : IDisposable
{
    public void Dispose() => Response.Dispose();
}
