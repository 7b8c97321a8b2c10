#!/usr/bin/env python3
"""Lines and branches of a folder that tests reached, of llvm-cov's JSON export.

llvm-cov's own summary counts each instance of a template by itself, or the best of them. Here a region counts as reached
if it was in any instance, on any SIMD target.
"""

import argparse
import collections
import json
import pathlib
import sys

# Per cent, of the whole folder; raised as coverage rises.
GATE_LINES = 95.0
GATE_BRANCHES = 85.0

GAP, CODE = 3, 0  # kinds of regions


def merged(functions, root):
    """{file: ({region: count}, {branch: [true count, false count]})} of files below root."""
    files = collections.defaultdict(lambda: (collections.defaultdict(int), {}))
    for function in functions:
        for region in function["regions"]:
            line, column, end_line, end_column, count, file_id, _, kind = region
            name = function["filenames"][file_id]
            if kind == CODE and root in name:
                files[name][0][(line, column, end_line, end_column)] += count
        for branch in function.get("branches", []):
            line, column, end_line, end_column, taken, not_taken, file_id = branch[:7]
            name = function["filenames"][file_id]
            if root in name:
                counts = files[name][1].setdefault((line, column, end_line, end_column), [0, 0])
                counts[0] += taken
                counts[1] += not_taken
    return files


def lines_of(regions):
    """{line: reached}: a line is what the innermost region that covers it is."""
    lines = {}
    size = {}
    for (line, column, end_line, end_column), count in regions.items():
        extent = (end_line - line, end_column - column if end_line == line else 0)
        for at in range(line, end_line + 1):
            if at not in size or extent < size[at]:
                size[at] = extent
                lines[at] = count > 0
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gate", action="store_true")
    parser.add_argument("--missing", action="store_true", help="print every line and branch that was not reached")
    parser.add_argument("json")
    parser.add_argument("folder")
    arguments = parser.parse_args()
    root = str(pathlib.Path(arguments.folder).resolve()) + "/"
    with open(arguments.json, encoding="utf-8") as file:
        functions = json.load(file)["data"][0]["functions"]
    totals = collections.defaultdict(lambda: [0, 0, 0, 0])
    files = merged(functions, root)
    if not files:
        sys.exit(f"coverage.py: nothing of {root} in {arguments.json}")
    for name, (regions, branches) in sorted(files.items()):
        lines = lines_of(regions)
        sides = [count for counts in branches.values() for count in counts]
        relative = name[len(root):]
        if arguments.missing:
            for line in sorted(line for line, reached in lines.items() if not reached):
                print(f"{relative}:{line}")
            for (line, column, *_), (taken, not_taken) in sorted(branches.items()):
                if (taken == 0) != (not_taken == 0):
                    print(f"{relative}:{line}:{column}: never {'true' if taken == 0 else 'false'}")
        for key in (relative.split("/")[0] if "/" in relative else ".", "all"):
            total = totals[key]
            total[0] += sum(lines.values())
            total[1] += len(lines)
            total[2] += sum(count > 0 for count in sides)
            total[3] += len(sides)
    percent = lambda part, whole: 100.0 * part / whole if whole else 100.0
    print(f"{'folder':<12} {'lines':>8} {'reached':>8} {'branches':>9} {'reached':>8}")
    for key in sorted(totals, key=lambda key: (key == "all", key)):
        reached, lines, sides, branches = totals[key]
        print(f"{key:<12} {lines:>8} {percent(reached, lines):>7.1f}% {branches:>9} {percent(sides, branches):>7.1f}%")
    reached, lines, sides, branches = totals["all"]
    if arguments.gate and (percent(reached, lines) < GATE_LINES or percent(sides, branches) < GATE_BRANCHES):
        sys.exit(f"coverage.py: the gate is {GATE_LINES} % of the lines and {GATE_BRANCHES} % of the branches")


if __name__ == "__main__":
    main()
