using Culvert.Core;

namespace Culvert.Blast;

/// <summary>Takes the datagrams that a <see cref="BlastEngine"/> sends, in order.</summary>
public interface IDatagramSink
{
    /// <summary>Room for one datagram of up to <see cref="BlastEngine.MaxDatagramSize"/> octets. Without a commit the next call gives the same.</summary>
    Span<byte> Reserve(int socket);

    /// <summary>Sends the first <paramref name="length"/> octets of what was reserved last.</summary>
    void Commit(int socket, int length, in UdpPath path);
}

/// <summary>Loses and repeats datagrams on purpose, at random.</summary>
internal sealed class FaultySink(IDatagramSink inner, FaultPlan faults, IRandomSource random) : IDatagramSink
{
    private const int Certain = 1_000_000;

    private readonly byte[] _copy = new byte[BlastEngine.MaxDatagramSize];
    private readonly int _loss = (int)(faults.Loss * Certain);
    private readonly int _duplicates = (int)(faults.Duplicates * Certain);

    public long Lost { get; private set; }

    public long Repeated { get; private set; }

    public Span<byte> Reserve(int socket) => inner.Reserve(socket);

    public void Commit(int socket, int length, in UdpPath path)
    {
        if (Loses())
        {
            return;
        }

        if (_duplicates == 0 || random.NextBelow(Certain) >= _duplicates)
        {
            inner.Commit(socket, length, path);
            return;
        }

        Repeated++;
        inner.Reserve(socket)[..length].CopyTo(_copy);
        inner.Commit(socket, length, path);
        _copy.AsSpan(0, length).CopyTo(inner.Reserve(socket));
        inner.Commit(socket, length, path);
    }

    /// <summary>Draws whether a datagram, sent or received, is lost.</summary>
    public bool Loses()
    {
        bool isLost = _loss != 0 && random.NextBelow(Certain) < _loss;
        Lost += isLost ? 1 : 0;
        return isLost;
    }
}
