using Culvert.Core;

namespace Culvert.Simulation;

/// <summary>What befalls the nodes of a run: the network, their machines, their operators and users.</summary>
public sealed partial class SimulationRun
{
    private void Incident()
    {
        SeededRandom random = _world.Random;
        switch (random.NextBelow(13))
        {
            case 0 or 1:
                (IpAddress a, IpAddress b) = DrawWay();
                _world.Trace.NoteEvent("fault", $"partition between {a} and {b}", _world.Now);
                _world.Cut(a, b);
                bool isOneWay = random.NextBelow(3) == 0;
                if (!isOneWay)
                {
                    _world.Cut(b, a);
                }

                _world.After(1 + random.NextBelow(60), () =>
                {
                    _world.Mend(a, b);
                    _world.Mend(b, a);
                });
                break;
            case 2 or 3:
                (IpAddress source, IpAddress destination) = DrawWay();
                _world.Trace.NoteEvent("fault", $"clog from {source} to {destination}", _world.Now);
                _world.Clog(source, destination);
                _world.After(random.NextBelow(20_000) / 1000.0, () => _world.Unclog(source, destination));
                break;
            case 4 or 5:
                Restart(_world.Ends[random.NextBelow(_world.Ends.Count)], random.NextBelow(2) * random.NextBelow(40));
                break;
            case 12:
                SimulatedEnd full = _world.Ends[random.NextBelow(_world.Ends.Count)];
                _world.Trace.NoteEvent("fault", $"the socket of {full.Name} takes nothing", _world.Now);
                (full.IsClogged, full.WasClogged) = (true, true);
                _world.After(random.NextBelow(30_000) / 1000.0, () =>
                {
                    full.IsClogged = false;
                    _world.Settle(full);
                });
                break;
            case 6:
                SimulatedEnd suspended = _world.Ends[random.NextBelow(_world.Ends.Count)];
                int seconds = 1 + random.NextBelow(120);
                _world.Trace.NoteEvent("fault", $"the clock of {suspended.Name} jumps by {seconds} s", _world.Now);
                suspended.ClockAhead += TimeSpan.FromSeconds(seconds);
                break;
            default:
                Operate(random);
                break;
        }
    }

    /// <summary>What operators and users do while all this goes on.</summary>
    private void Operate(SeededRandom random)
    {
        if (_exchanges.Count > 0 && random.NextBelow(4) == 0)
        {
            OperateExchange(random);
            return;
        }

        AccessEnd server = _servers[random.NextBelow(_servers.Count)];
        LacEnd? lac = _concentrators.Count > 0 ? _concentrators[random.NextBelow(_concentrators.Count)] : null;
        if (server.IsOff || lac is { IsOff: true })
        {
            return; // nobody operates a machine that is off
        }

        Timestamp local = server.Local(_world.Now);
        switch (random.NextBelow(6))
        {
            case 0:
                int variant = random.NextBelow(3);
                _world.Trace.NoteEvent("operator", $"{server.Name} reloads with variant {variant}", _world.Now);
                server.Settings = ServerSettings(variant);
                server.Access.Apply(server.Settings);
                break;
            case 1:
                server.Access.CloseUser(_users[random.NextBelow(_users.Count)].Name, "the operator says so", local);
                break;
            case 2 when server.Access.Tunnels.FirstOrDefault() is { } tunnel:
                server.Access.CloseTunnel(tunnel.LocalTunnelId, "the operator says so", local);
                break;
            case 3 when lac is not null:
                lac.CloseTunnel(lac.Local(_world.Now));
                break;
            case 4 when lac is not null:
                int index = random.NextBelow(lac.Lines.Count);
                lac.RenewLink(index, lac.Lines[index].User, Options.IsSabotaged ? "wrong" : PasswordOf(lac.Lines[index].User), lac.Local(_world.Now));
                break;
            case 5 when lac is not null:
                lac.HangUp(lac.Lines[random.NextBelow(lac.Lines.Count)], random.NextBelow(2) == 0, isForGood: false, lac.Local(_world.Now));
                break;
        }

        _world.SettleAll();
    }

    private void OperateExchange(SeededRandom random)
    {
        (CallEnd opener, CallEnd waiter) = _exchanges[random.NextBelow(_exchanges.Count)];
        CallEnd end = random.NextBelow(2) == 0 ? opener : waiter;
        if (end.IsOff)
        {
            return;
        }

        if (random.NextBelow(3) == 0)
        {
            end.CloseTunnel(end.Local(_world.Now));
        }
        else
        {
            end.HangUp(random.NextBelow(8), end.Local(_world.Now));
        }

        _world.Settle(end);
    }

    /// <summary>An end loses everything, and is away for a while.</summary>
    private void Restart(SimulatedEnd end, int awaySeconds)
    {
        _world.Trace.NoteEvent("fault", $"{end.Name} restarts, away for {awaySeconds} s", _world.Now);
        if (end.IsOff || end == _hostile || end == _liar)
        {
            return;
        }

        end.IsOff = true;
        _world.After(awaySeconds, () =>
        {
            end.Restart(end.Local(_world.Now));
            end.IsOff = false;
            int branch = _branches.FindIndex(b => b.End == end);
            if (branch >= 0)
            {
                _branches[branch] = _branches[branch] with { Dial = StartDial(_branches[branch].End, branch, _branches[branch].Server) };
            }

            _world.Settle(end);
        });
    }

    private (IpAddress Source, IpAddress Destination) DrawWay()
    {
        SeededRandom random = _world.Random;
        SimulatedEnd client = _world.Ends[_servers.Count + random.NextBelow(_world.Ends.Count - _servers.Count)];
        int exchange = _exchanges.FindIndex(x => x.Opener == client || x.Waiter == client);
        SimulatedEnd server = exchange < 0 ? _servers[random.NextBelow(_servers.Count)]
            : _exchanges[exchange].Opener == client ? _exchanges[exchange].Waiter : _exchanges[exchange].Opener;
        return random.NextBelow(2) == 0 ? (client.At.Address, server.At.Address) : (server.At.Address, client.At.Address);
    }
}
