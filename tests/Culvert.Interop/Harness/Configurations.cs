namespace Culvert.Interop.Harness;

/// <summary>Configuration files for the scenarios.</summary>
public static class Configurations
{
    public const string Gateway = "100.64.0.1";

    /// <summary>An LNS for anybody who knows the secret (when there is one) and is called alice/wonder or userN/secretN.</summary>
    /// <param name="authentication">Methods as in the file: "pap", "chap", "mschapv2".</param>
    public static async Task<string> LnsAsync(Scenario scenario, string authentication, string? secret = null, int users = 0)
    {
        string secretLine = secret is null ? string.Empty : $"secret-file: {await scenario.WriteFileAsync("peer.secret", secret)}";
        IEnumerable<string> more = Enumerable.Range(1, users).Select(i => $"  - {{ name: user{i}, password: secret{i} }}");
        return $$"""
            node: lns1
            listen: [0.0.0.0:1701, "[::]:1701"]
            interface: { name: culvert0, mtu: auto }
            peers:
              - match: any
                profile: home
                {{secretLine}}
            profiles:
              - name: home
                authentication: [{{authentication}}]
                pool: default
                dns: [192.0.2.53]
            pools:
              - name: default
                ipv4: 100.64.0.0/16
                gateway: {{Gateway}}
            users:
              - { name: alice, password: wonder }
            {{string.Join('\n', more)}}
            """;
    }
}
