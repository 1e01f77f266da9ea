# SPDX-License-Identifier: Apache-2.0
"""Checks that parameters have the same names in a header and in its source."""
import re

PROTOTYPE = re.compile(r"^(?!static|typedef|#|\s)\w[\w \*]*?\b(\w+)\(((?:[^(){};]|\([^(){};]*\))*)\)\s*([;{]|__attribute__)", re.M)
POINTER_TO_FUNCTION = re.compile(r"\(\*\s*(?:const\s*)?(\w+)\)\s*\(")


def without_comments(text):
    """The text without comments, with the same number of lines."""
    return re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.S)


def split(parameters):
    """Split at the commas that are outside brackets."""
    depth, parts = 0, [""]
    for c in parameters:
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return parts


def name_of(parameter):
    """The name of a declared parameter; its type when it has no name."""
    pointer = POINTER_TO_FUNCTION.search(parameter)
    words = re.sub(r"\[[^\]]*\]", "", parameter).split()
    return pointer.group(1) if pointer else words[-1].lstrip("*") if len(words) > 1 else "".join(words)


def check(sources, report):
    """`sources` maps paths to texts; `report(path, line, what)` is called for each prototype whose definition differs."""
    prototypes, definitions = [], {}
    for path, text in sources.items():
        text = without_comments(text)
        for m in PROTOTYPE.finditer(text):
            names = [name_of(p) for p in split(m.group(2))]
            if m.group(3) == "{":
                definitions.setdefault(m.group(1), []).append((path, names))
            else:
                prototypes.append((path, text.count("\n", 0, m.start()) + 1, m.group(1), names))
    for path, line, function, names in prototypes:
        for where, defined in definitions.get(function, []):
            if names != defined:
                report(path, line, f"{function}({', '.join(names)}) is {function}({', '.join(defined)}) in {where}")
