"""Runs the measurements in turn, round after round, each in private namespaces, and prints one table. See ../README.md."""
import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time

import contestants
import load
import report

HERE = os.path.dirname(os.path.abspath(__file__))
AS_IT_IS = ("limit", "culvert", "l2tpns", "wireguard-go")
SET_UP = [1000, 10_000]      # the first finds an LNS, and a generator, that have just started
HAS_SET_UP = ("culvert", "l2tpns")


def plan(options, names):
    """One round: (kind, contestant, settings)."""
    forwarding = {"what": "forwarding", "tcp": options.seconds, "packets": options.packet_seconds, "probes": options.probe_seconds}
    cells = []
    for name in names:
        if "real" in options.links and (options.tcp and name != "kernel-rps" or options.packets):
            cells.append(("real", name, forwarding | {"links": "real", "wants_tcp": options.tcp and name != "kernel-rps", "wants_packets": options.packets}))
        if "super" in options.links and options.tcp and name in AS_IT_IS:
            cells.append(("super", name, forwarding | {"links": "super", "wants_tcp": True, "wants_packets": False}))
    if options.sessions:
        cells += [("set-up", name, {"what": "set-up", "links": "real", "sessions": SET_UP[:1 if options.quick else 2], "patience": 30})
                  for name in names if name in HAS_SET_UP]
        if "culvert" in names and not options.quick:
            cells.append(("scale", "culvert", {"what": "scale", "links": "real", "sessions": options.many, "tunnels": 10, "patience": 60,
                                               "packets": options.packet_seconds}))
    return cells


def missing(name):
    return [p for p in contestants.PROGRAMS.get(name, []) if not (os.path.exists(p) or shutil.which(p))]


def measure(options, name, settings, patience=150):
    lacking = missing(name)
    if lacking:
        return {"skipped": f"not installed: {', '.join(lacking)}"}
    with tempfile.NamedTemporaryFile(prefix="bench-") as result:
        command = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", "--",
                   sys.executable, os.path.join(HERE, "cell.py"), json.dumps(settings | {"contestant": name, "awake": not options.asleep}), result.name]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            trouble = process.communicate(timeout=patience)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return {"skipped": f"no result within {patience} s"}
        except BaseException:
            process.kill()
            raise
        text = open(result.name).read()
    return json.loads(text) if text else {"skipped": f"the measurement failed: {trouble.strip()[-400:]}"}


def arguments():
    parser = argparse.ArgumentParser(prog="bench/compare", description="Measures Culvert beside other data planes on this machine.")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (5)")
    parser.add_argument("--seconds", type=int, default=1, help="each iperf3 run (1)")
    parser.add_argument("--packet-seconds", type=float, default=0.4, help="each run of small packets (0.4)")
    parser.add_argument("--probe-seconds", type=float, default=3, help="round trips at half load (3)")
    parser.add_argument("--only", default="", help=f"some of {','.join(contestants.ALL)}")
    parser.add_argument("--what", default="tcp,packets,sessions", help="some of tcp,packets,sessions")
    parser.add_argument("--links", default="real,super", help="real: frames of at most 1500 octets; super: as it is")
    parser.add_argument("--many", type=int, default=60_000, help="very many sessions (60000)")
    parser.add_argument("--asleep", action="store_true", help="let processors that wait sleep; without it /dev/cpu_dma_latency is held at 0")
    parser.add_argument("--quick", action="store_true", help="one round, fewer sessions, no large table: to see that it works")
    parser.add_argument("--output", default="", help="folder for compare.json and compare.md (artifacts/bench)")
    options = parser.parse_args()
    options.links = options.links.split(",")
    for what in ("tcp", "packets", "sessions"):
        setattr(options, what, what in options.what.split(","))
    if options.quick:
        options.rounds = 1
    unknown = [n for n in options.only.split(",") if n and n not in contestants.ALL]
    if unknown:
        parser.error(f"{unknown[0]}: not one of {', '.join(contestants.ALL)}")
    return options


def main():
    options = arguments()
    names = [n for n in contestants.ALL if not options.only or n in options.only.split(",")]
    begin, results = time.monotonic(), []
    work = [(r, *cell) for r in range(options.rounds) for cell in plan(options, names)]
    try:
        for at, (number, kind, name, settings) in enumerate(work):
            figures = measure(options, name, settings)
            results.append({"round": number, "kind": kind, "contestant": name, "figures": figures})
            why = report.skipped(figures)
            told = f"SKIPPED: {why}" if why else ", ".join(f"{k[4:]} {v:.0f}" for k, v in figures.items() if k.startswith("tcp_")) or "done"
            print(f"[{at + 1}/{len(work)}, {time.monotonic() - begin:.0f} s] round {number + 1}, {kind}, {name}: {told}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("stopped: what follows is what there is", file=sys.stderr)
    summary = report.summarise(results)
    head = (f"{options.rounds} rounds, {os.cpu_count()} processors, kernel {platform.release()}; medians (least-most); "
            f"ratios are medians of those within a round; {time.monotonic() - begin:.0f} s; packets from {load.maker()}; "
            f"the host took {100 * max((r['figures'].get('stolen', 0) for r in results), default=0):.0f} % of the processors' time at worst\n")
    text = head + report.table(summary, results, names)
    folder = options.output or os.path.join(HERE, "..", "..", "artifacts", "bench")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "compare.json"), "w") as out:
        json.dump({"head": head.strip(), "summary": summary, "results": results}, out, indent=1)
    with open(os.path.join(folder, "compare.md"), "w") as out:
        out.write(text)
    print(text)
    return 0 if any("skipped" not in r["figures"] for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
