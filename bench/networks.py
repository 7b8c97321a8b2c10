#!/usr/bin/python3
"""Times whole networks: lacuna dense and pruned beside ONNX Runtime on the same model, one after the other.

For each network, scheme and rate one lacuna-run takes turns between the pruned and the dense network in one process;
ONNX Runtime (its own kernels on the dense model: zeros do not make it faster) runs in a process of its own between
them. Every figure is a median; of what ran in several processes, the median of their medians.

Layers pruned: every Conv but depthwise ones and the first, Gemm and MatMul, recurrent layers; at "usual" those and the
rate that are usual for the network (FLOPs of all convolutions). "best-Rx" is the fastest structured scheme at a rate,
its name in the label.

Writes Google Benchmark's JSON, network/<network>/<scheme>-<rate>x/<engine>, and prints two tables: speed, and where the
time of the dense network and of its fastest pruned one goes by kind of layer. "of ideal" is the time that the
multiply-adds of the kept weights take at the measured FMA peak over the time of the run.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

NETWORKS = ["vgg16", "resnet18", "resnet50", "mobilenet_v2", "yolov4_tiny", "c3d", "r2plus1d", "s3d", "gru_timit"]
# What lacuna-run --flops-rate usual takes.
USUAL = {"c3d": 3.6, "r2plus1d": 3.2, "s3d": 2.1}
STRUCTURED = ["bcr_col", "bcr_kernel", "punched", "pattern", "block_8x1"]
UNSTRUCTURED = ["unstructured"]
# By name: built-in networks call their depthwise layers so.
PRUNED = "^(?!.*depthwise)"
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filter", nargs="?", default=".",
                        help="regular expression over names like network/vgg16/bcr_col-8x")
    parser.add_argument("--schemes", default=",".join(STRUCTURED + UNSTRUCTURED), help="separated by commas")
    parser.add_argument("--rates", default="2,4,8,usual", help="separated by commas")
    parser.add_argument("--repeat", type=int, default=9, help="runs of a network in a process")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--binaries", default=f"{ROOT}/build/release/examples", help="folder of lacuna-run")
    parser.add_argument("--peak", type=float, help="GFLOP/s of a core; measured by peak_bench unless given")
    parser.add_argument("--out", default=f"{ROOT}/build/bench/networks.json")
    options = parser.parse_args()
    try:
        re.compile(options.filter)
    except re.error as error:
        parser.error(f"filter is '{options.filter}', no regular expression: {error}")
    return options


def run(command, cores):
    """What the command prints; None if it fails, after its last words on standard error."""
    done = subprocess.run(["taskset", "-c", cores, *command], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout
    print(f"networks.py: {' '.join(command)}: {done.stderr.strip()[-300:]}", file=sys.stderr)
    return None


class Bench:
    def __init__(self, options):
        self.options = options
        last = os.cpu_count() - 1
        self.cores = f"{max(0, last + 1 - options.threads)}-{last}"
        self.folder = tempfile.TemporaryDirectory()
        self.benchmarks = []
        self.written = set()  # networks whose ONNX file is of this run
        self.failed = False
        self.peak = options.peak or self.measured_peak()

    def measured_peak(self):
        path = os.path.join(self.folder.name, "peak.json")
        if run([f"{ROOT}/build/release/bench/peak_bench", f"--benchmark_out={path}"], self.cores) is None:
            sys.exit("networks.py: no FMA peak; give --peak")
        with open(path, encoding="utf-8") as file:
            return max(entry.get("gflops", 0.0) for entry in json.load(file)["benchmarks"])

    def onnx(self, network):
        """The network as a file for other engines, dense: pruned to nothing less."""
        path = f"{ROOT}/build/bench/{network}.onnx"
        if network not in self.written:
            run([f"{self.options.binaries}/lacuna-prune", network, path, "--scheme", "unstructured-1x"], self.cores)
            self.written.add(network)
        return path

    def onnxruntime(self, network):
        text = run(["node", f"{ROOT}/examples/models/ort.mjs", self.onnx(network), "--threads",
                    str(self.options.threads), "--time", str(self.options.repeat)], self.cores)
        found = re.search(r"^median ([0-9.]+) ms", text or "", re.M)
        return float(found[1]) if found else None

    def lacuna(self, network, scheme, rate):
        """The report of lacuna-run on the pruned network and on the dense one; the latter alone without a scheme."""
        path = os.path.join(self.folder.name, "run.json")
        command = [f"{self.options.binaries}/lacuna-run", network, "--repeat", str(self.options.repeat), "--threads",
                   str(self.options.threads), "--json", path]
        if scheme:
            command += ["--compare", "dense", "--scheme", scheme]
            command += ["--flops-rate", "usual"] if rate == "usual" else ["--rate", rate, "--layers", PRUNED]
        if run(command, self.cores) is None:
            return None
        with open(path, encoding="utf-8") as file:
            return json.load(file)

    def add(self, name, times, label="", **counters):
        median = statistics.median(times)
        self.benchmarks.append({
            "name": f"{name}_median", "run_name": name, "run_type": "aggregate", "repetitions": len(times),
            "threads": self.options.threads, "aggregate_name": "median", "aggregate_unit": "time",
            "iterations": self.options.repeat, "real_time": median, "cpu_time": median, "time_unit": "ms",
            **({"label": label} if label else {}), **counters})
        return median

    def network(self, name, cases):
        dense_times, peer_times, reports = [], [], {}
        first = self.lacuna(name, None, None)
        if first is None:
            self.failed = True
            return
        dense_times.append(first["total"]["run_ms"])
        for scheme, rate in cases:
            if len(peer_times) < 5:
                peer_times += [t for t in [self.onnxruntime(name)] if t]
            report = self.lacuna(name, scheme, rate)
            if report is None:
                self.failed = True
                continue
            reports[scheme, rate] = report
            dense_times.append(report["total"]["dense_run_ms"])
        if not peer_times:
            peer_times += [t for t in [self.onnxruntime(name)] if t]
        dense = self.add(f"network/{name}/dense/lacuna", dense_times, of_ideal=self.ideal(first) / dense_times[0])
        print(f"\n{name}: dense {dense:.2f} ms ({min(dense_times):.2f} to {max(dense_times):.2f})", end="")
        peer = None
        if peer_times:
            peer = self.add(f"network/{name}/dense/onnxruntime", peer_times)
            print(f", ONNX Runtime {peer:.2f} ms ({min(peer_times):.2f} to {max(peer_times):.2f}),"
                  f" {peer / dense:.2f}x", end="")
        print(f"\n  {'scheme':<20} {'ms':>9} {'over dense':>11} {'over ORT':>9} {'of ideal':>9} {'FLOPs':>7}")
        best = {}
        for (scheme, rate), report in reports.items():
            # Dense and pruned of one process: the ratio is theirs.
            ms, own_dense = report["total"]["run_ms"], report["total"]["dense_run_ms"]
            number = f"{USUAL[name]:g}" if rate == "usual" else rate
            ideal, flops = self.ideal(report) / ms, self.flops(report, "dense_flops") / max(1, self.flops(report))
            self.add(f"network/{name}/{scheme}-{number}x/lacuna", [ms], of_ideal=ideal, over_dense=own_dense / ms)
            print(f"  {scheme + '-' + number + 'x':<20} {ms:9.2f} {own_dense / ms:10.2f}x"
                  f" {(f'{peer / ms:8.2f}x' if peer else '-'):>9} {ideal:9.2f} {flops:6.2f}x")
            if scheme in STRUCTURED and (number not in best or ms < best[number][1]):
                best[number] = (own_dense / ms, ms, scheme, report)
        for number, (ratio, ms, scheme, _) in best.items():
            self.add(f"network/{name}/best-{number}x/lacuna", [ms], label=scheme, over_dense=ratio)
            print(f"  best-{number + 'x':<15} {ms:9.2f} {ratio:10.2f}x  ({scheme})")
        fastest = min(best.values(), key=lambda entry: entry[1], default=None)
        self.kinds(first, "dense")
        if fastest:
            self.kinds(fastest[3], fastest[2])

    @staticmethod
    def flops(report, which="flops"):
        total = 0.0
        for layer in report["layers"]:
            for part in layer.get("products") or [layer]:
                dense = part.get("dense_flops", 0.0)
                total += dense * (part["nnz"] / part["weights"] if which == "flops" and part.get("weights") else 1.0)
        return total

    def ideal(self, report):
        return self.flops(report) / (self.peak * 1e6 * self.options.threads)

    @staticmethod
    def kinds(report, title):
        """Where the time goes: a line of shares."""
        share = {}
        for layer in report["layers"]:
            kind = layer["op"]
            if kind == "Conv":  # its shape is "filters x channels of a group x kernel", and more
                extents = layer["shape"].split()[0].split("x")
                kind = f"Conv {'x'.join(extents[2:])}" + (" depthwise" if extents[1] == "1" else "")
            share[kind] = share.get(kind, 0.0) + layer.get("ms", 0.0)
        total = sum(share.values()) or 1.0
        parts = sorted(share.items(), key=lambda entry: -entry[1])
        print(f"  {title}: " + ", ".join(f"{kind} {ms:.2f} ms ({100 * ms / total:.0f} %)" for kind, ms in parts[:6]))

    def write(self):
        context = {"executable": "bench/networks.py", "num_cpus": os.cpu_count(), "fma_peak_gflops": self.peak,
                   "threads": self.options.threads}
        with open(self.options.out, "w", encoding="utf-8") as file:
            json.dump({"context": context, "benchmarks": self.benchmarks}, file, indent=1)


def case(network, scheme, rate):
    return f"network/{network}/{scheme}-{rate}{'' if rate == 'usual' else 'x'}"


def main():
    options = arguments()
    for folder in (os.path.dirname(os.path.abspath(options.out)), f"{ROOT}/build/bench"):
        os.makedirs(folder, exist_ok=True)
    selected = {network: [(scheme, rate) for rate in options.rates.split(",") for scheme in options.schemes.split(",")
                          if (rate != "usual" or network in USUAL) and re.search(options.filter, case(network, scheme, rate))]
                for network in NETWORKS}
    if not any(selected.values()):
        sys.exit(f"networks.py: filter is '{options.filter}', which matches nothing like {case('vgg16', 'bcr_col', '8')}")
    bench = Bench(options)
    print(f"FMA peak {bench.peak:.1f} GFLOP/s a core, {options.threads} thread(s)")
    for network, cases in selected.items():
        if cases:
            bench.network(network, cases)
            bench.write()
    print(f"\nJSON: {options.out}")
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
