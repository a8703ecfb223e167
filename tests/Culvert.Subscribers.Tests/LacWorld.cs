using Culvert.L2tp;
using Culvert.Simulation;
using Culvert.Subscribers.Policy;

namespace Culvert.Subscribers.Tests;

/// <summary>An LNS and a LAC with lines that the test controls.</summary>
internal sealed class LacWorld
{
    public LacWorld(NodeSettings lns, ulong seed = 1, bool modemOnHold = false)
    {
        World = new SimulatedWorld(seed);
        Lns = World.Add(new AccessEnd("lns", NodePair.LnsAt, lns, seed));
        Lac = World.Add(new LacEnd("lac", NodePair.ClientAt, NodePair.LnsAt, seed + 5, SettingsOf(modemOnHold)));
        World.AfterStep = () =>
        {
            Lns.Check();
            Lac.Check();
        };
    }

    public SimulatedWorld World { get; }

    public AccessEnd Lns { get; }

    public LacEnd Lac { get; }

    private static TunnelSettings SettingsOf(bool modemOnHold) =>
        new() { HostName = "lac", AcceptIncomingCalls = false, ModemOnHoldCapable = modemOnHold };
}
