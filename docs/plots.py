#!/usr/bin/python3
"""Draws the plots of the documentation, each for light and for dark pages.

Usage: docs/plots.py [--data docs/data] [--out docs/plots] [--png]
Reads what the benchmarks write (build/bench/*.json, copied to docs/data/, any names) and draws
  speedup   speed over the best of oneDNN, by network and scheme    conv2d, conv3d, gemm
  peak      fraction of the FMA peak, by network and scheme         conv2d, conv3d, gemm
  digits    accuracy over latency of the digits networks            digits.txt: what lacuna-digits prints
  compile   what including lacuna costs                             compile_time
  frontier  accuracy kept over latency, pruned without training     frontier_<network>.csv: what lacuna-frontier writes
as <plot>_light.svg and <plot>_dark.svg. What has no data is named and left out. A file is a run, and only engines of
one run are compared; of several runs with a group of layers the one with most of them counts. digits.txt has the tables
of the convolutional network and of the GRU, in that order (commands: examples/run.sh). Debian: python3-matplotlib.
"""
import argparse
import collections
import csv
import glob
import json
import math
import os
import re
import sys

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams.update({
    "font.family": "DejaVu Sans", "font.size": 9.5, "svg.fonttype": "path", "svg.hashsalt": "lacuna",
    "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False})
import matplotlib.pyplot as plt  # noqa: E402
import matplotlib.ticker  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
WIDTH = 8.3  # inches of 100 pixels: a page of GitHub
# Colours of Okabe and Ito ("Color Universal Design", 2008), lighter on dark pages.
THEMES = {
    "light": {"page": "#ffffff", "text": "#1f2328", "muted": "#656d76", "line": "#d0d7de",
              "block": "#0072b2", "pattern": "#b45200", "single": "#007a58", "dense": "#656d76"},
    "dark": {"page": "#0d1117", "text": "#e6edf3", "muted": "#8d96a0", "line": "#30363d",
             "block": "#56b4e9", "pattern": "#f0a04b", "single": "#34c79a", "dense": "#8d96a0"},
}
FAMILIES = {"block": "rows, columns, blocks", "pattern": "patterns and whole kernels", "single": "single weights",
            "dense": "dense"}
MARKERS = {"block": "o", "pattern": "D", "single": "s", "dense": "o"}
# Schemes of the plot `speedup`, which is the headline; `peak` has all.
HEADLINE = ("bcr_col", "punched", "pattern_g4", "pattern", "unstructured", "dense")
# The groups of layers of bench/report.cc: title, and a pattern of op/network.layer.
GROUPS = (
    ("VGG-16, 3x3 layers", r"conv2d/vgg16\.(?!conv1_1)"),
    ("ResNet-50, 1x1 layers", r"conv2d/resnet50\.(?!conv1$)(?!.*_2b$)"),
    ("ResNet-50, 3x3 layers", r"conv2d/resnet50\..*_2b$"),
    ("MobileNet-V2, 1x1 layers", r"conv2d/mobilenet_v2\.(?!conv1$)"),
    ("MobileNet-V2, depthwise, channels-last", r"depthwise/mobilenet_v2\."),
    ("C3D, 3x3x3 layers", r"conv3d/c3d\.(?!conv1$)"),
    ("R(2+1)D-18, 1x3x3 layers", r"conv3d/r2plus1d\.(?!stem).*_s$"),
    ("R(2+1)D-18, 3x1x1 layers", r"conv3d/r2plus1d\..*_t$"),
    ("BERT base, GEMM of [K, N]", r"gemm/bert_base\."),
    ("BERT base, GEMM of [N, K]", r"gemm_nk/bert_base\."),
)
CASES = {"conv": "one convolution\n<lacuna/conv.h>", "umbrella": "one convolution\n<lacuna/lacuna.h>",
         "prune": "pruning and a blob\nno SIMD code"}
WAYS = {"header_only": "header-only", "compiled": "lacuna::compiled"}
MEANING = "point: geometric mean, line: lowest to highest layer"
MS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}

Entry = collections.namedtuple("Entry", "ms peak cpu_ms")
Figures = collections.namedtuple("Figures", "mean lowest highest layers")


def family_of(scheme):
    if scheme == "dense":
        return "dense"
    if scheme.startswith("unstructured"):
        return "single"
    return "pattern" if scheme.startswith(("pattern", "connectivity")) else "block"


def kind_of(scheme):
    return scheme.rsplit("-", 1)[0]


def read_runs(folder):
    """(SIMD target, {"op/layer": {(scheme, engine): Entry}}) of every file: one run each, as only such compare."""
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        layers = collections.defaultdict(dict)
        for bench in content.get("benchmarks", []):
            parts = bench.get("run_name", bench["name"]).split("/")
            skipped = bench.get("error_occurred") or bench.get("aggregate_name", "median") != "median"
            if len(parts) != 4 or skipped or bench.get("real_time", 0) <= 0:
                continue
            unit = MS[bench["time_unit"]]
            layers[parts[0] + "/" + parts[1]][parts[2], parts[3]] = Entry(
                bench["real_time"] * unit, bench.get("peak_fraction"), bench.get("cpu_time", 0) * unit)
        yield content.get("context", {}).get("target", ""), layers


def speed_over_onednn(engines, scheme):
    peers = [entry.ms for (weights, engine), entry in engines.items()
             if engine.startswith("onednn") and weights in ("dense", scheme)]
    return min(peers) / engines[scheme, "lacuna"].ms if peers else None


def peak_fraction(engines, scheme):
    return engines[scheme, "lacuna"].peak


def summarise(runs, value_of, takes):
    """{title: {scheme: Figures}}: geometric means; of several runs the one with most layers, the first of equals."""
    main = collections.Counter(target for target, layers in runs if target for _ in layers).most_common(1)
    groups = collections.defaultdict(dict)
    for target, layers in runs:
        for title, pattern in GROUPS:
            if main and target not in ("", main[0][0]):
                title += ", " + target
            values = collections.defaultdict(list)
            for layer, engines in layers.items():
                if not re.match(pattern, layer):
                    continue
                for scheme in {scheme for scheme, engine in engines if engine == "lacuna" and takes(scheme)}:
                    value = value_of(engines, scheme)
                    if value:
                        values[scheme].append(value)
            for scheme, list_ in values.items():
                mean = math.exp(sum(map(math.log, list_)) / len(list_))
                if scheme not in groups[title] or groups[title][scheme].layers < len(list_):
                    groups[title][scheme] = Figures(mean, min(list_), max(list_), len(list_))
    order = [title for title, _ in GROUPS]
    return {title: groups[title] for title in sorted(groups, key=lambda t: (order.index(
        next(o for o in order if t.startswith(o))), t)) if groups[title]}


def style(axes, theme):
    axes.set_facecolor(theme["page"])
    axes.tick_params(colors=theme["muted"], length=0)
    axes.spines["bottom"].set_color(theme["line"])
    axes.grid(axis="x", color=theme["line"], linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)


def new_figure(theme, height):
    figure, axes = plt.subplots(figsize=(WIDTH, height), dpi=100, facecolor=theme["page"])
    style(axes, theme)
    return figure, axes


# Rows of draw_groups, in inches.
STEP, HEADER, GAP = 0.19, 0.24, 0.12


def height_of(schemes):
    return GAP + HEADER + STEP * len(schemes)


def columns_of(groups):
    """The groups, in order, as two columns of about the same height."""
    items = list(groups.items())
    tallest = [max(sum(height_of(schemes) for _, schemes in part) for part in (items[:i], items[i:]))
               for i in range(1, len(items) + 1)]
    first = tallest.index(min(tallest)) + 1
    return [column for column in (items[:first], items[first:]) if column], min(tallest)


def draw_column(theme, axes, column, text_of, title_x):
    """A row for each scheme of a group: the geometric mean, and a line from the lowest to the highest layer."""
    y = 0.0
    right = axes.get_xlim()[1]
    for title, schemes in column:
        y += GAP + HEADER / 2
        layers = max(figures.layers for figures in schemes.values())
        behind = {"facecolor": theme["page"], "edgecolor": "none", "pad": 0.8}  # covers lines of the grid
        axes.text(title_x, y, title, weight="bold", color=theme["text"], va="center", zorder=4, bbox=behind,
                  transform=axes.get_yaxis_transform())
        axes.text(right, y, f"{layers} layer{'s' if layers > 1 else ''}", color=theme["muted"], va="center",
                  ha="right", size=8.5)
        y += HEADER / 2
        for scheme, figures in sorted(schemes.items(), key=lambda item: (item[0] == "dense", -item[1].mean)):
            y += STEP / 2
            colour, family = theme[family_of(scheme)], family_of(scheme)
            axes.plot([figures.lowest, figures.highest], [y, y], color=colour, linewidth=1.6, alpha=0.55,
                      solid_capstyle="butt", zorder=2)
            axes.plot(figures.mean, y, MARKERS[family], color=colour, markersize=6, markeredgewidth=1.5,
                      markerfacecolor=theme["page"] if family == "dense" else colour, zorder=3)
            axes.text(-0.02 * right, y, scheme, color=theme["text"], ha="right", va="center", size=9)
            axes.annotate(text_of(figures.mean), (max(figures.highest, figures.mean), y), xytext=(7, 0),
                          textcoords="offset points", color=theme["text"], va="center", size=9, zorder=4, bbox=behind)
            y += STEP / 2
    axes.set_yticks([])


def draw_groups(theme, groups, text_of, ticks, axis_label, reference=None):
    columns, rows = columns_of(groups)
    top, bottom = 0.42, 0.60
    height = rows + top + bottom
    figure = plt.figure(figsize=(WIDTH, height), dpi=100, facecolor=theme["page"])
    highest = max(figures.highest for schemes in groups.values() for figures in schemes.values())
    for place, column in enumerate(columns):
        left, width = 0.165 + 0.5 * place, 0.32
        axes = figure.add_axes((left, bottom / height, width, rows / height))
        style(axes, theme)
        axes.set_xlim(0, 1.16 * highest)
        axes.set_ylim(rows, 0)
        axes.set_xticks([x for x in ticks if x <= 1.16 * highest])
        axes.xaxis.set_major_formatter(lambda x, _: text_of(x, True))
        draw_column(theme, axes, column, text_of, -(left - 0.5 * place - 0.012) / width)
        if reference:
            axes.axvline(1.0, color=theme["text"], linewidth=1.1, zorder=1)
            axes.annotate(reference, (1.0, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 0),
                          textcoords="offset points", color=theme["text"], ha="center", va="bottom", size=8.5)
    figure.text(0.5, 0.1 / height, axis_label, color=theme["muted"], ha="center", va="bottom", size=9)
    shown = {family_of(scheme) for schemes in groups.values() for scheme in schemes}
    handles = [plt.Line2D([], [], color=theme[family], marker=MARKERS[family], linestyle="", markersize=6,
                          markeredgewidth=1.5, markerfacecolor=theme["page"] if family == "dense" else theme[family],
                          label=name) for family, name in FAMILIES.items() if family in shown]
    figure.legend(handles=handles, loc="upper right", bbox_to_anchor=(0.995, 1.0), ncol=4, frameon=False,
                  labelcolor=theme["muted"], handletextpad=0.2, columnspacing=1.2, fontsize=8.5, borderpad=0.2)
    return figure


def times(x, whole=False):
    return f"{x:.0f}x" if whole else f"{x:.2f}x" if x < 1 else f"{x:.1f}x"


def percent(x, _=False):
    return f"{100 * x:.0f} %"


def speedup(theme, folder):
    groups = summarise(list(read_runs(folder)), speed_over_onednn, lambda scheme: kind_of(scheme) in HEADLINE)
    if not groups:
        return None
    label = "speed over the best of oneDNN, dense weights, one thread; " + MEANING
    return draw_groups(theme, groups, times, range(0, 100, 2), label, reference="oneDNN")


def peak(theme, folder):
    groups = summarise(list(read_runs(folder)), peak_fraction, lambda scheme: True)
    if not groups:
        return None
    label = "useful FLOPs, those of kept weights, over the FMA peak; " + MEANING
    return draw_groups(theme, groups, percent, (0, 0.25, 0.5, 0.75, 1), label)


def read_digits(path):
    """A list of (scheme, accuracy in %, microseconds) for each table that lacuna-digits printed."""
    tables = []
    if not os.path.exists(path):
        return tables
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("scheme "):
                tables.append([])
            row = re.match(r"(\S+) +\d+ of \d+ +\S+x +\d+ of \d+ +(\S+)% +(\S+)$", line)
            if row and tables:
                tables[-1].append((row[1], float(row[2]), float(row[3])))
    return tables


def place_labels(figure, axes, labels, size):
    """Beside its point each, where it overlaps neither another label nor a point."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    points = [axes.transData.transform((x, y)) for x, y, _, _ in labels]
    taken = [matplotlib.transforms.Bbox.from_extents(x - 6, y - 6, x + 6, y + 6) for x, y in points]
    inside = axes.get_window_extent(renderer)
    for number, (x, y, text, colour) in enumerate(labels):
        for dx, dy, ha, va in ((9, 0, "left", "center"), (0, 9, "center", "bottom"), (0, -9, "center", "top"),
                               (-9, 0, "right", "center"), (9, 9, "left", "bottom"), (9, -9, "left", "top"),
                               (-9, -9, "right", "top"), (0, 23, "center", "bottom"), (0, -23, "center", "top")):
            label = axes.annotate(text, (x, y), xytext=(dx, dy), textcoords="offset points", ha=ha, va=va,
                                  color=colour, size=size)
            box = label.get_window_extent(renderer)
            others = taken[:number] + taken[number + 1:]
            if not any(box.overlaps(other) for other in others) and inside.x0 <= box.x0 and box.x1 <= figure.bbox.x1:
                break
            label.remove()
        else:
            label = axes.annotate(text, (x, y), xytext=(9, 0), textcoords="offset points", va="center", color=colour,
                                  size=size)
        taken.append(label.get_window_extent(renderer))


def digits(theme, folder):
    tables = read_digits(os.path.join(folder, "digits.txt"))
    if not tables:
        return None
    figure, axes = new_figure(theme, 3.9)
    figure.subplots_adjust(left=0.1, right=0.97, top=0.9, bottom=0.14)
    labels, handles = [], []
    every = [row for table in tables for row in table]
    axes.set_xlim(0, max(us for _, _, us in every) * 1.12)
    axes.set_ylim(min(accuracy for _, accuracy, _ in every) - 0.25, 100.15)
    for table, colour, marker, name in zip(tables, (theme["block"], theme["pattern"]), "os",
                                           ("convolutional network", "GRU")):
        clusters = []
        for scheme, accuracy, us in sorted(table, key=lambda row: row[2]):
            axes.plot(us, accuracy, marker, color=colour, markersize=7, zorder=3,
                      markerfacecolor=theme["page"] if scheme == "dense" else colour, markeredgewidth=1.6)
            near = next((c for c in clusters if c[1] == accuracy and abs(c[0] - us) < 0.015 * axes.get_xlim()[1]), None)
            if near:
                near[2] += "\n" + scheme
            else:
                clusters.append([us, accuracy, scheme])
        labels += [(*cluster, theme["text"]) for cluster in clusters]
        handles.append(plt.Line2D([], [], color=colour, marker=marker, linestyle="", markersize=7, label=name))
    axes.grid(color=theme["line"], linewidth=0.6)
    axes.yaxis.set_major_locator(matplotlib.ticker.MultipleLocator(0.5))
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:.1f} %")
    axes.set_xlabel("microseconds for an image, one thread; hollow: dense", color=theme["muted"], labelpad=6)
    axes.set_title("held-out images right", color=theme["muted"], size=9.5, loc="left", pad=8)
    figure.legend(handles=handles, loc="upper right", bbox_to_anchor=(0.975, 1.0), ncol=2, frameon=False,
                  labelcolor=theme["muted"], handletextpad=0.3, fontsize=9)
    place_labels(figure, axes, labels, 9)
    return figure


def compile_cost(theme, folder):
    seconds = {}
    for _, layers in read_runs(folder):
        for case in CASES:
            for (way, _), entry in layers.get("compile/" + case, {}).items():
                seconds[case, way] = entry.cpu_ms / 1e3
    cases = [case for case in CASES if any(key[0] == case for key in seconds)]
    if not cases:
        return None
    figure, axes = new_figure(theme, 0.62 * len(cases) + 0.95)
    figure.subplots_adjust(left=0.2, right=0.95, top=1 - 0.34 / figure.get_figheight(),
                           bottom=0.55 / figure.get_figheight())
    colours = {"header_only": theme["pattern"], "compiled": theme["block"]}
    longest = max(seconds.values())
    for number, case in enumerate(cases):
        for place, way in enumerate(WAYS):
            if (case, way) not in seconds:
                continue
            y, value = number + 0.3 * (place - 0.5), seconds[case, way]
            axes.barh(y, value, height=0.27, color=colours[way], zorder=2)
            axes.text(value + 0.01 * longest, y, f"{value:.1f} s", color=theme["text"], va="center", size=9)
    axes.set_xlim(0, longest * 1.1)
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.set_yticks(range(len(cases)), [CASES[case] for case in cases], size=9)
    axes.tick_params(axis="y", colors=theme["text"])
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, integer=True))
    axes.set_xlabel("seconds of CPU to compile one unit, -O2", color=theme["muted"], labelpad=6)
    handles = [plt.Rectangle((0, 0), 1, 1, color=colours[way], label=name) for way, name in WAYS.items()]
    figure.legend(handles=handles, loc="upper right", bbox_to_anchor=(0.955, 1.0), ncol=2, frameon=False,
                  labelcolor=theme["muted"], fontsize=9, handlelength=1.0, handleheight=0.9, borderpad=0.2)
    return figure


def read_frontiers(folder):
    """{network: rows of lacuna-frontier, dense first}."""
    frontiers = {}
    for path in sorted(glob.glob(os.path.join(folder, "frontier_*.csv"))):
        with open(path, encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["way"] in ("dense", "calibrated")]
        if rows:
            frontiers[os.path.basename(path)[len("frontier_"):-len(".csv")]] = rows
    return frontiers


def frontier(theme, folder):
    """Accuracy, where there are labels, or agreement with the dense network, over milliseconds and over the rate."""
    frontiers = read_frontiers(folder)
    if not frontiers:
        return None
    height = 3.0 * len(frontiers) + 0.4
    figure, grid = plt.subplots(len(frontiers), 2, figsize=(WIDTH, height), dpi=100, facecolor=theme["page"],
                                squeeze=False)
    figure.subplots_adjust(left=0.09, right=0.84, top=1 - 0.45 / height, bottom=0.55 / height, wspace=0.2, hspace=0.5)
    for (network, rows), axes_of in zip(frontiers.items(), grid):
        known = rows[0]["accuracy"] != ""
        column = "accuracy" if known else "agreement"
        lines = collections.defaultdict(list)
        for row in rows[1:]:
            lines[kind_of(row["scheme"])].append(row)
        dense_ms, dense_value = float(rows[0]["ms"]), 100 * float(rows[0][column])
        for axes, x in zip(axes_of, ("ms", "weights_rate")):
            style(axes, theme)
            axes.grid(color=theme["line"], linewidth=0.6)
            axes.set_ylim(dense_value - 14, dense_value + 1.5)  # what loses more is of no use
            used = collections.Counter()
            for scheme, points in lines.items():
                family = family_of(scheme)
                axes.plot([float(row[x]) for row in points], [100 * float(row[column]) for row in points],
                          color=theme[family], marker="osv^D<>"[used[family] % 7], markersize=4.5, linewidth=1.1,
                          label=scheme, zorder=3)
                used[family] += 1
            axes.plot(dense_ms if x == "ms" else 1, dense_value, "o", color=theme["dense"], markerfacecolor=theme["page"],
                      markersize=7, markeredgewidth=1.6, zorder=4, label="dense")
            if x == "ms":
                axes.axvline(dense_ms, color=theme["dense"], linewidth=0.9, linestyle=":", zorder=1)
                axes.set_xlim(left=0)
            else:
                axes.set_xscale("log", base=2)
                axes.xaxis.set_major_formatter(lambda rate, _: f"{rate:g}x")
            axes.yaxis.set_major_formatter(lambda y, _: f"{y:.0f} %")
            axes.set_xlabel("milliseconds, dotted: dense" if x == "ms" else "dense weights over kept weights",
                            color=theme["muted"], labelpad=4, size=8.5)
        axes_of[0].set_title(f"{network}: " + ("accuracy" if known else "agreement with the dense network"),
                             color=theme["text"], size=9.5, loc="left", pad=6)
    handles, names = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="center left", bbox_to_anchor=(0.845, 0.5), frameon=False,
                  labelcolor=theme["muted"], fontsize=8.5)
    return figure


PLOTS = {"speedup": (speedup, "conv2d, conv3d or gemm .json with engines lacuna and onednn*"),
         "peak": (peak, "conv2d, conv3d or gemm .json"), "digits": (digits, "digits.txt"),
         "compile": (compile_cost, "compile_time.json"),
         "frontier": (frontier, "frontier_*.csv")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.path.join(HERE, "data"))
    parser.add_argument("--out", default=os.path.join(HERE, "plots"))
    parser.add_argument("--png", action="store_true", help="PNG besides, to look at")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    for name, (draw, needs) in PLOTS.items():
        for theme, colours in THEMES.items():
            figure = draw(colours, args.data)
            if figure is None:
                print(f"{name}: left out, {args.data} has no {needs}", file=sys.stderr)
                break
            path = os.path.join(args.out, f"{name}_{theme}")
            figure.savefig(path + ".svg", facecolor=colours["page"], metadata={"Date": None, "Creator": None})
            if args.png:
                figure.savefig(path + ".png", facecolor=colours["page"], dpi=100)
            plt.close(figure)
            print(path + ".svg")


main()
