namespace Culvert.Cli;

/// <summary>A command could not do what was asked. The message is one line that says what happened and what to do.</summary>
internal sealed class Failure(string message) : Exception(message)
{
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
