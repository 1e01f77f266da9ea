# SPDX-License-Identifier: Apache-2.0
"""veer-dnsd --replace: one process replaces another and no query is lost, even when one of the two fails or
misbehaves."""
import base64
import json
import os
import re
import socket
import struct
import subprocess
import threading
import time
import urllib.request

import dns.edns
import pytest

from dnsd_util import BUILD, SLOW, Dnsd, FeedServer, wait_for
from steady import Steady, address_of, query, write_zone

NAMES = 100_000 if SLOW == 1 else 5_000
RATE = 1000 if SLOW == 1 else 100


@pytest.fixture(scope="module")
def zone(tmp_path_factory):
    path = tmp_path_factory.mktemp("zone") / "zone"
    write_zone(path, NAMES)
    return path


@pytest.fixture
def small(tmp_path):
    write_zone(tmp_path / "small", 100)
    return f"example={tmp_path}/small"


@pytest.fixture
def run():
    """Start servers; none is left at the end, whatever happens."""
    started = []

    def start(*args, **kw):
        started.append(Dnsd(*args, **kw))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.kill()
    assert not any("Sanitizer" in server.log() for server in started)


def ended(server, code=0, seconds=20):
    wait_for(lambda: server.process.poll() is not None, seconds, "the end of the replaced server")
    server.reader.join()
    assert server.process.returncode == code, server.log()


