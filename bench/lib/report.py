"""Medians, spreads and ratios of what the measurements gave, as text and as JSON."""
import contestants

SECTIONS = [
    # title, which measurements, [(row, path of the figure, unit, digits, factor, more is better)]
    ("TCP, real frames (at most 1500 octets on the access link), Mbit/s", "real",
     [(f"{n} {w}", f"tcp_{k}", "", 0, 1, True) for n, w, k in (("one stream", "up", "up"), ("one stream", "down", "down"),
                                                             ("four streams", "up", "up4"), ("four streams", "down", "down4"))]),
    ("TCP, as it is (64 KiB super-packets may cross), Mbit/s", "super",
     [(f"{n} {w}", f"tcp_{k}", "", 0, 1, True) for n, w, k in (("one stream", "up", "up"), ("one stream", "down", "down"),
                                                             ("four streams", "up", "up4"), ("four streams", "down", "down4"))]),
    ("Packets per second through the LNS alone, thousands", "real",
     [(f"{t} {w}", f"lns_{s}_{w}.pps", "", 0, 1e-3, True) for s, t in (("64", "64 octets"), ("imix", "IMIX")) for w in ("up", "down")]),
    ("... of so many offered, thousands", "real",
     [(f"{t} {w}", f"lns_{s}_{w}.sent", "", 0, 1e-3, None) for s, t in (("64", "64 octets"), ("imix", "IMIX")) for w in ("up", "down")]),
    ("Packets per second through LAC and LNS, thousands", "real",
     [(f"{t} {w}", f"both_{s}_{w}.pps", "", 0, 1e-3, True) for s, t in (("64", "64 octets"), ("imix", "IMIX")) for w in ("up", "down")]),
    ("CPU seconds", "real",
     [("LNS, per gigabit of TCP", "cpu_per_gigabit", "", 3, 1, False), ("all, per gigabit of TCP", "machine_cpu_per_gigabit", "", 3, 1, False)]
     + [(f"LNS, per million of {t}, {w}", f"lns_{s}_{w}.cpu_per_million", "", 2, 1, False)
        for s, t in (("64", "64 octets"), ("imix", "IMIX")) for w in ("up", "down")]),
    ("CPU seconds, as it is", "super",
     [("LNS, per gigabit of TCP", "cpu_per_gigabit", "", 3, 1, False), ("all, per gigabit of TCP", "machine_cpu_per_gigabit", "", 3, 1, False)]),
    ("Added round trip at half load, processors awake, microseconds", "real",
     [("median", "latency.added_median_us", "", 0, 1, False), ("90th", "latency.added_p90_us", "", 0, 1, False), ("99th percentile", "latency.added_p99_us", "", 0, 1, False),
      ("whole, 99th", "latency.p99_us", "", 0, 1, False), ("plain way beside it, 99th", "latency.plain_p99_us", "", 0, 1, None),
      ("load, thousand IMIX packets/s", "latency.load_pps", "", 0, 1e-3, None), ("round trips", "latency.asked", "", 0, 1, None),
      ("lost", "latency.lost", "", 0, 1, None), ("taken by the host, %", "latency.stolen", "", 1, 100, None)]),
    ("... as the machine is", "real",
     [("median", "latency_asleep.added_median_us", "", 0, 1, False), ("99th percentile", "latency_asleep.added_p99_us", "", 0, 1, False),
      ("plain way beside it, 99th", "latency_asleep.plain_p99_us", "", 0, 1, None), ("taken by the host, %", "latency_asleep.stolen", "", 1, 100, None)]),
    ("Sessions with CHAP", "set-up",
     [("set up per second, of 1,000", "set_up_1000", "", 0, 1, True), ("of 10,000", "set_up_10000", "", 0, 1, True), ("sessions", "sessions", "", 0, 1, None),
      ("octets of memory each", "octets_per_session", "", 0, 1, False), ("LNS CPU each, microseconds", "cpu_per_session_us", "", 0, 1, False)]),
    ("Very many sessions", "scale",
     [("sessions", "sessions", "", 0, 1, None), ("set up per second, first 10,000", "set_up_10000", "", 0, 1, True), ("from 40,000 to 50,000", "set_up_50000", "", 0, 1, True),
      ("LNS resident with ten, MB", "resident_ten_mb", "", 0, 1, False), ("with all up", "resident_up_mb", "", 0, 1, False),
      ("with all in use", "resident_mb", "", 0, 1, False), ("just after closing", "resident_closed_mb", "", 0, 1, False), ("some seconds later", "resident_later_mb", "", 0, 1, False)]),
    ("64-octet packets with ten sessions and with very many, all in use, thousands per second", "scale",
     [("ten, up", "ten_up", "", 0, 1e-3, True), ("many, up", "many_up", "", 0, 1e-3, True), ("many / ten, up", "kept_up", "", 2, 1, True),
      ("ten with as many flows, up", "ten_flows_up", "", 0, 1e-3, True), ("many / that", "kept_flows_up", "", 2, 1, True),
      ("ten, down", "ten_down", "", 0, 1e-3, True), ("many, down", "many_down", "", 0, 1e-3, True), ("many / ten, down", "kept_down", "", 2, 1, True),
      ("ten with as many flows, down", "ten_flows_down", "", 0, 1e-3, True), ("many / that", "kept_flows_down", "", 2, 1, True)]),
]
WAYS = (("one stream up", "up"), ("one stream down", "down"), ("four streams up", "up4"), ("four streams down", "down4"))
# (what, kind of measurement, figure, compared with, at least or at most, how much)
GOALS = (
    [(f"TCP, real frames, {n}", "real", f"tcp_{w}", "limit", ">=", 0.6) for n, w in WAYS]
    + [(f"TCP, as it is, {n}", "super", f"tcp_{w}", "limit", ">=", 0.65) for n, w in WAYS]
    + [(f"TCP, real frames, {n}", "real", f"tcp_{w}", "wireguard-go", ">=", 15) for n, w in WAYS]
    + [(f"TCP, real frames, {n}", "real", f"tcp_{w}", "the faster of l2tpns and SoftEther", ">=", 8) for n, w in WAYS]
    + [(f"64 octets, packets per second {w}", "real", f"lns_64_{w}.pps", other, ">=", 1.0) for other in ("limit", "kernel-rps") for w in ("up", "down")]
    + [("LNS CPU per gigabit of TCP", "real", "cpu_per_gigabit", "l2tpns", "<", 0.5)]
    + [(f"LNS CPU per million packets of {t}, {w}", "real", f"lns_{s}_{w}.cpu_per_million", "l2tpns", "<", 0.5)
       for s, t in (("64", "64 octets"), ("imix", "IMIX")) for w in ("up", "down")]
    + [("very many sessions in use: resident, MB", "scale", "resident_mb", None, "<", 400),
       ("very many sessions closed: resident, MB", "scale", "resident_closed_mb", None, "<", 400),
       ("very many sessions: forwarding beside ten, up", "scale", "kept_up", None, ">=", 0.9),
       ("very many sessions: forwarding beside ten, down", "scale", "kept_down", None, ">=", 0.9),
       ("very many sessions: forwarding beside ten with as many flows, up", "scale", "kept_flows_up", None, ">=", 0.9),
       ("very many sessions: forwarding beside ten with as many flows, down", "scale", "kept_flows_down", None, ">=", 0.9),
       ("sessions set up per second with CHAP, 10,000", "set-up", "set_up_10000", None, ">=", 3000),
       ("the same", "set-up", "set_up_10000", "l2tpns", ">=", 5),
       ("the same between 40,000 and 50,000, beside the first 10,000", "scale", "set_up_kept", None, ">=", 0.8),
       ("added round trip at half load, 99th percentile, microseconds", "real", "latency.added_p99_us", None, "<", 300)])
