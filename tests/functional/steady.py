# SPDX-License-Identifier: Apache-2.0
"""A client that asks at a steady rate over UDP and TCP and knows each answer: no reply may be lost, and none may be
wrong."""
import itertools
import random
import select
import socket
import struct
import threading
import time


def name_of(number):
    return b"\x08" + b"n%07d" % number + b"\x07example\x00"


def address_of(number):
    return bytes((10, number >> 16, number >> 8 & 255, number & 255))


def write_zone(path, count):
    """A zone file with names n0000000 to n(count - 1), each with an address of its own."""
    with open(path, "w", encoding="utf-8") as f:
        f.write("$TTL 300\n@ SOA ns1 hostmaster 1 900 300 604800 60\n@ NS ns1\nns1 A 192.0.2.53\n")
        for i in range(count):
            f.write(f"n{i:07d} A {'.'.join(map(str, address_of(i)))}\n")


def query(ident, number):
    return struct.pack("!6H", ident, 0x0100, 1, 0, 0, 0) + name_of(number) + b"\x00\x01\x00\x01"


def is_right(reply, number):
    """Is it the address that belongs to the name?"""
    flags, _, answers = struct.unpack("!3H", reply[2:8])
    at = reply.find(b"\xc0\x0c\x00\x01\x00\x01", 12)
    authoritative = flags & 0x860f == 0x8400  # QR and AA, not TC, NOERROR
    return authoritative and answers == 1 and reply[at + 12:at + 16] == address_of(number)


class Steady:
    """Sends `rate` queries per second over UDP from `sockets` ports, and over `streams` TCP connections, each of which
    lives for `stream_queries` queries. `names` is the number of names."""

    def __init__(self, address, port, names, rate=1000, sockets=16, streams=8, stream_queries=200, seed=1):
        self.server = (address, port)
        self.names, self.rate, self.streams, self.stream_queries = names, rate, streams, stream_queries
        self.random = random.Random(seed)
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(sockets)]
        for s in self.sockets:
            s.connect(self.server)
            s.setblocking(False)
        self.pending = [{} for _ in self.sockets]
        self.sent = self.answered = self.tcp_answered = 0
        self.wrong = []
        self.lost = []
        self.slowest = 0.0
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._udp, daemon=True)]
        self.threads += [threading.Thread(target=self._tcp, args=(i,), daemon=True) for i in range(streams)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *unused):
        self.over.set()
        for t in self.threads:
            t.join()
        for s in self.sockets:
            s.close()

    def _read(self, wait):
        for s in select.select(self.sockets, [], [], wait)[0]:
            pending = self.pending[self.sockets.index(s)]
            while True:
                try:
                    reply = s.recv(2048)
                except BlockingIOError:
                    break
                except OSError as e:  # the port was closed
                    self.lost.append(f"UDP: {e}")
                    break
                number, sent = pending.pop(struct.unpack("!H", reply[:2])[0], (None, 0))
                self.slowest = max(self.slowest, time.monotonic() - sent) if number is not None else self.slowest
                self.answered += 1
                if number is None or not is_right(reply, number):
                    self.wrong.append(("udp", number, reply.hex()))

    def _udp(self):
        due = time.monotonic()
        idents = itertools.cycle(range(65536))
        while not self.over.is_set():
            now = time.monotonic()
            while due <= now:
                i = self.random.randrange(len(self.sockets))
                number, ident = self.random.randrange(self.names), next(idents)
                self.pending[i][ident] = (number, now)
                try:
                    self.sockets[i].send(query(ident, number))
                    self.sent += 1
                except OSError as e:
                    self.lost.append(f"UDP: {e}")
                due += 1 / self.rate
            self._read(max(0, due - time.monotonic()))
        end = time.monotonic() + 5
        while any(self.pending) and time.monotonic() < end:
            self._read(0.05)
        self.lost += [("udp", number) for p in self.pending for number, _ in p.values()]

    def _tcp(self, seed):
        rng = random.Random(1000 + seed)
        while not self.over.is_set():
            try:
                self._stream(rng)
            except OSError as e:
                with self.lock:
                    self.lost.append(f"TCP: {e!r}")
                time.sleep(0.01)

    def _stream(self, rng):
        """One connection, with a query every few milliseconds, sometimes two at once."""
        with socket.create_connection(self.server, timeout=10) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = s.makefile("rb")
            for ident in range(self.stream_queries):
                if self.over.is_set():
                    return
                numbers = [rng.randrange(self.names) for _ in range(rng.choice((1, 1, 2)))]
                packets = [query(ident, n) for n in numbers]
                s.sendall(b"".join(struct.pack("!H", len(p)) + p for p in packets))
                for number in numbers:
                    head = reader.read(2)
                    reply = reader.read(struct.unpack("!H", head)[0]) if len(head) == 2 else b""
                    if not reply:
                        raise OSError("closed with a query under way")
                    with self.lock:
                        self.tcp_answered += 1
                        if not is_right(reply, number):
                            self.wrong.append(("tcp", number, reply.hex()))
                time.sleep(rng.random() * 0.02)

    def check(self):
        assert not self.lost and not self.wrong, (len(self.lost), self.lost[:5], len(self.wrong), self.wrong[:5])
        assert self.answered == self.sent > 0