class Asker:
    """Speaks the protocol of the control socket itself, as a successor that misbehaves."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10 * SLOW)
        self.socket.connect(str(path))
        self.fds = []

    def ask(self, kind, answered=True, fds=(), **members):
        text = json.dumps({"format": 1, "type": kind, **members}).encode()
        socket.send_fds(self.socket, [text], list(fds))
        return self.answer() if answered else None

    def answer(self):
        data, fds, _, _ = socket.recv_fds(self.socket, 65536, 253)
        self.fds += fds
        return json.loads(data) if data else None

    def close(self):
        self.socket.close()
        for fd in self.fds:
            os.close(fd)


def test_ten_times_over_and_no_query_is_lost(zone, tmp_path, run):
    args = ["--zone", f"example={zone}", "--control", f"{tmp_path}/control", "--workers", "2"]
    server = run(*args).ready(30)
    port = server.port
    with Steady(server.address, port, NAMES, rate=RATE) as client:
        for _ in range(10):
            old, server = server, run(*args, "--replace", listen=(f"127.0.0.1@{port}",)).ready(30)
            ended(old)
        time.sleep(0.3)
    client.check()
    assert client.tcp_answered > 100
    print(client.sent, client.tcp_answered, client.slowest)
    assert server.stop() == 0
    assert not os.path.exists(tmp_path / "control")


class Store:
    """The data of a control plane: one zone of numbered names, and the record `count.example.`, which counts its
    changes."""

    def __init__(self, path, names):
        self.revision = 5
        self.commits = []
        lines = [{"type": "reset"}, {"type": "put", "kind": "zone", "key": "example.", "revision": 1,
                                     "object": {"name": "example.", "version": 1}}]
        lines.append(self.rrset(b"\0", "example.", "SOA", 6, b"\x03ns1\x07example\0\x01h\x07example\0" + bytes(20)))
        lines.append(self.rrset(b"\0", "example.", "NS", 2, b"\x03ns1\x07example\0"))
        lines += [self.rrset(b"\x08n%07d\0" % i, f"n{i:07d}.example.", "A", 1, address_of(i)) for i in range(names)]
        self.state = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        self.feed = FeedServer(str(path), self.first)

    @staticmethod
    def rrset(owner, name, kind, number, rdata):
        wire = owner[:-1] + b"\x07example\0" + struct.pack("!HHIH", number, 1, 300, len(rdata)) + rdata
        return {"type": "put", "kind": "rrset", "key": f"example./1/{name}/{kind}", "revision": 5,
                "object": {"wire": base64.b64encode(wire).decode()}}

    def changed(self, revision):
        return [self.rrset(b"\x05count\0", "count.example.", "A", 1, address_of(revision)),
                {"type": "commit", "revision": revision}]

    def first(self, path):
        since = re.search(r"lineage=c+&seen=\d+&since=(\d+)", path)
        start = int(since.group(1)) if since else 0
        hello = {"type": "hello", "format": 1, "store_id": "a" * 32, "revision": self.revision, "lineage": "c" * 32,
                 "ancestry": [["c" * 32, "a" * 32, 0, "created"]]}
        lines = []
        for revision in range(start + 1, self.revision + 1) if start else [self.revision]:
            lines += self.changed(revision)
        rest = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        return json.dumps(hello) + "\n" + ("" if start else self.state) + rest

    def change(self):
        # under the lock of the feed, so that a stream that begins now gets the change exactly once
        with self.feed.lock:
            self.revision += 1
            text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in self.changed(self.revision))
            for client in list(self.feed.streams):
                try:
                    self.feed._chunk(client, text)
                except OSError:
                    self.feed.streams.remove(client)


def count_of(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5 * SLOW)
        s.sendto(struct.pack("!6H", 7, 0, 1, 0, 0, 0) + b"\x05count\x07example\0\0\1\0\1", (server.address, server.port))
        reply = s.recv(512)
    return int.from_bytes(reply[-3:], "big") if reply[7] == 1 else 0


class Counting:
    """Makes changes all the time, and checks that answers never go back."""

    def __init__(self, store, server):
        self.store, self.server = store, server
        self.seen, self.back = 0, []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.change, daemon=True), threading.Thread(target=self.look, daemon=True)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *unused):
        self.over.set()
        for t in self.threads:
            t.join()

    def change(self):
        while not self.over.wait(0.01):
            self.store.change()

    def look(self):
        while not self.over.is_set():
            now = count_of(self.server)
            if now < self.seen:
                self.back.append((self.seen, now))
            self.seen = now


@pytest.fixture
def store(tmp_path):
    s = Store(tmp_path / "api.sock", 1000)
    yield s
    s.feed.close()


def test_the_feed_goes_on_and_answers_never_go_back(tmp_path, run):
    store = Store(tmp_path / "api.sock", NAMES)
    args = ["--feed", f"unix:{store.feed.path}", "--state", f"{tmp_path}/state", "--workers", "2"]
    server = run(*args).ready(30)
    port = server.port
    with Steady(server.address, port, NAMES, rate=RATE) as client, Counting(store, server) as counting:
        for _ in range(10):
            old, server = server, run(*args, "--replace", listen=(f"127.0.0.1@{port}",)).ready(30)
            ended(old)
        time.sleep(0.3)
    client.check()
    assert not counting.back and counting.seen > 10
    server.ready()
    wait_for(lambda: count_of(server) == store.revision, what="the newest revision")
    assert server.stop() == 0
    # the state that the ten servers have written, one after the other, is complete
    requests = len([r for r in store.feed.requests if "since" not in r])
    assert requests == 1, store.feed.requests
    store.feed.close()
    server = run(*args).ready(30)
    assert count_of(server) == store.revision
    assert server.ask("n0000999.example.") == ["10.0.3.231"]


# --- what may go wrong ----------------------------------------------------------------------------------------


def test_without_a_running_server_it_just_starts(tmp_path, run, small):
    server = run("--zone", small, "--control", f"{tmp_path}/control", "--replace").ready()
    assert "no server to replace" in server.log()
    server.kill()  # its socket stays in the file system, and disturbs no one
    server = run("--zone", small, "--control", f"{tmp_path}/control", "--replace").ready()
    assert server.ask("n0000001.example.") == ["10.0.0.1"]
    server.kill()
    server = run("--zone", small, "--control", f"{tmp_path}/control").ready()
    # a second start by mistake changes nothing
    second = run("--zone", small, "--control", f"{tmp_path}/control", listen=(f"127.0.0.1@{server.port}",))
    ended(second, 2)
    assert "--replace takes its place" in second.log()
    assert server.ask("n0000001.example.") == ["10.0.0.1"]


def test_the_socket_needs_a_place(small):
    done = subprocess.run([os.path.join(BUILD, "veer-dnsd"), "--listen", "127.0.0.1@0", "--zone", small, "--replace"],
                          stderr=subprocess.PIPE, text=True, timeout=20)
    assert done.returncode == 2 and "--control or --state" in done.stderr
    done = subprocess.run([os.path.join(BUILD, "veer-dnsd"), "--listen", "127.0.0.1@0", "--zone", small, "--control",
                           "/tmp/" + 120 * "x"], stderr=subprocess.PIPE, text=True, timeout=20)
    assert done.returncode == 2 and "at most 107 bytes" in done.stderr


def test_a_successor_that_cannot_start_leaves_the_server_as_it_was(tmp_path, run, small):
    args = ["--control", f"{tmp_path}/control", "--workers", "2"]
    server = run("--zone", small, *args).ready()
    (tmp_path / "broken").write_text("$TTL 300\n@ SOA\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        for bad in (["--zone", f"example={tmp_path}/broken"], ["--zone", small, "--metrics", "nonsense"],
                    ["--zone", small, "--listen", f"127.0.0.1@{taken.getsockname()[1]}"], ["--zone", small, "--nsid", ""]):
            ended(run(*bad, *args, "--replace", listen=(f"127.0.0.1@{server.port}",)), 2)
            assert server.ask("n0000001.example.") == ["10.0.0.1"]
            assert server.ask("n0000001.example.", tcp=True) == ["10.0.0.1"]
    assert server.process.poll() is None and os.path.exists(tmp_path / "control")
    run("--zone", small, *args, "--replace", listen=(f"127.0.0.1@{server.port}",)).ready()
    ended(server)


def test_more_and_fewer_workers_and_other_addresses(tmp_path, run, small):
    args = ["--zone", small, "--control", f"{tmp_path}/control"]
    server = run(*args, "--workers", "4", listen=("127.0.0.1@0", "::1@0")).ready()
    port, dropped = server.port, server.addresses[1]

    def replace(workers, *listen):
        nonlocal server
        old, server = server, run(*args, "--replace", "--workers", workers, listen=listen).ready()
        ended(old)
        for address, number in server.addresses:
            server.address, server.port = address.replace("0.0.0.0", "127.0.0.1"), number
            assert server.ask("n0000001.example.") == ["10.0.0.1"]
            assert server.ask("n0000002.example.", tcp=True) == ["10.0.0.2"]

    with Steady("127.0.0.1", port, 100, rate=RATE) as client:
        replace("1", "127.0.0.1@0")
        replace("6", f"127.0.0.1@{port}", "127.0.0.2@0")
        replace("2", "127.0.0.2@0", f"127.0.0.1@{port}")
    client.check()
    # the socket of a dropped address is closed with the queries that wait in it; the other addresses that cover it
    # continue to serve
    replace("3", f"0.0.0.0@{port}")
    replace("1", f"127.0.0.1@{port}")
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.bind(dropped)  # no process has the address any more


def test_metrics_and_cookies_go_on(tmp_path, run, small):
    args = ["--zone", small, "--control", f"{tmp_path}/control", "--metrics", "127.0.0.1:0"]
    server = run(*args).ready()
    port = re.search(r'metrics served.*address="?127.0.0.1:(\d+)', server.log()).group(1)
    cookie = bytes(8)
    option = dns.edns.GenericOption(10, cookie)
    reply = server.ask("n0000001.example.", raw=True, use_edns=0, options=[option])
    ours = reply.options[0].data if hasattr(reply.options[0], "data") else reply.options[0].to_wire()
    successor = run(*args, "--replace", listen=(f"127.0.0.1@{server.port}",)).ready()
    ended(server)
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    assert "veer_plan_revision 1" in text
    again = dns.edns.GenericOption(10, ours)
    successor.ask("n0000001.example.", use_edns=0, options=[again])
    wait_for(lambda: 'veer_dns_cookies_total{state="good"} 1' in urllib.request.urlopen(
        f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode(), what="a good cookie")


def test_a_connection_outlives_its_server(tmp_path, run, small):
    args = ["--zone", small, "--control", f"{tmp_path}/control"]
    server = run(*args).ready()
    with socket.create_connection((server.address, server.port), timeout=10 * SLOW) as s:
        def exchange(number):
            packet = query(number, number)
            s.sendall(struct.pack("!H", len(packet)) + packet)
            return s.recv(4096)[-4:] == address_of(number)
        assert exchange(1)
        for number in (2, 3):
            successor = run(*args, "--replace", listen=(f"127.0.0.1@{server.port}",)).ready()
            ended(server)
            server = successor
            assert exchange(number)
        # an incomplete query keeps the old process only for its last seconds, not longer
        s.sendall(b"\0")
        time.sleep(0.1)
        start = time.monotonic()
        run(*args, "--replace", listen=(f"127.0.0.1@{server.port}",)).ready()
        ended(server)
        assert 2 < time.monotonic() - start < 6 * SLOW


# --- deaths ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["connected", "taken", "loading", "ready", "nonsense", "disorder"])
def test_a_successor_that_dies_leaves_the_server_as_it_was(tmp_path, run, store, step):
    server = run("--feed", f"unix:{store.feed.path}", "--state", f"{tmp_path}/state").ready()
    asker = Asker(tmp_path / "state/control.sock")
    if step != "connected":
        reply = asker.ask("take", role="dns")
        assert reply["type"] == "sockets" and len(asker.fds) == reply["total"] > 0
    if step in ("loading", "ready"):
        assert asker.ask("load")["type"] == "left"
        store.change()  # followed, but not yet on disk
        wait_for(lambda: count_of(server) == store.revision, what="the change")
    if step == "ready":
        assert asker.ask("ready", store_id="a" * 32, revision=store.revision - 1)["type"] == "wait"
        assert asker.ask("ready", store_id="a" * 32, lineage="c" * 32, revision=store.revision - 1)["type"] == "wait"
        assert asker.ask("ready", store_id="b" * 32, revision=999)["type"] == "wait"
        assert asker.ask("ready", store_id="a" * 32, lineage="d" * 32, revision=999)["type"] == "wait"
        assert asker.ask("ready", store_id="a" * 32, lineage="c" * 32, revision=store.revision)["type"] == "go"
        store.change()
    if step == "nonsense":
        asker.socket.send(b"\0{]")
        assert asker.answer()["type"] == "refused"
    if step == "disorder":
        assert asker.ask("serving")["type"] == "refused"
    asker.close()
    store.change()
    wait_for(lambda: count_of(server) == store.revision, what="the change")
    for i in range(20):
        assert server.ask(f"n{i:07d}.example.") == [f"10.0.0.{i}"]
        assert server.ask(f"n{i:07d}.example.", tcp=True) == [f"10.0.0.{i}"]
    store.change()
    wait_for(lambda: count_of(server) == store.revision, what="another change")
    # and everything is on disk again
    if step in ("loading", "ready"):
        server.wait_log("kept on disk again")
    server.stop()
    if step != "loading":  # in that step it waits for the next full state, for half a minute
        store.feed.close()
        server = run("--feed", f"unix:{store.feed.path}", "--state", f"{tmp_path}/state").ready()
        assert count_of(server) == store.revision


@pytest.mark.parametrize("changes", [1, 3])
def test_a_successor_that_is_ahead_gets_leave_when_the_feed_brings_us_there(tmp_path, run, store, changes):
    server = run("--feed", f"unix:{store.feed.path}", "--state", f"{tmp_path}/state").ready()
    asker = Asker(tmp_path / "state/control.sock")
    assert asker.ask("take", role="dns")["type"] == "sockets"
    assert asker.ask("load")["type"] == "left"
    asker.ask("ready", answered=False, store_id="a" * 32, revision=store.revision + changes, heard=True)
    for _ in range(changes):
        time.sleep(0.02)
        store.change()
    # within the limit of half a second, or at its end: with sanitizers the difference cannot be seen
    assert asker.answer()["type"] == "go"
    assert server.process.poll() is None, server.log()
    assert count_of(server) == store.revision
    asker.close()
    store.change()
    wait_for(lambda: count_of(server) == store.revision, what="the change")
    assert server.stop() == 0


def test_a_successor_that_dies_while_it_serves_gives_the_place_back(tmp_path, run, store):
    server = run("--feed", f"unix:{store.feed.path}", "--state", f"{tmp_path}/state").ready()
    stuck = socket.create_connection((server.address, server.port))
    stuck.sendall(b"\0")  # so that it stays in the drain
    time.sleep(0.1)
    asker = Asker(tmp_path / "state/control.sock")
    asker.ask("take", role="dns")
    asker.ask("load")
    assert asker.ask("ready", store_id="a" * 32, revision=store.revision)["type"] == "go"
    asker.ask("serving", answered=False)
    server.wait_log("has taken this one's place")
    asker.close()
    server.wait_log("going on")
    for i in range(20):
        assert server.ask(f"n{i:07d}.example.") == [f"10.0.0.{i}"]
    assert server.ask("n0000001.example.", tcp=True) == ["10.0.0.1"]
    store.change()
    wait_for(lambda: count_of(server) == store.revision, what="the feed")
    stuck.close()
    successor = run("--feed", f"unix:{store.feed.path}", "--state", f"{tmp_path}/state", "--replace",
                    listen=(f"127.0.0.1@{server.port}",)).ready()
    ended(server)
    assert count_of(successor) == store.revision


def test_a_successor_that_ends_as_it_should_takes_the_service_with_it(tmp_path, run, small):
    server = run("--zone", small, "--control", f"{tmp_path}/control").ready()
    stuck = socket.create_connection((server.address, server.port))
    stuck.sendall(b"\0")
    time.sleep(0.1)
    successor = run("--zone", small, "--control", f"{tmp_path}/control", "--replace",
                    listen=(f"127.0.0.1@{server.port}",)).ready()
    assert successor.stop() == 0
    ended(server, seconds=2)
    stuck.close()
    assert not os.path.exists(tmp_path / "control")


def test_a_server_that_dies_at_any_time_is_replaced_all_the_same(tmp_path, run, store):
    """The old process is killed with kill -9 at moments spread over the whole replacement: the new one serves, with the
    newest plan."""
    args = ["--feed", f"unix:{store.feed.path}", "--state", f"{tmp_path}/state", "--workers", "2"]
    server = run(*args).ready()
    port = server.port
    for i in range(12):
        store.change()
        wait_for(lambda: count_of(server) == store.revision, what="the change")
        successor = run(*args, "--replace", listen=(f"127.0.0.1@{port}",))
        time.sleep(i * 0.004)
        server.kill()
        server = successor.ready(20)
        wait_for(lambda: count_of(server) == store.revision, 20, what="the newest plan")
        assert server.ask("n0000001.example.", tcp=True) == ["10.0.0.1"]


def test_successors_that_die_at_any_time_lose_no_query(tmp_path, run, store):
    args = ["--feed", f"unix:{store.feed.path}", "--state", f"{tmp_path}/state", "--workers", "2"]
    server = run(*args).ready()
    for i in range(12):
        successor = run(*args, "--replace", listen=(f"127.0.0.1@{server.port}",))
        time.sleep(i * 0.004)
        successor.kill()
        time.sleep(0.05)
        if server.process.poll() is not None:  # the successor had taken over before it was killed
            server = run(*args, listen=(f"127.0.0.1@{server.port}",)).ready()
        for number in range(20):
            assert server.ask(f"n{number:07d}.example.") == [f"10.0.0.{number}"]
        store.change()
        wait_for(lambda: count_of(server) == store.revision, what="the change")


def test_two_successors_do_not_get_in_each_others_way(tmp_path, run, small):
    args = ["--zone", small, "--control", f"{tmp_path}/control"]
    server = run(*args).ready()
    asker = Asker(tmp_path / "control")
    asker.ask("take", role="dns")
    second = run(*args, "--replace", listen=(f"127.0.0.1@{server.port}",))
    ended(second, 2)
    assert "another server is taking this one's place" in second.log()
    asker.close()
    wait_for(lambda: "going on" in server.log(), what="the end of the first")
    run(*args, "--replace", listen=(f"127.0.0.1@{server.port}",)).ready()
    ended(server)


def test_a_server_without_a_plan_is_not_replaced(tmp_path, run):
    args = ["--feed", f"unix:{tmp_path}/nobody", "--state", f"{tmp_path}/state"]
    server = run(*args)
    server.wait_log("waiting for the first plan")
    second = run(*args, "--replace")
    ended(second, 2)
    assert "does not serve yet" in second.log()
    assert server.stop() == 0
