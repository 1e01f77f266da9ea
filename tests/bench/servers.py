# SPDX-License-Identifier: Apache-2.0
"""The servers that are measured, and how their cost is read. Each is started alone on one core, and answers one zone on
a port of the loopback.

dnsperf is pinned to the other core. The other servers are Debian's packages, unpacked below one directory
(tests/tools/fetch-peers).
"""
import json
import os
import random
import re
import socket
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/functional"))

ORIGIN = "bench.example."
SERVER_CORE, CLIENT_CORE = 0, 1
QUERIES = 200000
STEP = 7919  # a prime, so that the queries do not visit the names in the order of the zone


def free_port():
    """A port below those that the kernel gives to clients. Otherwise a client that asks before the server has started
    could occupy the server's port."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        end_of_range = int(f.read().split()[0])
    while True:
        port = random.randrange(max(1024, end_of_range - 10000), end_of_range)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def tree(pid):
    """The process and its descendants."""
    found = [pid]
    for p in found:
        for task in os.listdir(f"/proc/{p}/task"):
            try:
                with open(f"/proc/{p}/task/{task}/children", encoding="ascii") as f:
                    found += [int(c) for c in f.read().split()]
            except OSError:
                pass
    return found


def cpu_us(pid):
    """CPU time so far of the process with all its threads and children, in microseconds."""
    total = 0
    for p in tree(pid):
        for task in os.listdir(f"/proc/{p}/task"):
            with open(f"/proc/{p}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
    return total / 1000


def rss_kb(pid):
    total = 0
    for p in tree(pid):
        with open(f"/proc/{p}/status", encoding="ascii") as f:
            total += int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
    return total


def address_of(number):
    """The address in the answer for hN."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def write_zone(path, names, others=()):
    """Write a zone of h0, h1, …, each with an address of its own."""
    with open(path, "w", encoding="ascii") as f:
        f.write(f"$TTL 300\n@ IN SOA ns1.{ORIGIN} hostmaster.{ORIGIN} 1 3600 600 86400 60\n@ IN NS ns1.{ORIGIN}\nns1 IN A 192.0.2.53\n")
        f.writelines(f"h{i} IN A {address_of(i)}\n" for i in range(names))
        f.writelines(line + "\n" for line in others)


def write_queries(path, names, prefix="h"):
    with open(path, "w", encoding="ascii") as f:
        f.writelines(f"{prefix}{i * STEP % names}.{ORIGIN} A\n" for i in range(QUERIES))


def ask(port, name="h1", timeout=0.2):
    """Return the reply to one question for an address; None when no reply comes in time."""
    labels = f"{name}.{ORIGIN}".rstrip(".").split(".")
    query = b"\0\1\0\0\0\1\0\0\0\0\0\0" + b"".join(bytes([len(x)]) + x.encode() for x in labels) + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        s.connect(("127.0.0.1", port))
        try:
            s.send(query)
            return s.recv(4096)
        except OSError:
            return None


