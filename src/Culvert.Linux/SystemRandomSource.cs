using System.Security.Cryptography;
using Culvert.Core;

namespace Culvert.Linux;

/// <summary>
/// The operating system's randomness, fetched a block at a time: an ID of two octets then costs a copy, not a call. Not
/// thread-safe: one per shard.
/// </summary>
public sealed class SystemRandomSource : IRandomSource
{
    private readonly byte[] _pool = new byte[512];
    private int _left;

    public void Fill(Span<byte> destination)
    {
        if (destination.Length > _pool.Length / 4)
        {
            RandomNumberGenerator.Fill(destination);
            return;
        }

        if (destination.Length > _left)
        {
            RandomNumberGenerator.Fill(_pool);
            _left = _pool.Length;
        }

        Span<byte> drawn = _pool.AsSpan(_pool.Length - _left, destination.Length);
        drawn.CopyTo(destination);
        // What was drawn may become a challenge or a key: no copy stays behind.
        drawn.Clear();
        _left -= destination.Length;
    }
}
