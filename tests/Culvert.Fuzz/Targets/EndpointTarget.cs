using Culvert.Core;

namespace Culvert.Fuzz.Targets;

/// <summary>
/// A live endpoint in either role, with and without a secret, against an honest one whose messages are lost, doubled, reordered,
/// changed and mixed with others on their way. Each input is a series of decisions about that.
/// </summary>
internal sealed class EndpointTarget : FuzzTarget
{
    public override string Name => "endpoint";

    public override string Description => "a live L2tpEndpoint, both roles, set up honestly to some depth; its peer's messages mangled";

    public override int MaximumLength => 512;

    public override TimeSpan TimeLimit => TimeSpan.FromMilliseconds(250);

    public override IEnumerable<byte[]> Seeds()
    {
        for (int variant = 0; variant < 64; variant++)
        {
            byte[] input = new byte[40];
            new SeededRandom((ulong)variant).Fill(input);
            (input[0], input[1], input[2]) = ((byte)variant, (byte)(variant * 37), (byte)(variant * 11));
            yield return input;
        }
    }

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        var decisions = new Decisions(input);
        return new EndpointRun(ref decisions, story).Execute(ref decisions);
    }
}
