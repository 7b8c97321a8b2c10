#!/usr/bin/python3
"""Times whole networks in 8 bits: lacuna, dense and pruned, beside ONNX Runtime on the same quantised dense model.

A network is pruned by lacuna-prune, every Conv but depthwise ones and the first, quantised by lacuna-quantize (ranges of
Gaussian inputs: weights are random), and run by lacuna-run; ONNX Runtime runs the dense model that lacuna-quantize
wrote. Processes take turns; every figure is the median of their medians. lacuna in floats stands beside them.

Writes Google Benchmark's JSON, network_i8/<network>/<scheme>/<engine>.
"""

import argparse
import json
import os
import re
import statistics
import sys

from networks import PRUNED, ROOT, Bench, run

NETWORKS = ["resnet50", "mobilenet_v2"]
SCHEMES = ["bcr_kernel_c4-8x", "bcr_col_c4-8x", "block_8x4_c4-8x"]


class Int8Bench(Bench):
    def tool(self, name, *arguments):
        return run([f"{self.options.binaries}/{name}", *arguments], self.cores) is not None

    def model(self, network, scheme, quantised):
        """The network as a file; None if a tool failed."""
        path = f"{ROOT}/build/bench/{network}_{scheme}{'_i8' if quantised else ''}.onnx"
        if path in self.written:
            return path
        if quantised:
            pruned = self.model(network, scheme, False)
            made = pruned is not None and self.tool("lacuna-quantize", pruned, path)
        elif scheme == "dense":
            made = self.tool("lacuna-prune", network, path, "--scheme", "unstructured-1x")
        else:
            made = self.tool("lacuna-prune", network, path, "--scheme", scheme, "--layers", PRUNED, "--skip-first")
        if not made:
            self.failed = True
            return None
        self.written.add(path)
        return path

    def time(self, model, *options):
        report = os.path.join(self.folder.name, "run.json")
        command = ["lacuna-run", model, "--repeat", str(self.options.repeat), "--threads", str(self.options.threads),
                   "--json", report, *options]
        if not self.tool(*command):
            self.failed = True
            return []
        with open(report, encoding="utf-8") as file:
            return [json.load(file)["total"]["run_ms"]]

    def peer(self, model):
        text = run(["node", f"{ROOT}/examples/models/ort.mjs", model, "--threads", str(self.options.threads), "--time",
                    str(self.options.repeat)], self.cores)
        found = re.search(r"^median ([0-9.]+) ms", text or "", re.M)
        return [float(found[1])] if found else []

    def network(self, name, schemes):
        times = {}
        for _ in range(self.options.turns):
            for scheme in ["dense", *schemes]:
                model = self.model(name, scheme, True)
                if model is None:
                    continue
                times.setdefault((scheme, "lacuna"), []).extend(self.time(model))
                times.setdefault((scheme, "lacuna_f32"), []).extend(
                    self.time(self.model(name, scheme, False), "--scheme", "stored"))
                if scheme == "dense":
                    times.setdefault((scheme, "onnxruntime"), []).extend(self.peer(model))
        median = {key: statistics.median(values) for key, values in times.items() if values}
        peer = median.get(("dense", "onnxruntime"))
        print(f"\n{name}: ONNX Runtime, 8 bits: {f'{peer:.2f} ms' if peer else '-'}")
        print(f"  {'scheme':<20} {'8 bits, ms':>11} {'floats, ms':>11} {'over floats':>12} {'over ORT':>9}")
        for scheme in ["dense", *schemes]:
            own, floats = median.get((scheme, "lacuna")), median.get((scheme, "lacuna_f32"))
            if own is None or floats is None:
                continue
            print(f"  {scheme:<20} {own:11.2f} {floats:11.2f} {floats / own:11.2f}x"
                  f" {(f'{peer / own:8.2f}x' if peer else '-'):>9}")
        for (scheme, engine), values in times.items():
            if values:
                self.add(f"network_i8/{name}/{scheme}/{engine}", values)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=NETWORKS, help="built-in networks")
    parser.add_argument("--schemes", default=",".join(SCHEMES), help="separated by commas")
    parser.add_argument("--repeat", type=int, default=9, help="runs of a network in a process")
    parser.add_argument("--turns", type=int, default=3, help="processes of each engine")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--binaries", default=f"{ROOT}/build/release/examples", help="folder of lacuna-run")
    parser.add_argument("--out", default=f"{ROOT}/build/bench/networks_i8.json")
    options = parser.parse_args()
    options.peak = 1.0  # no fraction of it is printed
    os.makedirs(os.path.dirname(options.out), exist_ok=True)
    bench = Int8Bench(options)
    for network in options.networks or NETWORKS:
        bench.network(network, [scheme for scheme in options.schemes.split(",") if scheme])
        bench.write()
    print(f"\nJSON: {options.out}")
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
