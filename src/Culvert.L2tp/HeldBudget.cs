namespace Culvert.L2tp;

/// <summary>
/// What the early control messages of all tunnels take together, octets (<see cref="EndpointLimits.HeldOctets"/>). Each tunnel's share
/// is bounded by its receive window, but a peer can open many tunnels and never send what is missing.
/// </summary>
internal sealed class HeldBudget(long limit)
{
    /// <summary>A lower one than what is in use takes nothing away; it lets nothing more in.</summary>
    public long Limit { get; set; } = limit;

    public long InUse { get; private set; }

    public bool TryTake(int octets)
    {
        if (InUse + octets > Limit)
        {
            return false;
        }

        InUse += octets;
        return true;
    }

    public void Return(int octets) => InUse -= octets;
}
