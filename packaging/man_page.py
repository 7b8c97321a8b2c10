#!/usr/bin/env python3
"""Writes the man page of a tool from what it says of itself: --help, as CLI11 prints it, and --version.

Usage: man_page.py TOOL OUTPUT
"""
import os
import re
import subprocess
import sys


def escaped(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def body(lines: list[str]) -> list[str]:
    """Sections and entries; a line is an entry if two spaces or more part it in a name and its text."""
    out = []
    for line in lines:
        text = line.strip()
        entry = re.match(r"^ {2,}(\S.*?)(?: {2,}(.*))?$", line)
        if not text:
            continue
        if re.match(r"^(\[Option Group: .*\]|[A-Z][A-Za-z ]*:)$", text):
            out.append(f".SH {escaped(text.strip('[]:').upper())}" if not line.startswith(" ") else ".PP")
        elif entry and text.startswith("["):
            out += [".PP", escaped(text.strip("[]"))]
        elif entry:
            out += [".TP", f".B {escaped(entry.group(1))}", escaped(entry.group(2) or "")]
        else:
            out += [".PP", escaped(text)]
    return out


def main() -> None:
    tool, output = sys.argv[1:]
    name = os.path.basename(tool)
    # A wide terminal: lines are the man page's to break.
    help_text = subprocess.run([tool, "--help"], capture_output=True, text=True, check=True).stdout
    version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    summary, _, rest = help_text.partition("Usage:")
    usage, _, rest = rest.partition("\n")
    summary = " ".join(summary.split())
    first = re.split(r"(?<=[.:])\s", summary)[0].rstrip(".:")
    page = [f'.TH {name.upper()} 1 "" "lacuna {version}" "User Commands"', ".SH NAME",
            f"{name} \\- {escaped(first[:1].lower() + first[1:])}", ".SH SYNOPSIS", f".B {name}",
            escaped(usage.strip().partition(" ")[2]), ".SH DESCRIPTION", escaped(summary), *body(rest.splitlines())]
    with open(output, "w", encoding="utf-8") as file:
        file.write("\n".join(page) + "\n")


main()
