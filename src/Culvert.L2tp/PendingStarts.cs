using System.Buffers.Binary;
using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>What is kept of a start while many are half-open. Valid until the next call into <see cref="PendingStarts"/>.</summary>
internal readonly ref struct PendingStart(
    UdpPath path, TunnelSettings settings, Timestamp at, ushort peerTunnelId, ReadOnlySpan<byte> body, ReadOnlySpan<byte> challenge)
{
    public UdpPath Path { get; } = path;

    public TunnelSettings Settings { get; } = settings;

    /// <summary>When the SCCRQ came first.</summary>
    public Timestamp At { get; } = at;

    public ushort PeerTunnelId { get; } = peerTunnelId;

    /// <summary>The AVPs of the SCCRQ.</summary>
    public ReadOnlySpan<byte> Body { get; } = body;

    /// <summary>Our Challenge; sent only where the settings want one.</summary>
    public ReadOnlySpan<byte> Challenge { get; } = challenge;
}

/// <summary>
/// SCCRQs that were answered without making a tunnel: a ring of records of one size, the oldest of which makes room. L2TPv2 gives no room
/// for a cookie (an SCCCN returns nothing of what the SCCRP said but the Challenge Response, and not even the peer's own Tunnel ID), so
/// something must be kept; but it needs no timer, no retransmission of ours, and no memory that grows.
/// </summary>
/// <remarks>
/// The Assigned Tunnel ID is derived from a keyed digest of the peer and its ID: so the same SCCRQ again finds its record without an
/// index, nobody can guess it, and nobody can choose whom to collide with.
/// </remarks>
internal sealed class PendingStarts
{
    /// <summary>Longest SCCRQ that is kept, octets of AVPs. With names of usual length and a Challenge it has about 150.</summary>
    public const int BodyLimit = 256;

    /// <summary>Octets of our Challenge.</summary>
    public const int ChallengeSize = 16;

    private const int IdCount = 65_536;
    private const int KeySize = 16;
    private const int Stride = BodyLimit + ChallengeSize;
    private const int Candidates = TunnelAuthentication.ResponseSize / sizeof(ushort);
    private const int PeerSize = 16 + 1 + sizeof(ushort) + sizeof(uint) + sizeof(ushort);

    private readonly TunnelIdSpace _ids;
    private readonly IRandomSource _random;
    private readonly byte[] _key = new byte[KeySize];
    private readonly int _capacity;
    private Record[] _records = [];
    private byte[] _octets = [];
    private ushort[] _placeOfId = [];
    private int _next;

    /// <param name="capacity">Records; no more than a quarter of the tunnel IDs are taken, so that free ones are found at once.</param>
    /// <param name="ids">The tunnel IDs that may be given away.</param>
    /// <param name="random">For the key and the Challenges.</param>
    public PendingStarts(int capacity, TunnelIdSpace ids, IRandomSource random)
    {
        _capacity = Math.Clamp(capacity, 0, IdCount / ids.Divisor / 4);
        _ids = ids;
        _random = random;
    }

    public int Count { get; private set; }

    public bool IsEnabled => _capacity > 0;

    /// <summary>Records that made room before their peer completed the set-up.</summary>
    public long Overwritten { get; private set; }

    public bool Contains(int localTunnelId) => Count > 0 && _placeOfId[localTunnelId] != 0;

    public bool TryGet(ushort localTunnelId, out PendingStart start)
    {
        if (!Contains(localTunnelId))
        {
            start = default;
            return false;
        }

        int place = _placeOfId[localTunnelId] - 1;
        ref readonly Record record = ref _records[place];
        start = new(record.Path, record.Settings!, record.At, record.PeerTunnelId, BodyOf(place)[..record.BodyLength], ChallengeOf(place));
        return true;
    }

