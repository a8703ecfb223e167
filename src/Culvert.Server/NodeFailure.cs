namespace Culvert.Server;

/// <summary>A node cannot start or do what was asked. The message says what happened and what to do, in one line.</summary>
public sealed class NodeFailure : Exception
{
    public NodeFailure(string message)
        : base(message)
    {
    }

    public NodeFailure(string message, Exception inner)
        : base(message, inner)
    {
    }
}
