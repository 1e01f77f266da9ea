#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests the simulation: each patch in tests/sim/mutants is a bug in the verdict engine that the simulation must find.

  mutants.py --build build [--histories 100000] [--jobs 2] [--only 3 [--only 17 …]]

A copy of the engine's sources is patched, built and linked with the simulation; the run stops at the first history that
fails. The output ends with "N passed, N failed"; a bug that was found counts as passed.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(ROOT, "tests", "sim")
ENGINE = sorted(glob.glob(os.path.join(ROOT, "probes", "verdict", "verdict*.[ch]")))
BUILD_DEADLINE_S = 120
RUN_DEADLINE_S = 1200


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="directory of the simulation's objects and of the libraries")
    parser.add_argument("--histories", type=int, default=100000)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", type=int, action="append", help="the number of a mutant to test; may be repeated")
    return parser.parse_args()


def call(command, cwd=ROOT, deadline=BUILD_DEADLINE_S):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=deadline, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:6])} …: {done.stdout[-500:]}{done.stderr[-1500:]}")
    return done.stdout


def copy_engine(place, patch):
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(os.path.join(place, "probes", "verdict"))
    for path in ENGINE:
        shutil.copy(path, os.path.join(place, "probes", "verdict"))
    call(["patch", "-p1", "--fuzz=0", "--silent", "-i", patch], cwd=place)


def link(place, build):
    """Link with the mutant's objects first, so that the linker does not take those of the archive."""
    sources = sorted(glob.glob(os.path.join(place, "probes", "verdict", "*.c")))
    libs = call(["pkg-config", "--libs", "ldns", "jansson", "yaml-0.1", "libcurl", "libcrypto"]).split()
    objects = sorted(glob.glob(os.path.join(build, "obj", "tests", "sim", "*.o")))
    archives = [os.path.join(build, "obj", f"lib{name}.a") for name in ("verdict", "zones", "base")]
    program = os.path.join(place, "sim")
    call(["gcc", "-D_GNU_SOURCE", "-std=gnu17", "-O1", "-w", "-fPIE", "-pie", "-pthread", "-I", place, "-I", ROOT,
          "-o", program, *sources, *objects, *archives, "-Wl,--as-needed", *libs, "-lm"])
    return program


def run(patch, args):
    """Return (name, histories until the bug was found or None, the output)."""
    name = os.path.splitext(os.path.basename(patch))[0]
    place = os.path.join(ROOT, "build", "mutants", name)
    build = os.path.join(ROOT, args.build)
    try:
        copy_engine(place, patch)
        program = link(place, build)
    except RuntimeError as err:
        return name, None, f"cannot be built: {err}"
    command = [program, "--histories", str(args.histories), "--events", str(args.events), "--stop-after", "1", "--quick", "1"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_DEADLINE_S, check=False)
    except subprocess.TimeoutExpired:
        return name, None, f"not found in {RUN_DEADLINE_S} s"
    finally:
        shutil.rmtree(place, ignore_errors=True)
    found = re.search(r"^sim: fails after (\d+): (.*)$", done.stdout, re.M)
    if done.returncode == 1 and found:
        return name, int(found.group(1)), found.group(2)
    if done.returncode < 0:
        return name, 0, f"crashes with signal {-done.returncode}"
    return name, None, f"not found in {args.histories} histories"


def main():
    args = options()
    patches = sorted(glob.glob(os.path.join(HERE, "mutants", "*.patch")))
    if args.only:
        patches = [p for p in patches if int(os.path.basename(p).split("-")[0]) in args.only]
    passed = failed = 0
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for name, histories, what in pool.map(lambda p: run(p, args), patches):
            passed += histories is not None
            failed += histories is None
            said = f"found in history {histories}: {what}" if histories is not None else f"NOT FOUND: {what}"
            print(f"  {name}: {said}", flush=True)
    print(f"mutants: {passed} passed, {failed} failed ({time.monotonic() - began:.0f} s)")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
