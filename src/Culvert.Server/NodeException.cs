namespace Culvert.Server;

/// <summary>A node cannot start or do what was asked. The message says what happened and what to do, in one line.</summary>
public sealed class NodeException : Exception
{
    public NodeException(string message)
        : base(message)
    {
    }

    public NodeException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
