#!/usr/bin/env python3
"""What including lacuna costs: compiler seconds and memory of the units in tests/compile_time/.

Usage: tests/compile_time.py [--compiler g++-12] [--repeat 5] [--json FILE] [--details]
Each unit is compiled with -O2, cases and ways in turn, so that a machine that slows down slows all. Written to FILE in
Google Benchmark's form: compile/<case>/<way>/lacuna, real_time of the compiler. Prints only: machines differ.
--details adds where the seconds go: parts of the header-only unit, and phases by -ftime-report.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CASES = ("conv", "umbrella", "prune")
WAYS = {"header_only": [], "compiled": ["-DLACUNA_COMPILED"]}
# What a header-only unit is made of, from the outside in: each line adds to the one before.
PARTS = (
    ("highway.h, all targets", '#define HWY_TARGET_INCLUDE "{tmp}/one.h"\n#include "hwy/foreach_target.h"\n'
                               '#include "hwy/highway.h"\n'),
    ("lacuna/kernels.h", "#include <lacuna/kernels.h>\n"),
    ("lacuna/conv.h", "#include <lacuna/conv.h>\n"),
)
# Kernels of all targets, one family at a time, besides lacuna/kernels.h.
FAMILIES = {
    "panels": "PanelKernels<DefaultPolicy::template Tile<{t}::Target>>::kKernels",
    "patterns": "PatternKernels<DefaultPolicy::template Patterns<{t}::Target>>::kKernels",
    "depthwise": "RunDepthwise",
    "depthwise, planar": "DepthwisePlanes<DefaultPolicy>",
    "store": "StoreOutput",
    "pack_input": "PackInput",
}


def highway_flags():
    found = subprocess.run(["pkg-config", "--cflags", "libhwy"], capture_output=True, text=True)
    return found.stdout.split() if found.returncode == 0 else []


def compile_once(compiler, source, flags, extra=()):
    """Wall seconds, CPU seconds and peak bytes of one compilation."""
    with tempfile.NamedTemporaryFile(suffix=".o") as out:
        begin = time.monotonic()
        process = subprocess.Popen([compiler, *flags, *extra, "-c", source, "-o", out.name],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin
        if status != 0:
            sys.exit(process.stderr.read().decode())
    return seconds, usage.ru_utime, usage.ru_maxrss * 1024


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def details(args, flags):
    targets = subprocess.run(
        [args.compiler, *flags, "-E", "-P", "-x", "c++", "-"], capture_output=True, text=True,
        input='#include "hwy/detect_targets.h"\n#if HWY_ARCH_X86\nSCALAR AVX2 AVX3\n#else\nSCALAR NEON\n#endif\n')
    names = ["N_" + name for name in targets.stdout.split()]
    print(f"\nwhere a header-only unit's seconds go ({len(names)} SIMD targets)")
    with tempfile.TemporaryDirectory() as tmp:
        write(f"{tmp}/one.h", '#include "hwy/highway.h"\n')
        for name, text in PARTS:
            write(f"{tmp}/part.cc", text.format(tmp=tmp))
            seconds = min(compile_once(args.compiler, f"{tmp}/part.cc", flags)[1] for _ in range(args.repeat))
            print(f"  {name:31} {seconds:6.2f} s")
        for name, expression in FAMILIES.items():
            body = "".join(f"(const void*)&{t}::{expression.format(t=t)}, " for t in names)
            write(f"{tmp}/part.cc",
                  "#include <lacuna/kernels.h>\nnamespace lacuna::inline LACUNA_ABI { inline namespace LACUNA_BASELINE {\n"
                  f"extern const void* const table[];\nconst void* const table[] = {{{body}}};\n}} }}\n")
            seconds = min(compile_once(args.compiler, f"{tmp}/part.cc", flags)[1] for _ in range(args.repeat))
            print(f"  kernels.h and {name:17} {seconds:6.2f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default=os.environ.get("CXX", "g++-12"))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json")
    parser.add_argument("--details", action="store_true")
    args = parser.parse_args()
    flags = ["-std=c++20", "-O2", f"-I{ROOT}/include", *highway_flags()]
    runs = {(case, way): [] for case in CASES for way in WAYS}
    for _ in range(args.repeat):
        for case, way in runs:
            source = f"{ROOT}/tests/compile_time/{case}.cc"
            runs[case, way].append(compile_once(args.compiler, source, flags, WAYS[way]))
    print(f"compile time, {args.compiler} -O2, median of {args.repeat} (spread)")
    results = []
    for (case, way), samples in runs.items():
        wall, cpu, memory = zip(*samples)
        print(f"  {case:9} {way:12} {statistics.median(wall):6.2f} s ({min(wall):.2f} to {max(wall):.2f}), "
              f"{statistics.median(cpu):6.2f} s of CPU, {max(memory) / 2**20:5.0f} MiB")
        name = f"compile/{case}/{way}/lacuna"
        results.append({
            "name": f"{name}_median", "run_name": name, "run_type": "aggregate", "aggregate_name": "median",
            "repetitions": args.repeat, "threads": 1, "iterations": args.repeat,
            "real_time": statistics.median(wall) * 1e9, "cpu_time": statistics.median(cpu) * 1e9, "time_unit": "ns",
            "peak_bytes": max(memory)})
    if args.json:
        os.makedirs(os.path.dirname(os.path.abspath(args.json)), exist_ok=True)
        write(args.json, json.dumps({"context": {"executable": "tests/compile_time.py", "compiler": args.compiler,
                                                 "num_cpus": os.cpu_count()}, "benchmarks": results}, indent=1) + "\n")
    if args.details:
        details(args, flags)


main()
