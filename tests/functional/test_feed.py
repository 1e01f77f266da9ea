#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The feed as name servers see it: thousands of subscribers, and clients that are slow on purpose."""
import base64
import itertools
import re
import resource
import select
import socket
import statistics
import threading
import time

import pytest

from veer_util import Api, SLOW, wait_until

SUBSCRIBERS = 2000 if SLOW == 1 else 300
COMMITS = 100 if SLOW == 1 else 20


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    program = Api(tmp_path_factory.mktemp("feed")).start()
    assert program.put("/v1/sites/fra", {"region": "eu"}).status == 201
    yield program
    program.stop()


def is_revision(value):
    return isinstance(value, int) and value > 0


def check_line(line):
    """docs/formats.md, section 2: exactly these fields."""
    kind = line["type"]
    fields = {"hello": {"type", "format", "store_id", "revision", "lineage", "digest", "ancestry"}, "reset": {"type"}, "put": {"type", "kind", "key", "revision", "object"},
              "del": {"type", "kind", "key", "revision"}, "commit": {"type", "revision"}, "heartbeat": {"type", "revision"}, "doubt": {"type", "endpoints"}}
    extra = {"part"} if line.get("kind") in ("verdict", "last", "override") else set()
    assert set(line) - {"was"} == fields[kind] | extra, line
    assert "was" not in line or (kind in ("put", "del") and re.fullmatch("[0-9a-f]{32}", line["was"])), line
    if kind == "hello":
        assert line["ancestry"][-1][0] == line["lineage"] and all(re.fullmatch("[0-9a-f]{32}", one[0]) for one in line["ancestry"])
    if "revision" in line:
        assert is_revision(line["revision"]), line
    if "kind" in line:
        assert line["kind"] in ("site", "pool", "policy", "zone", "rrset", "verdict", "last", "override"), line


def follow(api):
    """A subscriber that already has everything gets one commit, with the revision that hello announced."""
    newest = api.get("/v1/status").json["feed_revision"]
    stream = api.subscribe()
    lines = stream.until("commit")
    assert lines[-1]["revision"] >= lines[0]["revision"] >= newest
    assert stream.until("doubt")[-1] == {"type": "doubt", "endpoints": []}  # after all other data
    return stream


def test_a_newcomer_gets_hello_reset_the_whole_state_and_one_commit(api):
    api.post("/v1/zones", {"name": "f.example", "nameservers": ["ns1.f.example"]})
    api.put("/v1/checks/web", {"kind": "tcp", "port": 80})
    api.enrol("agent", "a1")
    api.put("/v1/pools/web", {"checks": ["web"], "endpoints": [{"name": "e", "address": "192.0.2.1", "site": "fra"}]})
    api.put("/v1/policies/www", {"tree": "web"})
    api.put("/v1/zones/f.example/rrsets/www/A", {"policy": "www"})
    api.put('/v1/zones/f.example/rrsets/a%5C"b/A', {"ttl": 60, "records": ["192.0.2.1"]})
    stream = api.subscribe()
    assert stream.response.headers["Content-Type"] == "application/x-ndjson"
    lines = stream.until("commit")
    for line in lines:
        check_line(line)
    assert [line["type"] for line in lines[:2]] == ["hello", "reset"] and lines[0]["format"] == 1
    puts = {(line["kind"], line["key"]): line["object"] for line in lines[2:-1]}
    assert {line["type"] for line in lines[2:-1]} == {"put"} and len(puts) == len(lines) - 3
    assert puts["site", "fra"] == {"region": "eu", "name": "fra"}
    assert puts["zone", "f.example."] == {"name": "f.example.", "version": 1}
    assert puts["rrset", "f.example./1/www.f.example./A"] == {"policy": "www"}
    assert base64.b64decode(puts["rrset", 'f.example./1/a\\"b.f.example./A']["wire"]).endswith(bytes([192, 0, 2, 1]))
    assert ("check", "web") not in puts
    stream.close()


def test_a_change_comes_as_puts_and_dels_and_one_commit(api):
    stream = follow(api)
    made = api.put("/v1/sites/iad", {"region": "us"})
    lines = [line for line in stream.until("commit") if line["type"] != "heartbeat"]
    revision = made.json["revision"]
    assert lines == [{"type": "put", "kind": "site", "key": "iad", "revision": revision, "object": {"region": "us", "name": "iad"}},
                     {"type": "commit", "revision": revision}]
    api.delete("/v1/sites/iad")
    lines = [line for line in stream.until("commit") if line["type"] != "heartbeat"]
    assert [line["type"] for line in lines] == ["del", "commit"] and lines[0]["key"] == "iad" and lines[1]["revision"] > revision
    for line in lines:
        check_line(line)
    stream.close()


def test_what_is_not_fed_is_not_in_the_feed(api):
    stream = follow(api)
    api.put("/v1/checks/other", {"kind": "tcp", "port": 1})
    api.make_token("health:read")
    api.enrol("agent", "quiet")
    mark = api.put("/v1/sites/mark", {"region": "us"}).json["revision"]
    lines = [line for line in stream.until("commit") if line["type"] != "heartbeat"]
    assert [line.get("key") for line in lines] == ["mark", None] and lines[-1]["revision"] == mark
    stream.close()