class Servers:
    """Starts each server on `zone`, a file. The servers write into `directory`."""

    def __init__(self, build, peers, directory, zone):
        self.build, self.dir, self.zone = build, directory, zone
        self.peers = os.path.join(peers, "usr")
        self.env = dict(os.environ, LD_LIBRARY_PATH=os.path.join(self.peers, "lib/x86_64-linux-gnu"))
        self.reply_bytes = 52

    def start(self, argv, env=None):
        return subprocess.Popen(["taskset", "-c", str(SERVER_CORE)] + argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env,
                                cwd=self.dir)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path

    def veer(self, port):
        return self.start([os.path.join(self.build, "veer-dnsd"), "--listen", f"127.0.0.1@{port}", "--workers", "1", "--zone",
                           f"{ORIGIN}={self.zone}"])

    def nsd(self, port):
        path = self.write("nsd.conf", f"""server:
 ip-address: 127.0.0.1@{port}
 username: ""
 chroot: ""
 zonesdir: "{self.dir}"
 database: ""
 pidfile: "{self.dir}/nsd.pid"
 zonelistfile: "{self.dir}/nsd.l"
 xfrdfile: "{self.dir}/nsd.x"
 xfrdir: "{self.dir}"
 rrl-ratelimit: 0
 server-count: 1
 minimal-responses: yes
remote-control:
 control-enable: no
zone:
 name: "{ORIGIN}"
 zonefile: "{self.zone}"
""")
        return self.start([os.path.join(self.peers, "sbin/nsd"), "-d", "-c", path], self.env)

    def knot(self, port):
        state = os.path.join(self.dir, "knot")
        os.makedirs(state, exist_ok=True)
        path = self.write("knot.conf", f"""server:
    rundir: {state}
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {state}
template:
  - id: default
    storage: {self.dir}
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    semantic-checks: off
zone:
  - domain: {ORIGIN}
    file: {self.zone}
""")
        return self.start([os.path.join(self.peers, "sbin/knotd"), "-c", path], self.env)

    def gdnsd(self, port):
        etc = os.path.join(self.dir, "gdnsd")
        for name in ("zones", "run", "state"):
            os.makedirs(os.path.join(etc, name), exist_ok=True)
        self.write("gdnsd/config", f"options => {{ listen => [127.0.0.1:{port}], udp_threads => 1, tcp_threads => 1, run_dir => {etc}/run, "
                                   f"state_dir => {etc}/state }}\n")
        target = os.path.join(etc, "zones", ORIGIN.rstrip("."))
        if not os.path.exists(target):
            os.symlink(self.zone, target)
        return self.start([os.path.join(self.peers, "sbin/gdnsd"), "-c", etc, "start"], self.env)

    def echo(self, port):
        return self.start([os.path.join(self.build, "tests/echo_floor"), str(port), str(self.reply_bytes)])

    def wait(self, name, process, port, seconds=120):
        """Wait until the server answers."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with {process.returncode}")
            if ask(port, timeout=0.05) is not None:
                return
        raise RuntimeError(f"{name} does not answer")

    def run(self, name):
        """Start a server and wait until it answers. Return (process, port)."""
        port = free_port()
        process = getattr(self, name)(port)
        try:
            self.wait(name, process, port)
        except BaseException:
            end(process)
            raise
        return process, port

    def load(self, pid, port, queries, seconds):
        """Send dnsperf's queries as fast as they are answered. Return what each query cost the server."""
        time.sleep(0.3)
        before = cpu_us(pid)
        out = subprocess.run(["taskset", "-c", str(CLIENT_CORE), os.path.join(self.peers, "bin/dnsperf"), "-s", "127.0.0.1", "-p", str(port),
                              "-d", queries, "-l", str(seconds), "-c", "4", "-q", "200"], env=self.env, capture_output=True, text=True,
                             timeout=seconds + 60, check=True).stdout
        used = cpu_us(pid) - before
        sent = int(re.search(r"Queries sent:\s+(\d+)", out).group(1))
        done = int(re.search(r"Queries completed:\s+(\d+)", out).group(1))
        qps = float(re.search(r"Queries per second:\s+([\d.]+)", out).group(1))
        return {"cpu_us": used / max(done, 1), "qps": qps, "loss": 1 - done / max(sent, 1), "rss_kb": rss_kb(pid)}


def end(process):
    process.terminate()
    process.wait(60)


def checked_load(build, port, names, changing, seconds, core=CLIENT_CORE):
    """Send queries and check every answer (tests/tools/query_load.c). Return the process, which the caller ends, or
    waits for with result()."""
    return subprocess.Popen(["taskset", "-c", str(core), os.path.join(build, "tests/query_load"), str(port), ORIGIN, str(names), str(changing),
                             "200", str(seconds)], stdout=subprocess.PIPE, text=True)


def result(process):
    out, _ = process.communicate(timeout=120)
    return json.loads(out)
