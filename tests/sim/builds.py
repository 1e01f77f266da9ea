#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the verdict engine in builds that differ from the product's:

- the same histories give the same log, byte for byte, from gcc -O2 and from clang -O0, or gcc -O0 where there is no
  clang (S17);
- compiled to count the basic blocks that it goes through, it does no more work when everything fails (S18).

  builds.py [--build build] [--histories 60]

The output ends with "N passed, N failed".
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEADLINE_S = 300


def sources(*patterns):
    return sorted(path for pattern in patterns for path in glob.glob(os.path.join(ROOT, pattern)))


def compile_and_run(place, build, compiler, code, name, arguments):
    """Return the program's (status, output)."""
    libs = subprocess.run(["pkg-config", "--libs", "ldns", "jansson", "yaml-0.1", "libcurl", "libcrypto"],
                          capture_output=True, text=True, check=True).stdout.split()
    archives = [os.path.join(build, "obj", f"lib{lib}.a") for lib in ("verdict", "zones", "base")]
    program = os.path.join(place, name)
    command = [*compiler, "-D_GNU_SOURCE", "-std=gnu17", "-fPIE", "-pie", "-pthread", "-I", ROOT, "-o", program, *code,
               *archives, "-Wl,--as-needed", *libs, "-lm"]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    if built.returncode != 0:
        return built.returncode, built.stdout + built.stderr
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    return done.returncode, done.stdout


def compilers():
    other = "clang" if shutil.which("clang") else "gcc"
    return {"gcc-O2": ["gcc", "-O2"], f"{other}-O0": [other, "-O0"]}


def check_digests(place, build, histories):
    """Compare the builds. Return the problems as texts."""
    digests = {}
    engine = sources("probes/verdict/verdict*.c", "base/index.c", "base/strmap.c", "tests/sim/*.c")
    for name, compiler in compilers().items():
        status, out = compile_and_run(place, build, compiler, engine, name, ["--histories", str(histories)])
        digest = re.search(r"digest ([0-9a-f]{16})", out)
        if status != 0 or not digest:
            return [f"{name}: {out[-800:]}"]
        digests[name] = digest.group(1)
    print("  digests: " + ", ".join(f"{name} {digest}" for name, digest in digests.items()), flush=True)
    return [] if len(set(digests.values())) == 1 else ["the builds differ"]


def check_work(place, build):
    engine = sources("probes/verdict/verdict*.c", "base/index.c", "base/strmap.c")
    counted = ["gcc", "-O1", "-fsanitize-coverage=trace-pc"]
    objects = []
    for path in engine:
        objects.append(os.path.join(place, os.path.basename(path) + ".o"))
        subprocess.run([*counted, "-D_GNU_SOURCE", "-std=gnu17", "-fPIE", "-I", ROOT, "-c", "-o", objects[-1], path],
                       check=True, timeout=DEADLINE_S)
    code = [*objects, os.path.join(ROOT, "tests", "sim", "work", "work.c")]
    status, out = compile_and_run(place, build, ["gcc", "-O1"], code, "work", [])
    print("  " + out.strip(), flush=True)
    return [] if status == 0 else [out[-800:]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="directory of the libraries")
    parser.add_argument("--histories", type=int, default=60)
    args = parser.parse_args()
    build = os.path.join(ROOT, args.build)
    place = os.path.join(build, "sim-builds")
    os.makedirs(place, exist_ok=True)
    failed = 0
    for problems in (check_digests(place, build, args.histories), check_work(place, build)):
        failed += bool(problems)
        for problem in problems:
            print(f"  {problem}")
    shutil.rmtree(place, ignore_errors=True)
    print(f"builds: {2 - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
