namespace Culvert.Capture;

/// <summary>
/// Reads a capture front to back through one buffer: a pipe that never ends takes no more memory than its largest record.
/// </summary>
internal sealed class CaptureStream(Stream source)
{
    private const int InitialCapacity = 1 << 16;

    private byte[] _buffer = new byte[InitialCapacity];
    private int _start;
    private int _end;

    /// <summary>Octets taken so far: where in the file the next one lies.</summary>
    public long Offset { get; private set; }

    /// <summary>Takes the next <paramref name="length"/> octets, valid until the next call; false when the source ends before.</summary>
    /// <exception cref="IOException">The source cannot be read.</exception>
    public bool TryTake(int length, out ReadOnlySpan<byte> octets)
    {
        if (!TryPeek(length, out octets))
        {
            return false;
        }

        _start += length;
        Offset += length;
        return true;
    }

    /// <summary>As <see cref="TryTake"/>, but they stay to be taken. When false, what there is.</summary>
    public bool TryPeek(int length, out ReadOnlySpan<byte> octets)
    {
        if (_end - _start < length)
        {
            MakeRoom(length);
        }

        while (_end - _start < length)
        {
            int read = source.Read(_buffer, _end, _buffer.Length - _end);
            if (read == 0)
            {
                octets = _buffer.AsSpan(_start, _end - _start);
                return false;
            }

            _end += read;
        }

        octets = _buffer.AsSpan(_start, length);
        return true;
    }

    /// <summary>Passes over octets, however many; false when the source ends before.</summary>
    public bool TrySkip(long length)
    {
        while (length > 0)
        {
            int step = (int)Math.Min(length, InitialCapacity);
            if (!TryTake(step, out _))
            {
                return false;
            }

            length -= step;
        }

        return true;
    }

    private void MakeRoom(int length)
    {
        byte[] target = length <= _buffer.Length ? _buffer : new byte[length];
        _buffer.AsSpan(_start, _end - _start).CopyTo(target);
        _buffer = target;
        _end -= _start;
        _start = 0;
    }
}
