#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that a compiler does not make: include directions, homes of libraries, banned calls, licence lines."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Which folders may include which (itself always).
MAY_INCLUDE = {
    "base": set(),
    "zones": {"base"},
    "probes": {"zones", "base"},
    "dnsd": {"zones", "base"},
    "api": {"probes", "zones", "base"},
}
# Library header -> the folder that may include it.
HOMES = {
    "jansson.h": ["base/json.h"],
    "curl/curl.h": ["base/http"],
    "yaml.h": ["base/"],
    "sqlite3.h": ["zones/store/"],
    "microhttpd.h": ["api/"],
    "maxminddb.h": ["zones/"],
    "ldns/": ["tests/"],
    "openssl/": ["base/", "probes/"],
    "nghttp2/": ["probes/agent/http2.c"],
    "fstrm": ["dnsd/tap/dnstap.c"],
    "re2/": ["base/regex.cc"],
}
BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|alloca|system|popen|rand)\s*\(")
LICENCE = "SPDX-License-Identifier: Apache-2.0"


def tracked():
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                         capture_output=True, text=True, check=True).stdout
    return [f for f in out.splitlines() if os.path.exists(os.path.join(ROOT, f))]


def strip_comments(text):
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def check_c(path, text, report):
    folder = path.split("/")[0]
    for number, line in enumerate(text.splitlines(), 1):
        m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if m and folder in MAY_INCLUDE:
            target = m.group(1).split("/")[0]
            if "/" not in m.group(1):
                report(path, number, f'include "{m.group(1)}" by its full name, "{folder}/..."')
            elif target != folder and target not in MAY_INCLUDE[folder]:
                report(path, number, f"{folder}/ may not include {target}/")
        m = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
        if m and folder in MAY_INCLUDE:
            for header, homes in HOMES.items():
                if m.group(1).startswith(header) and not any(path.startswith(h) for h in homes):
                    report(path, number, f"<{m.group(1)}> belongs behind {homes[0]}")
    for number, line in enumerate(strip_comments(text).splitlines(), 1):
        m = BANNED.search(line)
        if m:
            report(path, number, f"{m.group(1)}() is banned")
    if path.endswith(".h") and folder in MAY_INCLUDE and len(text.splitlines()) > 1000:
        report(path, 1, "a header over 1,000 lines")


def main():
    problems = []

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
    for p in problems:
        print(p)
    print(f"lint: {len(files)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
