using System.Text;
using System.Text.Json;
using Culvert.Capture;
using Culvert.Core;
using Culvert.Fuzz.Coverage;
using Culvert.Linux.Routing;
using Culvert.Server;
using Culvert.Server.Captures;
using Culvert.Server.Configuration;
using Culvert.Server.Control;
using Culvert.Subscribers.Policy;
using Culvert.Testing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using static Culvert.Fuzz.Claim;

namespace Culvert.Fuzz.Targets;

/// <summary>A capture file of either format, dissected and printed in both styles.</summary>
internal sealed class CaptureTarget : FuzzTarget
{
    public override string Name => "capture";

    public override string Description => "a pcap or pcapng file, every packet dissected and printed, hidden AVPs revealed";

    public override int MaximumLength => 1024;

    public override IReadOnlyList<byte[]> Words =>
    [
        [0x0A, 0x0D, 0x0D, 0x0A], [0x1A, 0x2B, 0x3C, 0x4D], [0xD4, 0xC3, 0xB2, 0xA1], [0xA1, 0xB2, 0x3C, 0x4D], [1, 0, 0, 0], [6, 0, 0, 0], [3, 0, 0, 0],
        [5, 0, 0, 0], [0, 0, 0, 28], [0, 0, 0, 101], [9, 0, 1, 0], [14, 0, 8, 0], [0x81, 0, 8, 0], [0x88, 0x64], [0x08, 0x00], [0x86, 0xDD],
    ];

    public override IEnumerable<byte[]> Seeds()
    {
        IpAddress a = IpAddress.Parse("198.51.100.1");
        IpAddress b = IpAddress.Parse("192.0.2.1");
        List<byte[]> udp = [.. Transcripts.Datagrams.Select(d => IpBuilder.UdpPacket(a, 1701, b, 1701, d))];
        for (int i = 0; i + 3 < udp.Count; i += 5)
        {
            yield return PcapFile.Write(udp.Skip(i).Take(1).Select((p, n) => (Timestamp.FromMilliseconds(n), p)));
        }

        var output = new System.Buffers.ArrayBufferWriter<byte>();
        var writer = new PcapNgWriter(output);
        writer.WriteHeader(LinkType.Raw, "culvert", "any", "tunnel 5");
        foreach (byte[] packet in udp.Take(2).Concat(Transcripts.IpPackets.Take(1)).Where(p => p.Length < 300))
        {
            writer.WriteFrame(Timestamp.FromMilliseconds(7), FrameDirection.Received, packet, "a comment");
        }

        writer.WriteStatistics(Timestamp.Zero, Timestamp.FromMilliseconds(9), 6, 1);
        yield return output.WrittenSpan.ToArray();
    }

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        byte[] file = input.ToArray();
        var style = (PacketStyle)(file.Length % 2);
        _ = PacketFilter.TryParse([], out PacketFilter filter, out _);
        using var stream = new MemoryStream(file);
        CaptureReader reader = CaptureReader.Open(stream);
        var decoder = new CaptureDecoder(style, filter, [new Secret(Transcripts.Secret)]);
        using var text = new StringWriter();
        decoder.Run(reader, text);
        story?.Tell($"{decoder.Summary(reader)}; {reader.Problem}\n{text}");
        EdgeMap.Note(7, (int)decoder.PrintedCount | ((reader.Problem?.Length ?? 0) << 8));
        Must(reader.FrameCount <= input.Length, "more frames than octets");
        L2tpPrinterTarget.CheckPrinted(text.GetStringBuilder(), isOneLine: false, 10_000 + (400 * input.Length));
        return 1;
    }
}

/// <summary>What the kernel answers.</summary>
internal sealed class NetlinkTarget : FuzzTarget
{
    public override string Name => "netlink";

    public override string Description => "a datagram of netlink messages, and their attributes";

    public override IEnumerable<byte[]> Seeds()
    {
        byte[] buffer = new byte[512];
        var writer = new NetlinkWriter(buffer, NetlinkType.NewLink, NetlinkFlags.Dump);
        writer.Fixed(new LinkMessage { Index = 3 });
        writer.Attribute(3, "culvert0");
        writer.Attribute(4, 1400);
        writer.Attribute(1, IpAddress.Parse("192.0.2.1"));
        writer.NestedAttribute(8, 2, 1400);
        byte[] one = writer.Finish(7).ToArray();
        yield return one;
        yield return [.. one, .. one];
    }

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        var reader = new NetlinkReader(input);
        int octets = 0;
        while (reader.MoveNext())
        {
            octets += NetlinkWriter.HeaderSize + reader.Body.Length;
            story?.Tell($"{reader.Type} {reader.Flags} {reader.Sequence}: {reader.Body.Length} octets");
            var attributes = new AttributeReader(reader.Body);
            while (attributes.MoveNext())
            {
                _ = (attributes.Number, attributes.Address, attributes.Text.Length);
                var nested = new AttributeReader(attributes.Value);
                while (nested.MoveNext())
                {
                    _ = nested.Number;
                }
            }
        }

