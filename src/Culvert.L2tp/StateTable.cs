namespace Culvert.L2tp;

/// <summary>A row of one of the state tables of RFC 2661 section 7: in this state, on this input, do this and go there.</summary>
internal readonly record struct Transition<TState, TInput, TAction>(TState State, TInput Input, TAction Action, TState Next);

/// <summary>A state table as data. A pair without a row has no transition: the tables leave it open.</summary>
internal sealed class StateTable<TState, TInput, TAction>
    where TState : struct, Enum
    where TInput : struct, Enum
{
    private readonly Dictionary<(TState State, TInput Input), Transition<TState, TInput, TAction>> _rows;

    public StateTable(params ReadOnlySpan<Transition<TState, TInput, TAction>> rows)
    {
        _rows = new(rows.Length);
        foreach (Transition<TState, TInput, TAction> row in rows)
        {
            _rows.Add((row.State, row.Input), row);
        }
    }

    public bool TryFind(TState state, TInput input, out Transition<TState, TInput, TAction> transition) =>
        _rows.TryGetValue((state, input), out transition);
}