def test_since_resumes_without_a_reset(api):
    at = api.get("/v1/status").json
    first = api.put("/v1/sites/r1", {"region": "eu"}).json["revision"]
    second = api.put("/v1/sites/r2", {"region": "eu"}).json["revision"]
    stream = api.subscribe(f"/v1/feed?lineage={at['lineage']}&since={at['revision']}")
    lines = stream.until("commit") + stream.until("commit")
    assert [line["type"] for line in lines] == ["hello", "put", "commit", "put", "commit"], lines
    assert lines[2]["revision"] == first and lines[4]["revision"] == second
    stream.close()
    stream = api.subscribe(f"/v1/feed?lineage={at['lineage']}&since={second}")
    assert [line["type"] for line in stream.until("heartbeat")] == ["hello", "doubt", "heartbeat"]
    stream.close()


@pytest.mark.parametrize("query", ["", "?since=1", "?lineage={id}", "?lineage=" + "0" * 32 + "&since=1", "?store_id={store}&since=3",
                                   "?lineage={store}&since=1", "?lineage={id}&seen=1", "?lineage=&since=0"])
def test_an_unknown_place_gets_a_reset(api, query):
    status = api.get("/v1/status").json
    stream = api.subscribe("/v1/feed" + query.format(id=status["lineage"], store=status["store_id"]))
    assert [stream.line()["type"], stream.line()["type"]] == ["hello", "reset"]
    assert stream.until("commit")
    stream.close()


def test_since_is_known_across_a_restart(tmp_path):
    api = Api(tmp_path).start()
    for i in range(5):
        api.put(f"/v1/sites/s{i}", {"region": "eu"})
    at = api.get("/v1/status").json
    last = api.put("/v1/sites/last", {"region": "eu"}).json["revision"]
    api.kill()
    api.start()
    stream = api.subscribe(f"/v1/feed?lineage={at['lineage']}&since={at['revision']}")
    lines = stream.until("commit")
    assert [line["type"] for line in lines] == ["hello", "put", "commit"] and lines[-1]["revision"] == last
    stream.close()
    api.stop()


def test_a_heartbeat_comes_each_second(api):
    stream = follow(api)
    times = []
    for _ in range(4):
        stream.until("heartbeat")
        times.append(time.monotonic())
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert all(0.7 < gap < 1.5 * SLOW for gap in gaps), gaps
    stream.close()


# --- many -----------------------------------------------------------------------------------------------------------------

class Crowd:
    """Many subscribers in one thread: raw sockets whose bytes are searched for commit lines."""

    def __init__(self, api, count, token):
        self.poll = select.epoll()
        self.socks, self.tails = {}, {}
        request = f"GET /v1/feed HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        for _ in range(count):
            s = socket.create_connection(("127.0.0.1", api.port), timeout=20 * SLOW)
            s.sendall(request)
            s.setblocking(False)
            self.socks[s.fileno()] = s
            self.tails[s.fileno()] = b""
            self.poll.register(s.fileno(), select.EPOLLIN)

    def wait_for(self, text, seconds):
        """How many seconds from now each of them needed to receive `text`."""
        start, missing, times = time.monotonic(), set(self.socks), []
        while missing and time.monotonic() - start < seconds:
            for fd, _ in self.poll.poll(0.1):
                data = self.socks[fd].recv(65536)
                assert data, "a subscriber was cut"
                seen = self.tails[fd] + data
                if fd in missing and text in seen:
                    missing.discard(fd)
                    times.append(time.monotonic() - start)
                self.tails[fd] = seen[-100:]
        assert not missing, f"{len(missing)} of {len(self.socks)} did not get {text} within {seconds} s"
        return times

    def close(self):
        for s in self.socks.values():
            s.close()
        self.poll.close()


