# SPDX-License-Identifier: Apache-2.0
"""What a check by HTTPS costs an agent, with full handshakes with P-256. It is compared with blackbox_exporter, with a
client that is only OpenSSL, and with an earlier build.

CPU is that of the process itself in a steady state. Memory per endpoint is the memory that 1,000 endpoints, whose
servers take 0.2 s to answer, add to an agent that has none, both a quarter of a minute after they came up and at the
peak. Everything is measured in one run, in turns.
"""
import http.client
import os
import resource
import shutil
import statistics
import subprocess
import threading
import time

from agent import AGENT_CORE, OTHER_CORE, Rig, Target, make_certificates
from servers import cpu_us, end, free_port, rss_kb

ENDPOINTS = 1000
INTERVAL_MS = 2000
MANY = 10000
NAME = "www.example.test"
BLACKBOX = "prometheus-blackbox-exporter"


class Blackbox:
    """blackbox_exporter; four threads ask it for one probe after the other."""

    def __init__(self, directory, ca):
        config = os.path.join(directory, "blackbox.yml")
        with open(config, "w", encoding="ascii") as f:
            f.write("modules:\n  https:\n    prober: http\n    timeout: 2s\n    http:\n      preferred_ip_protocol: ip4\n"
                    f"      headers: {{Host: {NAME}}}\n      tls_config: {{ca_file: {ca}, server_name: {NAME}}}\n")
        self.port = free_port()
        self.process = subprocess.Popen(["taskset", "-c", AGENT_CORE, BLACKBOX, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{self.port}"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.failed = 0
        self.last = ""

    def probe(self, connection, target_port, number):
        connection.request("GET", f"/probe?module=https&target=https://127.9.{number >> 8}.{number & 255}:{target_port}/")
        self.last = connection.getresponse().read().decode()
        if "\nprobe_success 1" not in self.last:
            self.failed += 1

    def some(self, target_port, numbers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        for number in numbers:
            self.probe(connection, target_port, number)
        connection.close()

    def all(self, target_port):
        """Probe each endpoint once. Return the microseconds of CPU per probe."""
        before = cpu_us(self.process.pid)
        threads = [threading.Thread(target=self.some, args=(target_port, range(i, ENDPOINTS, 4))) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.failed:
            raise RuntimeError(f"blackbox_exporter: {self.failed} probes failed:\n{self.last}")
        return (cpu_us(self.process.pid) - before) / ENDPOINTS

    def wait(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                http.client.HTTPConnection("127.0.0.1", self.port, timeout=1).request("GET", "/")
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("blackbox_exporter does not answer")


def floor_us(build, *argv):
    """The CPU per check of tls_floor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["taskset", "-c", AGENT_CORE, "nice", "-n", "-15", os.path.join(build, "tests/tls_floor"), *argv], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1e6 / ENDPOINTS


class Agent:
    """An agent of a build with that many endpoints, after it has settled."""

    def __init__(self, build, directory, check, endpoints):
        os.mkdir(directory)
        self.rig = Rig(build, directory, check, endpoints)
        if endpoints:
            self.rig.settle()
        else:
            time.sleep(3)

    def cost(self, seconds):
        """Return the microseconds of CPU per check."""
        percent, _, _ = self.rig.measure(seconds)
        return percent * 10000 / (ENDPOINTS * 1000 / INTERVAL_MS)

    def rss(self):
        return rss_kb(self.rig.pid)

    def peak(self):
        """The peak in KiB since the start of the process."""
        with open(f"/proc/{self.rig.pid}/status", encoding="ascii") as f:
            return int(next(line for line in f if line.startswith("VmHWM")).split()[1])

    def close(self):
        self.rig.close()
        shutil.rmtree(self.rig.dir)


PLAIN, BARE, ARITHMETIC = "veer, http", "OpenSSL alone", "P-256 alone"


def cost_of_agent(build, directory, check, seconds):
    agent = Agent(build, directory, check, ENDPOINTS)
    try:
        return agent.cost(seconds)
    finally:
        agent.close()


MEMORY_S = 15


def memory_of_agent(build, directory, check, endpoints):
    """Return the KiB at the end, and at the peak."""
    agent = Agent(build, directory, check, endpoints)
    try:
        time.sleep(MEMORY_S if endpoints else 0)
        return agent.rss(), agent.peak()
    finally:
        agent.close()


def memory_of(build, directory, check):
    """Return the KiB per endpoint, at the end and at the peak."""
    loaded, empty = memory_of_agent(build, directory, check, ENDPOINTS), memory_of_agent(build, directory, check, 0)
    return [(a - b) / ENDPOINTS for a, b in zip(loaded, empty)]


def costs(args, directory, check, slow, plain, ca):
    """For each program: microseconds of CPU per check and KiB per endpoint, of each round."""
    builds = {"veer": args.build, **({"before": args.before} if args.before else {})}
    cpu = {name: [] for name in [*builds, *(["blackbox"] if shutil.which(BLACKBOX) else []), PLAIN, BARE, ARITHMETIC]}
    memory = {name: [] for name in builds}
    blackbox = Blackbox(directory, ca) if "blackbox" in cpu else None
    port = check["port"]
    try:
        if blackbox:
            blackbox.wait()
            blackbox.all(port)
        for i in range(args.https_rounds):
            for name, build in builds.items():
                sub = os.path.join(directory, f"{name}{i}")
                cpu[name].append(cost_of_agent(build, sub, check, args.https_seconds))
                memory[name].append(memory_of(build, sub, slow))
            if blackbox:
                cpu["blackbox"].append(blackbox.all(port))
            cpu[PLAIN].append(cost_of_agent(args.build, os.path.join(directory, f"plain{i}"), plain, args.https_seconds))
            cpu[BARE].append(floor_us(args.build, str(port), str(ENDPOINTS), NAME, ca))
            cpu[ARITHMETIC].append(floor_us(args.build, str(ENDPOINTS)))
    finally:
        if blackbox:
            end(blackbox.process)
    return cpu, memory


def ratio(of, to):
    """The median of the ratios of the rounds."""
    return statistics.median(a / b for a, b in zip(of, to))


def spread(values, digits):
    return f"{statistics.median(values):6.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def bench_costs(args, directory, bars, check, cert, key, ca):
    print(f"One agent, {ENDPOINTS} https checks every {INTERVAL_MS // 1000} s, full handshakes: {args.https_rounds} rounds of {args.https_seconds} s", flush=True)
    target, late, plain = Target(args.build, "https", cert, key), Target(args.build, "https", cert, key, "200"), Target(args.build, "http")
    often = {"interval_ms": INTERVAL_MS, "timeout_ms": 1500}
    try:
        cpu, memory = costs(args, directory, {**check, **often, "port": target.port}, {**check, **often, "port": late.port},
                            {"kind": "http", "hold_s": 0, **often, "port": plain.port}, ca)
    finally:
        for t in (target, late, plain):
            t.seen()
    for name, values in cpu.items():
        print(f"  {name:14} {spread(values, 0)} us of CPU a check", flush=True)
    for name, values in memory.items():
        print(f"  {name:14} {spread([v[0] for v in values], 1)} KiB an endpoint, {spread([v[1] for v in values], 1)} at the peak", flush=True)
    if "before" in cpu:
        bars.at_most("https: CPU a check, to the build before", ratio(cpu["veer"], cpu["before"]), 0.30)
        bars.at_most("https: memory an endpoint, to the build before", ratio([v[0] for v in memory["veer"]], [v[0] for v in memory["before"]]), 0.1)
    if "blackbox" in cpu:
        bars.at_most("https: CPU a check, to blackbox_exporter", ratio(cpu["veer"], cpu["blackbox"]), 0.25)


def bench_many(args, directory, bars, check, cert, key):
    print(f"One agent, {MANY} https checks every 20 s, each answered after 0.4 s: 200 under way, 400 in the first rounds", flush=True)
    target = Target(args.build, "https", cert, key, "400")
    agent = None
    try:
        agent = Agent(args.build, os.path.join(directory, "many"), {**check, "interval_ms": 20000, "timeout_ms": 5000, "port": target.port}, MANY)
        percent, _, _ = agent.rig.measure(20)
        rss = agent.rss() / 1024
        under_way = len(os.listdir(f"/proc/{agent.rig.pid}/fd"))
        states = agent.rig.states()
    finally:
        if agent:
            agent.close()
        target.seen()
    print(f"  {percent:.1f} % of a core, RSS {rss:.1f} MiB, {under_way} descriptors, {states}", flush=True)
    bars.at_most("https: RSS", rss, 60, " MiB")
    bars.at_most("https: endpoints that are not up", MANY - states.get("up", 0), 0)


def bench_hanging(args, directory, bars, check):
    print(f"One agent, {MANY} https checks every 5 s with 5 s of time, all of which hang", flush=True)
    sub = os.path.join(directory, "hanging")
    os.mkdir(sub)
    target, rig = Target(args.build, "silent"), None
    try:
        rig = Rig(args.build, sub, {**check, "interval_ms": 5000, "timeout_ms": 5000, "port": target.port}, MANY)
        time.sleep(20)
        rss = rss_kb(rig.pid) / 1024
    finally:
        if rig:
            rig.close()
        target.seen()
    with open(os.path.join(sub, "agent.log"), encoding="utf-8") as f:
        is_said = "too many connections by TLS" in f.read()
    print(f"  RSS {rss:.1f} MiB, {'said' if is_said else 'not said'}", flush=True)
    bars.at_most("https, hanging: RSS", rss, 150, " MiB")
    bars.at_most("https, hanging: silence about it", int(not is_said), 0)


def bench(args, directory, bars):
    ca, cert, key = make_certificates(directory)
    with open(ca, encoding="ascii") as f:
        check = {"kind": "https", "host": NAME, "ca_pem": f.read(), "hold_s": 0}
    bench_costs(args, directory, bars, check, cert, key, ca)
    bench_many(args, directory, bars, check, cert, key)
    bench_hanging(args, directory, bars, check)
