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
    """Packets from client to server and back, through LAC and LNS."""
    figures = {}
    ways = (("up", "client", "c0", lab.mac("lac", "l0"), contestant.pair[0], contestant.sinks[0], "server"),
            ("down", "server", "s0", lab.mac("lns", "s1"), contestant.pair[1], contestant.sinks[1], "client"))
    for size, sizes in (("64", (64,)), ("imix", load.IMIX)):
        for way, namespace, device, target, source, sink, end in ways:
            if sink is None or contestant.auth and way == "down":
                continue            # these are measured at the LNS alone
            generator = load.Generator(namespace, device, target, load.packets(source, sink, sizes))
            figures[f"both_{size}_{way}"] = load.flood(generator, lambda: lab.packets_in(end), seconds, contestant.lns)
            generator.close()
    return figures


def plain_forwarding(contestant, seconds):
    """Packets through the LNS's kernel alone, given to its two devices."""
    figures = {}
    if contestant.offloads:
        lab.own_threads()
    for size, sizes in (("64", (64,)), ("imix", load.IMIX)):
        for way, namespace, device, target, source, sink, end in (
                ("up", "lac", "a0", lab.mac("lns", "a1"), lab.PLAIN_CLIENT, lab.PLAIN_SINK_UP, "server"),
                ("down", "server", "s0", lab.mac("lns", "s1"), lab.PLAIN_SERVER, lab.PLAIN_SINK_DOWN, "lac")):
            generator = load.Generator(namespace, device, target, load.packets(source, sink, sizes))
            figures[f"lns_{size}_{way}"] = load.flood(generator, lambda: lab.packets_in(end), seconds)
            generator.close()
    return figures


class Sessions:
    """Sessions of culvert blast, which then stands still: its packets are imitated on the wire, and what comes back is thrown away."""

    def __init__(self, contestant, tunnels, each, wanted, rate):
        user = "alice" if contestant.auth == "pap" else "load"
        self.blast = Program("lac", ["dotnet", lab.DLL, "blast", lab.LNS, "--local", lab.BLAST, "--tunnels", str(tunnels), "--sessions", str(each),
                                     "--auth", contestant.auth, "--user", user, "--password", "wonder", "--hold", "60s", "--duration", "90s",
                                     "--rate", str(rate), "--size", "64", "--to", lab.SERVER, "--json"], "blast")
        self.known = load.learn("lac", "a0", wanted, seconds=4 if tunnels * each < 100 else 40)
        if not self.known:
            self.blast.end()
            raise Trouble(f"culvert blast brought no session up: {self.blast.text()[-300:]}")
        os.killpg(self.blast.pid, signal.SIGSTOP)

    def flood(self, contestant, sessions, sizes, way, seconds):
        packets = []
        for i in range(max(load.BATCH * 12, len(sessions))):
            session, size = sessions[i % len(sessions)], sizes[i % len(sizes)]
            ports = (20000 + i % load.FLOWS, 9, bytes(size - 28))
            packets.append(session.wrap(load.udp(session.address, lab.SINK_UP, *ports)) if way == "up"
                           else load.udp(lab.SERVER, session.address, *ports))
        if way == "up":
            generator, end = load.Generator("lac", "a0", lab.mac("lns", "a1"), packets), "server"
        else:
            generator, end = load.Generator("server", "s0", lab.mac("lns", "s1"), packets), "lac"
        figures = load.flood(generator, lambda: lab.packets_in(end), seconds, contestant.lns)
        generator.close()
        return figures

    def end(self):
        os.killpg(self.blast.pid, signal.SIGCONT)
        self.blast.end()


def through_lns(contestant, seconds):
    figures = {}
    lab.own_threads()
    sessions = Sessions(contestant, 1, 8, 8, 20)
    for size, sizes in (("64", (64,)), ("imix", load.IMIX)):
        for way in ("up", "down"):
            figures[f"lns_{size}_{way}"] = sessions.flood(contestant, sessions.known, sizes, way, seconds)
    sessions.end()
    return figures


