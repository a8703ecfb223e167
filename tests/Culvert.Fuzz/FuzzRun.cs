using System.Diagnostics;
using System.Globalization;
using Culvert.Fuzz.Coverage;

namespace Culvert.Fuzz;

/// <summary>Figures of a run.</summary>
/// <param name="Executions">Runs of the target.</param>
/// <param name="Inputs">Messages in them.</param>
/// <param name="Edges">Edges of the product, and outcomes, that were ever seen.</param>
/// <param name="CorpusBefore">Inputs to begin with.</param>
/// <param name="CorpusAfter">Inputs that did something new, those included.</param>
public sealed record FuzzReport(
    string Target, long Executions, long Inputs, int Edges, int CorpusBefore, int CorpusAfter, TimeSpan Elapsed)
{
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Target,-16} {Inputs,12:N0} inputs in {Executions,11:N0} runs, {Inputs / Math.Max(Elapsed.TotalSeconds, 1e-3),11:N0} inputs/s, {Edges,6} edges, corpus {CorpusBefore} to {CorpusAfter}, {Elapsed.TotalSeconds:F1} s");
}

/// <summary>
/// Feeds one target: first what once failed, then the corpus, then mutations of whatever did something new. Every input is watched for
/// exceptions, for what it makes the product allocate, and for its time.
/// </summary>
public sealed class FuzzRun
{
    /// <summary>Inputs kept while running: beyond it only chance decides which of them are mutated.</summary>
    private const int MostKept = 8192;

    private const int AttemptsAtTime = 5;

    private readonly FuzzTarget _target;
    private readonly ulong _seed;
    private readonly InputMutator _mutator;
    private readonly List<byte[]> _corpus = [];
    private readonly long _timeLimit;
    private readonly byte[] _current;
    private int _currentLength;
    private long _inputs;
    private long _executions;

    public FuzzRun(FuzzTarget target, ulong seed)
    {
        _target = target;
        _seed = seed;
        _mutator = new InputMutator(seed, target.MaximumLength, target.Words);
        _current = new byte[target.MaximumLength];
        _timeLimit = (long)(target.TimeLimit.TotalSeconds * Stopwatch.Frequency);
    }

    /// <summary>The inputs that did something new, the given ones included.</summary>
    public IReadOnlyList<byte[]> Corpus => _corpus;

    /// <summary>Runs of the target so far; read by a watchdog on another thread.</summary>
    public long Executions => Volatile.Read(ref _executions);

    /// <summary>The input that runs now, for a watchdog that wants to tell which one never came back.</summary>
    public ReadOnlySpan<byte> Current => _current.AsSpan(0, _currentLength);

    /// <summary>Runs until one of the two limits is reached.</summary>
    /// <param name="inputs">Most messages.</param>
    /// <param name="time">Longest time.</param>
    /// <param name="more">Inputs to begin with besides the target's own and the corpus in the assembly.</param>
    /// <exception cref="FuzzFailedException">With everything that is needed to repeat the failure.</exception>
    public FuzzReport Execute(long inputs, TimeSpan time, IEnumerable<byte[]>? more = null)
    {
        var watch = Stopwatch.StartNew();
        EdgeMap.Clear();
        foreach (byte[] input in FuzzCorpus.RegressionsOf(_target.Name).Select(r => r.Input).Concat(FirstInputs(more)))
        {
            Take(input);
        }

        if (_corpus.Count == 0)
        {
            _corpus.Add([]);
        }

        int before = _corpus.Count;
        while (_inputs < inputs && ((_executions & 0x3F) != 0 || watch.Elapsed < time))
        {
            byte[] parent = _corpus[Choose()];
            _mutator.Mutate(parent, _corpus[_mutator.Below(_corpus.Count)]);
            Take(_mutator.Input);
        }

        return new FuzzReport(_target.Name, _executions, _inputs, EdgeMap.EdgeCount, before, _corpus.Count, watch.Elapsed);
    }

    /// <summary>The fewest inputs, small ones first, that together do everything that all of them do.</summary>
    public IReadOnlyList<byte[]> Distil(IEnumerable<byte[]> inputs, int most)
    {
        var tasks = new List<(byte[] Input, int[] Does)>();
        foreach (byte[] input in inputs.OrderBy(i => i.Length))
        {
            EdgeMap.Begin();
            _target.Run(input, null);
            tasks.Add((input, EdgeMap.Snapshot()));
        }

        var kept = new List<byte[]>();
        var done = new HashSet<int>();
        foreach ((byte[] input, int[] does) in tasks.Select(t => (t.Input, t.Does)).OrderByDescending(t => t.Does.Length / (32.0 + t.Input.Length)))
        {
            int before = done.Count;
            done.UnionWith(does);
            if (done.Count > before && kept.Count < most)
            {
                kept.Add(input);
            }
        }

        return kept;
    }

