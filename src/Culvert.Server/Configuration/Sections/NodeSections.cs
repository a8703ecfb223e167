using Culvert.Core;
using Culvert.L2tp;
using Culvert.Ppp.Authentication;
using YamlDotNet.RepresentationModel;

namespace Culvert.Server.Configuration.Sections;

/// <summary>What a running node needs from the operating system: <c>listen</c>, <c>interface</c>, <c>api</c>.</summary>
internal static class NodeSections
{
    public static ListenAddress Listen(MapReader reader, YamlNode node)
    {
        string text = reader.TextOf(node);
        if (HostPort.TryParse(text, ConfigurationFile.DefaultPort, out string host, out ushort port) && IpAddress.TryParse(host, out IpAddress address))
        {
            if (address is { IsLinkLocal: true, Scope: 0 })
            {
                reader.Errors.Add(node, $"'{host}' is link-local and names no interface of this machine; write one behind it, as in \"[fe80::1%eth0]:1701\"");
            }

            return new ListenAddress(address, port);
        }

        reader.Errors.Add(node, $"'{text}' is not an address and port such as 0.0.0.0:1701 or \"[::]:1701\"");
        return default;
    }

    /// <summary>Our name: the Host Name AVP of L2TP, and the name in CHAP challenges.</summary>
    public static string NodeName(MapReader root) =>
        root.Text("node", Math.Min(TunnelSettings.HostNameLimit, AuthenticationSettings.MaxNameSize)) ?? Environment.MachineName;

    public static InterfaceSettings Interface(MapReader map)
    {
        string name = SharedKeys.InterfaceName(map, "name") ?? new InterfaceSettings().Name;
        bool auto = map.Text("mtu") is null or "auto";
        return new InterfaceSettings { Name = name, Mtu = auto ? null : map.Number("mtu", 1500, 576, 65_535) };
    }

    public static ApiSettings Api(MapReader map) => new() { Socket = map.Text("socket") ?? ApiSettings.DefaultSocket };
}
