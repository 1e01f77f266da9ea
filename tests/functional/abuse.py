#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""veer-dnsd under abuse while it serves normal clients: slow and half-open connections, floods of random names and of
broken packets.

Everything runs over loopback, where 127.0.0.0/8 gives as many client networks as wanted, and for which the limit of
replies is switched on. The normal client sends at a steady rate from a network of its own, waits two seconds for each
reply and does not ask again, so a query counts as answered only when a resolver would have got the reply at its first
try. Floods and clients share the machine's cores with the server. The rate of the floods that are judged (--rate,
printed in the report) is therefore well below what one core answers. At higher rates the receive buffer is full and the
kernel drops the datagrams of all clients alike; --ramp shows from which rate on.

`make abuse` runs everything; tests/functional/test_abuse.py runs a small version of it.
"""
import argparse
import collections
import errno
import http.client
import multiprocessing
import os
import random
import re
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from dnsd_util import BUILD, Dnsd

ORIGIN = "example"
NAMES = 1000
ZONE = ("$TTL 300\n@ SOA ns1 hostmaster 1 900 300 604800 60\n@ NS ns1\nns1 A 192.0.2.53\n"
        + "".join(f"h{i} A 192.0.2.{i % 250}\n" for i in range(NAMES))
        + "".join(f'big TXT "{i:0250d}"\n' for i in range(200)))
NORMAL = "127.50.1.1"
TCP_REPAIR = 19
BAR = 0.999


def wire(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def query(ident, name, rdtype=1):
    return struct.pack("!HHHHHH", ident, 0, 1, 0, 0, 0) + wire(name) + struct.pack("!HH", rdtype, 1)


def is_answer(reply):
    """Is the reply NOERROR, not truncated, with one record?"""
    return len(reply) > 12 and reply[2] & 0x82 == 0x80 and reply[3] & 15 == 0 and reply[6:8] == b"\0\1"


# --- normal clients -----------------------------------------------------------------------------------------

def normal_udp(port, rate, seconds, result):
    """Send at `rate` and put (sent, answered, latencies) into `result`."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.bind((NORMAL, 0))
    s.connect(("127.0.0.1", port))
    s.setblocking(False)
    sent, waiting, latencies = 0, {}, []
    start = time.monotonic()
    while True:
        now = time.monotonic() - start
        while now < seconds and sent < now * rate:
            ident = sent & 0xffff
            s.send(query(ident, f"h{sent % NAMES}.{ORIGIN}"))
            waiting[ident] = time.monotonic()
            sent += 1
        select.select([s], [], [], 0.5 / rate)
        while True:
            try:
                reply = s.recv(2048)
            except BlockingIOError:
                break
            asked = waiting.pop(struct.unpack("!H", reply[:2])[0], None)
            if asked is not None and is_answer(reply) and time.monotonic() - asked <= 2:
                latencies.append(time.monotonic() - asked)
        if now >= seconds and (not waiting or now >= seconds + 2):
            result["udp"] = (sent, len(latencies), sorted(latencies))
            return


def ask_tcp(port, ident):
    """Send one query on a connection of its own. Return how long the reply took, or None."""
    start = time.monotonic()
    packet = query(ident, f"h{ident % NAMES}.{ORIGIN}")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            s.settimeout(3)
            s.bind((NORMAL, 0))
            s.connect(("127.0.0.1", port))
            s.sendall(struct.pack("!H", len(packet)) + packet)
            data = b""
            while len(data) < 2 or len(data) < 2 + struct.unpack("!H", data[:2])[0]:
                more = s.recv(4096)
                if not more:
                    return None
                data += more
    except OSError:
        return None
    return time.monotonic() - start if is_answer(data[2:]) else None


def normal_tcp(port, rate, seconds, result):
    times = []
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        times.append(ask_tcp(port, len(times)))
        time.sleep(max(0, start + len(times) / rate - time.monotonic()))
    good = sorted(t for t in times if t is not None)
    result["tcp"] = (len(times), len(good), good)


