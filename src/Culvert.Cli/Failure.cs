using Culvert.Server;

namespace Culvert.Cli;

/// <summary>A command could not do what was asked. The message is one line that says what happened and what to do.</summary>
internal sealed class Failure(string message) : Exception(message)
{
    /// <summary>What ended a node: what an operator can mend in a line, an error of ours with all that is needed to find it.</summary>
    /// <param name="ended">A node's end, faulted.</param>
    public static Failure Of(Task ended) => ended.Exception?.InnerException is NodeException told
        ? new Failure(told.Message)
        : new Failure($"the node ended by an error of its own; please report it, with what follows:{Environment.NewLine}{ended.Exception?.InnerException}");

    /// <summary>Runs a command's body and turns failures into a line on standard error and exit code 1.</summary>
    public static async Task<int> Guard(Func<Task<int>> body)
    {
        try
        {
            return await body();
        }
        catch (Failure failure)
        {
            await Console.Error.WriteLineAsync($"culvert: {failure.Message}");
            return ExitCode.Failed;
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Done;
        }
    }
}
