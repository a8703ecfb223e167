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
    ("... and what the generator gave, thousands", "real",
     [(f"{t} {w}", f"lns_{s}_{w}.sent", "", 0, 1e-3, None) for s, t in (("64", "64 octets"), ("imix", "IMIX")) for w in ("up", "down")]),
    ("Packets per second through LAC and LNS, thousands", "real",
     [(f"{t} {w}", f"both_{s}_{w}.pps", "", 0, 1e-3, True) for s, t in (("64", "64 octets"), ("imix", "IMIX")) for w in ("up", "down")]),
    ("CPU seconds", "real",
     [("LNS, per gigabit of TCP", "cpu_per_gigabit", "", 3, 1, False), ("all, per gigabit of TCP", "machine_cpu_per_gigabit", "", 3, 1, False)]
     + [(f"LNS, per million of {t}, {w}", f"lns_{s}_{w}.cpu_per_million", "", 2, 1, False)
        for s, t in (("64", "64 octets"), ("imix", "IMIX")) for w in ("up", "down")]),
    ("CPU seconds, as it is", "super",
     [("LNS, per gigabit of TCP", "cpu_per_gigabit", "", 3, 1, False), ("all, per gigabit of TCP", "machine_cpu_per_gigabit", "", 3, 1, False)]),
    ("Added round trip at half load, microseconds", "real",
     [("median", "latency.added_median_us", "", 0, 1, False), ("99th percentile", "latency.added_p99_us", "", 0, 1, False),
      ("plain way beside it, 99th", "latency.plain_p99_us", "", 0, 1, None), ("load, thousand IMIX packets/s", "latency.load_pps", "", 0, 1e-3, None)]),
    ("Sessions with CHAP", "set-up",
     [("set up per second", "set_up", "", 0, 1, True), ("... in the last fifth", "set_up_late", "", 0, 1, True), ("sessions", "sessions", "", 0, 1, None),
      ("octets of memory each", "octets_per_session", "", 0, 1, False), ("LNS CPU each, microseconds", "cpu_per_session_us", "", 0, 1, False)]),
    ("Sessions with CHAP, many", "set-up-many",
     [("set up per second", "set_up", "", 0, 1, True), ("... in the last fifth", "set_up_late", "", 0, 1, True), ("sessions", "sessions", "", 0, 1, None),
      ("octets of memory each", "octets_per_session", "", 0, 1, False), ("LNS resident, MB", "resident_mb", "", 0, 1, False)]),
    ("64-octet packets while many sessions are up, thousands per second", "scale",
     [("sessions up", "sessions", "", 0, 1, None), ("among ten of them, up", "ten_up", "", 0, 1e-3, True), ("among many, up", "many_up", "", 0, 1e-3, True),
      ("among ten of them, down", "ten_down", "", 0, 1e-3, True), ("among many, down", "many_down", "", 0, 1e-3, True),
      ("many: how many different ones", "learned", "", 0, 1, None), ("LNS resident, MB", "resident_mb", "", 0, 1, False)]),
]
AGAINST = ("limit", "wireguard-go", "l2tpns")


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


def skipped(figures):
    """What could not be measured and why; empty when all could."""
    return "; ".join(str(why) if key == "skipped" else f"{key[:-8].replace('_', ' ')}: {why}"
                     for key, why in figures.items() if key.endswith("skipped"))


def number(value, digits, factor=1):
    return f"{value * factor:,.{digits}f}"


def table(summary, results, order):
    """Markdown. Who was skipped stands in the table with the reason below it."""
    lines, reasons = [], {}
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