    private IEnumerable<byte[]> FirstInputs(IEnumerable<byte[]>? more) =>
        _target.Seeds().Concat(FuzzCorpus.Of(_target.Name)).Concat(more ?? []).Where(i => i.Length <= _target.MaximumLength);

    // What came last has led to something new, so half of the work goes there.
    private int Choose() => _mutator.Below(2) == 0
        ? _mutator.Below(_corpus.Count)
        : _corpus.Count - 1 - _mutator.Below(Math.Max(1, _corpus.Count / 8));

    private void Take(ReadOnlySpan<byte> input)
    {
        _currentLength = Math.Min(input.Length, _current.Length);
        input[.._currentLength].CopyTo(_current);
        EdgeMap.Begin();
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        long started = Stopwatch.GetTimestamp();
        int messages;
        try
        {
            messages = _target.Run(input, null);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw Explain(input.ToArray());
        }

        long took = Stopwatch.GetTimestamp() - started;
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        _executions++;
        _inputs += Math.Max(messages, 1);
        bool isNew = EdgeMap.TakeNews();
        if (allocated > _target.AllocationLimit * Math.Max(messages, 1) || took > _timeLimit)
        {
            if (Failure(input, isLenient: false) is not null)
            {
                throw Explain(input.ToArray());
            }
        }

        if (isNew && _corpus.Count < MostKept)
        {
            _corpus.Add(input.ToArray());
        }
    }

    /// <summary>What is wrong with an input, or null. The time counts only if it is too long again and again.</summary>
    private string? Failure(ReadOnlySpan<byte> input, bool isLenient)
    {
        long quickest = long.MaxValue;
        for (int attempt = 0; attempt < AttemptsAtTime; attempt++)
        {
            EdgeMap.Begin();
            long allocated = GC.GetAllocatedBytesForCurrentThread();
            long started = Stopwatch.GetTimestamp();
            try
            {
                int messages = _target.Run(input, null);
                allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
                if (allocated > _target.AllocationLimit * Math.Max(messages, 1))
                {
                    return $"{allocated} octets were allocated for {messages} messages";
                }
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                return e is FuzzFailedException ? e.Message : e.ToString();
            }

            quickest = Math.Min(quickest, Stopwatch.GetTimestamp() - started);
            if (isLenient || quickest <= _timeLimit)
            {
                return null;
            }
        }

        return $"it takes {quickest * 1000.0 / Stopwatch.Frequency:F1} ms";
    }

    private FuzzFailedException Explain(byte[] input)
    {
        byte[] least = Minimise(input);
        string what = Failure(least, isLenient: false) ?? "it failed once, and never again";
        var story = new Story();
        try
        {
            _target.Run(least, story);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            story.Tell($"then: {e.GetType().Name}: {e.Message}");
        }

        return new FuzzFailedException(
            $"{_target.Name}: {what}\nseed {_seed}, run {_executions}; the least input that does it, {least.Length} of {input.Length} octets:\n{Convert.ToHexStringLower(least)}\nIn words:\n{story}")
        {
            Data = { ["input"] = least },
        };
    }

    private byte[] Minimise(byte[] input)
    {
        string? Kind(byte[] candidate) => Failure(candidate, isLenient: true) is { } text ? text.Split('\n', ':')[0] : null;
        string? kind = Kind(input);
        if (kind is null)
        {
            return input;
        }

        for (int part = Math.Max(1, input.Length / 2); part >= 1; part /= 2)
        {
            for (int at = 0; at + part <= input.Length;)
            {
                byte[] candidate = [.. input.AsSpan(0, at), .. input.AsSpan(at + part)];
                if (Kind(candidate) == kind)
                {
                    input = candidate;
                }
                else
                {
                    at += part;
                }
            }
        }

        for (int i = 0; i < input.Length; i++)
        {
            byte[] candidate = [.. input];
            candidate[i] = 0;
            input = input[i] != 0 && Kind(candidate) == kind ? candidate : input;
        }

        return input;
    }
}
