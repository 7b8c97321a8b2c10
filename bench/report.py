#!/usr/bin/python3
"""One page from results of the benchmarks, of any machines: bench/report.py a.json b.json --output report.html

Reads what the benchmarks write, bench/arm.sh and the page examples/web included (Google Benchmark's JSON), and writes a
page that needs nothing else: machines, layers and networks beside each other, light and dark, for screen and paper.
--check reads the files and says what is wrong with them, and writes nothing. docs/devices.md has the form of the files.
"""

import argparse
import collections
import html
import json
import math
import pathlib
import re
import sys

UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
NAME = re.compile(r"[a-z0-9_]+(/[A-Za-z0-9_.+-]+){1,4}")
# What is shown of a run's context, in this order; the rest is left out.
CONTEXT = (("cpu", "CPU"), ("target", "SIMD target"), ("fma_peak", "FMA peak"), ("fma_peak_gflops", "FMA peak, GFLOP/s"),
           ("peak_gflops", "multiply-add peak, GFLOP/s"), ("int8_peak", "8-bit peak"), ("device", "device"), ("cores", "cores"),
           ("num_cpus", "logical processors"), ("threads", "threads"), ("compiler", "compiler"), ("flags", "flags"),
           ("energy", "energy"), ("temperature_c", "temperature, C"), ("date", "date"), ("executable", "program"))
# Counters of a table: key, heading, format.
COUNTERS = (("useful_gflops", "GFLOP/s", "{:.1f}"), ("peak_fraction", "of peak", "{:.2f}"),
            ("joules", "J", "{:.3g}"), ("instructions_per_fma", "instructions / FMA", "{:.2f}"),
            ("loads_per_fma", "loads / FMA", "{:.2f}"), ("spills", "spills", "{:.0f}"))

Entry = collections.namedtuple("Entry", "group scheme engine seconds counters")


def faults_of(document):
    """What keeps a file from being a result, as a list of sentences."""
    if not isinstance(document, dict) or not isinstance(document.get("benchmarks"), list):
        return ["must be an object with a list `benchmarks`"]
    faults = []
    if not isinstance(document.get("context"), dict):
        faults.append("must have an object `context`")
    if not document["benchmarks"]:
        faults.append("`benchmarks` is empty")
    for i, benchmark in enumerate(document["benchmarks"]):
        where = f"benchmarks[{i}]"
        if not isinstance(benchmark, dict):
            faults.append(f"{where} is no object")
            continue
        name = benchmark.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            faults.append(f"{where}: name is {name!r}, must be like conv2d/vgg16.conv3_2/bcr_col-8x/lacuna")
        time = benchmark.get("real_time")
        if isinstance(time, bool) or not isinstance(time, (int, float)) or not (time >= 0 and math.isfinite(time)):
            faults.append(f"{where}: real_time is {time!r}, must be a number that is not negative")
        if benchmark.get("time_unit") not in UNITS:
            faults.append(f"{where}: time_unit is {benchmark.get('time_unit')!r}, must be one of {', '.join(UNITS)}")
    return faults


class Run:
    """A file: label, context, entries by (group, scheme, engine)."""

    def __init__(self, path, document):
        self.label = pathlib.Path(path).stem
        self.context = document["context"]
        self.entries = {}
        medians = any(b.get("aggregate_name") == "median" for b in document["benchmarks"])
        for b in document["benchmarks"]:
            if medians and b.get("aggregate_name") != "median":
                continue
            parts = b.get("run_name", b["name"]).split("/")
            if len(parts) < 4:
                parts = parts + ["-"] * (4 - len(parts))
            key = ("/".join(parts[:-2]), parts[-2], parts[-1])
            counters = {c: b[c] for c, *_ in COUNTERS if isinstance(b.get(c), (int, float))}
            self.entries[key] = Entry(*key, b["real_time"] * UNITS[b["time_unit"]], counters)

    def seconds(self, *key):
        entry = self.entries.get(key)
        return entry.seconds if entry is not None and entry.seconds > 0 else None

    def over_dense(self, entry):
        dense = self.seconds(entry.group, "dense", entry.engine)
        return None if dense is None or entry.seconds <= 0 else dense / entry.seconds


