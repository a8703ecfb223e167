using System.CommandLine;
using Culvert.Core;
using Culvert.Server;
using Culvert.Server.Configuration;
using Culvert.Subscribers;
using Culvert.Subscribers.Policy;
using Microsoft.Extensions.Logging;

namespace Culvert.Cli;

/// <summary>culvert dial HOST: one connection in the foreground.</summary>
internal static class DialCommand
{
    public static Command Create()
    {
        var hosts = new Argument<string[]>("host") { Description = "the LNS, with an optional :port; several are tried in turn", HelpName = "HOST", Arity = ArgumentArity.OneOrMore };
        var user = new Option<string>("--user") { Description = "PPP user name", HelpName = "NAME", Required = true };
        var passwordFile = new Option<string>("--password-file") { Description = "file with the user's password", HelpName = "FILE", Required = true };
        var secretFile = new Option<string?>("--secret-file") { Description = "file with the tunnel secret, where the LNS wants one", HelpName = "FILE" };
        var hide = new Option<bool>("--hide-avps") { Description = "hide what may be hidden in control messages; needs the secret" };
        var name = new Option<string?>("--interface") { Description = "name of the interface (default: the next free culvertN)", HelpName = "NAME" };
        var routes = new Option<string[]>("--route") { Description = "send this network through the tunnel; may be repeated", HelpName = "CIDR" };
        var defaultRoute = new Option<bool>("--default-route") { Description = "send everything through the tunnel" };
        var redial = new Option<bool>("--redial") { Description = "dial again whenever the connection ends or fails, instead of ending" };
        Option<string?> socket = CommonOptions.Socket();
        socket.Description = "offer a control socket for 'culvert show' and 'close' (default: none)";
        Option<bool> verbose = CommonOptions.Verbose();
        var command = new Command("dial", "Connect to an LNS as a client: a tunnel, a PPP session, an interface.")
        {
            hosts, user, passwordFile, secretFile, hide, name, routes, defaultRoute, redial, socket, verbose,
        };
        command.SetAction((parsed, _) => Failure.Guard(() =>
        {
            string? secret = parsed.GetValue(secretFile) is { } file ? SecretFile.Read(file) : null;
            if (parsed.GetValue(hide) && secret is null)
            {
                throw new Failure("--hide-avps needs --secret-file");
            }

            var settings = new DialSettings
            {
                Name = "dial",
                Lns = parsed.GetRequiredValue(hosts),
                User = parsed.GetRequiredValue(user),
                Password = SecretFile.Read(parsed.GetRequiredValue(passwordFile)),
                Secret = secret is null ? null : new Secret(secret),
                HideAvps = parsed.GetValue(hide),
                Interface = parsed.GetValue(name),
                Routes = [.. (parsed.GetValue(routes) ?? []).Select(ParseRoute)],
                DefaultRoute = parsed.GetValue(defaultRoute),
                Redial = parsed.GetValue(redial),
            };
            return Dial(settings, parsed.GetValue(socket), parsed.GetValue(verbose));
        }));
        return command;
    }

    private static async Task<int> Dial(DialSettings settings, string? socket, bool isVerbose)
    {
        var configuration = new NodeConfiguration
        {
            Settings = new NodeSettings { NodeName = Environment.MachineName, Dial = [settings] },
            Api = new ApiSettings { Socket = socket },
        };
        using ILoggerFactory loggers = NodeLogging.Create(new LogOptions(isVerbose, Json: false));
        using var termination = new Termination();
        var outcome = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            await using Node node = await Node.Start(configuration, loggers, () => configuration, e => Watch(e, settings.Redial, outcome));
            Task first = await Task.WhenAny(termination.Requested, outcome.Task, node.Ended);
            await node.Stop();
            return first == termination.Requested ? ExitCode.Done
                : first == outcome.Task ? throw new Failure(await outcome.Task)
                : throw Failure.Of(node.Ended);
        }
        catch (NodeException failure)
        {
            throw new Failure(failure.Message);
        }
    }

    private static void Watch(NodeEvent e, bool redial, TaskCompletionSource<string> outcome)
    {
        if (e is { Kind: NodeEventKind.DialUp, Subscriber: { } subscriber })
        {
            Console.WriteLine($"connected to {subscriber.Tunnel.Path.Peer} as {subscriber.UserName}: {e.Text}");
        }
        else if (e.Kind == NodeEventKind.DialFailed && !redial)
        {
            outcome.TrySetResult(e.Text);
        }
    }

    private static IpPrefix ParseRoute(string text) => IpPrefix.TryParse(text, out IpPrefix prefix)
        ? prefix
        : throw new Failure($"--route {text}: not a network such as 198.51.100.0/24 (no bits may be set behind the prefix length)");
}
