#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that a compiler does not make: which room may include which other rooms, private headers, which folder may
include a library, banned calls, functions that only tests call, names of parameters, licence lines, format, the
width of lines, and the description of the API."""
import collections
import os
import re
import shutil
import subprocess
import sys

import lint_names

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# The rooms, and the rooms below each that it may include. It may also include itself and whatever those rooms may
# include. A program's main.c is above its rooms. docs/architecture.md draws the same picture.
ROOMS = {
    "base": [],
    "base/node": ["base"],
    "zones/dns": ["base"],
    "zones/model": ["zones/dns"],
    "zones/plan": ["zones/model"],
    "zones/store": ["zones/model"],
    "probes/verdict": ["zones/model"],
    "probes/agent": ["probes/verdict", "base/node"],
    "probes": ["probes/agent"],
    "dnsd/packet": ["zones/plan"],
    "dnsd/tap": ["dnsd/packet"],
    "dnsd/replica": ["zones/plan", "base/node"],
    "dnsd/serve": ["dnsd/packet", "dnsd/tap", "dnsd/replica"],
    "dnsd": ["dnsd/serve"],
    "api/http": ["base"],
    "api/control": ["api/http", "zones/store", "zones/plan", "probes/verdict"],
    "api/rest": ["api/control"],
    "api": ["api/rest", "base/node"],
    "api/cli": ["zones/model", "probes/verdict", "base/node"],
}
# Rooms of which some others may include only a part.
DOORS = {("api/control", "api/http"): {"api/http/stream.h"}}
PRIVATE = "_impl.h"  # a header for the files of one noun: for files whose names begin like its own, and for their tests
COLUMNS = 120
# Library header -> the folder that may include it.
HOMES = {
    "jansson.h": ["base/json.h"],
    "curl/curl.h": ["base/http"],
    "yaml.h": ["base/"],
    "sqlite3.h": ["zones/store/"],
    "microhttpd.h": ["api/http/", "api/cli/demo_site.c"],
    "maxminddb.h": ["zones/"],
    "ldns/": ["api/control/delegation_message.c", "tests/"],
    "openssl/": ["base/", "probes/"],
    "nghttp2/": ["probes/agent/http2.c"],
    "fstrm": ["dnsd/tap/dnstap.c"],
    "re2/": ["base/regex.cc"],
}
# Names that only some files may use: the only way to write to the store, and HTTP.
RESERVED = [
    (re.compile(r"\bstore_commit\s*\("), ["zones/store/", "api/control/change.c"],
     "store_commit() is for api/control/change.c: wish it from change()"),
    (re.compile(r"\bstruct\s+api_re(quest|ply)\b"), ["api/http/", "api/rest/"],
     "a request or a reply of HTTP is for api/http/ and api/rest/"),
]
BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|alloca|system|popen|rand)\s*\(")
# A function that other files can call, and a declaration, in the layout of clang-format.
DEFINED = re.compile(r"^(?!static\b|extern\b)[A-Za-z_][^;{}=#]*?\b(\w+)\([^;{}]*\)\s*\n\{", re.M)
DECLARED = re.compile(r"^[A-Za-z_][^;{}=#:]*;", re.M)
LICENCE = "SPDX-License-Identifier: Apache-2.0"


def tracked():
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                         capture_output=True, text=True, check=True).stdout
    return [f for f in out.splitlines() if os.path.exists(os.path.join(ROOT, f))]


def strip_comments(text):
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def reach(room):
    """All rooms that this one may include."""
    found = {room}
    for below in ROOMS[room]:
        found |= reach(below)
    return found


def is_own(path, private):
    """Does the private header belong to the noun of this file?"""
    noun = private[:-len(PRIVATE)]
    name = os.path.basename(path)
    return path.startswith(noun) or (path.startswith("tests/") and name.split("_", 1)[-1].startswith(os.path.basename(noun)))


def check_include(path, number, target, report):
    room, other = os.path.dirname(path), os.path.dirname(target)
    if target.endswith(PRIVATE) and not is_own(path, target):
        report(path, number, f"{target} is private to its noun")
    if room not in ROOMS:
        return
    if other == "":
        report(path, number, f'include "{target}" by its full name, "{room}/..."')
    elif other not in ROOMS or other not in reach(room):
        report(path, number, f"{room}/ may not include {other}/")
    elif target not in DOORS.get((room, other), {target}):
        report(path, number, f"{room}/ may include of {other}/ only {', '.join(sorted(DOORS[room, other]))}")


def width(line):
    return len(line.expandtabs(8))


def check_c(path, text, report):
    folder = path.split("/")[0]
    if folder in {room.split("/")[0] for room in ROOMS} and os.path.dirname(path) not in ROOMS:
        report(path, 1, "this folder is not a room: see ROOMS in tests/lint.py")
    for number, line in enumerate(text.splitlines(), 1):
        m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if m:
            check_include(path, number, m.group(1), report)
        m = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
        if m and os.path.dirname(path) in ROOMS:
            for header, homes in HOMES.items():
                if m.group(1).startswith(header) and not any(path.startswith(h) for h in homes):
                    report(path, number, f"<{m.group(1)}> belongs behind {homes[0]}")
        if width(line) > COLUMNS:
            report(path, number, f"{width(line)} columns; at most {COLUMNS}")
    for number, line in enumerate(strip_comments(text).splitlines(), 1):
        m = BANNED.search(line)
        if m:
            report(path, number, f"{m.group(1)}() is banned")
        for what, homes, why in RESERVED:
            if what.search(line) and os.path.dirname(path) in ROOMS and not any(path.startswith(h) for h in homes):
                report(path, number, why)


def check_callers(texts, report):
    """Every function that other files can call must be called or named in a room; calls by tests do not count."""
    counts, begins, defined = collections.Counter(), set(), {}
    for path, text in texts.items():
        bare = DECLARED.sub(lambda m: "\n" * m.group().count("\n"), strip_comments(text))
        counts.update(re.findall(r"\w+", bare))
        begins.update(re.findall(r"(\w+)##", bare))  # a macro builds names that begin with this word
        for m in DEFINED.finditer(bare):
            defined.setdefault(m.group(1), []).append((path, bare.count("\n", 0, m.start()) + 1))
    for name, places in defined.items():
        if counts[name] == len(places) and name != "main" and not name.startswith(tuple(begins)):
            for path, number in places:
                report(path, number, f"{name}() has no caller outside tests: make it static, or remove it")


def check_docs(path, text, report):
    """Prose must be wrapped; rows of tables and quoted terminal output cannot be."""
    is_quoted = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_quoted = not is_quoted
        is_row = line.lstrip().startswith("|") or line.startswith("    ")
        if width(line) > COLUMNS and not is_quoted and not is_row:
            report(path, number, f"{width(line)} columns; at most {COLUMNS}")


def check_format(files, report):
    """Run clang-format, where it is installed in version 14; other versions give other results."""
    version = subprocess.run(["clang-format", "--version"], capture_output=True, text=True, check=False).stdout \
        if shutil.which("clang-format") else ""
    if not re.search(r"version 14\.", version):
        print("lint: clang-format 14 is not here: the format is not checked")
        return
    said = subprocess.run(["clang-format", "--dry-run", "-ferror-limit=1", *files], cwd=ROOT, capture_output=True,
                          text=True, check=False).stderr
    for m in re.finditer(r"^(\S+?):(\d+):\d+: warning: code should be clang-formatted", said, re.M):
        report(m.group(1), int(m.group(2)), "not as clang-format has it (make format)")


def main():
    problems, sources = [], {}

    def report(path, line, what):
        problems.append(f"{path}:{line}: {what}")

    files = [f for f in tracked() if re.search(r"\.(c|cc|h|py|sh)$|^Makefile$|/run$", f)]
    for path in files:
        with open(os.path.join(ROOT, path), encoding="utf-8") as f:
            text = f.read()
        if LICENCE not in "\n".join(text.splitlines()[:3]):
            report(path, 1, f"the line '{LICENCE}' is missing")
        if path.endswith((".c", ".cc", ".h")):
            check_c(path, text, report)
            sources[path] = text
    lint_names.check(sources, report)
    if "api/rest/routes.c" in sources:
        import lint_api  # reads the routes
        lint_api.check(report)
    check_callers({path: text for path, text in sources.items() if os.path.dirname(path) in ROOMS}, report)
    for path in tracked():
        if path.endswith(".md"):
            with open(os.path.join(ROOT, path), encoding="utf-8") as f:
                check_docs(path, f.read(), report)
    check_format([f for f in files if f.endswith((".c", ".h"))], report)
    for p in problems:
        print(p)
    print(f"lint: {len(files)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
