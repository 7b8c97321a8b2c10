#!/usr/bin/python3
"""Counts what the steady loops of 64-bit Arm kernels take, from their disassembly.

    arm_count.py LIBRARY [--xnnpack LIBRARY] [--json FILE] [--mca LLVM_MCA] [--check]

A steady loop is the shortest cycle of basic blocks through the block with the most multiply-adds of a kernel; of
depthwise kernels, which branch inside, the path with all taps. Per multiply-add of a vector (of a vector of byte quads:
per instruction, 16 multiply-adds) it says how many instructions and loads are executed, and how many accesses to the
stack, which are spills. With llvm-mca, also modelled cycles. --check fails where a bar is missed."""

import argparse
import collections
import heapq
import itertools
import json
import pathlib
import re
import subprocess
import sys

OBJDUMP = "aarch64-linux-gnu-objdump"
CPUS = ("cortex-a55", "cortex-a510", "neoverse-n1", "neoverse-v1")

MULTIPLY_ADDS = {"fmla", "fmls", "sdot", "udot", "mla", "mls", "smlal", "smlal2"}
ARITHMETIC = MULTIPLY_ADDS | {"fadd", "fsub", "fmul"}

# Bars: (instructions per multiply-add, spills).
BARS = {
    "f32_panel/bcr_col-8x": 1.40,
    "f32_pattern/pattern-2.25x": 1.80,
    "i8_panel/bcr_col_c4-8x": 0.11 * 16,
}


class Instruction:
    __slots__ = ("address", "name", "operands", "target")

    def __init__(self, address, name, operands):
        self.address, self.name = address, name
        found = re.search(r"\b([0-9a-f]+) <", operands)
        self.target = int(found.group(1), 16) if found and self.is_branch() else None
        self.operands = operands.split(" <")[0].split("\t//")[0].strip()

    def is_branch(self):
        return self.name in ("b", "cbz", "cbnz", "tbz", "tbnz") or self.name.startswith("b.")

    def ends_block(self):
        return self.is_branch() or self.name in ("ret", "br")

    def is_vector(self):
        return re.match(r"v\d+\.\d+[bhsd]", self.operands) is not None

    def is_load(self):
        return self.name.startswith("ld")

    def is_spill(self):
        return (self.is_load() or self.name.startswith("st")) and "[sp" in self.operands


def disassemble(library):
    """{demangled name: [Instruction]} of a library or an object."""
    text = subprocess.run([OBJDUMP, "-dC", "--no-show-raw-insn", library], check=True, capture_output=True, text=True).stdout
    functions, body = {}, None
    for line in text.splitlines():
        head = re.match(r"[0-9a-f]+ <(.*)>:$", line)
        if head:
            body = functions[head.group(1).removesuffix("@@Base")] = []
            continue
        found = re.match(r"\s+([0-9a-f]+):\t(\S+)\s*(.*)$", line)
        if found and body is not None:
            body.append(Instruction(int(found.group(1), 16), found.group(2), found.group(3)))
    return functions


class Function:
    """Basic blocks of a function: block[i] is a list of instructions, next[i] the blocks that may follow."""

    def __init__(self, instructions):
        starts = {instructions[0].address} if instructions else set()
        for here, behind in zip(instructions, instructions[1:] + [None]):
            if here.target is not None:
                starts.add(here.target)
            if here.ends_block() and behind is not None:
                starts.add(behind.address)
        self.block = []
        for instruction in instructions:
            if instruction.address in starts:
                self.block.append([])
            self.block[-1].append(instruction)
        index = {block[0].address: i for i, block in enumerate(self.block)}
        self.next = []
        for i, block in enumerate(self.block):
            last, following = block[-1], []
            if last.target in index:
                following.append(index[last.target])
            if last.name not in ("b", "ret", "br") and i + 1 < len(self.block):
                following.append(i + 1)
            self.next.append(following)

    def cycle_through(self, start):
        """The instructions of the shortest cycle through a block, or None."""
        queue, tie = [], itertools.count()
        for follower in self.next[start]:
            heapq.heappush(queue, (0, next(tie), follower, (start,)))
        seen = set()
        while queue:
            length, _, at, path = heapq.heappop(queue)
            if at == start:
                return [instruction for i in path for instruction in self.block[i]]
            if at in seen:
                continue
            seen.add(at)
            for follower in self.next[at]:
                heapq.heappush(queue, (length + len(self.block[at]), next(tie), follower, path + (at,)))
        return None

    def fullest_cycle(self, names):
        """Of the paths from a loop's head, always forward, to the branch back to it, the one that does the most of the
        operations in the innermost loop that has any: all taps inside the image, say."""
        best = None
        for last, followers in enumerate(self.next):
            for head in followers:
                if head > last:
                    continue
                paths = {head: (operations(self.block[head], names), -len(self.block[head]), (head,))}
                for at in range(head, last):
                    if at not in paths:
                        continue
                    done, length, path = paths[at]
                    for follower in self.next[at]:
                        if at < follower <= last:
                            more = (done + operations(self.block[follower], names), length - len(self.block[follower]),
                                    path + (follower,))
                            paths[follower] = max(paths.get(follower, more), more)
                if last in paths and paths[last][0] and (best is None or paths[last][0] > best[0]):
                    best = paths[last]
        return None if best is None else (best[0], [i for at in best[2] for i in self.block[at]])

    def cycles(self, names):
        """[(operations among `names`, instructions)] of the cycles through blocks that have such, most first."""
        result = []
        for i, block in enumerate(self.block):
            if not operations(block, names):
                continue
            cycle = self.cycle_through(i)
            if cycle is not None:
                result.append((operations(cycle, names), cycle))
        return sorted(result, key=lambda entry: (-entry[0], len(entry[1])))