def normal(port, udp_rate, tcp_rate, seconds, pipe):
    result = {}
    threads = [threading.Thread(target=normal_udp, args=(port, udp_rate, seconds, result)),
               threading.Thread(target=normal_tcp, args=(port, tcp_rate, seconds, result))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    pipe.send(result)


# --- attackers ----------------------------------------------------------------------------------------------

class Crowd:
    """`count` connections that waste those of the server. A connection that the server closes is opened again."""
    KINDS = ("silent", "length", "trickle", "deaf", "gone")

    def __init__(self, port, count, connects_s):
        self.port, self.count, self.connects_s = port, count, connects_s
        self.poll = select.epoll()
        self.open = {}  # descriptor -> [socket, kind, bytes sent, number]
        self.free = collections.deque(range(count))
        self.query = struct.pack("!H", 29) + query(7, "big." + ORIGIN, 16)
        self.connects = self.ends = self.most = 0

    def join(self):
        number = self.free.popleft()
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.setblocking(False)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.bind((f"127.200.{number % 200}.{1 + number // 200 % 250}", 0))
        if s.connect_ex(("127.0.0.1", self.port)) not in (0, errno.EINPROGRESS):
            s.close()
            self.free.append(number)
            return
        self.connects += 1
        self.open[s.fileno()] = [s, self.KINDS[number % len(self.KINDS)], 0, number]
        self.poll.register(s.fileno(), select.EPOLLOUT | select.EPOLLRDHUP)

    def leave(self, fd):
        s, _, _, number = self.open.pop(fd)
        self.poll.unregister(fd)
        s.close()
        self.free.append(number)
        self.ends += 1

    def vanish(self, fd):
        """End the connection without a sign to the other end, like a host that lost power."""
        try:
            self.open[fd][0].setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        except OSError:
            return  # not permitted here, so the connection only stays silent
        self.leave(fd)

    def act(self, fd):
        """Do on a new connection what an attacker of this kind does."""
        s, kind, sent, _ = self.open[fd]
        self.poll.modify(fd, select.EPOLLRDHUP)
        try:
            if kind == "length" and sent == 0:
                self.open[fd][2] += s.send(self.query[:2])
            elif kind == "trickle":
                self.open[fd][2] += s.send(self.query[sent % 31:sent % 31 + 1])
            elif kind == "deaf" and sent == 0:
                self.open[fd][2] += s.send(self.query * 100)
            elif kind == "gone":
                self.vanish(fd)
        except OSError:
            self.leave(fd)

    def run(self, seconds):
        start = time.monotonic()
        trickled = start
        opened = 0
        while (now := time.monotonic()) - start < seconds:
            while self.free and opened < (now - start) * self.connects_s:
                self.join()
                opened += 1
            for fd, events in self.poll.poll(0.005):
                if events & (select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP):
                    self.leave(fd)
                else:
                    self.act(fd)
            self.most = max(self.most, len(self.open))
            if now - trickled >= 1:
                trickled = now
                for fd in [fd for fd, c in self.open.items() if c[1] == "trickle" and c[2] > 0]:
                    self.act(fd)

    def stop(self):
        for fd in list(self.open):
            self.leave(fd)


def crowd(port, count, connects_s, seconds, pipe):
    c = Crowd(port, count, connects_s)
    c.run(seconds)
    pipe.send({"connects": c.connects, "ended": c.ends, "most": c.most})
    c.stop()


def flood(port, kind, rate, seconds, prefixes):
    return subprocess.Popen([os.path.join(BUILD, "tests/flood"), str(port), kind, str(rate), str(seconds), str(prefixes), ORIGIN],
                            stdout=subprocess.PIPE, text=True)


# --- the server ---------------------------------------------------------------------------------------------

class Server(Dnsd):
    """veer-dnsd that limits clients on loopback too."""

    def __init__(self, directory, *args):
        path = os.path.join(directory, "zone")
        with open(path, "w", encoding="ascii") as f:
            f.write(ZONE)
        super().__init__("--zone", f"{ORIGIN}={path}", "--workers", "2", "--metrics", "127.0.0.1:0", "--rrl-exempt", "none", *args)
        self.ready()
        self.metrics_port = int(re.search(r'metrics served.*address="?127.0.0.1:(\d+)', self.log()).group(1))

    def metrics(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=30)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if not line.startswith("#")}

    def rss_kb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def cpu_s(self):
        total = 0
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
        return total / 1e9


def changed(before, after):
    """How much the counters of abuse rose."""
    wanted = re.compile(r"veer_dns_(dropped|rrl|kernel_drops|tcp_closed|tcp_accepted|tcp_postponed)_total")
    rises = {k: after[k] - before.get(k, 0) for k in after if wanted.match(k)}
    return {re.sub(r'veer_dns_|_total|"', "", k): int(v) for k, v in rises.items() if v}