def title_of(group):
    """The network of conv2d/vgg16.conv3_2, or what stands before the first slash."""
    op, _, rest = group.partition("/")
    return f"{op}, {rest.split('.')[0]}" if "." in rest else op


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def time_text(seconds):
    if seconds <= 0:
        return ""
    for unit in ("s", "ms", "us"):
        if seconds >= UNITS[unit]:
            return f"{seconds / UNITS[unit]:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def cells(tag, values):
    return "".join(f"<{tag}{' scope=col' if tag == 'th' else ''}>{value}</{tag}>" for value in values)


def table(caption, headings, rows):
    body = "".join(f"<tr><th scope=row>{row[0]}</th>{cells('td', row[1:])}</tr>" for row in rows)
    return (f"<div class=scroll><table><caption>{caption}</caption><thead><tr>{cells('th', headings)}</tr></thead>"
            f"<tbody>{body}</tbody></table></div>")


def bars(title, values):
    """A plot of (label, number, class) as SVG; its numbers are text, so that it needs no table beside it."""
    if not values:
        return ""
    line, left, width = 22, 330, 860
    most = max(value for _, value, _ in values)
    parts = [f'<svg role=img aria-label="{html.escape(title)}" viewBox="0 0 {width} {line * len(values) + 28}">'
             f'<text x=0 y=16 class=title>{html.escape(title)}</text>']
    for i, (label, value, kind) in enumerate(values):
        y = 28 + i * line
        length = max(1.0, (width - left - 60) * value / most)
        parts.append(f'<text x=0 y={y + 15}>{html.escape(label)}</text>'
                     f'<rect class={kind} x={left} y={y + 3} width={length:.1f} height={line - 6}></rect>'
                     f'<text x={left + length + 6:.1f} y={y + 15}>{value:.2f}</text>')
    return "".join(parts) + "</svg>"


def machines(runs):
    rows = []
    for key, heading in CONTEXT:
        values = [run.context.get(key) for run in runs]
        if any(value not in (None, "") for value in values):
            rows.append([heading] + [html.escape(str(value)) if value is not None else "" for value in values])
    caches = [", ".join(f"L{c.get('level')} {c.get('type', '')} {c.get('size', 0) // 1024} KiB" for c in run.context.get("caches", []))
              for run in runs]
    if any(caches):
        rows.append(["caches"] + [html.escape(c) for c in caches])
    return table("Machines", [""] + [html.escape(run.label) for run in runs], rows)


def sections(runs):
    titles = []
    for run in runs:
        for group, _, _ in run.entries:
            if title_of(group) not in titles:
                titles.append(title_of(group))
    for title in titles:
        keys = []
        for run in runs:
            for key in run.entries:
                if title_of(key[0]) == title and key not in keys:
                    keys.append(key)
        yield title, keys


