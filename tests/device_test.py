#!/usr/bin/python3
"""Tests of bench/run-on-device.sh and device.sh with an adb that is a script and a /sys that is a folder, and of
bench/report.py: device_test.py"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Runs "shell" commands in a folder that stands for the phone; /data/local/tmp lies in it.
ADB = r"""#!/bin/bash
set -euo pipefail
phone=$FAKE_PHONE
there() { echo "$phone/${1#/data/local/tmp/}"; }
case $1 in
  get-state) echo "${FAKE_STATE:-device}" ;;
  shell)
    shift
    if [[ $* == getprop* ]]; then printf 'Pixel 9 Pro\r\n'; exit; fi
    SYSFS=$FAKE_SYSFS bash -c "${*//\/data\/local\/tmp/$phone}" ;;
  push) shift; target=$(there "${@: -1}"); mkdir -p "$target"; cp "${@:1:$#-1}" "$target" ;;
  pull) cp "$(there "$2")" "$3" ;;
  *) echo "no such command: $1" >&2; exit 1 ;;
esac
"""

# Writes what Google Benchmark would, with its contexts, and what it was called with.
PROGRAM = r"""#!/usr/bin/python3
import json, sys
out = [a.split("=", 1)[1] for a in sys.argv if a.startswith("--benchmark_out=")][0]
context = dict(a.split("=", 1)[1].split("=", 1) for a in sys.argv if a.startswith("--benchmark_context="))
context["arguments"] = [a for a in sys.argv[1:] if not a.startswith(("--benchmark_out", "--benchmark_context"))]
json.dump({"context": context, "benchmarks": [
    {"name": f"conv2d/vgg16.conv3_2/{scheme}/lacuna", "real_time": time, "cpu_time": time, "time_unit": "ms", "useful_gflops": 5.0}
    for scheme, time in (("dense", 80.0), ("bcr_col-8x", 16.0))]}, open(out, "w"))