class Phase:
    """One attack beside normal clients, and its results."""

    def __init__(self, name, connections=0, floods=(), is_judged=True, bound_kb=None):
        """`bound_kb`: memory may grow by this much. Without it, memory may hardly grow in the second half of the
        attack."""
        self.name, self.connections, self.floods, self.is_judged, self.bound_kb = name, connections, floods, is_judged, bound_kb

    def run(self, server, seconds, udp_rate=1000, tcp_rate=20, connects_s=1000):
        children = []
        before, cpu = server.metrics(), server.cpu_s()
        self.rss = [server.rss_kb()]

        def child(target, *args):
            receiver, sender = multiprocessing.Pipe(False)
            process = multiprocessing.Process(target=target, args=args + (sender,))
            process.start()
            children.append(process)
            return receiver

        crowd_result = child(crowd, server.port, self.connections, connects_s, seconds) if self.connections else None
        floods = [flood(server.port, kind, rate, seconds, prefixes) for kind, rate, prefixes in self.floods]
        normal_result = child(normal, server.port, udp_rate, tcp_rate, seconds)
        time.sleep(seconds / 2)
        self.rss.append(server.rss_kb())
        time.sleep(seconds / 2)
        self.rss.append(server.rss_kb())
        self.took_cpu = (server.cpu_s() - cpu) / seconds
        self.sent = [int(f.communicate(timeout=60)[0]) / seconds for f in floods]
        self.crowd = crowd_result.recv() if crowd_result else None
        result = normal_result.recv()
        for process in children:
            process.join()
        self.udp, self.tcp = result["udp"], result["tcp"]
        self.counters = changed(before, server.metrics())
        return self

    def share(self, result):
        return result[1] / result[0]

    def grown_kb(self):
        """The growth in the second half of the attack. Memory that is used for the first time is used in the first
        half."""
        return self.rss[2] - self.rss[1]

    def report(self):
        def p99_ms(result):
            return result[2][int(len(result[2]) * 0.99)] * 1000 if result[2] else float("nan")

        lines = [f"{self.name}" + ("" if self.is_judged else "  (not judged)")]
        if self.crowd:
            lines.append(f"    crowd: {self.crowd['most']} connections at once, {self.crowd['connects']} opened, {self.crowd['ended']} ended")
        for (kind, rate, prefixes), sent in zip(self.floods, self.sent):
            lines.append(f"    flood: {kind}, {sent:.0f} packets/s of {rate} wanted, from {prefixes} networks")
        for name, result in (("UDP", self.udp), ("TCP", self.tcp)):
            lines.append(f"    normal {name}: {result[1]} of {result[0]} answered, {100 * self.share(result):.3f} %, "
                         f"p99 {p99_ms(result):.2f} ms")
        lines.append(f"    RSS {self.rss[0] / 1024:.1f} MiB before, {self.rss[1] / 1024:.1f} halfway, {self.rss[2] / 1024:.1f} at the end; "
                     f"CPU {100 * self.took_cpu:.0f} %")
        lines.append("    " + " ".join(f"{k}={v}" for k, v in sorted(self.counters.items())))
        return "\n".join(lines)

    def unanswered(self):
        return [f"{self.name}: {what} {100 * self.share(r):.3f} % answered" for what, r in (("UDP", self.udp), ("TCP", self.tcp))
                if self.share(r) < BAR]

    def failures(self):
        if not self.is_judged:
            return []
        found = self.unanswered()
        if self.bound_kb is None and self.grown_kb() > 1024:
            found.append(f"{self.name}: RSS grew by {self.grown_kb()} KiB in the second half")
        if self.bound_kb is not None and self.rss[2] - self.rss[0] > self.bound_kb:
            found.append(f"{self.name}: RSS grew by more than {self.bound_kb} KiB")
        return found


def phases(rate, connections, ramp):
    yield Phase("no abuse")
    yield Phase("slow, half-open, deaf and vanished connections", connections=connections)
    yield Phase("random names from one network", floods=[("subdomain", rate, 1)])
    yield Phase("random names from everywhere", floods=[("subdomain", rate, 250)])
    yield Phase("broken packets, random subnets and cookies", floods=[("malformed", rate, 250)])
    yield Phase("all at once", connections=connections, floods=[("subdomain", rate // 2, 250), ("malformed", rate // 2, 250)])
    for more in ramp:
        yield Phase(f"random names from everywhere, {more}/s", floods=[("subdomain", more, 250)], is_judged=False)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rate", type=int, default=30000, help="packets per second of the floods that are judged")
    ap.add_argument("--connections", type=int, default=5000)
    ap.add_argument("--seconds", type=float, default=20, help="seconds per phase")
    ap.add_argument("--ramp", default="60000,120000,240000,1000000", help="further rates, whose results are only reported")
    args = ap.parse_args()
    passed, failed = [], []

    def judge(server, phase):
        print(phase.run(server, args.seconds).report(), flush=True)
        failures = phase.failures()
        if failures:
            failed.append("; ".join(failures))
        elif phase.is_judged:
            passed.append(phase.name)

    with tempfile.TemporaryDirectory() as directory:
        with Server(directory) as server:
            for phase in phases(args.rate, args.connections, [int(r) for r in args.ramp.split(",") if r]):
                judge(server, phase)
        room = 2 * args.connections
        with Server(directory, "--tcp-max", str(room)) as server:
            # each place has a buffer, which is first touched when the place is first taken; a client that does not read
            # also holds a reply
            bound_kb = room * 5 + args.connections // len(Crowd.KINDS) * 64
            judge(server, Phase("the same connections where there is room for all of them", connections=args.connections, bound_kb=bound_kb))
    print("\n".join(failed) or f"all of it: at least {100 * BAR} % answered, RSS flat")
    print(f"{len(passed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
