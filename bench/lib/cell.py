"""One measurement: one contestant on one kind of links, in namespaces of its own.   cell.py SETTINGS-AS-JSON RESULT-FILE

Started by compare.py under unshare. Writes a JSON object: figures by name, or "skipped" with the reason.
"""
import json
import os
import signal
import subprocess
import sys
import time

import contestants
import lab
import load
from lab import Program, Trouble, inside

TCP = {"up": [], "down": ["-R"], "up4": ["-P", "4"], "down4": ["-R", "-P", "4"]}


def tcp(contestant, seconds):
    client, server = contestant.pair
    figures, octets, cpu, machine = {}, 0, 0.0, 0.0
    for name, options in TCP.items():
        before, busy = contestant.lns.cpu() if contestant.lns else 0, lab.machine_cpu()
        answer = None
        for attempt in range(3):    # the server of the last test may not have let go yet
            try:
                answer = json.loads(inside("client", ["iperf3", "-c", server, "-B", client, "-t", str(seconds), "-i", "0", "-J", *options],
                                           timeout=seconds * 3 + 10, check=False))
            except ValueError:
                answer = {"error": "no answer"}
            if "sum_received" in answer.get("end", {}):
                break
            time.sleep(0.3)
        else:
            raise Trouble(f"iperf3 {name}: {answer.get('error')}")
        end = answer["end"]["sum_received"]
        figures[f"tcp_{name}"] = end["bits_per_second"] / 1e6
        octets += end["bytes"]
        cpu += contestant.lns.cpu() - before if contestant.lns else 0
        machine += lab.machine_cpu() - busy
    if contestant.lns:
        figures["cpu_per_gigabit"] = cpu / (octets * 8 / 1e9)
    figures["machine_cpu_per_gigabit"] = machine / (octets * 8 / 1e9)
    return figures


def both_ends(contestant, seconds):
    """Packets from client to server and back, through LAC and LNS, as many as the processors have time for."""
    figures = {}
    ways = (("up", "client", "c0", lab.mac("lac", "l0"), contestant.pair[0], contestant.sinks[0], "server"),
            ("down", "server", "s0", lab.mac("lns", "s1"), contestant.pair[1], contestant.sinks[1], "client"))
    lab.ethtool("lac", "l0", "gro on")
    lab.ethtool("lns", "s1", "gro on")
    for size, sizes in (("64", (64,)), ("imix", load.IMIX)):
        for way, namespace, device, target, source, sink, end in ways:
            if sink is None or contestant.auth and way == "down":
                continue            # these are measured at the LNS alone
            generator = load.generator(namespace, device, target, load.packets(source, sink, sizes))
            figures[f"both_{size}_{way}"] = load.observe(generator, 0, lambda: lab.packets_in(end), seconds, contestant.lns)
            generator.close()
    return figures


def plain_forwarding(contestant, seconds):
    """Packets through the LNS's kernel alone, given to its two devices."""
    figures = {}
    lab.own_threads()
    for size, sizes in (("64", (64,)), ("imix", load.IMIX)):
        for way, namespace, device, target, source, sink, end in (
                ("up", "lac", "a0", lab.mac("lns", "a1"), lab.PLAIN_CLIENT, lab.PLAIN_SINK_UP, "server"),
                ("down", "server", "s0", lab.mac("lns", "s1"), lab.PLAIN_SERVER, lab.PLAIN_SINK_DOWN, "lac")):
            generator = load.generator(namespace, device, target, load.packets(source, sink, sizes))
            figures[f"lns_{size}_{way}"] = load.most(generator, lambda: lab.packets_in(end), seconds)
            generator.close()
    return figures


def start_blast(contestant, name, tunnels, each, *options, user="load", local=lab.BLAST):
    """culvert blast in the LAC's place; it reports in JSON when it ends."""
    return Program("lac", ["dotnet", lab.DLL, "blast", lab.LNS, "--local", local, "--tunnels", str(tunnels), "--sessions", str(each),
                           "--auth", contestant.auth, "--user", user, "--password", "wonder", "--json", "--allow-failures", *options], name)


def report_of(program):
    """What culvert blast said at its end; None when it said nothing of the kind."""
    _, brace, rest = program.text().partition("{")
    try:
        return json.loads(brace + rest)
    except ValueError:
        return None


