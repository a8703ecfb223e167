using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace Culvert.Server;

/// <param name="Verbose">Also what is only of interest when something does not work.</param>
/// <param name="Json">One JSON object per line instead of text.</param>
public sealed record LogOptions(bool Verbose, bool Json);

/// <summary>Logs go to standard output, for the service manager to keep. A full log queue loses lines rather than stop a shard.</summary>
public static class NodeLogging
{
    private const int MostQueuedLines = 10_000;

    public static ILoggerFactory Create(LogOptions options) => LoggerFactory.Create(builder =>
    {
        builder.SetMinimumLevel(options.Verbose ? LogLevel.Debug : LogLevel.Information);
        builder.AddFilter("Microsoft", LogLevel.Warning);
        builder.AddConsole(console =>
        {
            console.FormatterName = options.Json ? ConsoleFormatterNames.Json : LineFormatter.FormatterName;
            console.QueueFullMode = ConsoleLoggerQueueFullMode.DropWrite;
            console.MaxQueueLength = MostQueuedLines;
        });
        if (options.Json)
        {
            builder.AddJsonConsole(json => json.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ");
        }
        else
        {
            builder.Services.AddSingleton<ConsoleFormatter, LineFormatter>();
        }
    });
}
