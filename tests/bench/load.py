#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What 10 agents with 10,000 endpoints cost the control plane: while everything is well, and while everything fails.

    load.py [--agents N] [--endpoints N] [--seconds N] [--rounds N]

A real veer-api with a subscriber to its feed and one to each agent's assignments. tests/tools/report_load.c plays the
agents and reports each second. Only steady states are measured: after the change from well to failing, all transitions
are committed before the measurement begins, and the history is long enough that none is deleted meanwhile. The CPU time
is that of the process, from the kernel. The bytes are those of all reports, of all streams, and those written to the
store. A tick is one report of each agent: it takes a second, or longer where the machine is too busy. The last line is
`N passed, N failed`.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from health_world import BUILD, World

POOL = 1000


class Stream:
    """A subscriber that counts the bytes that it receives."""

    def __init__(self, api, path, token):
        self.stream = api.subscribe(path, token=token, timeout=3600)
        self.bytes = 0
        self.revision = None
        threading.Thread(target=self.read_on, daemon=True).start()

    def read_on(self):
        try:
            while text := self.stream.response.readline():
                self.bytes += len(text)
                if text.startswith(b'{"type":"assignments"'):
                    self.revision = json.loads(text)["revision"]
        except (OSError, ValueError):
            pass


class Plane:
    """The control plane with its configuration and agents."""

    def __init__(self, directory, agents, endpoints):
        self.endpoints = endpoints
        self.world = World(directory, api_args=["--history", "100000"], settings={"brake": "off"})
        self.api = self.world.api
        members = [(f"p{n // POOL}", f"e{n % POOL}", f"192.0.{n // 250}.{n % 250 + 1}", f"s{n % 10}") for n in range(endpoints)]
        check = {"kind": "tcp", "port": 80, "interval_ms": 5000, "timeout_ms": 2000, "hold_s": 0}
        self.world.configure(members, {pool: check for pool in sorted({m[0] for m in members})})
        self.bearers = [self.api.enrol("agent", f"a{i}", ("eu", "us", "ap")[i % 3])[1] for i in range(agents)]
        self.streams = [Stream(self.api, "/v1/agents/self/assignments", bearer) for bearer in self.bearers]
        feed = self.api.make_token("feed:read")
        self.streams.append(Stream(self.api, "/v1/feed", feed))
        time.sleep(2)  # until the last agent has its assignments

    def revision(self):
        revisions = {s.revision for s in self.streams[:-1]}
        assert len(revisions) == 1, revisions
        return revisions.pop()

    def cpu_s(self):
        with open(f"/proc/{self.api.process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def written(self):
        with open(f"/proc/{self.api.process.pid}/io", encoding="ascii") as f:
            return int(dict(line.split(": ") for line in f)["write_bytes"])

    def rss_mb(self):
        with open(f"/proc/{self.api.process.pid}/status", encoding="ascii") as f:
            return int(next(line for line in f if line.startswith("VmRSS")).split()[1]) / 1024

    def report(self, state, seconds):
        argv = [os.path.join(BUILD, "tests", "report_load"), str(self.api.port), str(self.endpoints), str(self.revision()), str(seconds), state]
        done = subprocess.run(argv, input="".join(b + "\n" for b in self.bearers), capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout, done.stderr)
        said = json.loads(done.stdout)
        assert said["refused"] == 0, said
        return said

    def settle(self, state):
        """Report until every verdict is committed and nothing changes any more."""
        began = time.monotonic()
        while True:
            self.report(state, 3)
            count = self.api.metric("veer_transitions_total")
            states = set(self.world.states().values())
            if states == {state} and count == self.last_count:
                return time.monotonic() - began
            self.last_count = count
            assert time.monotonic() - began < 300, (states, count)

    last_count = -1

    def measure(self, state, seconds):
        cpu, written, streamed = self.cpu_s(), self.written(), sum(s.bytes for s in self.streams)
        began = time.monotonic()
        said = self.report(state, seconds)
        lasted = time.monotonic() - began
        cpu_ms = (self.cpu_s() - cpu) * 1000 / said["reports"]
        return {"cpu_ms": cpu_ms * len(self.bearers), "cpu_ms_report": cpu_ms, "seconds": lasted,
                "report_bytes": (said["sent"] + said["received"]) / seconds,
                "stream_bytes": (sum(s.bytes for s in self.streams) - streamed) / lasted, "store_bytes": (self.written() - written) / lasted,
                "reply_us": said["mean_us"], "longest_us": said["longest_us"], "rss_mb": self.rss_mb()}


def middle(rounds, key):
    return statistics.median(r[key] for r in rounds)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--agents", type=int, default=10)
    ap.add_argument("--endpoints", type=int, default=10000)
    ap.add_argument("--seconds", type=int, default=10)
    ap.add_argument("--rounds", type=int, default=3)
    args = ap.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no process is left running after SIGTERM either
    found = {"up": [], "down": []}
    with tempfile.TemporaryDirectory(prefix="veer-load-") as directory:
        plane = Plane(directory, args.agents, args.endpoints)
        try:
            for _ in range(args.rounds):
                for state, rounds in found.items():
                    took = plane.settle(state)
                    rounds.append(plane.measure(state, args.seconds))
                    text = "  ".join(f"{key} {value:.1f}" for key, value in rounds[-1].items())
                    print(f"all {state:4}  settled in {took:.0f} s; a second: {text}", flush=True)
        finally:
            plane.world.stop()
    results = []
    for what, keys in (("CPU", ["cpu_ms"]), ("bytes", ["report_bytes", "stream_bytes", "store_bytes"]), ("bytes of reports", ["report_bytes"])):
        well, failing = (sum(middle(found[state], key) for key in keys) for state in ("up", "down"))
        results.append((f"{what} per tick: {failing:.0f} failing, {well:.0f} well, ratio {failing / well:.3f}, at most 1.2", failing <= 1.2 * well))
    for what, good in results:
        print(f"  {'ok    ' if good else 'FAILED'} {what}")
    bad = sum(not good for _, good in results)
    print(f"{len(results) - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
