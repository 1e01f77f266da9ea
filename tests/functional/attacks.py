# SPDX-License-Identifier: Apache-2.0
"""Attacks on a control plane, each from a process of its own that gets half a core, and the measurements that are made
meanwhile.

All attacks run over loopback, are bounded in number, and end with the block that started them.
"""
import contextlib
import http.client
import json
import multiprocessing
import os
import select
import signal
import socket
import threading
import time

TURN_S = 0.02  # the attackers run for one turn and are stopped for the next


def hammer(port, make_request, connections):
    """Keep this many connections, each of which sends the next request as soon as it gets a reply. Refused connections
    are opened again."""
    def ask():
        while True:
            try:
                c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                while True:
                    method, path, body, headers = make_request()
                    c.request(method, path, body=body, headers=headers)
                    c.getresponse().read()
            except (OSError, http.client.HTTPException):
                time.sleep(0.005)
    threads = [threading.Thread(target=ask, daemon=True) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def bearer(token, **more):
    return {"Authorization": f"Bearer {token}", **more}


def flood_reports(port, token, body):
    """Send reports over bare sockets, because a request costs an attacker little."""
    request = (f"POST /v1/agents/self/reports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
               f"Content-Length: {len(body)}\r\n\r\n{body}").encode()

    def post():
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
                    while True:
                        s.sendall(request)
                        if b"close" in s.recv(4096):
                            break
            except OSError:
                pass
            time.sleep(0.005)
    threads = [threading.Thread(target=post, daemon=True) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def flood_exports(port, token, zone):
    hammer(port, lambda: ("GET", f"/v1/zones/{zone}/export", None, bearer(token)), 12)


def flood_lists(port, token, zone):
    hammer(port, lambda: ("GET", f"/v1/zones/{zone}/rrsets?limit=1000", None, bearer(token)), 32)


def flood_edits(port, token, zone):
    body = json.dumps({"ttl": 60, "records": ["192.0.2.9"]})
    hammer(port, lambda: ("PUT", f"/v1/zones/{zone}/rrsets/h{time.monotonic_ns() % 50}/A", body, bearer(token)), 16)


def flood_pools(port, token):
    """Write pools; these writes exclude writes of overrides."""
    body = json.dumps({"endpoints": [{"name": "x", "address": "192.0.2.77", "site": "a"}]})
    hammer(port, lambda: ("PUT", f"/v1/pools/junk{time.monotonic_ns() % 20}", body, bearer(token)), 16)


def hold_silent(port, count, sources):
    """Hold connections that send nothing; connections that are closed are opened again."""
    held = []
    while True:
        while len(held) < count:
            s = socket.socket()
            s.settimeout(2)
            try:
                s.bind((sources[len(held) % len(sources)], 0))
                s.connect(("127.0.0.1", port))
                s.setblocking(False)
            except OSError:
                s.close()
                time.sleep(0.01)
                continue
            held.append(s)
        kept = []
        for s in held:
            try:
                if s.recv(1) == b"":
                    s.close()
                    continue
            except BlockingIOError:
                pass
            except OSError:
                s.close()
                continue
            kept.append(s)
        held = kept
        time.sleep(0.05)


def hold_streams(port, count, token):
    """Hold feeds of one token and read each; refused ones are requested again."""
    request = f"GET /v1/feed HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    held = {}
    poll = select.epoll()
    while True:
        while len(held) < count:
            s = socket.create_connection(("127.0.0.1", port), timeout=10)
            s.sendall(request)
            s.setblocking(False)
            held[s.fileno()] = s
            poll.register(s.fileno(), select.EPOLLIN)
        for fd, _ in poll.poll(0.05):
            try:
                data = held[fd].recv(65536)
            except OSError:
                data = b""
            if not data or data.startswith(b"HTTP/1.1 4"):
                poll.unregister(fd)
                held.pop(fd).close()


@contextlib.contextmanager
def attack(function, *args):
    """Run the attack in a process that is stopped in every second turn."""
    process = multiprocessing.get_context("fork").Process(target=function, args=args, daemon=True)
    process.start()
    is_over = threading.Event()

    def halve():
        while not is_over.wait(TURN_S):
            os.kill(process.pid, signal.SIGSTOP)
            time.sleep(TURN_S)
            os.kill(process.pid, signal.SIGCONT)
    thread = threading.Thread(target=halve, daemon=True)
    thread.start()
    try:
        yield process
    finally:
        is_over.set()
        thread.join()
        process.kill()
        process.join()


def failovers(rig, server, count):
    """For this many deaths of web/a, the seconds from the time at which the agents see it fail to the time at which no
    answer contains it."""
    took = []
    for _ in range(count):
        deadline = time.monotonic() + 30
        while "192.0.2.1" not in server.addresses("www"):
            assert time.monotonic() < deadline, "it does not come back"
            time.sleep(0.01)
        start = time.monotonic()
        rig.say("d", "web/a")
        while "192.0.2.1" in server.addresses("www"):
            assert time.monotonic() < start + 30, "it is not taken out"
            time.sleep(0.002)
        took.append(time.monotonic() - start)
        rig.say("u", "web/a")
    return took


def drains(rig, count):
    """The seconds of this many drains and releases of web/c by the administrator at the Unix socket."""
    took = []
    for i in range(count):
        start = time.monotonic()
        if i % 2 == 0:
            reply = rig.override("web/c", "drain")
            assert reply.status in (200, 201), reply
        else:
            reply = rig.api.delete("/v1/overrides/web/c")
            assert reply.status == 204, reply
        took.append(time.monotonic() - start)
    return took
