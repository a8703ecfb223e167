using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Culvert.Server.Captures;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Culvert.Server.Control;

/// <summary>
/// The control API: HTTP and JSON on a Unix socket, whose file permissions (owner and group) are the access control.
/// GET v1/tunnels, sessions, peers, pools, counters; POST v1/close/tunnel|session|user, v1/reload.
/// GET v1/capture streams pcapng; POST v1/capture/ID/stop ends it properly.
/// </summary>
internal sealed class ControlApi : IAsyncDisposable
{
    /// <summary>Header of the answer to GET v1/capture: the ID to stop it by.</summary>
    public const string CaptureIdHeader = "Culvert-Capture";

    private const int LargestRequest = 1 << 20;
    private const int MostConnections = 64;

    private readonly WebApplication _web;
    private readonly string _socketPath;

    private ControlApi(WebApplication web, string socketPath)
    {
        _web = web;
        _socketPath = socketPath;
    }

    /// <exception cref="NodeException">The socket cannot be made.</exception>
    public static async Task<ControlApi> Start(string socketPath, INodeControl node, ILoggerFactory loggers)
    {
        ClaimSocket(socketPath);
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggers);
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = LargestRequest;
            kestrel.Limits.MaxConcurrentConnections = MostConnections;
            kestrel.ListenUnixSocket(socketPath);
        });
        WebApplication web = builder.Build();
        web.UseExceptionHandler(new ExceptionHandlerOptions { ExceptionHandler = OnException });
        Map(web, node);
        try
        {
            await web.StartAsync();
            File.SetUnixFileMode(socketPath, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite);
        }
        catch (Exception e) when (e is IOException or SocketException or UnauthorizedAccessException)
        {
            await web.DisposeAsync();
            throw new NodeException($"cannot listen on the control socket {socketPath}: {e.Message}; name another under api: {{ socket: PATH }}", e);
        }

        return new ControlApi(web, socketPath);
    }

    public async ValueTask DisposeAsync()
    {
        await _web.StopAsync();
        await _web.DisposeAsync();
        File.Delete(_socketPath);
    }

    private static void Map(WebApplication web, INodeControl node)
    {
        Get(web, "/v1/tunnels", async http => await Answer(http, await node.Tunnels(), ControlJson.Default.IReadOnlyListTunnelRow));
        Get(web, "/v1/sessions", async http => await Answer(http, await node.Sessions(), ControlJson.Default.IReadOnlyListSessionRow));
        Get(web, "/v1/peers", async http => await Answer(http, await node.Peers(), ControlJson.Default.IReadOnlyListPeerRow));
        Get(web, "/v1/pools", async http => await Answer(http, await node.Pools(), ControlJson.Default.IReadOnlyListPoolRow));
        Get(web, "/v1/counters", async http => await Answer(http, await node.Counters(), ControlJson.Default.IReadOnlyListCounterRow));
        Get(web, "/v1/tunnel/{id}", async http => await Answer(http, await node.ExplainTunnel(IdOf(http)), ControlJson.Default.IReadOnlyListLifeRow));
        Get(web, "/v1/session/{tunnel}/{id}", async http => await Answer(
            http, await node.ExplainSession($"{http.Request.RouteValues["tunnel"]}/{IdOf(http)}"), ControlJson.Default.IReadOnlyListLifeRow));
        Post(web, "/v1/close/{kind}", http => Close(http, node));
        MapCapture(web, node);
        Post(web, "/v1/reload", async http => await Answer(http, await node.Reload(), ControlJson.Default.ReloadAnswer));
    }

    private static string IdOf(HttpContext http) => (string?)http.Request.RouteValues["id"] ?? "";

    private static void Get(WebApplication web, string route, RequestDelegate handler) => web.MapGet(route, Guard(handler));

    private static void Post(WebApplication web, string route, RequestDelegate handler) => web.MapPost(route, Guard(handler));

    /// <summary>A request that cannot be served is the caller's business: it is told why, and the log stays quiet.</summary>
    private static RequestDelegate Guard(RequestDelegate handler) => async http =>
    {
        try
        {
            await handler(http);
        }
        catch (NodeException failure)
        {
            await Refuse(http, failure.Message);
        }
        catch (JsonException json)
        {
            await Refuse(http, $"the body is not the JSON that is needed: {json.Message}");
        }
    };

    /// <summary>A list may hold nulls whatever its type says: JSON does not know better.</summary>
    internal static bool IsComplete([NotNullWhen(true)] CloseRequest? request) => request is { Ids.Count: > 0 } && !request.Ids.Contains(null);

    private static async Task Close(HttpContext http, INodeControl node)
    {
        CloseRequest? request = await JsonSerializer.DeserializeAsync(http.Request.Body, ControlJson.Default.CloseRequest, http.RequestAborted);
        if (!IsComplete(request))
        {
            await Refuse(http, "the body must be {\"ids\": [...], \"reason\": \"...\"} with at least one ID");
            return;
        }

        string reason = request.Reason ?? "closed by the operator";
        CloseAnswer? answer = (string?)http.Request.RouteValues["kind"] switch
        {
            "tunnel" => await node.CloseTunnels(request.Ids, reason),
            "session" => await node.CloseSessions(request.Ids, reason),
            "user" => await node.CloseUsers(request.Ids, reason),
            _ => null,
        };
        await (answer is null ? Refuse(http, "close takes tunnel, session or user") : Answer(http, answer, ControlJson.Default.CloseAnswer));
    }

    private static void MapCapture(WebApplication web, INodeControl node)
    {
        var captures = new CaptureSet();
        Get(web, "/v1/capture", async http => await Stream(http, await node.StartCapture(CaptureRequest.Parse(http.Request.Query)), captures));
        Post(web, "/v1/capture/{id}/stop", http => captures.Stop((string?)http.Request.RouteValues["id"])
            ? Answer(http, new CloseAnswer(1, []), ControlJson.Default.CloseAnswer)
            : Refuse(http, "no such capture runs"));
    }

    private static async Task Stream(HttpContext http, LiveCapture capture, CaptureSet captures)
    {
        int id = captures.Add(capture);
        try
        {
            http.Response.ContentType = "application/x-pcapng";
            http.Response.Headers[CaptureIdHeader] = id.ToString(CultureInfo.InvariantCulture);

            // A reader that pauses loses packets, which are counted, and not the whole capture.
            http.Features.GetRequiredFeature<IHttpMinResponseDataRateFeature>().MinDataRate = null;
            await capture.Run(http.Response.BodyWriter, http.RequestAborted);
        }
        catch (OperationCanceledException)
        {
            // The reader went away, or did not take the end of the file.
            http.Abort();
        }
        finally
        {
            captures.Remove(id);
        }
    }

    private static Task Answer<T>(HttpContext http, T value, JsonTypeInfo<T> type)
    {
        http.Response.ContentType = "application/json";
        return JsonSerializer.SerializeAsync(http.Response.Body, value, type, http.RequestAborted);
    }

    private static Task Refuse(HttpContext http, string error)
    {
        http.Response.StatusCode = StatusCodes.Status400BadRequest;
        return Answer(http, new ErrorAnswer(error), ControlJson.Default.ErrorAnswer);
    }

    private static Task OnException(HttpContext http) => http.Features.Get<IExceptionHandlerFeature>()?.Error is { } error
        ? Answer(http, new ErrorAnswer($"the node failed: {error.GetType().Name}: {error.Message}"), ControlJson.Default.ErrorAnswer)
        : Task.CompletedTask;

    /// <summary>Makes the folder; removes a socket that a node which died left behind, but never one that answers.</summary>
    private static void ClaimSocket(string path)
    {
        try
        {
            if (Path.GetDirectoryName(path) is { Length: > 0 } folder)
            {
                Directory.CreateDirectory(folder);
            }

            if (!File.Exists(path))
            {
                return;
            }

            using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                probe.Connect(new UnixDomainSocketEndPoint(path));
            }
            catch (SocketException)
            {
                File.Delete(path);
                return;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SocketException or ArgumentException)
        {
            throw new NodeException($"cannot use the control socket {path}: {e.Message}; name another under api: {{ socket: PATH }}", e);
        }

        throw new NodeException($"another node answers at the control socket {path}; stop it, or name another under api: {{ socket: PATH }}");
    }
}
