# SPDX-License-Identifier: Apache-2.0
"""A name server behind a real control plane: what a start alone costs it, and what a change costs it with a large zone
and under load."""
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import time

from servers import CLIENT_CORE, ORIGIN, SERVER_CORE, ask, checked_load, cpu_us, end, free_port, result, rss_kb, write_zone

RESTARTS = 5
QUIET_CHANGES = 2000  # for the CPU of a change, measured without queries
CHANGING = 1000       # names whose address changes
WAIT_S = 180


class Plane:
    """veer-api with its own store in DIRECTORY, and name servers fed by it. A context manager: at its end it leaves no
    process running."""

    def __init__(self, build, directory):
        self.build, self.dir = build, directory
        self.unix = os.path.join(directory, "api.sock")
        self.running = []
        self.api = None

    def __enter__(self):
        self.api = self.start_api()
        return self

    def __exit__(self, *_):
        for process in self.running:
            if process.poll() is None:
                end(process)

    def start(self, core, argv):
        process = subprocess.Popen(["taskset", "-c", core] + argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.running.append(process)
        return process

    def start_api(self):
        process = self.start(f"{SERVER_CORE},{CLIENT_CORE}", [os.path.join(self.build, "veer-api"), "--listen", f"unix:{self.unix}", "--store",
                                                             "sqlite:" + os.path.join(self.dir, "veer.db")])
        wait(lambda: os.path.exists(self.unix) and self.call("GET", "/v1/zones")[0] == 200, "veer-api does not answer")
        return process

    def connect(self):
        connection = http.client.HTTPConnection("localhost", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.connect(self.unix)
        return connection

    def call(self, method, path, body=None, connection=None):
        """Return (status, body), over a new connection or over one that stays open."""
        own = connection or self.connect()
        try:
            own.request(method, path, body=json.dumps(body) if body is not None else None, headers={"Content-Type": "application/json"})
            reply = own.getresponse()
            return reply.status, reply.read()
        except (ConnectionError, http.client.HTTPException):
            return 0, b""
        finally:
            if connection is None:
                own.close()

    def put(self, path, body, connection=None):
        status, text = self.call("PUT", path, body, connection)
        if status not in (200, 201):
            raise RuntimeError(f"PUT {path}: {status} {text[:300]!r}")

    def import_zone(self, path):
        subprocess.run([os.path.join(self.build, "veer"), "zone", "import", "--api", "unix:" + self.unix, ORIGIN, path], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def bind_policies(self, kinds, names):
        """For each prefix, bind names to a policy of this kind, which answers them from two pools that no check
        watches."""
        self.put("/v1/sites/one", {"name": "one", "region": "eu"})
        for pool, address in (("a", "10.0.0.1"), ("b", "10.0.0.2")):
            self.put(f"/v1/pools/{pool}", {"name": pool, "checks": [], "endpoints": [{"name": "one", "address": address, "site": "one"}]})
        trees = {"failover": {"failover": ["a", "b"]}, "weighted": {"weighted": [{"weight": 1, "node": "a"}, {"weight": 1, "node": "b"}]}}
        connection = self.connect()
        for prefix, kind in kinds.items():
            self.put(f"/v1/policies/{kind}", {"name": kind, "ttl": 300, "tree": trees[kind]})
            for i in range(names):
                owner = f"{prefix}{i}.{ORIGIN}"
                self.put(f"/v1/zones/{ORIGIN}/rrsets/{owner}/A", {"name": owner, "type": "A", "policy": kind}, connection)
        connection.close()

    def name_server(self, name, saves=True, port=None, cores=str(SERVER_CORE)):
        """Start a name server with the plan's directory NAME and wait until it answers. Return (process, port)."""
        port = port or free_port()
        state = ["--state", os.path.join(self.dir, name)] if saves else []
        process = self.start(cores, [os.path.join(self.build, "veer-dnsd"), "--listen", f"127.0.0.1@{port}", "--workers", "1", "--feed",
                                     "unix:" + self.unix, *state])
        wait(lambda: ask(port, timeout=0.005) is not None, f"{name} does not answer")
        return process, port

    def saved(self, name):
        """Wait until the whole plan is on disk."""
        base = os.path.join(self.dir, name, "plan.base")
        wait(lambda: os.path.exists(base) and not os.path.exists(base + ".new"), "the plan is not saved")


def wait(condition, what):
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(what)
        time.sleep(0.001)


def percentile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def write_large_zone(path, names):
    write_zone(path, names, [f"c{i} IN A 192.0.2.1" for i in range(CHANGING)])


def bench_restart(args, directory, bars):
    print(f"A start alone from the saved plan of {args.large} names: {RESTARTS} kills")
    zone = os.path.join(directory, "zone")
    write_large_zone(zone, args.large)
    took = []
    with Plane(args.build, directory) as plane:
        plane.import_zone(zone)
        process, port = plane.name_server("state")
        plane.saved("state")
        end(plane.api)
        for _ in range(RESTARTS):
            process.kill()
            process.wait()
            begun = time.monotonic()
            process, port = plane.name_server("state", port=port)
            took.append(time.monotonic() - begun)
        rss = rss_kb(process.pid) / 1024
    print(f"  first answer after {statistics.median(took):.3f} s ({min(took):.3f} to {max(took):.3f}), RSS {rss:.0f} MiB")
    bars.at_most("cold start to first answer", statistics.median(took), 1.0, " s")


def change(plane, connection, number, generation):
    owner = f"c{number}.{ORIGIN}"
    address = f"198.51.100.{generation % 250 + 1}"
    plane.put(f"/v1/zones/{ORIGIN}/rrsets/{owner}/A", {"name": owner, "type": "A", "ttl": 300, "records": [address]}, connection)
    return socket.inet_aton(address)


def change_and_see(plane, port, changes):
    """Change records one by one. Return for each the milliseconds from the acknowledgement of the commit to the first
    answer with the change."""
    connection = plane.connect()
    delays = []
    for i in range(changes):
        expected = change(plane, connection, i % CHANGING, i // CHANGING)
        committed = time.monotonic()
        while (ask(port, f"c{i % CHANGING}", timeout=1) or b"")[-4:] != expected:
            if time.monotonic() - committed > WAIT_S:
                raise RuntimeError("a change is not seen")
        delays.append((time.monotonic() - committed) * 1000)
    connection.close()
    return delays


def cost_of_a_change(plane, process):
    """Return the CPU time of the name server per change in microseconds, without queries."""
    connection = plane.connect()
    before = cpu_us(process.pid)
    for i in range(QUIET_CHANGES):
        change(plane, connection, i % CHANGING, 200 + i // CHANGING)
    time.sleep(0.5)  # until the last changes have arrived
    connection.close()
    return (cpu_us(process.pid) - before) / QUIET_CHANGES


def change_in(args, directory, names, changes):
    """Change a zone of `names` under load. Return the results of the load, the delays of the changes, and the CPU of a
    change."""
    os.mkdir(directory)
    zone = os.path.join(directory, "zone")
    write_large_zone(zone, names)
    with Plane(args.build, directory) as plane:
        plane.import_zone(zone)
        process, port = plane.name_server("state", cores=f"{SERVER_CORE},{CLIENT_CORE}")
        plane.saved("state")
        cost = cost_of_a_change(plane, process)
        load, delays = None, []
        if changes:
            asking = checked_load(args.build, port, names, CHANGING, WAIT_S, f"{SERVER_CORE},{CLIENT_CORE}")
            delays = change_and_see(plane, port, changes)
            asking.terminate()
            load = result(asking)
    shutil.rmtree(directory)
    return load, delays, cost


def bench_change(args, directory, bars):
    small_names = args.large // 100
    print(f"{args.changes} changes by the feed, {args.large} names, under load")
    _, _, small = change_in(args, os.path.join(directory, "small"), small_names, 0)
    load, delays, large = change_in(args, os.path.join(directory, "large"), args.large, args.changes)
    print(f"  load: {load}")
    print(f"  seen after p50 {percentile(delays, 0.5):.2f} ms, p99 {percentile(delays, 0.99):.2f} ms, max {max(delays):.2f} ms")
    print(f"  CPU of a change: {small:.1f} us with {small_names} names, {large:.1f} us with {args.large}")
    bars.at_most("lost queries", load["lost"], 0)
    bars.at_most("wrong answers", load["wrong"], 0)
    bars.at_most("change seen, p99", percentile(delays, 0.99), 20, " ms")
    bars.at_most("CPU of a change, large zone to small", large / small, 1.5)
