using System.Text;

namespace Culvert.Fuzz;

/// <summary>One thing that takes input from strangers, with what must be true of it whatever the input is.</summary>
public abstract class FuzzTarget
{
    /// <summary>As given to --target.</summary>
    public abstract string Name { get; }

    /// <summary>What the input is and what is checked, in one line.</summary>
    public abstract string Description { get; }

    /// <summary>Longest input, octets.</summary>
    public virtual int MaximumLength => 2048;

    /// <summary>Most octets that one input may make the product allocate, for each message in it.</summary>
    public virtual long AllocationLimit => 1 << 20;

    /// <summary>Longest time that one input may take, whatever else the machine does: the least of several attempts counts.</summary>
    public virtual TimeSpan TimeLimit => TimeSpan.FromMilliseconds(50);

    /// <summary>Good inputs to begin with, made by honest means; the corpus comes on top.</summary>
    public abstract IEnumerable<byte[]> Seeds();

    /// <summary>Inputs from a datagram of a capture, for targets that can use one.</summary>
    public virtual IEnumerable<byte[]> Import(ReadOnlyMemory<byte> datagram) => [];

    /// <summary>Octets that mean something where this target looks: inserted and written over by mutations.</summary>
    public virtual IReadOnlyList<byte[]> Words => [];

    /// <summary>Takes one input, and fails by an exception of any kind.</summary>
    /// <param name="input">Anything.</param>
    /// <param name="story">Where to tell in words what happens; null when nobody reads it.</param>
    /// <returns>How many messages the input was: 1 for a parser.</returns>
    public abstract int Run(ReadOnlySpan<byte> input, Story? story);
}

/// <summary>What happened with an input, in words.</summary>
public sealed class Story
{
    private readonly StringBuilder _text = new();

    public void Tell(string line) => _text.AppendLine(line);

    public override string ToString() => _text.ToString();
}

/// <summary>Something that must be true whatever comes was not.</summary>
public sealed class FuzzFailedException : Exception
{
    public FuzzFailedException()
    {
    }

    public FuzzFailedException(string message)
        : base(message)
    {
    }

    public FuzzFailedException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
