#!/usr/bin/env python3
"""Times pruned layers inside ONNX Runtime, by its own profile, beside the same layers in lacuna-run; then the networks.

Usage: layers.py BUILD-FOLDER [--network resnet18] [--scheme bcr_col-8x] [--runs 40]

BUILD-FOLDER has examples/lacuna-prune and integrations/onnxruntime. One thread; medians over the runs, both engines in
turn, so that what else the machine does meets both.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests"))

import numpy as np

import engine


def profiled_layers(session):
    """Milliseconds of each operator of lacuna, all runs, by the node's name."""
    path = session.end_profile()
    with open(path, encoding="utf-8") as file:
        events = json.load(file)
    os.remove(path)
    layers = {}
    for event in events:
        name = event["name"].removesuffix("_kernel_time")
        if name != event["name"] and event.get("args", {}).get("op_name") in ("Conv", "Gemm", "GRU"):
            layers.setdefault(name, []).append(event["dur"] / 1000)
    return layers


def milliseconds(run):
    begin = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--network", default="resnet18", help="a built-in network of lacuna-run, or an ONNX file")
    parser.add_argument("--scheme", default="bcr_col-8x")
    parser.add_argument("--runs", type=int, default=40)
    arguments = parser.parse_args()
    tools = os.path.join(arguments.build, "examples")
    operators = os.path.join(arguments.build, "integrations", "onnxruntime", "liblacuna_onnxruntime.so")
    if engine.library_path() is None:
        sys.exit("layers.py: no ONNX Runtime; examples/models/fetch.sh --ort-only brings it")
    ort = engine.Engine(engine.library_path())
    with tempfile.TemporaryDirectory() as folder:
        pruned, custom, report = (os.path.join(folder, name) for name in ("pruned.onnx", "custom.onnx", "run.json"))
        prune = [os.path.join(tools, "lacuna-prune")]
        subprocess.run(prune + [arguments.network, pruned, "--scheme", arguments.scheme, "--skip-first"], check=True,
                       stdout=subprocess.DEVNULL)
        said = subprocess.run(prune + [pruned, custom, "--scheme", "stored", "--emit", "ort-custom"], check=True,
                              capture_output=True, text=True).stdout
        names = {line.split()[0] for line in said.splitlines() if " lacuna." in line}
        x = np.random.default_rng(1).normal(size=(1, 3, 224, 224)).astype(np.float32)
        plain = engine.Session(ort, pruned).bind([x])
        session = engine.Session(ort, custom, operators, profile=os.path.join(folder, "profile"))
        profiled = session.bind([x])
        quiet = engine.Session(ort, custom, operators).bind([x])
        times = {"ONNX Runtime": [], "with lacuna's operators": []}
        mine, whole = {}, []
        for turn in range(4):
            for _ in range(arguments.runs // 4):
                times["ONNX Runtime"].append(milliseconds(plain))
                times["with lacuna's operators"].append(milliseconds(quiet))
                profiled()
            subprocess.run([os.path.join(tools, "lacuna-run"), pruned, "--scheme", "stored", "--repeat",
                            str(max(5, arguments.runs // 4)), "--json", report], check=True, stdout=subprocess.DEVNULL)
            with open(report, encoding="utf-8") as file:
                data = json.load(file)
            for layer in data["layers"]:
                mine.setdefault(layer["name"], []).append(layer["ms"])
            whole.append(data["total"]["run_ms"])
        theirs = {name: values for name, values in profiled_layers(session).items() if name in names}
    print(f"{arguments.network} {arguments.scheme}, ONNX Runtime {ort.version}, one thread")
    print(f"{'layer':32} {'ORT ms':>9} {'lacuna ms':>9}")
    sums = [0.0, 0.0]
    for name, values in theirs.items():
        pair = statistics.median(values), statistics.median(mine[name])
        sums = [a + b for a, b in zip(sums, pair)]
        print(f"{name:32} {pair[0]:9.3f} {pair[1]:9.3f}")
    print(f"{'pruned layers':32} {sums[0]:9.3f} {sums[1]:9.3f}   {sums[0] / sums[1]:.2f}x")
    for name, values in [*times.items(), ("lacuna-run", whole)]:
        values.sort()
        print(f"whole network, {name:24} {statistics.median(values):8.2f} ms ({values[0]:.2f} to {values[-1]:.2f})")


main()
