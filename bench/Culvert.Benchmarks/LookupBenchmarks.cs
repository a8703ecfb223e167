using BenchmarkDotNet.Attributes;
using Culvert.Core;
using Culvert.Dataplane;

namespace Culvert.Benchmarks;

/// <summary>Finding a session by its ID and by a subscriber's address, in an order that no cache foresees.</summary>
public class LookupBenchmarks
{
    private const int Questions = 1 << 16;

    private readonly uint[] _addresses = new uint[Questions];
    private readonly SessionKey[] _keys = new SessionKey[Questions];
    private Subscribers _subscribers = null!;
    private int _next;

    [Params(10, 60_000)]
    public int Sessions { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        _subscribers = new Subscribers(Sessions);
        var random = new SeededRandom(2);
        Span<byte> octets = stackalloc byte[4];
        for (int i = 0; i < Questions; i++)
        {
            random.Fill(octets);
            int session = (int)(BitConverter.ToUInt32(octets) % (uint)Sessions);
            _keys[i] = _subscribers.Keys[session];
            _addresses[i] = Subscribers.AddressOf(session).ToUInt32();
        }
    }

    /// <summary>A consistent copy of the session's entry, as each packet takes it.</summary>
    [Benchmark]
    public bool Session() => _subscribers.Table.TryRead(_keys[Next()].Value, out _, out _, out _);

    [Benchmark]
    public SessionKey Route() => _subscribers.Routes.FindIPv4(_addresses[Next()]);

    private int Next() => _next = (_next + 1) & (Questions - 1);
}
