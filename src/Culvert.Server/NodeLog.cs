using Culvert.Core;
using Culvert.Server.Configuration;
using Culvert.Subscribers;
using Microsoft.Extensions.Logging;

namespace Culvert.Server;

/// <summary>Events as log lines. Every line that is about one names its tunnel, session, peer and user; every life ends with its reason.</summary>
internal sealed partial class NodeLog(ILogger logger)
{
    public void Write(in NodeEvent e, Timestamp now)
    {
        switch (e.Kind)
        {
            case NodeEventKind.TunnelUp:
                TunnelUp(e.Tunnel!.LocalTunnelId, e.Tunnel.PeerTunnelId, e.Tunnel.Path.Peer, e.Tunnel.PeerHostName, e.Tunnel.PeerVendorName);
                break;
            case NodeEventKind.TunnelDown:
                TunnelDown(e.Tunnel!.LocalTunnelId, e.Tunnel.Path.Peer, e.Tunnel.PeerHostName, e.Text);
                break;
            case NodeEventKind.SessionUp or NodeEventKind.DialUp or NodeEventKind.DialMtuChanged or NodeEventKind.RoutesReturned:
                SessionUp(e.Subscriber!.Key, e.Subscriber.Tunnel.Path.Peer, e.Subscriber.UserName, e.Text);
                break;
            case NodeEventKind.SessionDown:
                Subscriber s = e.Subscriber!;
                SessionDown(
                    s.Key,
                    s.Tunnel.Path.Peer,
                    s.UserName,
                    e.Text,
                    DurationText.Brief(TimeSpan.FromSeconds(Math.Floor((now - s.Since).TotalSeconds))),
                    s.LastCounters.OctetsReceived,
                    s.LastCounters.OctetsSent);
                break;
            case NodeEventKind.AuthenticationFailed:
                AuthenticationFailed(e.Subscriber!.Key, e.Subscriber.Tunnel.Path.Peer, e.Text);
                break;
            case NodeEventKind.PeerRefused:
                Warning(e.Text);
                break;
            case NodeEventKind.Notice:
                Notice(e.Tunnel!.LocalTunnelId, e.Tunnel.Path.Peer, e.Text);
                break;
            case NodeEventKind.Detail when e.Subscriber is { } subscriber:
                SessionDetail(subscriber.Key, subscriber.Tunnel.Path.Peer, subscriber.UserName, e.Text);
                break;
            case NodeEventKind.Detail when e.Dial is { } dial:
                Detail(dial.Settings.Name, e.Text);
                break;
            case NodeEventKind.Detail:
                TunnelDetail(e.Tunnel!.LocalTunnelId, e.Tunnel.Path.Peer, e.Text);
                break;
            case NodeEventKind.CallConnected or NodeEventKind.CallEnded:
                Information(e.Text);
                break;
            case NodeEventKind.DialFailed:
                DialFailed(e.Dial!.Settings.Name, e.Text);
                break;
        }
    }

    [LoggerMessage(EventId = 1, Level = LogLevel.Information, Message = "tunnel {tunnel} up: peer {peer} '{hostName}' ({vendor}), its tunnel ID {peerTunnel}")]
    private partial void TunnelUp(ushort tunnel, ushort peerTunnel, PeerEndpoint peer, string hostName, string vendor);

    [LoggerMessage(EventId = 2, Level = LogLevel.Information, Message = "tunnel {tunnel} down: peer {peer} '{hostName}': {reason}")]
    private partial void TunnelDown(ushort tunnel, PeerEndpoint peer, string hostName, string reason);

    [LoggerMessage(EventId = 3, Level = LogLevel.Information, Message = "session {session} user '{user}' peer {peer}: {text}")]
    private partial void SessionUp(Dataplane.SessionKey session, PeerEndpoint peer, string user, string text);

    [LoggerMessage(EventId = 4, Level = LogLevel.Information, Message = "session {session} user '{user}' peer {peer} ended after {duration}: {reason} (received {rxOctets}, sent {txOctets} octets)")]
    private partial void SessionDown(Dataplane.SessionKey session, PeerEndpoint peer, string user, string reason, string duration, long rxOctets, long txOctets);

    [LoggerMessage(EventId = 5, Level = LogLevel.Warning, Message = "session {session} peer {peer}: authentication failed: {text}")]
    private partial void AuthenticationFailed(Dataplane.SessionKey session, PeerEndpoint peer, string text);

    [LoggerMessage(EventId = 6, Level = LogLevel.Warning, Message = "tunnel {tunnel} peer {peer}: {text}")]
    private partial void Notice(ushort tunnel, PeerEndpoint peer, string text);

    [LoggerMessage(EventId = 7, Level = LogLevel.Debug, Message = "session {session} user '{user}' peer {peer}: {text}")]
    private partial void SessionDetail(Dataplane.SessionKey session, PeerEndpoint peer, string user, string text);

    [LoggerMessage(EventId = 8, Level = LogLevel.Debug, Message = "dial {dial}: {text}")]
    private partial void Detail(string dial, string text);

    [LoggerMessage(EventId = 13, Level = LogLevel.Debug, Message = "tunnel {tunnel} peer {peer}: {text}")]
    private partial void TunnelDetail(ushort tunnel, PeerEndpoint peer, string text);

    [LoggerMessage(EventId = 9, Level = LogLevel.Warning, Message = "dial {dial} failed: {text}")]
    private partial void DialFailed(string dial, string text);

    [LoggerMessage(EventId = 10, Level = LogLevel.Warning, Message = "{text}")]
    public partial void Warning(string text);

    [LoggerMessage(EventId = 11, Level = LogLevel.Information, Message = "{text}")]
    public partial void Information(string text);

    [LoggerMessage(EventId = 12, Level = LogLevel.Error, Message = "the node ended by an error of its own; please report it")]
    public partial void Broken(Exception error);
}