def test_2000_subscribers_and_one_that_never_reads_do_not_delay_each_other(api):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
    token = api.make_token("feed:read")
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    deaf.connect(("127.0.0.1", api.port))
    deaf.sendall(f"GET /v1/feed HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    crowd = Crowd(api, SUBSCRIBERS, token)
    try:
        crowd.wait_for(b'"type":"commit"', 60 * SLOW)
        wait_until(lambda: api.metric("veer_feed_subscribers") >= SUBSCRIBERS + 1, 20)
        latencies = []
        for i in range(COMMITS):
            big = "x" * 200 if i % 2 else "y" * 200
            start = time.monotonic()
            reply = api.put("/v1/pools/many", {"endpoints": [{"name": f"e{n}", "address": f"{big[:50]}{n}.test.", "site": "fra"} for n in range(50)]})
            assert reply.status in (200, 201), reply
            asked = time.monotonic() - start
            times = crowd.wait_for(b'{"type":"commit","revision":%d}' % reply.json["revision"], 10 * SLOW)
            latencies += [asked + t for t in times]
        latencies.sort()
        p99 = latencies[int(len(latencies) * 0.99)]
        print(f"{SUBSCRIBERS} subscribers, {COMMITS} commits: median {statistics.median(latencies) * 1000:.0f} ms, "
              f"p99 {p99 * 1000:.0f} ms, max {latencies[-1] * 1000:.0f} ms from request to line")
        assert p99 < 1 * SLOW
        assert api.get("/v1/sites/fra").status == 200
    finally:
        crowd.close()
        deaf.close()
    wait_until(lambda: api.metric("veer_feed_subscribers") <= 1, 20)


# --- slow and broken clients ----------------------------------------------------------------------------------------------------

def raw(api, data):
    s = socket.create_connection(("127.0.0.1", api.port), timeout=30 * SLOW)
    s.sendall(data)
    return s


def read_all(s):
    data = b""
    try:
        while True:
            piece = s.recv(65536)
            if not piece:
                return data
            data += piece
    except OSError:
        return data


def trickle_until_cut(s, pieces, seconds):
    """Send a piece now and then. Return how long it takes until the server ends the connection."""
    start = time.monotonic()
    s.settimeout(0.2)
    for piece in pieces:
        try:
            s.sendall(piece)
            if s.recv(4096) == b"":
                break
        except TimeoutError:
            pass
        except OSError:
            break
        assert time.monotonic() - start < seconds, "it was not cut"
    return time.monotonic() - start


def test_trickling_clients_are_cut_by_absolute_deadlines_and_nobody_notices(api):
    token = api.make_token("admin")
    body = f"PUT /v1/sites/slow HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 20000\r\n\r\n".encode()
    slow = {"line": (b"G", [b"E"], 15), "header": (b"GET /healthz HTTP/1.1\r\n", [b"X-A: b\r\n"], 5), "body": (body, [b" "], 30)}
    socks = [raw(api, b"GET /healthz HTTP/1.1\r\n") for _ in range(50)]
    took, delays = {}, []
    threads = [threading.Thread(target=lambda k=kind, h=head, p=piece: took.update(
        {k: trickle_until_cut(raw(api, h), itertools.cycle(p), 50 * SLOW)})) for kind, (head, piece, _) in slow.items()]
    for t in threads:
        t.start()
    while any(t.is_alive() for t in threads):
        start = time.monotonic()
        assert api.get("/v1/sites/fra").status == 200
        delays.append(time.monotonic() - start)
        time.sleep(0.05)
    for kind, (_, _, deadline) in slow.items():
        assert deadline - 1 < took[kind] < deadline + 3 * SLOW, took
    assert max(delays) < 1 * SLOW, max(delays)
    for s in socks:
        read_all(s)
        s.close()
    assert api.metric("veer_api_cut_total") >= 53
    assert api.get("/v1/sites/slow").status == 404


def test_half_open_and_vanished_clients_cost_nobody_anything(api):
    idle = [raw(api, b"") for _ in range(100)]
    vanished = [raw(api, b"GET /v1/feed HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(20)]
    half = raw(api, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    half.shutdown(socket.SHUT_WR)
    assert read_all(half).startswith(b"HTTP/1.1 200")
    for s in vanished:
        s.close()
    assert api.get("/healthz", tcp=True).status == 200
    for s in idle + [half]:
        s.close()


@pytest.mark.parametrize("head", [
    b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n"])
def test_two_lengths_are_refused_and_the_connection_closed(api, head):
    token = api.make_token("admin")
    s = raw(api, f"PUT /v1/sites/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n".encode() + head)
    reply = read_all(s)
    assert reply.startswith(b"HTTP/1.1 400") and b"problem+json" in reply and reply.count(b"HTTP/1.1") == 1, reply
    assert api.get("/v1/sites/x").status == 404
    s.close()


GARBAGE = [b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"\x00" * 64,
           b"GET /" + b"a" * 100000, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20000,
           b"PUT /v1/sites/x HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
           b"PUT /v1/sites/x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n"]


def test_garbage_is_refused_and_the_server_lives(api):
    socks = [raw(api, b"") for _ in GARBAGE]
    for s, data in zip(socks, GARBAGE):
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass
    assert api.get("/healthz").status == 200
    for s, data in zip(socks, GARBAGE):
        assert not read_all(s).startswith(b"HTTP/1.1 2"), data
        s.close()
    assert api.get("/healthz").status == 200


def test_it_stops_cleanly_with_streams_and_idle_connections_open(tmp_path):
    api = Api(tmp_path).start()
    _, credential = api.enrol("agent", "a1")
    streams = [api.subscribe() for _ in range(20)] + [api.subscribe("/v1/agents/self/assignments", credential) for _ in range(5)]
    idle = [raw(api, b"GET ") for _ in range(5)]
    for stream in streams:
        assert stream.line()["type"] == "hello"
    start = time.monotonic()
    api.stop()
    assert time.monotonic() - start < 5 * SLOW
    for s in streams + idle:
        s.close()
