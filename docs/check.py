#!/usr/bin/env python3
"""Checks the pages: links inside the repository lead somewhere, C++ and C blocks compile.

Usage: docs/check.py [--compiler g++-12]
A block marked `cpp` that begins with #include is a unit of its own; others are bodies of a function that returns a
Status, with the names of PRELUDE. Units are only parsed, against the declarations of lacuna::compiled. Not checked are
templates outside of a unit, and excerpts: they are marked `c++`. A block marked `c` is a unit in C99.
"""
import argparse
import glob
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PRELUDE = """#include <lacuna/lacuna.h>
#include <cstdio>
#include <string>
#include <vector>
using lacuna::MatrixView, lacuna::TensorView, lacuna::WinogradPolicy;
namespace {
std::vector<float> weights, bias;
std::span<const std::byte> bytes, packed_bytes;
std::span<std::byte> workspace;
const float* input = nullptr;
float *output = nullptr, *state = nullptr;
lacuna::ConvShape<2> shape;
extern const lacuna::DenseWeights<float>& dense_weights;
extern const lacuna::BcrWeights<float>& sparse;
extern const lacuna::Convolution<2>& plan;
extern TensorView<const float, 4> x;
extern TensorView<float, 4> y;
}
"""


def anchors_of(path):
    with open(path, encoding="utf-8") as file:
        titles = re.findall(r"^#+ (.*)$", file.read(), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def check_links(page, text):
    faults = []
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", text):
        link = link[0] or link[1]
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        if not os.path.exists(target):
            faults.append(f"{os.path.relpath(page, ROOT)}: {link} does not exist")
        elif anchor and target.endswith(".md") and anchor not in anchors_of(target):
            faults.append(f"{os.path.relpath(page, ROOT)}: no title {link}")
    return faults


def units_of(name, text):
    """(name, suffix, source) of the blocks of a page: whole units, and one with all others as functions."""
    for number, block in enumerate(re.findall(r"^```c\n(.*?)^```", text, re.M | re.S), 1):
        yield f"{name}, C block {number}", ".c", block
    functions = ""
    for number, block in enumerate(re.findall(r"^```cpp\n(.*?)^```", text, re.M | re.S), 1):
        if block.startswith("#include"):
            yield f"{name}, block {number}", ".cc", block
        elif not re.search(r"^template", block, re.M):
            functions += f"lacuna::Status Block{number}() {{\n{block}return {{}};\n}}\n"
    if functions:
        yield name, ".cc", PRELUDE + functions


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default=os.environ.get("CXX", "g++-12"))
    compiler = parser.parse_args().compiler
    command = [compiler, "-fsyntax-only", "-Wall", "-Wno-unused", f"-I{ROOT}/include",
               "-isystem/usr/include/eigen3"]
    of_language = {".cc": ["-std=c++20", "-DLACUNA_COMPILED", f"-I{ROOT}"],
                   ".c": ["-xc", "-std=c99", "-pedantic", "-Wno-unknown-pragmas"]}
    faults, units = [], 0
    for page in [f"{ROOT}/README.md", *sorted(glob.glob(f"{ROOT}/docs/*.md"))]:
        with open(page, encoding="utf-8") as file:
            text = file.read()
        faults += check_links(page, text)
        for name, suffix, source in units_of(os.path.relpath(page, ROOT), text):
            units += 1
            with tempfile.NamedTemporaryFile("w", suffix=suffix) as file:
                file.write(source)
                file.flush()
                result = subprocess.run([*command, *of_language[suffix], file.name], capture_output=True, text=True)
            if result.returncode != 0 or result.stderr:
                faults.append(f"{name}: does not compile\n{result.stderr}")
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"{units} units of C++ and C, {len(faults)} faults")
    sys.exit(bool(faults))


main()