def operations(instructions, names):
    return sum(i.name in names and i.is_vector() for i in instructions)


Count = collections.namedtuple("Count", "operations instructions loads spills loops")


def count_of(operation_count, cycle, weight=1.0):
    return Count(weight * operation_count, weight * len(cycle), weight * sum(i.is_load() for i in cycle),
                 sum(i.is_spill() for i in cycle), [(weight, cycle)])


def added(counts):
    return Count(*(sum(values) if i < 4 else sum(values, []) for i, values in enumerate(zip(*counts))))


def find(functions, pattern):
    """The one function of that name."""
    found = [name for name in functions if re.search(pattern, name)]
    if len(found) != 1:
        sys.exit(f"arm_count.py: {len(found)} functions match {pattern}, must be 1: {found[:3]}")
    return Function(functions[found[0]])


def steady(functions, pattern, names=MULTIPLY_ADDS):
    """The loop with the most operations."""
    cycles = find(functions, pattern).cycles(names)
    if not cycles:
        sys.exit(f"arm_count.py: {pattern} has no loop with any of {sorted(names)}")
    return count_of(*cycles[0])


def fullest(functions, pattern):
    cycle = find(functions, pattern).fullest_cycle(MULTIPLY_ADDS)
    return steady(functions, pattern) if cycle is None else count_of(*cycle)


