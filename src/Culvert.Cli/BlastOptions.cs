using System.CommandLine;
using System.Globalization;
using System.Net;
using Culvert.Blast;
using Culvert.Core;
using Culvert.L2tp;
using Culvert.Ppp.Authentication;
using Culvert.Server.Configuration;

namespace Culvert.Cli;

/// <summary>The options of culvert blast, and what they mean for a run.</summary>
internal sealed class BlastOptions
{
    private const ushort L2tpPort = 1701;

    /// <summary>A load generator may have more under way than others: it is there to be answered.</summary>
    private const int ReceiveWindow = 1024;

    private readonly Argument<string?> _host = new("host") { Description = "the LNS, with an optional :port", HelpName = "HOST", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<bool> _answer = new("--answer") { Description = "take calls as an LNS instead, from any LAC" };
    private readonly Option<string[]> _local = new("--local") { Description = "local address, with an optional :port; several, separated by commas, share the tunnels", HelpName = "ADDRESS" };
    private readonly Option<int> _tunnels = new("--tunnels") { Description = "tunnels (with --answer: at most)", DefaultValueFactory = _ => 1, HelpName = "N" };
    private readonly Option<int> _sessions = new("--sessions") { Description = "sessions in each tunnel (with --answer: at most)", DefaultValueFactory = _ => 1, HelpName = "N" };
    private readonly Option<double> _ramp = new("--ramp") { Description = "sessions begun per second (default: as fast as they are answered)", HelpName = "N" };
    private readonly Option<int> _inFlight = new("--in-flight") { Description = "sessions being set up at once", DefaultValueFactory = _ => 500, HelpName = "N" };
    private readonly Option<string?> _method = new("--auth") { Description = "pap, chap or mschapv2: the only method agreed to (default: what the LNS asks for); with --answer the one asked for", HelpName = "METHOD" };
    private readonly Option<string> _user = new("--user") { Description = "user names: {n} is the session's number, {t} its tunnel's, {s} its number in the tunnel, {n:5} has five digits", DefaultValueFactory = _ => "user{n}", HelpName = "PATTERN" };
    private readonly Option<string> _password = new("--password") { Description = "passwords, in the same way", DefaultValueFactory = _ => "password", HelpName = "PATTERN" };
    private readonly Option<string?> _passwordFile = new("--password-file") { Description = "file with the password pattern, to keep it out of the process list", HelpName = "FILE" };
    private readonly Option<int> _first = new("--first") { Description = "number of the first session", DefaultValueFactory = _ => 1, HelpName = "N" };
    private readonly Option<string?> _secretFile = new("--secret-file") { Description = "file with the tunnel secret", HelpName = "FILE" };
    private readonly Option<string> _hostName = new("--host-name") { Description = "the Host Name AVP; {t} is the tunnel's number", DefaultValueFactory = _ => "blast", HelpName = "PATTERN" };
    private readonly Option<string> _pool = new("--pool") { Description = "with --answer: addresses to give out, from this one on; the one before it is ours", DefaultValueFactory = _ => "100.64.0.2", HelpName = "ADDRESS" };
    private readonly Option<string> _hold = new("--hold") { Description = "how long everything stays up", DefaultValueFactory = _ => "10s", HelpName = "TIME" };
    private readonly Option<string> _duration = new("--duration") { Description = "the whole run at most (with --answer: until Ctrl-C when not given)", HelpName = "TIME", DefaultValueFactory = _ => "" };
    private readonly Option<int> _tries = new("--tries") { Description = "attempts at each session and tunnel", DefaultValueFactory = _ => 5, HelpName = "N" };
    private readonly Option<string?> _flap = new("--flap") { Description = "all:30s takes everything away for 30 s after the hold, rolling:30s ends one session after the other within 30 s; ':silent' says no goodbye, a trailing ':3' does it three times", HelpName = "KIND:TIME" };
    private readonly Option<double> _rate = new("--rate") { Description = "packets per second and session while holding", HelpName = "N" };
    private readonly Option<string> _size = new("--size") { Description = "octets of the inner packets: a number, 'imix', or sizes with weights such as 64:7,576:4,1450:1", DefaultValueFactory = _ => "imix", HelpName = "SIZES" };
    private readonly Option<string> _to = new("--to") { Description = "'sessions': to the next session, through the LNS and back; or the ADDRESS[:PORT] of a UDP echo service behind the LNS", DefaultValueFactory = _ => "sessions", HelpName = "WHERE" };
    private readonly Option<double> _loss = new("--loss") { Description = "lose this percentage of datagrams each way", HelpName = "PERCENT" };
    private readonly Option<double> _duplicates = new("--duplicates") { Description = "send this percentage of datagrams twice", HelpName = "PERCENT" };
    private readonly Option<bool> _noZlb = new("--no-zlb") { Description = "never acknowledge by a message of its own" };
    private readonly Option<string[]> _storm = new("--storm") { Description = "sccrq:N or icrq:N: so many per second that are never completed; may be repeated", HelpName = "KIND:N" };
    private readonly Option<string?> _list = new("--list") { Description = "once all sessions are up, leave a list of them in this file: local address, tunnel ID, session ID, client's address", HelpName = "FILE" };
    private readonly Option<bool> _noOffload = new("--no-offload") { Description = "without UDP_SEGMENT and UDP_GRO" };

    public void AddTo(Command command)
    {
        command.Add(_host);
        foreach (Option option in (Option[])
            [_answer, _local, _tunnels, _sessions, _ramp, _inFlight, _method, _user, _password, _passwordFile, _first, _secretFile, _hostName,
                _pool, _hold, _duration, _tries, _flap, _rate, _size, _to, _loss, _duplicates, _noZlb, _storm, _list, _noOffload])
        {
            command.Add(option);
        }
    }

    /// <exception cref="Failure">An option's value makes no sense.</exception>
    public async Task<(BlastSettings Settings, BlastSockets Sockets)> Read(ParseResult parsed)
    {
        bool isAnswerer = parsed.GetValue(_answer);
        PeerEndpoint peer = isAnswerer ? default : await Resolve(parsed.GetValue(_host));
        string? secret = parsed.GetValue(_secretFile) is { } file ? SecretFile.Read(file) : null;
        IpAddress pool = IpAddress.TryParse(parsed.GetRequiredValue(_pool), out IpAddress first) && first.IsIPv4
            ? first
            : throw new Failure($"--pool {parsed.GetValue(_pool)}: not an IPv4 address");
        var settings = new BlastSettings
        {
            IsAnswerer = isAnswerer,
            Peer = peer,
            Tunnels = Range("--tunnels", parsed.GetValue(_tunnels), BlastSettings.MostTunnels),
            SessionsPerTunnel = Range("--sessions", parsed.GetValue(_sessions), BlastSettings.MostSessionsPerTunnel),
            HostName = Pattern("--host-name", parsed.GetRequiredValue(_hostName)),
            Secret = secret is null ? null : new Secret(secret),
            Channel = ControlChannelSettings.Default with { ReceiveWindow = ReceiveWindow },
            Ramp = NotNegative("--ramp", parsed.GetValue(_ramp)),
            InFlight = Range("--in-flight", parsed.GetValue(_inFlight), BlastSettings.MostSessions),
            Tries = Range("--tries", parsed.GetValue(_tries), 250),
            Hold = Duration("--hold", parsed.GetRequiredValue(_hold)),
            Duration = WholeDuration(parsed, isAnswerer),
            Flap = parsed.GetValue(_flap) is { } flap ? ReadFlap(flap) : null,
            Traffic = ReadTraffic(parsed),
            Faults = ReadFaults(parsed),
            Ppp = new PppSettings
            {
                Method = parsed.GetValue(_method) is { } method ? ReadMethod(method) : null,
                User = Pattern("--user", parsed.GetRequiredValue(_user)),
                Password = Pattern("--password", parsed.GetValue(_passwordFile) is { } name ? SecretFile.Read(name) : parsed.GetRequiredValue(_password)),
                FirstNumber = parsed.GetValue(_first),
                Pool = pool,
                Gateway = IpAddress.FromUInt32(pool.ToUInt32() - 1),
            },
        };
        return settings.Sessions <= BlastSettings.MostSessions && (long)settings.Tunnels * settings.SessionsPerTunnel <= BlastSettings.MostSessions
            ? (settings, new BlastSockets { Local = ReadLocal(parsed, isAnswerer, peer), Offloads = !parsed.GetValue(_noOffload), ListFile = parsed.GetValue(_list) })
            : throw new Failure($"--tunnels times --sessions: at most {BlastSettings.MostSessions} sessions");
    }

    private static async Task<PeerEndpoint> Resolve(string? text)
    {
        if (text is null || !HostPort.TryParse(text, L2tpPort, out string host, out ushort port))
        {
            throw new Failure(text is null ? "which LNS? Give its name or address, or --answer" : $"'{text}' is not a host or host:port");
        }

        if (IpAddress.TryParse(host, out IpAddress address))
        {
            return new PeerEndpoint(address, port);
        }

        try
        {
            return new PeerEndpoint(IpAddress.From((await Dns.GetHostAddressesAsync(host))[0]), port);
        }
        catch (System.Net.Sockets.SocketException e)
        {
            throw new Failure($"no address is known for {host}: {e.Message}");
        }
    }

    private List<PeerEndpoint> ReadLocal(ParseResult parsed, bool isAnswerer, PeerEndpoint peer)
    {
        var local = new List<PeerEndpoint>();
        ushort defaultPort = isAnswerer ? L2tpPort : (ushort)0;
        foreach (string text in (parsed.GetValue(_local) ?? []).SelectMany(l => l.Split(',', StringSplitOptions.TrimEntries)))
        {
            ushort port = defaultPort;
            string host = text;
            if (!IpAddress.TryParse(text, out IpAddress address) &&
                (!HostPort.TryParse(text, defaultPort, out host, out port) || !IpAddress.TryParse(host, out address)))
            {
                throw new Failure($"--local {text}: not an address");
            }

            local.Add(new PeerEndpoint(address, port));
        }

        return local.Count > 0 ? local : [new PeerEndpoint(IpAddress.Parse(peer.Address.IsIPv6 ? "::" : "0.0.0.0"), defaultPort)];
    }

    private TimeSpan WholeDuration(ParseResult parsed, bool isAnswerer) => parsed.GetRequiredValue(_duration) switch
    {
        "" => isAnswerer ? TimeSpan.FromDays(365) : new BlastSettings().Duration,
        { } text => Duration("--duration", text),
    };

    private TrafficPlan? ReadTraffic(ParseResult parsed)
    {
        double rate = NotNegative("--rate", parsed.GetValue(_rate));
        if (rate == 0)
        {
            return null;
        }

        if (!PacketMix.TryParse(parsed.GetRequiredValue(_size), out PacketMix mix))
        {
            throw new Failure($"--size {parsed.GetValue(_size)}: 'imix', or sizes from {StampedPacket.MinimumSize} to {StampedPacket.MaximumSize} with weights");
        }

        string to = parsed.GetRequiredValue(_to);
        if (to == "sessions")
        {
            return new TrafficPlan(rate, mix);
        }

        return HostPort.TryParse(to, TrafficPlan.EchoPort, out string host, out ushort port) && IpAddress.TryParse(host, out IpAddress target) && target.IsIPv4
            ? new TrafficPlan(rate, mix, target, port)
            : throw new Failure($"--to {to}: 'sessions', or an IPv4 address with an optional :port");
    }

    private FaultPlan ReadFaults(ParseResult parsed)
    {
        var faults = new FaultPlan
        {
            Loss = Percent("--loss", parsed.GetValue(_loss)),
            Duplicates = Percent("--duplicates", parsed.GetValue(_duplicates)),
            NoZlb = parsed.GetValue(_noZlb),
        };
        foreach (string storm in parsed.GetValue(_storm) ?? [])
        {
            string[] parts = storm.Split(':');
            faults = parts.Length == 2 && TryNumber(parts[1], out double rate) && rate > 0
                ? parts[0] switch
                {
                    "sccrq" => faults with { StartStorm = rate },
                    "icrq" => faults with { CallStorm = rate },
                    _ => throw new Failure($"--storm {storm}: sccrq:N or icrq:N"),
                }
                : throw new Failure($"--storm {storm}: sccrq:N or icrq:N, N per second");
        }

        return faults;
    }

    private static FlapPlan ReadFlap(string text)
    {
        string[] parts = text.Split(':');
        FlapKind? kind = parts[0] switch { "all" => FlapKind.All, "rolling" => FlapKind.Rolling, _ => null };
        bool isSilent = false;
        int count = 1;
        bool isSound = kind is not null && parts.Length >= 2;
        foreach (string part in parts.Skip(2))
        {
            bool isWord = part is "silent" or "clean";
            isSilent = isWord ? part == "silent" : isSilent;
            isSound &= isWord || (int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count > 0);
        }

        return isSound && DurationText.TryParse(parts[1], out TimeSpan time)
            ? new FlapPlan(kind!.Value, time, isSilent, count)
            : throw new Failure($"--flap {text}: all:TIME or rolling:TIME, then perhaps ':silent' or ':clean' and how many times, as in all:30s:silent:3");
    }

    private static AuthenticationMethod ReadMethod(string text) => text switch
    {
        "pap" => AuthenticationMethod.Pap,
        "chap" => AuthenticationMethod.ChapMd5,
        "mschapv2" => AuthenticationMethod.MsChapV2,
        _ => throw new Failure($"--auth {text}: pap, chap or mschapv2"),
    };

    private static NumberedText Pattern(string option, string text)
    {
        try
        {
            return new NumberedText(text);
        }
        catch (FormatException e)
        {
            throw new Failure($"{option}: {e.Message}");
        }
    }

    private static TimeSpan Duration(string option, string text) =>
        DurationText.TryParse(text, out TimeSpan time) ? time : throw new Failure($"{option} {text}: a time such as 500ms, 30s or 10m");

    private static int Range(string option, int value, int most) =>
        value >= 1 && value <= most ? value : throw new Failure($"{option} {value}: from 1 to {most}");

    private static double NotNegative(string option, double value) =>
        value >= 0 && double.IsFinite(value) ? value : throw new Failure($"{option} {value}: not below 0");

    private static double Percent(string option, double value) =>
        value is >= 0 and <= 100 ? value / 100 : throw new Failure($"{option} {value}: from 0 to 100 percent");

    private static bool TryNumber(string text, out double value) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out value);
}
