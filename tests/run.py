#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every test of one build and counts the results: unit tests (cmocka), fuzz corpora, functional tests (pytest).

The last line is 'N passed, N failed'. Exit status 0 only when nothing failed.
"""
import argparse
import concurrent.futures
import glob
import os
import pwd
import re
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
UNIT_DEADLINE_S = 300
SIM_DEADLINE_S = 900
SIM_MUTANTS = ["15", "28", "39"]  # a sample; `make sim-mutants` plays all of them
FUNCTIONAL_DEADLINE_S = 2400
NO_TESTS = 5  # pytest's exit status when every test was deselected


def run(argv, deadline_s, env=None):
    start = time.monotonic()
    try:
        p = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=deadline_s,
                           env=env)
        return p.returncode, p.stdout.decode(errors="replace"), time.monotonic() - start
    except subprocess.TimeoutExpired as e:
        return 124, (e.stdout or b"").decode(errors="replace") + "\nkilled: over its deadline\n", deadline_s


def unit(path):
    code, out, took = run([path], UNIT_DEADLINE_S)
    passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", out))
    failed = sum(int(n) for n in re.findall(r"\[  FAILED  \] (\d+) test", out))
    if code != 0 and failed == 0:
        failed = 1
    if code == 0 and passed == 0:
        out, failed = out + "\nno test ran\n", 1
    return os.path.basename(path), passed, failed, out, took


def replay(path):
    name = os.path.basename(path)[len("replay_"):]
    code, out, took = run([path, os.path.join(ROOT, "tests", "fuzz", "corpus", name)], UNIT_DEADLINE_S)
    return os.path.basename(path), int(code == 0), int(code != 0), out, took


def simulate(path):
    """Play histories of the verdict engine: 10,000, or a tenth of that with sanitizers."""
    count = 10000 if os.path.basename(os.path.dirname(os.path.dirname(os.path.abspath(path)))) == "build" else 1000
    code, out, took = run([path, "--histories", str(count), "--events", "1000"], SIM_DEADLINE_S)
    return f"sim of {count} histories", int(code == 0), int(code != 0), out, took


def sim_kept(path):
    """Play the kept histories, which failed once."""
    kept = sorted(glob.glob(os.path.join(ROOT, "tests", "sim", "seeds", "*.txt")))
    code, out, took = run([path, "--replay"] + kept, SIM_DEADLINE_S)
    return "sim of kept histories", int(code == 0), int(code != 0), out, took


def sim_script(name, build, options):
    code, out, took = run(["/usr/bin/python3", os.path.join(ROOT, "tests", "sim", name), "--build", build] + options,
                          SIM_DEADLINE_S)
    counts = re.search(r"(\d+) passed, (\d+) failed", out.splitlines()[-1] if out else "")
    passed, failed = (int(n) for n in counts.groups()) if counts else (0, 1)
    return f"sim, {name}", passed, failed or int(code != 0), out, took


def sim_jobs(pool, build):
    sim = os.path.join(build, "tests", "sim")
    if not os.path.exists(sim):
        return []
    jobs = [pool.submit(simulate, sim), pool.submit(sim_kept, sim)]
    if os.path.normpath(build) == "build":  # with sanitizers these tests would find nothing more
        only = [word for number in SIM_MUTANTS for word in ("--only", number)]
        jobs.append(pool.submit(sim_script, "builds.py", build, []))
        jobs.append(pool.submit(sim_script, "mutants.py", build, ["--jobs", "1", "--histories", "2000"] + only))
    return jobs


def programs(build):
    found = sorted(glob.glob(os.path.join(build, "tests", "*")))
    found = [p for p in found if os.access(p, os.X_OK) and os.path.isfile(p)]
    wanted_units = {os.path.splitext(os.path.basename(p))[0] for p in glob.glob(os.path.join(ROOT, "tests/unit/test_*.c"))}
    wanted_fuzz = {"replay_" + os.path.splitext(os.path.basename(p))[0]
                   for p in glob.glob(os.path.join(ROOT, "tests/fuzz/fuzz_*.c"))}
    units = [p for p in found if os.path.basename(p) in wanted_units]
    replays = [p for p in found if os.path.basename(p) in wanted_fuzz]
    return units, replays


def run_units(build):
    units, replays = programs(build)
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = sim_jobs(pool, build)
        jobs += [pool.submit(unit, p) for p in units] + [pool.submit(replay, p) for p in replays]
        for job in jobs:
            name, ok, bad, out, took = job.result()
            print(f"  {name}: {ok} passed, {bad} failed ({took:.1f} s)", flush=True)
            if bad:
                print(out)
            passed, failed = passed + ok, failed + bad
    return passed, failed


SYSTEM_USER = "nobody"


def as_system_user(build, base):
    """The words before a command that run it as a system user. None when we are not root, or when that user cannot read
    this checkout."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam(SYSTEM_USER)
    words = ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
    os.chown(base, user.pw_uid, user.pw_gid)
    os.chmod(base, 0o755)
    may_read = ["test", "-x", os.path.join(build, "veer-dnsd"), "-a", "-r", os.path.join(ROOT, "tests", "run.py")]
    if subprocess.run(words + may_read, check=False).returncode != 0:
        print(f"  functional tests run as root: {SYSTEM_USER} cannot read {ROOT}")
        return []
    return words


def functional_turn(name, argv, env):
    code, out, took = run(argv, FUNCTIONAL_DEADLINE_S, env)
    print(out)
    counts = {w: int(n) for n, w in re.findall(r"(\d+) (passed|failed|error)s?\b", out.splitlines()[-1] if out else "")}
    passed, failed = counts.get("passed", 0), counts.get("failed", 0) + counts.get("error", 0)
    if code not in (0, NO_TESTS) and failed == 0:
        failed = 1
    print(f"  functional, {name}: {passed} passed, {failed} failed ({took:.1f} s)", flush=True)
    return passed, failed


def run_functional(build, extra):
    """Run the functional tests as a system user, then run as root those that the system user had to skip."""
    build = os.path.abspath(build)
    env = dict(os.environ, VEER_BUILD=build, PYTHONDONTWRITEBYTECODE="1")
    argv = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/functional"] + extra
    with tempfile.TemporaryDirectory(prefix="veer-tests-") as base:
        words = as_system_user(build, base)
        if not words:
            return functional_turn("as we are", argv, env)
        skipped = os.path.join(base, "skipped")
        first = functional_turn(f"as {SYSTEM_USER}", words + argv + ["--basetemp", os.path.join(base, "tests")],
                                dict(env, HOME=base, VEER_SKIPPED_FILE=skipped))
        if not os.path.exists(skipped):
            return first
        second = functional_turn("as root", argv, dict(env, VEER_ONLY_FILE=skipped))
    return first[0] + second[0], first[1] + second[1]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--build", default="build")
    ap.add_argument("--unit-only", action="store_true")
    ap.add_argument("--functional-only", action="store_true")
    args, extra = ap.parse_known_args()
    passed = failed = 0
    if not args.functional_only:
        passed, failed = run_units(args.build)
    if not args.unit_only:
        p, f = run_functional(args.build, extra)
        passed, failed = passed + p, failed + f
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
