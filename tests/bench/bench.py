#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CPU per query of veer-dnsd beside NSD, Knot, gdnsd and a bare echo, in the same run, in turns.

One core for the server, one for dnsperf (both are pinned). Reported are medians over the rounds of: server CPU in microseconds a query, queries a
second, loss, resident memory; and the ratios to the best peer and to the echo. Absolute figures of a shared machine drift, ratios do not.
"""
import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TICKS = os.sysconf("SC_CLK_TCK")
ORIGIN = "bench.example."


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def tree(pid):
    """The process and its descendants."""
    found = [pid]
    for p in found:
        for task in os.listdir(f"/proc/{p}/task"):
            try:
                with open(f"/proc/{p}/task/{task}/children") as f:
                    found += [int(c) for c in f.read().split()]
            except OSError:
                pass
    return found


def cpu_us(pid):
    total = 0
    for p in tree(pid):
        for task in os.listdir(f"/proc/{p}/task"):
            with open(f"/proc/{p}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
    return total / 1000


def rss_kb(pid):
    total = 0
    for p in tree(pid):
        with open(f"/proc/{p}/status") as f:
            total += int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
    return total


class Bench:
    def __init__(self, args, directory):
        self.args, self.dir = args, directory
        self.peers = os.path.join(args.peers, "usr")
        self.env = dict(os.environ, LD_LIBRARY_PATH=os.path.join(self.peers, "lib/x86_64-linux-gnu"))
        self.zone = os.path.join(directory, ORIGIN + "zone")
        self.queries = os.path.join(directory, "queries")
        with open(self.zone, "w") as f:
            f.write(f"$TTL 300\n@ IN SOA ns1.{ORIGIN} hostmaster.{ORIGIN} 1 3600 600 86400 60\n@ IN NS ns1.{ORIGIN}\nns1 IN A 192.0.2.53\n")
            for i in range(args.names):
                f.write(f"h{i} IN A 10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}\n")
        step = 7919
        with open(self.queries, "w") as f:
            for i in range(200000):
                f.write(f"h{i * step % args.names}.{ORIGIN} A\n")

    def start(self, argv, env=None, core=0):
        return subprocess.Popen(["taskset", "-c", str(core)] + argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env,
                                cwd=self.dir)

    def veer(self, port):
        return self.start([os.path.join(self.args.build, "veer-dnsd"), "--listen", f"127.0.0.1@{port}", "--workers", "1", "--zone",
                           f"{ORIGIN}={self.zone}"])

    def nsd(self, port):
        path = os.path.join(self.dir, "nsd.conf")
        with open(path, "w") as f:
            f.write(f'server:\n ip-address: 127.0.0.1@{port}\n username: ""\n chroot: ""\n zonesdir: "{self.dir}"\n database: ""\n'
                    f' pidfile: "{self.dir}/nsd.pid"\n zonelistfile: "{self.dir}/nsd.l"\n xfrdfile: "{self.dir}/nsd.x"\n'
                    f' xfrdir: "{self.dir}"\n rrl-ratelimit: 0\n server-count: 1\n minimal-responses: yes\nremote-control:\n'
                    f' control-enable: no\nzone:\n name: "{ORIGIN}"\n zonefile: "{self.zone}"\n')
        return self.start([os.path.join(self.peers, "sbin/nsd"), "-d", "-c", path], self.env)

    def knot(self, port):
        path, state = os.path.join(self.dir, "knot.conf"), os.path.join(self.dir, "knot")
        os.makedirs(state, exist_ok=True)
        with open(path, "w") as f:
            f.write(f"server:\n    rundir: {state}\n    listen: 127.0.0.1@{port}\n    udp-workers: 1\n    tcp-workers: 1\n"
                    f"    background-workers: 1\ndatabase:\n    storage: {state}\ntemplate:\n  - id: default\n    storage: {self.dir}\n"
                    f"    zonefile-sync: -1\n    zonefile-load: whole\n    journal-content: none\n    semantic-checks: off\n"
                    f"zone:\n  - domain: {ORIGIN}\n    file: {self.zone}\n")
        return self.start([os.path.join(self.peers, "sbin/knotd"), "-c", path], self.env)

    def gdnsd(self, port):
        etc = os.path.join(self.dir, "gdnsd")
        os.makedirs(os.path.join(etc, "zones"), exist_ok=True)
        os.makedirs(os.path.join(etc, "run"), exist_ok=True)
        os.makedirs(os.path.join(etc, "state"), exist_ok=True)
        with open(os.path.join(etc, "config"), "w") as f:
            f.write(f"options => {{ listen => [127.0.0.1:{port}], udp_threads => 1, tcp_threads => 1, run_dir => {etc}/run, "
                    f"state_dir => {etc}/state }}\n")
        target = os.path.join(etc, "zones", ORIGIN.rstrip("."))
        if not os.path.exists(target):
            os.symlink(self.zone, target)
        return self.start([os.path.join(self.peers, "sbin/gdnsd"), "-c", etc, "start"], self.env)

    def echo(self, port):
        return self.start([os.path.join(self.args.build, "tests/echo_floor"), str(port), str(self.args.reply)])

    def wait(self, process, port, name):
        deadline = time.monotonic() + 120
        query = b"\0\1\1\0\0\1\0\0\0\0\0\0\2h1\5bench\7example\0\0\1\0\1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            while time.monotonic() < deadline:
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended with {process.returncode}")
                try:
                    s.sendto(query, ("127.0.0.1", port))
                    return len(s.recv(4096))
                except OSError:
                    time.sleep(0.05)
        raise RuntimeError(f"{name} does not answer")

    def round(self, name):
        port = free_port()
        process = getattr(self, name)(port)
        try:
            self.wait(process, port, name)
            time.sleep(0.3)
            before = cpu_us(process.pid)
            out = subprocess.run(["taskset", "-c", "1", os.path.join(self.peers, "bin/dnsperf"), "-s", "127.0.0.1", "-p", str(port), "-d",
                                  self.queries, "-l", str(self.args.seconds), "-c", "4", "-q", "200"], env=self.env,
                                 capture_output=True, text=True, timeout=self.args.seconds + 60).stdout
            used = cpu_us(process.pid) - before
            sent = int(re.search(r"Queries sent:\s+(\d+)", out).group(1))
            done = int(re.search(r"Queries completed:\s+(\d+)", out).group(1))
            qps = float(re.search(r"Queries per second:\s+([\d.]+)", out).group(1))
            return {"cpu_us": used / max(done, 1), "qps": qps, "loss": 1 - done / max(sent, 1), "rss_kb": rss_kb(process.pid)}
        finally:
            process.terminate()
            process.wait(30)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--build", default=os.path.join(ROOT, "build"))
    ap.add_argument("--peers", default=os.path.join(ROOT, "build/peers/root"))
    ap.add_argument("--names", type=int, default=100000)
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--seconds", type=int, default=3)
    ap.add_argument("--reply", type=int, default=52, help="bytes of the echo's replies")
    ap.add_argument("--only", default="veer,nsd,knot,gdnsd,echo")
    args = ap.parse_args()
    args.build, args.peers = os.path.abspath(args.build), os.path.abspath(args.peers)
    names = args.only.split(",")
    with tempfile.TemporaryDirectory(prefix="veer-bench-") as directory:
        bench = Bench(args, directory)
        results = {name: [] for name in names}
        for i in range(args.rounds):
            for name in names[i % len(names):] + names[:i % len(names)]:
                try:
                    results[name].append(bench.round(name))
                except RuntimeError as e:
                    print(f"{name}: {e}", file=sys.stderr)
    medians = {name: {k: statistics.median(r[k] for r in rounds) for k in rounds[0]} for name, rounds in results.items() if rounds}
    print(f"{args.names} names, {args.rounds} rounds of {args.seconds} s, medians")
    for name, m in medians.items():
        low = min(r["cpu_us"] for r in results[name])
        high = max(r["cpu_us"] for r in results[name])
        print(f"  {name:6} {m['cpu_us']:6.3f} us CPU a query ({low:.3f} to {high:.3f})  {m['qps']:9.0f} queries/s  loss {m['loss']:.4f}"
              f"  RSS {m['rss_kb'] / 1024:.0f} MiB")
    peers = [medians[n]["cpu_us"] for n in ("nsd", "knot", "gdnsd") if n in medians]
    if "veer" in medians and peers:
        print(f"  veer to the best peer: {medians['veer']['cpu_us'] / min(peers):.3f}")
    if "veer" in medians and "echo" in medians:
        print(f"  veer to the echo: {medians['veer']['cpu_us'] / medians['echo']['cpu_us']:.3f}")


if __name__ == "__main__":
    main()
