using Culvert.Core;
using Culvert.Subscribers;

namespace Culvert.Server.Captures;

/// <summary>
/// The captures that run now. Every forwarding thread offers its datagrams, which costs one read when there is no capture; with one,
/// threads take turns.
/// </summary>
internal sealed class TapSet
{
    /// <summary>Each holds some 8 MB; more than an operator looks at side by side.</summary>
    private const int Maximum = 4;

    private readonly Lock _turn = new();
    private volatile CaptureTap[]? _taps;

    /// <summary>Nobody captures.</summary>
    public bool IsEmpty => _taps is null;

    /// <exception cref="NodeException">Too many captures run.</exception>
    public void Add(CaptureTap tap)
    {
        lock (_turn)
        {
            if (_taps?.Length >= Maximum)
            {
                throw new NodeException($"{Maximum} captures run already; end one of them first");
            }

            _taps = [.. _taps ?? [], tap];
        }
    }

    /// <summary>False when it was not there.</summary>
    public bool Remove(CaptureTap tap)
    {
        lock (_turn)
        {
            CaptureTap[] before = _taps ?? [];
            CaptureTap[] after = [.. before.Where(t => t != tap)];
            _taps = after.Length > 0 ? after : null;
            return after.Length < before.Length;
        }
    }

    public void Offer(ReadOnlySpan<byte> datagram, in UdpPath path, ushort localPort, bool isSent, Timestamp now)
    {
        if (_taps is null)
        {
            return;
        }

        lock (_turn)
        {
            foreach (CaptureTap tap in _taps ?? [])
            {
                tap.Tap(datagram, path, localPort, isSent, now);
            }
        }
    }

    public void OnEvent(in NodeEvent e)
    {
        if (_taps is null)
        {
            return;
        }

        lock (_turn)
        {
            foreach (CaptureTap tap in _taps ?? [])
            {
                tap.OnEvent(e);
            }
        }
    }
}
