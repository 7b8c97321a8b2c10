#!/usr/bin/env python3
"""Writes lacuna/_cffi.py: the declarations of lacuna/c/lacuna.h as cffi reads them.

Usage: emit_cffi.py include/lacuna/c/lacuna.h OUTPUT
The header is the one definition; the output needs no parser at run time.
"""
import re
import sys

import cffi


def declarations(header: str) -> str:
    """What stands between the marks of the header, without what C compilers alone understand."""
    begin, end = "/* begin declarations */", "/* end declarations */"
    return header[header.index(begin) + len(begin) : header.index(end)].replace("LACUNA_C_API ", "")


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        header = file.read()
    abi = re.search(r"^#define LACUNA_C_ABI (\d+)$", header, re.M).group(1)
    ffi = cffi.FFI()
    ffi.set_source("lacuna._cffi", None)
    ffi.cdef(declarations(header) + f"\n#define LACUNA_C_ABI {abi}\n")
    ffi.emit_python_code(sys.argv[2])


main()