def latency(contestant, most, seconds):
    """Round trips through the contestant and plainly beside it in turn, under half of the IMIX packets that it can carry."""
    generator = load.Generator("client", "c0", lab.mac("lac", "l0"), load.packets(contestant.pair[0], contestant.sinks[0], load.IMIX))
    ways = [f"{contestant.pair[0]}:{contestant.pair[1]}", f"{lab.PLAIN_CLIENT}:{lab.PLAIN_SERVER}"]
    command = ["nsenter", "--net=/run/netns/client", sys.executable, os.path.join(os.path.dirname(__file__), "probe.py"), "ask", str(seconds), *ways]
    asking = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    generator.pace(most / 2, lambda: asking.poll() is not None)
    generator.close()
    through, plain = json.loads(asking.communicate(timeout=5)[0])
    at = lambda times, share: times[min(len(times) - 1, int(len(times) * share))] if times else float("nan")
    return {"load_pps": most / 2, "lost": through["lost"], "asked": len(through["times"]) + through["lost"],
            "added_median_us": at(through["times"], 0.5) - at(plain["times"], 0.5),
            "added_p99_us": at(through["times"], 0.99) - at(plain["times"], 0.99),
            "plain_median_us": at(plain["times"], 0.5), "plain_p99_us": at(plain["times"], 0.99)}


def set_up(contestant, settings):
    """Sessions per second with CHAP, and what each costs in memory."""
    contestant.start_lns()
    before = contestant.lns.resident()
    tunnels, each = settings["tunnels"], settings["sessions"] // settings["tunnels"]
    begin = contestant.lns.cpu()
    blast = Program("lac", ["dotnet", lab.DLL, "blast", lab.LNS, "--local", lab.BLAST, "--tunnels", str(tunnels), "--sessions", str(each),
                            "--auth", contestant.auth, "--user", "load", "--password", "wonder", "--hold", "1s",
                            "--duration", f"{settings['patience']}s", "--json", "--allow-failures"], "blast")
    peak, cpu, deadline = before, 0.0, time.monotonic() + settings["patience"] + 15
    while blast.process.poll() is None:
        peak, cpu = max(peak, contestant.lns.resident()), contestant.lns.cpu()
        if time.monotonic() > deadline:
            blast.end()
            raise Trouble("culvert blast does not end")
        time.sleep(0.1)
    try:
        report = json.loads(blast.text()[blast.text().index("{"):])
    except ValueError:
        raise Trouble(f"culvert blast: {blast.text()[-300:]}") from None
    up = report["sessions"]["established"]
    if not up:
        raise Trouble(f"no session came up: {report['sessions']['failures']}")
    # A ramp that was cut short has no average of its own.
    per_second = report["set-up"]["per-second"]
    average = report["set-up"]["average"] or up / max(1, len(per_second))
    done, late, seconds = 0, 0, 0
    for n in per_second[:-1]:
        done += n
        if done > up * 0.8:
            late, seconds = late + n, seconds + 1
    return {"set_up": average, "set_up_late": late / seconds if seconds else None, "sessions": up,
            "resident_mb": peak / 1e6, "resident_before_mb": before / 1e6, "octets_per_session": (peak - before) / up,
            "cpu_per_session_us": (cpu - begin) / up * 1e6}


def scale(contestant, settings):
    """Forwarding over many sessions beside forwarding over ten of them, all being up."""
    contestant.start_lns()
    tunnels, each = settings["tunnels"], settings["sessions"] // settings["tunnels"]
    # Each session says something every ten seconds or so: enough to learn some thousands of them, too little to be a load.
    sessions = Sessions(contestant, tunnels, each, settings["learn"], 0.1)
    lab.own_threads()
    figures = {"sessions": tunnels * each, "learned": len(sessions.known), "resident_mb": contestant.lns.resident() / 1e6}
    for way in ("up", "down"):
        few, many = [], []
        for _ in range(3):
            few.append(sessions.flood(contestant, sessions.known[:10], (64,), way, settings["packets"])["pps"])
            many.append(sessions.flood(contestant, sessions.known, (64,), way, settings["packets"])["pps"])
        figures[f"ten_{way}"], figures[f"many_{way}"] = sorted(few)[1], sorted(many)[1]
    os.killpg(sessions.blast.pid, signal.SIGKILL)
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
            step("latency", lambda: {"latency": latency(contestant, figures["both_imix_up"]["pps"], settings["probes"])})
        if contestant.auth:
            step("lns_packets", lambda: through_lns(contestant, settings["packets"]))
    return figures


def main():
    settings = json.loads(sys.argv[1])
    contestant = contestants.ALL[settings["contestant"]]()
    begin = time.monotonic()
    try:
        lab.build(settings["links"], contestant.offloads)
        what = {"set-up": set_up, "scale": scale}.get(settings["what"], forwarding)
        result = what(contestant, settings)
    except (Trouble, OSError) as why:
        result = {"skipped": str(why)}
    result["seconds"] = time.monotonic() - begin
    with open(sys.argv[2], "w") as out:
        json.dump(result, out)


if __name__ == "__main__":
    main()