def with_operations(functions, pattern, operation_count):
    """The median loop, by length, of those with so many multiply-adds: of the masks of a panel, say."""
    cycles = [c for c in find(functions, pattern).cycles(MULTIPLY_ADDS) if c[0] == operation_count]
    if not cycles:
        sys.exit(f"arm_count.py: {pattern} has no loop with {operation_count} multiply-adds")
    return count_of(*cycles[len(cycles) // 2])


def pattern_steps(functions, height, vectors):
    """All patterns of four cells of a 3x3 kernel that have its centre, each alike: a step a column that has cells."""
    cycles = find(functions, rf"RunPattern<{height}, {vectors}>").cycles(MULTIPLY_ADDS)
    steps = {}
    for cells in (1, 2, 3):
        loops = [c for c in cycles if c[0] == cells * height * vectors]
        if not loops:
            sys.exit(f"arm_count.py: RunPattern<{height}, {vectors}> has no step of {cells} cells")
        steps[cells] = loops[0]
    times = collections.Counter()
    for others in itertools.combinations([cell for cell in range(9) if cell != 4], 3):
        for column in range(3):
            times[sum(cell % 3 == column for cell in (4, *others))] += 1
    return added([count_of(*steps[cells], weight=times[cells]) for cells in steps])


def lacuna_counts(functions):
    panel = r"RunPanel<.*RegisterTile<8, 3, .*OnlyFullMask<8> >, 3>"
    full = steady(functions, panel)
    yield "f32_panel/bcr_col-8x", full
    yield "f32_panel/bcr-8x", with_operations(functions, r"RunPanel<.*RegisterTile<8, 3, .*MasksOfSize<8, 4> >, 3>", 12)
    yield "f32_panel/unstructured-8x", with_operations(functions, r"RunPanel<.*RegisterTile<4, 6, .*AllMasks<4> >, 6>", 6)
    yield "f32_pattern/pattern-2.25x", pattern_steps(functions, 7, 3)
    yield "f32_depthwise/dense", fullest(functions, r"RunChannels<3, 1, false, .*Simd<float, 4ul, 0> >")
    yield "f32_depthwise_planar/dense", fullest(functions, r"RunDepthwisePlane<3, 1>")
    yield "f32_winograd_input/dense", steady(functions, r"TransformLines<4,", ARITHMETIC)
    yield "f32_winograd_output/dense", steady(functions, r"TransformRows<4,", ARITHMETIC)
    # Products of Winograd convolutions are the panel kernel's.
    yield "f32_winograd/bcr_kernel-4x", full
    yield "i8_panel/bcr_col_c4-8x", steady(functions, r"RunInt8Panel<.*MultiplyInt8Dot, .*RegisterTile<8, 3, .*, 3>::Run")
    yield "f32_gemv/bcr_col-8x", steady(functions, r"RunGemvShared<(.*WeightsF32, )?8, 1, false>")


def xnnpack_counts(functions):
    """The best of XNNPACK's kernels of each kind whose names its library exports: those in assembly."""
    for kernel, wanted in (("f32_panel/dense", r"xnn_f32_gemm\w*_ukernel_6x8__aarch64_neonfma\w*"),
                           ("f32_depthwise/dense", r"xnn_f32_dwconv_minmax_ukernel_up4x9__aarch64_neonfma\w*"),
                           ("i8_panel/dense", r"xnn_q[sc]8\w*gemm\w*_ukernel_4x16c4__aarch64_neondot\w*")):
        best = None
        for name in functions:
            if re.fullmatch(wanted, name):
                for entry in Function(functions[name]).cycles(MULTIPLY_ADDS)[:1]:
                    if best is None or len(entry[1]) / entry[0] < len(best[1]) / best[0]:
                        best = entry
        if best is not None:
            yield kernel, count_of(*best)


def modelled_cycles(mca, cpu, count):
    """Cycles per operation by llvm-mca, which sees a loop again and again, with all its loads from L1."""
    total = 0.0
    for weight, cycle in count.loops:
        lines = []
        for i in cycle:
            operands = i.operands
            if i.target is not None:
                operands = ", ".join(operands.split(", ")[:-1] + ["#4"])
            lines.append(f"{i.name} {operands}")
        iterations = 100
        run = subprocess.run([mca, "--mtriple=aarch64", f"--mcpu={cpu}", f"--iterations={iterations}", "--resource-pressure=false",
                              "--instruction-info=false"], input="\n".join(lines) + "\n", capture_output=True, text=True)
        found = re.search(r"Total Cycles:\s+(\d+)", run.stdout)
        if run.returncode != 0 or not found:
            return None
        total += weight * int(found.group(1)) / iterations
    return total / count.operations


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("--xnnpack", help="XNNPACK's library for arm64, whose kernels are counted as well")
    parser.add_argument("--json", help="where to write Google Benchmark's JSON")
    parser.add_argument("--mca", help="llvm-mca, for modelled cycles")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()

    rows = [("lacuna", *entry) for entry in lacuna_counts(disassemble(options.library))]
    if options.xnnpack:
        rows += [("xnnpack", *entry) for entry in xnnpack_counts(disassemble(options.xnnpack))]
    benchmarks, missed = [], []
    cpus = CPUS if options.mca else ()
    print(f"{'steady loop':46} {'instr/fma':>9} {'loads/fma':>9} {'spills':>6}  " +
          " ".join(f"{cpu:>11}" for cpu in cpus) + ("  (modelled cycles/fma)" if cpus else ""))
    for engine, kernel, count in rows:
        instructions, loads = count.instructions / count.operations, count.loads / count.operations
        name = f"arm/{kernel}/{engine}"
        entry = {"name": name, "run_name": name, "run_type": "iteration", "iterations": 1, "real_time": 0.0, "cpu_time": 0.0,
                 "time_unit": "ns", "instructions_per_fma": instructions, "loads_per_fma": loads, "spills": count.spills}
        columns = []
        for cpu in cpus:
            cycles = modelled_cycles(options.mca, cpu, count)
            columns.append("n/a" if cycles is None else f"{cycles:.2f}")
            if cycles is not None:
                entry["cycles_per_fma_" + cpu.replace("-", "_")] = cycles
        print(f"{name:46} {instructions:9.2f} {loads:9.2f} {count.spills:6d}  " + " ".join(f"{c:>11}" for c in columns))
        benchmarks.append(entry)
        bar = BARS.get(kernel)
        if engine == "lacuna" and bar is not None and (instructions > bar or count.spills):
            missed.append(f"{name}: {instructions:.2f} instructions and {count.spills} spills, must be at most {bar:.2f} and 0")
    if options.json:
        path = pathlib.Path(options.json)
        path.parent.mkdir(parents=True, exist_ok=True)
        context = {"executable": "bench/arm_count.py", "target": "NEON", "library": pathlib.Path(options.library).name}
        path.write_text(json.dumps({"context": context, "benchmarks": benchmarks}, indent=1) + "\n")
        print("JSON:", path)
    if options.check and missed:
        sys.exit("\n".join(missed))


if __name__ == "__main__":
    main()