AGAINST = ("limit", "kernel-rps", "wireguard-go", "l2tpns", "softether")


def figure(result, path):
    for name in path.split("."):
        result = result.get(name) if isinstance(result, dict) else None
    return result


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def summarise(results):
    """{kind: {contestant: {path: {median, least, most, rounds, ratios}}}}; ratios are medians of the ratios within each round."""
    summary = {}
    for _, kind, rows in SECTIONS:
        for _, path, *_ in rows:
            of_round = {}
            for result in results:
                value = figure(result["figures"], path)
                if result["kind"] == kind and value is not None and value == value:
                    of_round.setdefault(result["contestant"], {})[result["round"]] = value
            for name, values in of_round.items():
                entry = {"median": median(values.values()), "least": min(values.values()), "most": max(values.values()), "rounds": len(values)}
                for other in AGAINST:
                    common = [values[r] / of_round[other][r] for r in values if of_round.get(other, {}).get(r)]
                    if common and other != name:
                        entry[f"to {other}"] = median(common)
                summary.setdefault(kind, {}).setdefault(name, {})[path] = entry
    return summary


def by_round(results, kind, name, path):
    values = {r["round"]: figure(r["figures"], path) for r in results if (r["kind"], r["contestant"]) == (kind, name)}
    return {number: value for number, value in values.items() if value is not None and value == value}


