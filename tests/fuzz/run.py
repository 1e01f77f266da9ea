#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the fuzz targets of `make fuzz` in slices, one after the other, and adds up the results.

    make fuzz-run                        each of the packet path's targets until it has had 900 s of CPU
    make fuzz-run SECONDS=60             until it has had 60 s
    tests/fuzz/run.py --slices 1         one slice of each that is not done yet, then stop
    tests/fuzz/run.py --only packet,edns

It may be stopped at any time; the unfinished slice is then not counted. CPU time, executions and crashes are written to
build/fuzz/progress.json after each slice. The inputs that a target has found are kept in build/fuzz/corpus/, and inputs
that made it fail in build/fuzz/crashes/. The seeds in tests/fuzz/corpus/ are read, never written. The last line is 'N
passed, N failed'; a target has failed when it had a crash or could not run.
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGETS = ["packet", "tcp", "compress", "zonefile", "edns", "plan_disk"]
CRASH_NAMES = ("crash-", "leak-", "oom-", "timeout-")
OPTIONS = ["-print_final_stats=1", "-timeout=20", "-rss_limit_mb=3000"]
MAX_LEN = {"packet": 2048, "tcp": 8192, "compress": 1500, "zonefile": 4096, "edns": 1024, "plan_disk": 4096}
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a running process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK
    except (OSError, IndexError):
        return 0.0


class Progress:
    """The results of all runs so far."""

    def __init__(self, path):
        self.path = path
        self.targets = self.load()

    def load(self):
        if not os.path.exists(self.path):
            return {}
        with open(self.path, encoding="ascii") as f:
            return json.load(f)

    def of(self, name):
        return self.targets.setdefault(name, {"cpu_s": 0.0, "executions": 0, "slices": 0, "crashes": [], "coverage": 0, "error": ""})

    def save(self, name):
        """Write the numbers of one target; another run may write those of other targets."""
        self.targets = {**self.load(), name: self.of(name)}
        with open(self.path + ".new", "w", encoding="ascii") as f:
            json.dump(self.targets, f, indent=1, sort_keys=True)
        os.replace(self.path + ".new", self.path)


def work(p, seconds):
    """Let a process run until it ends or has used its CPU time. Return (exit status, resources used)."""
    stopped = False
    while True:
        pid, status, usage = os.wait4(p.pid, 0 if stopped else os.WNOHANG)
        if pid == p.pid:
            p.returncode = os.waitstatus_to_exitcode(status)
            return p.returncode, usage
        if cpu_seconds(p.pid) >= seconds:
            p.send_signal(signal.SIGUSR1)  # libFuzzer ends after the present input and prints its results
            stopped = True
        else:
            time.sleep(0.1)


def run_slice(build, name, seconds, state):
    """Run one target for `seconds` of CPU."""
    corpus, crashes = os.path.join(build, "corpus", name), os.path.join(build, "crashes", name)
    seeds = os.path.join(ROOT, "tests", "fuzz", "corpus", "fuzz_" + name)
    os.makedirs(corpus, exist_ok=True)
    os.makedirs(crashes, exist_ok=True)
    argv = [os.path.join(build, "fuzz_" + name), *OPTIONS, f"-max_len={MAX_LEN.get(name, 4096)}", f"-artifact_prefix={crashes}/", corpus, seeds]
    log_path = os.path.join(build, f"{name}.log")
    with open(log_path, "w+", encoding="utf-8", errors="replace") as log:
        status, usage = work(subprocess.Popen(argv, stdout=log, stderr=log, cwd=ROOT), seconds)
        log.seek(0)
        text = log.read()
    units = re.findall(r"stat::number_of_executed_units:\s*(\d+)", text)
    coverage = re.findall(r"cov: (\d+)", text)
    state["cpu_s"] = round(state["cpu_s"] + usage.ru_utime + usage.ru_stime, 1)
    state["executions"] += int(units[-1]) if units else 0
    state["slices"] += 1
    state["coverage"] = int(coverage[-1]) if coverage else state["coverage"]
    state["crashes"] = sorted(f for f in os.listdir(crashes) if f.startswith(CRASH_NAMES))
    state["error"] = "" if status == 0 else f"status {status}: {log_path}"
    return status == 0


def table(progress, names):
    print(f"{'target':<12}{'CPU s':>9}{'executions':>13}{'exec/s':>9}{'edges':>8}{'slices':>8}{'crashes':>9}")
    failed = 0
    for name in names:
        t = progress.of(name)
        rate = t["executions"] / t["cpu_s"] if t["cpu_s"] else 0
        print(f"{name:<12}{t['cpu_s']:>9.0f}{t['executions']:>13}{rate:>9.0f}{t['coverage']:>8}{t['slices']:>8}{len(t['crashes']):>9}  {t['error']}".rstrip())
        for crash in t["crashes"]:
            print(f"    {crash}")
        failed += bool(t["crashes"] or t["error"])
    print(f"{len(names) - failed} passed, {failed} failed", flush=True)
    return failed


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--build", default=os.path.join(ROOT, "build", "fuzz"))
    ap.add_argument("--seconds", type=float, default=900, help="CPU time of each target, over all runs")
    ap.add_argument("--slice", type=float, default=60, help="CPU time of one slice")
    ap.add_argument("--slices", type=int, default=0, help="stop after this many slices of each target; 0: continue to the end")
    ap.add_argument("--only", default=",".join(TARGETS), help="targets, separated by commas")
    args = ap.parse_args()
    names = args.only.split(",")
    progress = Progress(os.path.join(args.build, "progress.json"))
    rounds, broken = 0, set()
    while args.slices == 0 or rounds < args.slices:
        todo = [n for n in names if progress.of(n)["cpu_s"] < args.seconds and n not in broken]
        for name in todo:
            if not run_slice(args.build, name, min(args.slice, args.seconds), progress.of(name)):
                broken.add(name)
            progress.save(name)
        rounds += 1
        if not todo:
            break
    return 1 if table(progress, names) else 0


if __name__ == "__main__":
    sys.exit(main())