sys.exit(3 if "--fail" in sys.argv else 0)
"""


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


class Device(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        for name in ("run-on-device.sh", "device.sh"):
            write(self.home / "copy" / "bench" / name, (ROOT / "bench" / name).read_text(), 0o755)
        self.sys = self.home / "sys"
        for core, khz in enumerate((1800000, 1800000, 2400000, 3000000)):
            write(self.sys / f"devices/system/cpu/cpu{core}/cpufreq/cpuinfo_max_freq", f"{khz}\n")
        write(self.sys / "class/power_supply/battery/temp", "301\n")
        write(self.home / "programs/conv2d_bench", PROGRAM, 0o755)
        self.environment = dict(os.environ, ADB=str(write(self.home / "adb", ADB, 0o755)), FAKE_PHONE=str(self.home / "phone"),
                                FAKE_SYSFS=str(self.sys), PROGRAMS=str(self.home / "programs"), COOL_SECONDS="0")
        self.environment.pop("TERMUX_VERSION", None)

    def run_script(self, *arguments, **environment):
        return subprocess.run(["bash", str(self.home / "copy/bench/run-on-device.sh"), *arguments], capture_output=True, text=True,
                              env={**self.environment, **environment}, timeout=60)

    def results(self, model="Pixel_9_Pro"):
        return self.home / "copy/build/bench/device" / model

    def test_each_kind_of_core_has_a_result(self):
        done = self.run_script("conv2d_bench", "--benchmark_filter=vgg16.*/(dense|bcr_col-8x)")
        self.assertEqual(done.returncode, 0, done.stderr)
        kinds = {}
        for path in self.results().glob("conv2d_bench.*.json"):
            kinds[path.name.split(".")[1]] = json.loads(path.read_text())["context"]
        self.assertEqual(set(kinds), {"little", "middle", "big"})
        self.assertEqual([kinds[k]["core"] for k in ("little", "middle", "big")], ["1", "2", "3"])
        self.assertEqual(kinds["big"]["max_khz"], "3000000")
        self.assertEqual(kinds["big"]["temperature_c"], "30")
        self.assertEqual(kinds["big"]["arguments"], ["--benchmark_filter=vgg16.*/(dense|bcr_col-8x)"])
        self.assertIn("energy=n/a", (self.results() / "conv2d_bench.log").read_text())

    def test_energy_where_the_battery_tells(self):
        battery = self.sys / "class/power_supply/battery"
        write(battery / "status", "Discharging\n")
        write(battery / "charge_counter", "3000000\n")
        write(battery / "voltage_now", "4000000\n")
        # The program takes 1000 uAh of 4 V: 14.4 J.
        drain = f"\nopen({str(battery / 'charge_counter')!r}, 'w').write('2999000')\n"
        write(self.home / "programs/conv2d_bench", PROGRAM.replace("sys.exit(", drain + "sys.exit("), 0o755)
        self.assertEqual(self.run_script().returncode, 0)
        self.assertIn("little core=1 before_c=30 after_c=30 khz=n/a energy=14 J", (self.results() / "conv2d_bench.log").read_text())

    def test_failures_are_told(self):
        self.assertEqual(self.run_script("conv2d_bench", "--fail").returncode, 3)
        unauthorised = self.run_script(FAKE_STATE="unauthorized")
        self.assertEqual(unauthorised.returncode, 1)
        self.assertIn("authorised", unauthorised.stderr)
        self.assertIn("no ", self.run_script("no_bench").stderr)

    def test_termux_runs_in_place(self):
        done = self.run_script("conv2d_bench", TERMUX_VERSION="0.118", SYSFS=str(self.sys), ADB="/none")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(list(self.results("termux").glob("*.json"))), 3)

    def test_waits_while_hot(self):
        write(self.sys / "class/power_supply/battery/temp", "450\n")
        done = self.run_script(COOL_SECONDS="1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("45 C, waiting until it is below 42", done.stderr)


class Report(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)

    def report(self, *arguments):
        return subprocess.run([sys.executable, str(ROOT / "bench/report.py"), *map(str, arguments)], capture_output=True, text=True, timeout=60)

    def result(self, file, **changes):
        benchmarks = [{"name": f"conv2d/vgg16.conv3_2/{scheme}/lacuna", "real_time": time, "time_unit": "ms", "useful_gflops": 5.0, **changes}
                      for scheme, time in (("dense", 80.0), ("bcr_col-8x", 16.0))]
        return write(self.home / file, json.dumps({"context": {"cpu": "A <b>CPU</b>", "target": "NEON"}, "benchmarks": benchmarks}))

    def test_page_of_two_machines(self):
        done = self.report(self.result("phone.json"), self.result("server.json"), "--output", self.home / "report.html")
        self.assertEqual(done.returncode, 0, done.stderr)
        page = (self.home / "report.html").read_text()
        for text in ("A &lt;b&gt;CPU&lt;/b&gt;", "phone", "server", "5.00x", "80 ms", "16 ms", "prefers-color-scheme: dark", "@media print"):
            self.assertIn(text, page)
        self.assertNotIn("http://", page.replace("http://www.w3.org", ""))
        self.assertNotIn("src=", page)

    def test_faults_are_named(self):
        for change, fault in (({"name": "no slash"}, "name is"), ({"real_time": -1.0}, "real_time is -1.0"), ({"time_unit": "h"}, "time_unit is 'h'")):
            done = self.report(self.result("bad.json", **change), "--check")
            self.assertEqual(done.returncode, 1)
            self.assertIn(fault, done.stderr)
        self.assertEqual(self.report(write(self.home / "x.json", "{}"), "--check").returncode, 1)
        self.assertEqual(self.report(write(self.home / "y.json", "no json"), "--check").returncode, 1)
        self.assertEqual(self.report(self.home / "absent.json", "--check").returncode, 1)
        self.assertEqual(self.report(self.result("good.json"), "--check").returncode, 0)


if __name__ == "__main__":
    unittest.main()