class Sessions:
    """Sessions of culvert blast, which then stands still: its packets are imitated on the wire, and what comes back is thrown away."""

    def __init__(self, contestant, tunnels, each, name="blast", patience=20, local=lab.BLAST):
        user = "alice" if contestant.auth == "pap" else "load"
        file = f"{lab.HOME}/{name}.list"
        self.blast = start_blast(contestant, name, tunnels, each, "--hold", "300s", "--duration", "400s", "--list", file, user=user, local=local)
        lab.until("culvert blast brought no session up", patience, lambda: os.path.exists(file), [self.blast])
        self.known = load.sessions(file)
        if not self.known:
            self.blast.end()
            raise Trouble(f"culvert blast brought no session up: {self.blast.text()[-300:]}")
        os.killpg(self.blast.pid, signal.SIGSTOP)

    def most(self, contestant, sizes, way, seconds, begin=100_000, flows=0):
        """Every session is used: the list has one packet for each at least. Of so many flows in all, each packet of another; 0: of a few."""
        packets = []
        for i in range(max(load.BATCH * 12, len(self.known), flows)):
            session, size = self.known[i % len(self.known)], sizes[i % len(sizes)]
            ports = (20000 + (i // len(self.known) if flows else i % load.FLOWS), 9, bytes(size - 28))
            packets.append(session.wrap(load.udp(session.address, lab.SINK_UP, *ports)) if way == "up"
                           else load.udp(lab.SERVER, session.address, *ports))
        if way == "up":
            generator, end = load.generator("lac", "a0", lab.mac("lns", "a1"), packets), "server"
        else:
            generator, end = load.generator("server", "s0", lab.mac("lns", "s1"), packets), "lac"
        figures = load.most(generator, lambda: lab.packets_in(end), seconds, contestant.lns, begin)
        generator.close()
        return figures

    def end(self):
        """In order; what blast has to say."""
        os.killpg(self.blast.pid, signal.SIGCONT)
        self.blast.end(patience=20)
        return report_of(self.blast)


def through_lns(contestant, seconds):
    figures = {}
    sessions = Sessions(contestant, 1, 8, patience=8)
    lab.own_threads()
    for size, sizes in (("64", (64,)), ("imix", load.IMIX)):
        for way in ("up", "down"):
            figures[f"lns_{size}_{way}"] = sessions.most(contestant, sizes, way, seconds)
    sessions.end()
    return figures


def latency(contestant, most, seconds):
    """Round trips through the contestant and plainly beside it in turn, under half of the IMIX packets that it can carry."""
    # From a socket: a generator that waits by running would hold a processor that the packets need.
    generator = load.SocketGenerator("client", "c0", lab.mac("lac", "l0"), load.packets(contestant.pair[0], contestant.sinks[0], load.IMIX))
    ways = [f"{contestant.pair[0]}:{contestant.pair[1]}", f"{lab.PLAIN_CLIENT}:{lab.PLAIN_SERVER}"]
    command = ["nsenter", "--net=/run/netns/client", sys.executable, os.path.join(os.path.dirname(__file__), "probe.py"), "ask", str(seconds), *ways]
    stolen, before, begin = lab.stolen(), lab.packets_in("server"), time.monotonic()
    asking = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    generator.pace(most / 2, lambda: asking.poll() is not None)
    elapsed = time.monotonic() - begin
    generator.close()
    through, plain = json.loads(asking.communicate(timeout=5)[0])
    at = lambda times, share: times[min(len(times) - 1, int(len(times) * share))] if times else float("nan")
    figures = {"load_pps": (lab.packets_in("server") - before) / elapsed, "lost": through["lost"], "asked": len(through["times"]) + through["lost"],
               "stolen": (lab.stolen() - stolen) / elapsed / os.cpu_count()}
    for name, share in (("median", 0.5), ("p90", 0.9), ("p99", 0.99)):
        tunnel, beside = at(through["times"], share), at(plain["times"], share)
        figures |= {f"{name}_us": tunnel, f"plain_{name}_us": beside, f"added_{name}_us": tunnel - beside}
    return figures


def latencies(contestant, most, settings):
    """With processors that stay awake, and for comparison (half of the time) as the machine is."""
    figures = {"latency": latency(contestant, most, settings["probes"])}
    if isinstance(contestant, contestants.Culvert):
        settings["awake"].end()
        figures["latency_asleep"] = latency(contestant, most, settings["probes"] / 2)
        settings["awake"].begin()
    return figures


def blast(contestant, tunnels, sessions, patience):
    """Sets up, holds for a second and closes; its report and the largest resident size of the LNS meanwhile."""
    program = start_blast(contestant, "blast", tunnels, sessions // tunnels, "--hold", "1s", "--duration", f"{patience}s")
    peak, deadline = 0, time.monotonic() + patience + 15
    while program.process.poll() is None:
        peak = max(peak, contestant.lns.resident())
        if time.monotonic() > deadline:
            program.end()
            raise Trouble("culvert blast does not end")
        time.sleep(0.1)
    report = report_of(program)
    if report is None:
        raise Trouble(f"culvert blast: {program.text()[-300:]}")
    if not report["sessions"]["established"]:
        raise Trouble(f"no session came up: {report['sessions']['failures']}")
    return report, peak


def rate_of(report):
    """Sessions per second; a ramp that was cut short has no average of its own."""
    per_second = report["set-up"]["per-second"]
    return report["set-up"]["average"] or report["sessions"]["established"] / max(1, len(per_second))


def set_up(contestant, settings):
    """Sessions per second with CHAP, and what each costs. The first of several numbers finds a program that has just started."""
    contestant.start_lns()
    figures = {}
    for sessions in settings["sessions"]:
        before, cpu = contestant.lns.resident(), contestant.lns.cpu()
        report, peak = blast(contestant, 1, sessions, settings["patience"])
        up = report["sessions"]["established"]
        figures |= {f"set_up_{sessions}": rate_of(report), "sessions": up, "octets_per_session": (peak - before) / up,
                    "cpu_per_session_us": (contestant.lns.cpu() - cpu) / up * 1e6}
    return figures


def scale(contestant, settings):
    """
    How an LNS forwards with as many sessions as there can be, all of them in use, and how with ten when the others are gone. On the way: how fast
    they are set up, what they take, and what is given back.
    """
    contestant.start_lns()
    ten = Sessions(contestant, 1, 10, "ten")
    figures = {"resident_ten_mb": contestant.lns.resident() / 1e6}
    many = Sessions(contestant, settings["tunnels"], settings["sessions"] // settings["tunnels"], "many", settings["patience"], lab.BLAST_MANY)
    figures |= {"sessions": len(many.known), "resident_up_mb": contestant.lns.resident() / 1e6}
    lab.own_threads()       # only now: a burst of blast's can be larger than the veth's ring, which then loses some

    def best(sessions, way, flows=0):
        """Of two, in which the machine may have been about something else."""
        return max(sessions.most(contestant, (64,), way, settings["packets"], flows=flows)["pps"] for _ in range(2))

    for way in ("up", "down"):
        ten.most(contestant, (64,), way, settings["packets"] / 2)       # the code may not have been compiled for good yet
        figures[f"many_{way}"] = best(many, way)
    figures["resident_mb"] = contestant.lns.resident() / 1e6
    report = many.end()
    figures["resident_closed_mb"] = contestant.lns.resident() / 1e6
    for way in ("up", "down"):
        figures[f"ten_{way}"] = best(ten, way)
        figures[f"kept_{way}"] = figures[f"many_{way}"] / figures[f"ten_{way}"]
        figures[f"ten_flows_{way}"] = best(ten, way, len(many.known))
        figures[f"kept_flows_{way}"] = figures[f"many_{way}"] / figures[f"ten_flows_{way}"]
    figures["resident_later_mb"] = contestant.lns.resident() / 1e6
    os.killpg(ten.blast.pid, signal.SIGKILL)
    at = [0, *report["set-up"]["thousands-at"]]
    if len(at) > 50:
        figures |= {"set_up_first": 1000 / at[1], "set_up_10000": 10_000 / at[10], "set_up_50000": 10_000 / (at[50] - at[40])}
        figures["set_up_kept"] = figures["set_up_50000"] / figures["set_up_10000"]
    return figures


def forwarding(contestant, settings):
    """A step that fails leaves the others' figures, and its reason."""
    contestant.start()
    figures = {}

    def step(name, work):
        try:
            figures.update(work())
        except (Trouble, OSError, ValueError) as why:
            figures[f"{name}_skipped"] = str(why)

    if settings["wants_tcp"]:
        server = Program("server", ["iperf3", "-s"], "iperf3")
        lab.until("iperf3 does not listen", 5, lambda: ":5201" in inside("server", ["ss", "-Htln"]), [server])
        step("tcp", lambda: tcp(contestant, settings["tcp"]))
    if settings["wants_packets"] and isinstance(contestant, contestants.Kernel):
        step("lns_packets", lambda: plain_forwarding(contestant, settings["packets"]))
    elif settings["wants_packets"]:
        Program("server", [sys.executable, os.path.join(os.path.dirname(__file__), "probe.py"), "echo"], "echo")
        lab.until("the echo does not listen", 5, lambda: ":7 " in inside("server", ["ss", "-Huln"]))
        step("both_packets", lambda: both_ends(contestant, settings["packets"]))
        if "both_imix_up" in figures:
            step("latency", lambda: latencies(contestant, figures["both_imix_up"]["pps"], settings))
        if contestant.auth:
            step("lns_packets", lambda: through_lns(contestant, settings["packets"]))
    return figures


def main():
    settings = json.loads(sys.argv[1])
    contestant = contestants.ALL[settings["contestant"]]()
    begin, stolen = time.monotonic(), lab.stolen()
    settings["awake"] = lab.Awake(settings.get("awake", True))
    try:
        lab.build(settings["links"], contestant.offloads)
        what = {"set-up": set_up, "scale": scale}.get(settings["what"], forwarding)
        result = what(contestant, settings)
    except (Trouble, OSError) as why:
        result = {"skipped": str(why)}
    result["seconds"] = time.monotonic() - begin
    result["stolen"] = (lab.stolen() - stolen) / result["seconds"] / os.cpu_count()
    with open(sys.argv[2], "w") as out:
        json.dump(result, out)


if __name__ == "__main__":
    main()