def section(all_runs, title, keys):
    runs = [run for run in all_runs if any(key in run.entries for key in keys)]
    counters = [c for c in COUNTERS if any(c[0] in run.entries[k].counters for run in runs for k in keys if k in run.entries)]
    timed = any(run.seconds(*k) for run in runs for k in keys)
    headings = ["layer or kernel", "scheme", "engine"]
    for run in runs:
        mark = f"{html.escape(run.label)}<br>" if len(runs) > 1 else ""
        headings += [mark + "time", mark + "over dense"] if timed else []
        headings += [mark + heading for _, heading, _ in counters]
    rows, means = [], collections.OrderedDict()
    for key in sorted(keys):
        row = [html.escape(key[0].split("/", 1)[-1]), html.escape(key[1]), html.escape(key[2])]
        for run in runs:
            entry = run.entries.get(key)
            over = run.over_dense(entry) if entry is not None else None
            if timed:
                row += [time_text(entry.seconds) if entry else "", f"{over:.2f}x" if over and key[1] != "dense" else ""]
            row += [form.format(entry.counters[c]) if entry and c in entry.counters else "" for c, _, form in counters]
            if over and key[1] != "dense":
                means.setdefault((run.label, key[1], key[2]), []).append(over)
        rows.append(row)
    plot = [(f"{label}: {scheme}, {engine}" if len(runs) > 1 else f"{scheme}, {engine}", geometric_mean(values),
             "lacuna" if engine.startswith("lacuna") else "peer") for (label, scheme, engine), values in means.items()]
    text = f"<section><h2>{html.escape(title)}</h2>"
    text += bars("times faster than the same engine on dense weights, geometric mean", plot)
    if not timed:
        first = counters[0][0] if counters else None
        values = [(f"{run.label}: {k[0].split('/', 1)[-1]}, {k[1]}, {k[2]}" if len(runs) > 1 else f"{k[0].split('/', 1)[-1]}, {k[1]}, {k[2]}",
                   run.entries[k].counters[first], "lacuna" if k[2].startswith("lacuna") else "peer")
                  for run in runs for k in sorted(keys) if k in run.entries and first in run.entries[k].counters]
        text += bars(counters[0][1] if counters else "", values)
    return text + table("All results", headings, rows) + "</section>"


STYLE = """
:root { color-scheme: light dark; --text: #1b1d21; --soft: #59606c; --back: #fff; --line: #d5d8de; --lacuna: #0072b2; --peer: #8a94a6; }
@media (prefers-color-scheme: dark) { :root { --text: #e8eaee; --soft: #a5adba; --back: #14161a; --line: #3a3f49; --lacuna: #56b4e9; --peer: #77819a; } }
@media print { :root { --text: #000; --soft: #444; --back: #fff; --line: #bbb; --lacuna: #0072b2; --peer: #999; }
  section { break-inside: auto; } svg, tr { break-inside: avoid; } .scroll { overflow: visible; } body { font-size: 9pt; } }
body { margin: 0 auto; max-width: 70rem; padding: 1rem; background: var(--back); color: var(--text); font: 1rem/1.45 system-ui, sans-serif; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin: 2rem 0 0.5rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding: 0.4rem 0; }
th, td { text-align: right; padding: 0.2rem 0.6rem; border-bottom: 1px solid var(--line); vertical-align: bottom; }
th[scope=row], td:nth-child(2), td:nth-child(3) { text-align: left; font-weight: 400; }
svg { width: 100%; max-width: 54rem; height: auto; display: block; margin: 0.5rem 0; }
svg text { fill: var(--text); font: 14px system-ui, sans-serif; } svg .title { fill: var(--soft); }
svg .lacuna { fill: var(--lacuna); } svg .peer { fill: var(--peer); }
"""


def page(runs):
    body = "".join(section(runs, title, keys) for title, keys in sections(runs))
    return ("<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width, initial-scale=1'>"
            f"<title>lacuna: results</title><style>{STYLE}</style></head><body><h1>lacuna: results</h1>"
            f"{machines(runs)}{body}</body></html>\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--output", default="report.html")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    runs, failed = [], False
    for path in options.files:
        try:
            document = json.loads(pathlib.Path(path).read_text())
        except (OSError, ValueError) as error:
            faults = [str(error)]
        else:
            faults = faults_of(document)
        for fault in faults[:20]:
            print(f"{path}: {fault}", file=sys.stderr)
        failed = failed or bool(faults)
        if not faults:
            runs.append(Run(path, document))
    if failed:
        sys.exit(1)
    if options.check:
        print(f"{len(runs)} files are results")
        return
    pathlib.Path(options.output).write_text(page(runs))
    print(f"{options.output}: {sum(len(run.entries) for run in runs)} results of {len(runs)} files")


if __name__ == "__main__":
    main()