        Must(octets <= input.Length, "the messages are longer than the datagram");
        return 1;
    }
}

/// <summary>Addresses, prefixes, host names with ports, durations, patterns: what people type.</summary>
internal sealed class TextTarget : FuzzTarget
{
    public override string Name => "text";

    public override string Description => "addresses, prefixes, ports, durations, patterns, filters, session names; addresses printed and read again";

    public override int MaximumLength => 96;

    public override IReadOnlyList<byte[]> Words =>
        [.. new[] { "192.0.2.1", "2001:db8::1", "::", "/24", "/64", ":1701", "[", "]", "10m", "1h", "ms", "*", "?", "%7", "tunnel=", "type=SCCRQ", ",", "65535", "-1", "1e9" }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<byte[]> Seeds() => new[]
    {
        "0192.0.2.1", "02001:db8::1", "0::ffff:192.0.2.1", "1192.0.2.0/24", "12001:db8::/32", "2vpn.example:1701", "2[2001:db8::1]:1701", "310m", "31h30m",
        "4lac*.carrier.?xample", "5tunnel=5,6", "5type=SCCRQ", "67/100", "6/", "7authentification",
    }.Select(Encoding.ASCII.GetBytes);

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        if (input.IsEmpty)
        {
            return 1;
        }

        string text = Encoding.UTF8.GetString(input[1..]);
        story?.Tell($"kind {input[0] & 7}: '{text}'");
        switch (input[0] & 7)
        {
            case 0:
                Must(!IpAddress.TryParse(text, out IpAddress address) || (IpAddress.TryParse(address.ToString(), out IpAddress again) && again == address), $"{address} is another address");
                break;
            case 1:
                Must(!IpPrefix.TryParse(text, out IpPrefix prefix) || (IpPrefix.TryParse(prefix.ToString(), out IpPrefix same) && same == prefix), $"{prefix} is another prefix");
                break;
            case 2:
                Must(!HostPort.TryParse(text, 1701, out string host, out _) || host.Length > 0, "a host without a name");
                break;
            case 3:
                Must(!DurationText.TryParse(text, out TimeSpan duration) || (duration >= TimeSpan.Zero && DurationText.TryParse(DurationText.Format(duration), out TimeSpan printed) && printed == duration), "a duration printed and read again is another");
                break;
            case 4:
                int half = text.Length / 2;
                _ = Glob.IsMatch(text.AsSpan(0, half), text.AsSpan(half));
                Must(Glob.IsMatch("*", text), "* does not match everything");
                break;
            case 5:
                bool isFilter = PacketFilter.TryParse(text.Split(' '), out _, out string problem);
                Must(isFilter == (problem.Length == 0), "a filter is wrong without a word");
                break;
            case 6:
                Must(!SessionNames.TryParse(text, out Culvert.Dataplane.SessionKey key) || (SessionNames.TryParse(key.ToString(), out Culvert.Dataplane.SessionKey twin) && twin == key), "another session");
                break;
            default:
                _ = Spelling.Nearest(text, ["listen", "peers", "profiles", "authentication", "pools"]);
                break;
        }

        return 1;
    }
}

/// <summary>What comes in at the control API: bodies and queries. Only the failures that its guard answers may come out.</summary>
internal sealed class ControlApiTarget : FuzzTarget
{
    public override string Name => "control-api";

    public override string Description => "JSON bodies of requests and queries of captures";

    public override int MaximumLength => 600;

    public override IReadOnlyList<byte[]> Words =>
        [.. new[] { "\"ids\"", "\"reason\"", "null", "[", "]", "{", "}", ":", ",", "\"7/100\"", "\\u0000", "\\ud800", "tunnel=5", "&session=5/6", "&seconds=1.5", "&max-size=10", "&control-only=true" }.Select(Encoding.UTF8.GetBytes)];

