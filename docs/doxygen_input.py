#!/usr/bin/env python3
"""Writes the headers of lacuna as Doxygen reads them.

Usage: docs/doxygen_input.py include build/docs/include
Comments of lacuna are plain. Those directly before a declaration, behind a member, and at the top of a file become
documentation; they are text, so whatever Doxygen would take for a command in them is escaped. Inline namespaces, which
Doxygen 1.9.4 does not see through, go. Kernels (*-inl.h) and definitions (*.ipp) are left out.
"""
import os
import re
import sys

COLUMNS = 120  # of the sources: a line that ends sooner than it must is a line of its own in the text
NO_DECLARATION = re.compile(r" *([#}]|//|namespace|inline namespace|return|public:|private:)")


def escaped(texts):
    """The lines of a comment; what stands in backticks, over line ends too, is as it is."""
    in_code = False
    for text in texts:
        parts = text.split("`")
        for i, part in enumerate(parts):
            if not in_code:
                parts[i] = re.sub(r"([\\@<>#&%*])", r"\\\1", part)
            if i + 1 < len(parts):
                in_code = not in_code
        yield "`".join(parts)


def documentation(block, indent):
    """Lines of `///` for the lines of a comment."""
    for text, line, following in zip(block, escaped(block), block[1:] + [""]):
        if text.startswith("   ") and not text.lstrip().startswith("- "):
            yield f"{indent}///    {text}"  # an indented block is code
            continue
        word = following.split(" ")[1] if following.startswith(" ") else ""
        breaks = text.strip() and word and len(f"{indent}//{text} {word}") <= COLUMNS
        yield f"{indent}///{line}{'<br>' if breaks else ''}"


def convert(lines):
    block, indent, at_top = [], "", True
    for line in lines:
        comment = re.match(r"( *)//( .*|)$", line)
        if comment and (not block or comment[1] == indent):
            indent = comment[1]
            block.append(comment[2])
            continue
        if block:
            if at_top:
                yield "/// @file"
                yield "///"
            if at_top or (line.strip() and not NO_DECLARATION.match(line)):
                yield from documentation(block, indent)
            at_top, block = False, []
        member = re.match(r"( +[^/\"]*[;,]) +//( .*)$", line)
        yield f"{member[1]}  ///<{next(escaped([member[2]]))}" if member else line


def main():
    source, target = sys.argv[1:]
    for folder, _, names in os.walk(source):
        for name in names:
            if not name.endswith(".h") or name.endswith("-inl.h"):
                continue
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as file:
                text = "\n".join(convert(file.read().split("\n")))
            text = text.replace("namespace lacuna::inline LACUNA_ABI", "namespace lacuna")
            text = re.sub(r"inline namespace (LACUNA_BASELINE|LACUNA_TARGET_LIST|HWY_CONCAT\(.*?\)) \{", 'extern "C++" {', text)
            path = os.path.join(target, os.path.relpath(path, source))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)


main()
