using Mono.Cecil;
using Mono.Cecil.Cil;
using Mono.Cecil.Rocks;

namespace Culvert.Fuzz.Coverage;

/// <summary>Writes a call of <see cref="EdgeMap.Visit"/> at the start of every basic block of an assembly.</summary>
internal static class Instrumenter
{
    /// <summary>Reads one assembly and writes the instrumented one; says how many blocks it has.</summary>
    /// <param name="source">The assembly.</param>
    /// <param name="target">Where to; another file.</param>
    /// <param name="firstBlock">Seed of its block numbers, so that assemblies do not share them.</param>
    public static int Instrument(string source, string target, int firstBlock)
    {
        using var module = ModuleDefinition.ReadModule(source);
        MethodReference visit = module.ImportReference(typeof(EdgeMap).GetMethod(nameof(EdgeMap.Visit))!);
        int blocks = 0;
        foreach (MethodDefinition method in module.GetTypes().SelectMany(t => t.Methods).Where(m => m.HasBody))
        {
            blocks += Instrument(method.Body, visit, firstBlock + blocks);
        }

        module.Write(target);
        return blocks;
    }

    private static int Instrument(MethodBody body, MethodReference visit, int firstBlock)
    {
        body.SimplifyMacros();
        HashSet<Instruction> leaders = FindLeaders(body);
        List<Instruction> code = new(body.Instructions.Count * 2);
        int block = firstBlock;
        foreach (Instruction instruction in body.Instructions.ToArray())
        {
            if (!leaders.Contains(instruction))
            {
                code.Add(instruction);
                continue;
            }

            // The instruction that others jump to becomes the call's argument, so that no jump has to be changed.
            Instruction moved = Instruction.Create(OpCodes.Nop);
            (moved.OpCode, moved.Operand) = (instruction.OpCode, instruction.Operand);
            (instruction.OpCode, instruction.Operand) = (OpCodes.Ldc_I4, Scatter(block++));
            code.Add(instruction);
            code.Add(Instruction.Create(OpCodes.Call, visit));
            code.Add(moved);
        }

        body.Instructions.Clear();
        foreach (Instruction instruction in code)
        {
            body.Instructions.Add(instruction);
        }

        body.OptimizeMacros();
        return block - firstBlock;
    }

    private static HashSet<Instruction> FindLeaders(MethodBody body)
    {
        var leaders = new HashSet<Instruction> { body.Instructions[0] };
        foreach (Instruction instruction in body.Instructions)
        {
            switch (instruction.Operand)
            {
                case Instruction target:
                    leaders.Add(target);
                    break;
                case Instruction[] targets:
                    leaders.UnionWith(targets);
                    break;
            }

            if (instruction.OpCode.FlowControl == FlowControl.Cond_Branch && instruction.Next is { } next)
            {
                leaders.Add(next);
            }
        }

        return leaders;
    }

    // Neighbours get numbers far apart, for an edge is two of them mixed.
    private static int Scatter(int block) => (int)(unchecked((uint)block * 2654435761u) >> 12);
}