    public override IEnumerable<byte[]> Seeds() => new[]
    {
        "0{\"ids\": [\"7\", \"7/100\"], \"reason\": \"maintenance\"}", "0{\"ids\":[null]}", "0{\"ids\":null}", "0null", "0[1]",
        "1?tunnel=5&control-only=true", "1?session=5/6&max-size=100000&max-packets=5", "1?user=alice&seconds=1.5",
    }.Select(Encoding.UTF8.GetBytes);

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        if (input.IsEmpty)
        {
            return 1;
        }

        story?.Tell(Encoding.UTF8.GetString(input));
        try
        {
            if ((input[0] & 1) == 0)
            {
                TakeBody(input[1..]);
            }
            else
            {
                var query = new QueryCollection(QueryHelpers.ParseQuery(Encoding.UTF8.GetString(input[1..])));
                CaptureRequest request = CaptureRequest.Parse(query);
                Must(request.ToString().Length > 0 && request.MaximumOctets > 0 && request.MaximumPackets > 0, "a capture of nothing");
            }
        }
        catch (Exception e) when (e is JsonException or NodeException)
        {
            story?.Tell($"refused: {e.Message}");
        }

        return 1;
    }

    private static void TakeBody(ReadOnlySpan<byte> body)
    {
        CloseRequest? request = JsonSerializer.Deserialize(body, ControlJson.Default.CloseRequest);
        if (!ControlApi.IsComplete(request))
        {
            return;
        }

        foreach (string id in request.Ids)
        {
            _ = SessionNames.TryParse(id, out _);
        }

        string answer = JsonSerializer.Serialize(new CloseAnswer(1, request.Ids), ControlJson.Default.CloseAnswer);
        Must(answer.Length > 0, "an answer is empty");
    }
}

/// <summary>A configuration file: every error is named with its place, and nothing else happens.</summary>
internal sealed class ConfigurationTarget : FuzzTarget
{
    private const string Example = """
        node: lns1
        listen: [0.0.0.0:1701, "[::]:1701"]
        interface: { name: culvert0, mtu: auto }
        peers:
          - match: { host-name: "lac*.carrier.example", address: 192.0.2.0/24 }
            secret: s3cret
            hide-avps: true
            hello: 60s
            max-sessions: 10000
          - match: any
            profile: home
        profiles:
          - name: home
            authentication: [mschapv2, chap]
            pool: default
            dns: [192.0.2.53]
            idle-timeout: 30m
        pools:
          - name: default
            ipv4: 100.64.0.0/16
            gateway: 100.64.0.1
        users:
          - { name: alice, password: correct-horse, ipv4: 100.64.9.9, routes: [198.51.100.0/24] }
        dial:
          - { name: office, lns: [vpn.example, "vpn2.example:1702"], user: branch7, password: office, routes: [198.51.100.0/24] }
        limits: { tunnels: 100, sessions: 1000 }
        api: { socket: /run/culvert/culvert.sock }
        """;

    public override string Name => "configuration";

    public override string Description => "the text of a configuration file; errors have a place, and there is a configuration exactly without them";

    public override int MaximumLength => 3000;

    public override long AllocationLimit => 1 << 24;

    public override IReadOnlyList<byte[]> Words =>
        [.. new[] { "&a ", "*a", "- ", ": ", "\n", "\n  ", "[", "]", "{", "}", "\"", "'", "|\n", "? ", "!!int ", "!!binary ", "#", "---\n", "...\n", "<<: ", "~", "\t", "any", "auto", "0", "-1", "99999999999999999999", "10G", "1d", "255.255.255.255/33" }.Select(Encoding.UTF8.GetBytes)];

    public override IEnumerable<byte[]> Seeds() =>
        [Encoding.UTF8.GetBytes(Example), .. Example.Split(["\npeers", "\nprofiles", "\npools", "\nusers", "\ndial"], StringSplitOptions.None).Select(Encoding.UTF8.GetBytes)];

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        string text = Encoding.UTF8.GetString(input);
        story?.Tell(text);
        if (text.Contains("-file", StringComparison.Ordinal) || text.Contains("/dev/", StringComparison.Ordinal))
        {
            return 1; // other files are not this target's business
        }

        IReadOnlyList<ConfigurationError> errors = ConfigurationFile.Parse("/nonexistent/culvert.yaml", text, out NodeConfiguration? configuration);
        EdgeMap.Note(6, errors.Count);
        Must((errors.Count == 0) == configuration is not null, "a configuration with errors, or none without");
        foreach (ConfigurationError error in errors)
        {
            story?.Tell($"{error}");
            Must(error.Line >= 1 && error.Column >= 1 && error.Message.Length > 0, $"an error without a place: {error}");
        }

        return 1;
    }
}