    /// <summary>The ID under which the same peer's start is kept already; false when it is not.</summary>
    public bool TryFind(in PeerEndpoint peer, ushort peerTunnelId, out ushort localTunnelId)
    {
        localTunnelId = 0;
        if (Count == 0)
        {
            return false;
        }

        Span<ushort> candidates = stackalloc ushort[Candidates];
        Derive(peer, peerTunnelId, candidates);
        foreach (ushort candidate in candidates)
        {
            if (_placeOfId[candidate] != 0 && _records[_placeOfId[candidate] - 1] is { } record && record.Path.Peer == peer &&
                record.PeerTunnelId == peerTunnelId)
            {
                localTunnelId = candidate;
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// Keeps a start that is not kept yet. False when the body is too long, or none of its IDs is free
    /// (<paramref name="directory"/> has some of them).
    /// </summary>
    public bool TryAdd(
        in UdpPath path, TunnelSettings settings, ushort peerTunnelId, ReadOnlySpan<byte> body, TunnelDirectory directory, Timestamp now,
        out ushort localTunnelId)
    {
        localTunnelId = 0;
        if (!IsEnabled || body.Length > BodyLimit)
        {
            return false;
        }

        Prepare();
        Span<ushort> candidates = stackalloc ushort[Candidates];
        Derive(path.Peer, peerTunnelId, candidates);
        foreach (ushort candidate in candidates)
        {
            if (candidate != 0 && _placeOfId[candidate] == 0 && !directory.TryFind(candidate, out _))
            {
                localTunnelId = candidate;
                Write(path, settings, peerTunnelId, localTunnelId, body, now);
                return true;
            }
        }

        return false;
    }

    public void Remove(ushort localTunnelId)
    {
        if (Contains(localTunnelId))
        {
            _records[_placeOfId[localTunnelId] - 1] = default;
            _placeOfId[localTunnelId] = 0;
            Count--;
        }
    }

    private void Write(
        in UdpPath path, TunnelSettings settings, ushort peerTunnelId, ushort localTunnelId, ReadOnlySpan<byte> body, Timestamp now)
    {
        int place = _next;
        _next = (_next + 1) % _capacity;
        if (_records[place].LocalTunnelId != 0)
        {
            Overwritten++;
            Remove(_records[place].LocalTunnelId);
        }

        _records[place] = new()
        {
            Path = path,
            Settings = settings,
            At = now,
            PeerTunnelId = peerTunnelId,
            LocalTunnelId = localTunnelId,
            BodyLength = (ushort)body.Length,
        };
        body.CopyTo(BodyOf(place));
        _random.Fill(ChallengeOf(place));
        _placeOfId[localTunnelId] = (ushort)(place + 1);
        Count++;
    }

    // Nothing is taken until the first flood.
    private void Prepare()
    {
        if (_records.Length == 0)
        {
            _records = new Record[_capacity];
            _octets = new byte[_capacity * Stride];
            _placeOfId = new ushort[IdCount];
            _random.Fill(_key);
        }
    }

    private void Derive(in PeerEndpoint peer, ushort peerTunnelId, Span<ushort> candidates)
    {
        Span<byte> name = stackalloc byte[PeerSize];
        name.Clear();
        peer.Address.WriteTo(name);
        name[16] = (byte)peer.Address.Family;
        BinaryPrimitives.WriteUInt16BigEndian(name[17..], peer.Port);
        BinaryPrimitives.WriteUInt32BigEndian(name[19..], peer.Mark);
        BinaryPrimitives.WriteUInt16BigEndian(name[23..], peerTunnelId);
        Span<byte> digest = stackalloc byte[TunnelAuthentication.ResponseSize];
        AvpHiding.HashOf(digest, _key, name, default);
        int steps = IdCount / _ids.Divisor;
        for (int i = 0; i < candidates.Length; i++)
        {
            int drawn = BinaryPrimitives.ReadUInt16BigEndian(digest[(2 * i)..]) % steps;
            candidates[i] = (ushort)((drawn * _ids.Divisor) + _ids.Remainder);
        }
    }

    private Span<byte> BodyOf(int place) => _octets.AsSpan(place * Stride, BodyLimit);

    private Span<byte> ChallengeOf(int place) => _octets.AsSpan((place * Stride) + BodyLimit, ChallengeSize);

    private struct Record
    {
        public UdpPath Path;
        public TunnelSettings? Settings;
        public Timestamp At;
        public ushort PeerTunnelId;
        public ushort LocalTunnelId;
        public ushort BodyLength;
    }
}