def goals(results):
    """What was aimed at, and what came of it: the median over the rounds decides."""
    lines = ["", "### Goals", "", "| | beside | goal | median (least-most) | |", "|---|---|---|---|---|"]
    for what, kind, path, other, relation, wanted in GOALS:
        seen = by_round(results, kind, "culvert", path)
        if other == "the faster of l2tpns and SoftEther":
            both = [by_round(results, kind, name, path) for name in ("l2tpns", "softether")]
            beside = {r: max(b[r] for b in both if r in b) for r in seen if any(r in b for b in both)}
        else:
            beside = by_round(results, kind, other, path) if other else {}
        values = [seen[r] / beside[r] for r in seen if beside.get(r)] if other else list(seen.values())
        if not values:
            continue
        middle = median(values)
        met = middle >= wanted if relation == ">=" else middle < wanted
        digits = 0 if wanted >= 100 else 2
        title = title_of(other) if other in contestants.ALL else other or ""
        lines.append(f"| {what} | {title} | {relation} {wanted:,} | {number(middle, digits)} ({number(min(values), digits)}-{number(max(values), digits)})"
                     f" | {'met' if met else 'not met'} |")
    return lines if len(lines) > 5 else []


def skipped(figures):
    """What could not be measured and why; empty when all could."""
    return "; ".join(str(why) if key == "skipped" else f"{key[:-8].replace('_', ' ')}: {why}"
                     for key, why in figures.items() if key.endswith("skipped"))


def number(value, digits, factor=1):
    return f"{value * factor:,.{digits}f}"


def table(summary, results, order):
    """Markdown. Who was skipped stands in the table with the reason below it."""
    lines, reasons = goals(results), {}
    for result in results:
        why = skipped(result["figures"])
        if why:
            reasons.setdefault((result["kind"], result["contestant"]), why)
    for title, kind, rows in SECTIONS:
        present = [name for name in order if name in summary.get(kind, {})
                   and any(path in summary[kind][name] for _, path, *_ in rows)]
        missing = [name for name in order if (kind, name) in reasons and name not in present]
        if not present and not missing:
            continue
        lines += ["", f"### {title}", "", "| | " + " | ".join(row[0] for row in rows) + " |", "|---" * (len(rows) + 1) + "|"]
        for name in present:
            cells = []
            for _, path, _, digits, factor, better in rows:
                entry = summary[kind][name].get(path)
                if entry is None:
                    cells.append("-")
                    continue
                text = number(entry["median"], digits, factor)
                if entry["rounds"] > 1 and better is not None:
                    text += f" ({number(entry['least'], digits, factor)}-{number(entry['most'], digits, factor)})"
                ratios = [f"{entry['to ' + other]:.2f} x {other}" for other in AGAINST if "to " + other in entry]
                if ratios and better is not None and name in ("culvert",):
                    text += "<br>" + "<br>".join(ratios)
                cells.append(text)
            lines.append(f"| {title_of(name)} | " + " | ".join(cells) + " |")
        lines += [f"| {title_of(name)} | " + " | ".join(["skipped"] * len(rows)) + " |" for name in missing]
    if reasons:
        lines += ["", "Skipped:", ""] + [f"- {title_of(name)} ({kind}): {why}" for (kind, name), why in reasons.items()]
    notes = [f"- {c.title}: {c.note}" for n, c in contestants.ALL.items() if c.note and n in order]
    return "\n".join(lines + ([""] + notes if notes else [])) + "\n"


def title_of(name):
    return contestants.ALL[name].title
