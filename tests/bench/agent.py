# SPDX-License-Identifier: Apache-2.0
"""What the probes of one agent with 10,000 endpoints of a real control plane cost, and how far from their scheduled
time within the interval they start.

The agent has priority over other processes on its core, so that only its own lateness is measured, not that of a
machine which other processes use as well.
"""
import http.client
import os
import subprocess
import time

from control import WAIT_S, percentile, wait
from servers import CLIENT_CORE, SERVER_CORE, cpu_us, end, rss_kb

from veer_util import Api

ENDPOINTS = 10000
POOL = 1000  # endpoints per pool
AGENT_CORE, OTHER_CORE = str(SERVER_CORE), str(CLIENT_CORE)
HASH_SEED, HASH_PRIME = 0xcbf29ce484222325, 0x100000001b3


def place_hash(*texts):
    """FNV-1a over the texts and their final bytes, as the agent computes it (base/index.h)."""
    value = HASH_SEED
    for text in texts:
        for byte in text.encode() + b"\xff":
            value = (value ^ byte) * HASH_PRIME & (1 << 64) - 1
    return value


def endpoint(number):
    return f"p{number // POOL}/e{number % POOL}"


class Target:
    """probe_target on the other core, with priority over everything else there: a late note of a connection must not
    count as lateness of the agent."""

    def __init__(self, build, *what):
        self.process = subprocess.Popen(["taskset", "-c", OTHER_CORE, "nice", "-n", "-15", os.path.join(build, "tests/probe_target"), *what],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def seen(self):
        """Stop the target and return (endpoint, wall-clock time in microseconds) of each connection."""
        self.process.stdin.close()
        lines = self.process.stdout.read().splitlines()
        self.process.wait()
        return [tuple(map(int, line.split())) for line in lines]


class Rig:
    """veer-api with that many endpoints under `check`, and one agent that probes them, both from one build."""

    def __init__(self, build, directory, check, endpoints=ENDPOINTS):
        self.build, self.dir, self.endpoints = build, directory, endpoints
        self.api = Api(directory)
        program = os.path.join(build, "veer-api")
        args = self.api.argv[1:]
        if "--resolver" not in subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout:
            at = args.index("--resolver")  # an earlier build
            del args[at:at + 2]
        self.api.argv = ["taskset", "-c", OTHER_CORE, program] + args
        self.api.start()
        self.must("PUT", "/v1/sites/s", {"region": "eu"})
        self.must("PUT", "/v1/checks/c", check)
        for pool in range(endpoints // POOL):
            first = pool * POOL
            self.must("PUT", f"/v1/pools/p{pool}", {"checks": ["c"], "endpoints": [
                {"name": f"e{i}", "address": f"127.9.{(first + i) >> 8}.{(first + i) & 255}", "site": "s"} for i in range(POOL)]})
        made = self.must("POST", "/v1/agents", {"name": "a1", "region": "eu"})
        token = os.path.join(directory, "token")
        with open(token, "w", encoding="utf-8") as f:
            f.write(made["token"])
        with open(os.path.join(directory, "agent.log"), "w", encoding="utf-8") as log:
            self.agent = subprocess.Popen(
                ["taskset", "-c", AGENT_CORE, "nice", "-n", "-15", os.path.join(build, "veer-probe"), "--api", f"unix:{self.api.unix}", "--token-file", token,
                 "--state", os.path.join(directory, "agent"), "--allow-targets", "loopback", "--log-level", "warning"],
                stderr=log)
        self.pid = self.agent.pid

    def must(self, method, path, body):
        reply = self.api.call(method, path, body, timeout=WAIT_S)
        if reply.status >= 300:
            raise RuntimeError(f"{method} {path}: {reply}")
        return reply.json

    def states(self):
        counts = {}
        try:
            for e in self.api.get("/v1/status", timeout=WAIT_S).json["endpoints"]:
                counts[e["state"]] = counts.get(e["state"], 0) + 1
        except (OSError, http.client.HTTPException):
            pass
        return counts

    def settle(self):
        """Wait until every endpoint is up and the quick first round is over."""
        wait(lambda: time.sleep(0.5) or self.states() == {"up": self.endpoints}, "the endpoints do not come up")
        time.sleep(3)

    def measure(self, seconds):
        """Return the CPU in percent of one core, and the wall-clock times between which it was measured."""
        begun, before = time.time(), cpu_us(self.pid)
        time.sleep(seconds)
        used, ended = cpu_us(self.pid) - before, time.time()
        return used / (ended - begun) / 10000, begun, ended

    def close(self):
        if self.agent.poll() is None:
            end(self.agent)
        self.api.stop()


def lateness_ms(seen, begun, ended, interval_ms):
    """How long after its scheduled time each probe started. A start that is too early counts as equally late."""
    place = [(place_hash("c", endpoint(i)) >> 16) % interval_ms for i in range(ENDPOINTS)]
    late = []
    for number, at_us in seen:
        if begun * 1e6 <= at_us <= ended * 1e6:
            off = (at_us / 1000 - place[number]) % interval_ms
            late.append(abs(off if off < interval_ms / 2 else off - interval_ms))
    return late


def run(args, directory, check, seconds, what=None):
    """Return (CPU in percent, MiB, lateness of each start in ms, starts per second) of ENDPOINTS checks."""
    target = Target(args.build, *(what or (check["kind"],)))
    rig = None
    try:
        rig = Rig(args.build, directory, {**check, "port": target.port})
        rig.settle()
        cpu, begun, ended = rig.measure(seconds)
        rss = rss_kb(rig.pid) / 1024
        states = rig.states()
    finally:
        if rig is not None:
            rig.close()
        seen = target.seen()
    if states != {"up": ENDPOINTS}:
        raise RuntimeError(f"not all endpoints are up: {states}")
    late = lateness_ms(seen, begun, ended, check["interval_ms"])
    print(f"  {cpu:.1f} % of a core, RSS {rss:.1f} MiB, {len(late) / (ended - begun):.0f} starts/s, from their place: p50 {percentile(late, 0.5):.2f}, "
          f"p99 {percentile(late, 0.99):.2f}, max {max(late):.2f} ms", flush=True)
    return cpu, rss, late, len(late) / (ended - begun)


def make_certificates(directory):
    """Make an authority and its certificate for www.example.test, with P-256 keys. Return the paths of authority,
    certificate and key."""
    ca, ca_key, cert, key, request = (os.path.join(directory, name) for name in ("ca.pem", "ca.key", "cert.pem", "key.pem", "request.pem"))
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for argv in (["req", "-x509", *curve, "-subj", "/CN=Bench CA", "-days", "9", "-keyout", ca_key, "-out", ca],
                 ["req", *curve, "-subj", "/CN=www.example.test", "-addext", "subjectAltName=DNS:www.example.test", "-keyout", key, "-out", request],
                 ["x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-days", "8", "-copy_extensions", "copyall", "-out", cert]):
        subprocess.run(["openssl", *argv], check=True, capture_output=True)
    return ca, cert, key


def bench(args, directory, bars):
    for name, interval_ms, seconds in (("http", 10000, 20), ("tcp", 1000, 10)):
        print(f"One agent, {ENDPOINTS} {name} checks every {interval_ms // 1000} s", flush=True)
        sub = os.path.join(directory, name)
        os.mkdir(sub)
        check = {"kind": name, "interval_ms": interval_ms, "timeout_ms": 500, "hold_s": 0}
        cpu, rss, late, rate = run(args, sub, check, seconds)
        bars.at_most(f"{name}: CPU", cpu, 15 if name == "http" else 100, " %")
        bars.at_most(f"{name}: RSS", rss, 60, " MiB")
        bars.at_most(f"{name}: starts missed of those due", max(0.0, 1 - rate * interval_ms / 1000 / ENDPOINTS), 0.002)
        bars.at_most(f"{name}: from their place, p99", percentile(late, 0.99), 20, " ms")
