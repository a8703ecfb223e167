using Culvert.Core;
using Culvert.L2tp;
using Culvert.Ppp.Authentication;
using Culvert.Subscribers.Policy;

namespace Culvert.Server.Configuration.Sections;

/// <summary>The keys of <c>peers</c> and <c>dial</c> that say how a tunnel is run.</summary>
internal static class TunnelKeys
{
    private static readonly TimeSpan LongestSetUp = TimeSpan.FromMinutes(10);

    /// <summary>Fills in what <paramref name="policy"/> has from these keys; its own values are the defaults.</summary>
    public static T Read<T>(MapReader map, T policy)
        where T : TunnelPolicy
    {
        string? secret = map.Secret("secret");
        TunnelPolicy read = policy with
        {
            Secret = secret is null ? null : new Secret(secret),
            HideAvps = map.Flag("hide-avps", policy.HideAvps),
            RequireChallenge = map.Flag("require-challenge", policy.RequireChallenge),
            Hello = map.Duration("hello", policy.Hello, SharedKeys.LongestTimer),
            RetransmitFloor = map.Duration("retransmit-floor", policy.RetransmitFloor, TimeSpan.FromSeconds(60)),
            RetransmitInitial = map.Duration(
                "retransmit-initial", policy.RetransmitInitial, TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(60)),
            RetransmitCap = ReadCap(map, policy.RetransmitCap),
            MaxRetransmits = map.Number("max-retransmits", policy.MaxRetransmits, 1, 30),
            ReceiveWindow = map.Number("receive-window", policy.ReceiveWindow, 1, 32_768),
            EstablishTimeout = map.Duration("establish-timeout", policy.EstablishTimeout, TimeSpan.FromSeconds(1), LongestSetUp),
            CallTimeout = map.Duration("call-timeout", policy.CallTimeout, TimeSpan.FromSeconds(1), LongestSetUp),
            CallRate = SharedKeys.Rate(map, "call-rate", policy.CallRate),
            Sequencing = map.Choice(
                "sequencing",
                policy.Sequencing,
                ("off", SequencingPolicy.Off),
                ("on-request", SequencingPolicy.OnRequest),
                ("required", SequencingPolicy.Required)),
            Data = DataKeys.Read(map),
            OnRestart = map.Choice(
                "on-restart",
                policy.OnRestart,
                ("probe", RestartDetection.Probe),
                ("close-older", RestartDetection.CloseOlder),
                ("ignore", RestartDetection.Ignore)),
            OnPathChange = map.Choice(
                "on-path-change", policy.OnPathChange, ("ignore", PathChange.Ignore), ("follow", PathChange.Follow), ("refuse", PathChange.Refuse)),
            ModemOnHold = map.Flag("modem-on-hold", policy.ModemOnHold),
            OutgoingCalls = ReadOutgoingCalls(map) ?? policy.OutgoingCalls,
        };
        NeedsSecret(map, read.Secret, "hide-avps", read.HideAvps, "hiding needs a shared secret");
        NeedsSecret(map, read.Secret, "require-challenge", read.RequireChallenge, "a challenge can be answered only with a shared secret");
        return (T)ReadQuirks(map, read);
    }

    private static TimeSpan ReadCap(MapReader map, TimeSpan otherwise)
    {
        TimeSpan cap = map.Duration("retransmit-cap", otherwise, SharedKeys.LongestTimer);
        return cap >= TimeSpan.FromSeconds(8) && cap <= TimeSpan.FromMinutes(5)
            ? cap
            : map.Wrong("retransmit-cap", "write 8s to 5m (RFC 2661 section 5.8 wants no less than 8 s)", otherwise);
    }

    private static TunnelPolicy ReadQuirks(MapReader map, TunnelPolicy policy) => map.Map("quirks", m => policy with
    {
        AcceptTunnelIdZero = m.Flag("accept-tunnel-id-zero", policy.AcceptTunnelIdZero),
        RefuseWithGeneralError = m.Flag("refuse-with-general-error", policy.RefuseWithGeneralError),
    }) ?? policy;

    private static OutgoingCallPolicy? ReadOutgoingCalls(MapReader map) => map.Map("outgoing-calls", m =>
    {
        var defaults = new OutgoingCallPolicy();
        string handler = m.Choice(
            "handler", defaults.Handler, (OutgoingCallPolicy.Refuse, OutgoingCallPolicy.Refuse), (OutgoingCallPolicy.Loopback, OutgoingCallPolicy.Loopback));
        if (!m.Has("handler"))
        {
            m.Errors.Add(m.Start, "'outgoing-calls' lacks 'handler'; write handler: refuse, or handler: loopback");
        }

        return new OutgoingCallPolicy
        {
            Handler = handler,
            AnswerAfter = m.Duration("answer-after", defaults.AnswerAfter, TimeSpan.FromMinutes(1)),
            User = m.Text("user", AuthenticationSettings.MaxNameSize),
            Password = m.Secret("password", AuthenticationCredentials.MaxPasswordSize) ?? defaults.Password,
        };
    });

    private static void NeedsSecret(MapReader map, Secret? secret, string key, bool isSet, string why)
    {
        if (isSet && secret is null)
        {
            map.Wrong(key, $"{why}; add secret-file: PATH", 0);
        }
    }
}
