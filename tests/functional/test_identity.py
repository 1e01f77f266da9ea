#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Which history name servers follow: stores that are put back, lost, copied, and rolled back under a running
program."""
import base64
import os
import re
import shutil
import socket
import sqlite3
import struct
import subprocess
import threading
import time

import dns.exception
import dns.message
import dns.query
import pytest

from dnsd_util import Dnsd
from veer_util import BUILD, Api, Program, SLOW, wait_until

ZONE = "e.test."


def copy_store(source, target):
    """Make one consistent file, as an administrator's `sqlite3 .backup` does."""
    if os.path.exists(target):
        os.unlink(target)
    with sqlite3.connect(source) as a, sqlite3.connect(target) as b:
        a.backup(b)


def remove_store(path, with_witness=False):
    for suffix in ("", "-wal", "-shm", ".lock"):
        if os.path.exists(path + suffix):
            os.unlink(path + suffix)
    witness = os.path.join(os.path.dirname(path), "witness-" + os.path.basename(path))
    if with_witness and os.path.exists(witness):
        os.unlink(witness)


def put_back(api, copy):
    remove_store(api.store)
    shutil.copy(copy, api.store)


def put_a(api, name, address):
    reply = api.put(f"/v1/zones/{ZONE}/rrsets/{name}/A", {"ttl": 60, "records": [address]})
    assert reply.status in (200, 201), reply


def make_zone(api):
    assert api.post("/v1/zones", {"name": ZONE, "nameservers": ["ns1.e.test."]}).status == 201


def status_of(api, name=None):
    servers = api.get("/v1/status").json["nameservers"]
    return next((s for s in servers if name in (None, s["name"])), None)


def in_sync(api):
    """Does the name server have the data of the store, according to its own checksum?"""
    status = api.get("/v1/status").json
    server = status["nameservers"][0] if status["nameservers"] else {}
    return (server.get("content") == "same" and server["revision"] >= status["feed_revision"] and server["heard_ms_ago"] < 1000
            and "quarantine" not in server)


def serial_of(server):
    return int(server.ask(ZONE, "SOA")[0].split()[2])


@pytest.fixture
def api(tmp_path):
    program = Api(tmp_path / "api")
    os.mkdir(program.directory)
    program.start()
    yield program
    program.stop()


@pytest.fixture
def server(tmp_path, api):
    with Dnsd("--feed", f"unix:{api.unix}", "--state", str(tmp_path / "ns")) as d:
        make_zone(api)
        d.ready()
        yield d


def test_a_store_put_back_from_a_copy_is_what_is_served_within_two_seconds(tmp_path, api, server):
    put_a(api, "www", "192.0.2.1")
    copy_store(api.store, tmp_path / "copy")
    for i in (2, 3, 4):
        put_a(api, "www", f"192.0.2.{i}")
    put_a(api, "gone", "192.0.2.9")
    wait_until(lambda: server.ask("www.e.test.") == ["192.0.2.4"] and server.ask("gone.e.test.") == ["192.0.2.9"], 5)
    serial = serial_of(server)
    api.stop()
    put_back(api, tmp_path / "copy")
    api.start()
    wait_until(lambda: server.ask("www.e.test.") == ["192.0.2.1"], 2, server.log)
    assert server.ask("gone.e.test.") == []
    # the next changes pass the earlier revisions, and nothing is missing
    put_a(api, "www", "192.0.2.55")
    for i in range(8):
        put_a(api, f"x{i}", "192.0.2.7")
    wait_until(lambda: server.ask("x7.e.test.") == ["192.0.2.7"] and server.ask("www.e.test.") == ["192.0.2.55"], 2)
    wait_until(lambda: in_sync(api), 2, lambda: api.get("/v1/status").json)
    # for secondaries and caches the serial of the zone has only grown
    assert 65536 <= serial_of(server) - serial < 3 * 65536
    assert "the store has gone back" in api.said()
    # the disk of the name server has it too
    api.stop()
    server.stop()
    with Dnsd("--feed", f"unix:{api.unix}", "--state", str(tmp_path / "ns")) as d:
        d.ready()
        assert d.ask("x7.e.test.") == ["192.0.2.7"] and d.ask("gone.e.test.") == []
    api.start()


def test_a_restart_is_followed_without_a_full_state(api, server):
    put_a(api, "www", "192.0.2.1")
    for _ in range(3):
        api.kill()
        api.start()
    put_a(api, "www", "192.0.2.2")
    wait_until(lambda: server.ask("www.e.test.") == ["192.0.2.2"], 5)
    assert api.metric("veer_feed_snapshots_total") == 0
    wait_until(lambda: in_sync(api), 3)


def test_a_lost_store_is_not_made_anew_without_a_word(tmp_path, api, server):
    put_a(api, "www", "192.0.2.1")
    wait_until(lambda: server.ask("www.e.test.") == ["192.0.2.1"], 5)
    api.stop()
    remove_store(api.store)
    refused = Program(tmp_path / "api", ["veer-api", *api.argv[1:]], name="refused")
    refused.start(ready=False)
    assert refused.process.wait(20) == 2
    assert "--create" in refused.said() and refused.said().count("\n") == 1, refused.said()
    assert not os.path.exists(api.store)
    api.argv.append("--create")
    api.start()
    # the name server does not accept an empty store
    server.wait_log("is quarantined")
    assert server.ask("www.e.test.") == ["192.0.2.1"]
    shown = wait_until(lambda: (status_of(api) or {}).get("quarantine"), 5)
    assert shown["why"] == "unknown" and shown["store_id"] == api.get("/v1/status").json["store_id"]
    assert api.metric("veer_nameservers_quarantined") == 1
    text = os.popen(f"{BUILD}/veer status --api unix:{api.unix}").read()
    assert "QUARANTINE" in text, text
    # nor does it after a restart
    server.stop()
    with Dnsd("--feed", f"unix:{api.unix}", "--state", str(tmp_path / "ns")) as d:
        d.ready()
        d.wait_log("is quarantined")
        assert d.ask("www.e.test.") == ["192.0.2.1"]
        assert os.system(f"{BUILD}/veer nameserver adopt nobody --api unix:{api.unix} 2>/dev/null") != 0
        wait_until(lambda: (status_of(api) or {}).get("quarantine"), 5)
        name = status_of(api)["name"]
        assert os.system(f"{BUILD}/veer nameserver adopt {name} --api unix:{api.unix} >{tmp_path}/out") == 0
        wait_until(lambda: d.ask("www.e.test.", raw=True).rcode() == 5, 5, d.log)
        wait_until(lambda: in_sync(api), 3)


def test_a_store_that_comes_back_ends_the_quarantine(tmp_path, api, server):
    put_a(api, "www", "192.0.2.1")
    wait_until(lambda: server.ask("www.e.test.") == ["192.0.2.1"], 5)
    api.stop()
    copy_store(api.store, tmp_path / "copy")
    remove_store(api.store, with_witness=True)
    api.start()
    server.wait_log("is quarantined")
    api.stop()
    remove_store(api.store, with_witness=True)
    shutil.copy(tmp_path / "copy", api.store)
    api.start()
    put_a(api, "www", "192.0.2.2")
    wait_until(lambda: server.ask("www.e.test.") == ["192.0.2.2"], 8, server.log)
    server.wait_log("the quarantine has ended")


def test_a_name_server_can_be_told_at_its_start(tmp_path, api, server):
    put_a(api, "www", "192.0.2.1")
    wait_until(lambda: server.ask("www.e.test.") == ["192.0.2.1"], 5)
    server.stop()
    api.stop()
    remove_store(api.store, with_witness=True)
    api.start()
    make_zone(api)
    put_a(api, "other", "192.0.2.2")
    with Dnsd("--feed", f"unix:{api.unix}", "--state", str(tmp_path / "ns"), "--adopt-store") as d:
        d.ready()
        wait_until(lambda: d.ask("other.e.test.") == ["192.0.2.2"], 5, d.log)
        assert d.ask("www.e.test.") == []


def test_a_zone_is_not_lost_by_a_copy_that_was_put_back(tmp_path, api, server):
    copy_store(api.store, tmp_path / "copy")
    assert api.post("/v1/zones", {"name": "new.test.", "nameservers": ["ns1.new.test."]}).status == 201
    wait_until(lambda: server.ask("new.test.", "SOA"), 5)
    api.stop()
    put_back(api, tmp_path / "copy")
    api.start()
    server.wait_log("it lacks the zone new.test.")
    assert server.ask("new.test.", "SOA")
    # a zone that is deleted on purpose goes away
    assert api.post("/v1/zones", {"name": "new.test.", "nameservers": ["ns1.new.test."]}).status == 201
    wait_until(lambda: in_sync(api), 8, server.log)
    assert api.delete("/v1/zones/new.test.").status == 204
    wait_until(lambda: server.ask("new.test.", "SOA", raw=True).rcode() == 5, 5)


def test_a_store_rolled_back_beneath_a_running_program_makes_it_start_anew(tmp_path, api, server):
    put_a(api, "www", "192.0.2.1")
    copy_store(api.store, tmp_path / "copy")
    for i in (2, 3, 4):
        put_a(api, "www", f"192.0.2.{i}")
    wait_until(lambda: server.ask("www.e.test.") == ["192.0.2.4"], 5)
    with sqlite3.connect(tmp_path / "copy") as a, sqlite3.connect(api.store) as b:
        a.backup(b)
    wait_until(lambda: server.ask("www.e.test.") == ["192.0.2.1"], 5, api.said)
    wait_until(lambda: api.said().count("event=ready") == 2, 5)
    api.port = int(re.findall(r"\bport=(\d+)", api.said())[-1])
    causes = [row[0] for row in sqlite3.connect(api.store).execute("SELECT cause FROM lineages ORDER BY seq")]
    assert causes[-1] == "rewind"
    put_a(api, "www", "192.0.2.5")
    wait_until(lambda: server.ask("www.e.test.") == ["192.0.2.5"] and in_sync(api), 5)


def test_of_two_living_copies_one_is_quarantined(tmp_path, api):
    other = Api(tmp_path / "other")
    os.mkdir(other.directory)
    make_zone(api)
    put_a(api, "www", "192.0.2.1")
    copy_store(api.store, other.store)
    other.start()
    put_a(other, "www", "192.0.2.2")
    put_a(api, "www", "192.0.2.3")
    try:
        with Dnsd("--feed", f"unix:{tmp_path}/link", "--state", str(tmp_path / "ns")) as d:
            def point_to(program):
                if os.path.islink(tmp_path / "link"):
                    os.unlink(tmp_path / "link")
                os.symlink(program.unix, tmp_path / "link")
            point_to(api)
            d.ready()
            wait_until(lambda: d.ask("www.e.test.") == ["192.0.2.3"], 5)
            point_to(other)
            api.kill()
            wait_until(lambda: d.ask("www.e.test.") == ["192.0.2.2"], 8)
            api.start()
            point_to(api)
            other.kill()
            wait_until(lambda: d.ask("www.e.test.") == ["192.0.2.3"], 8)
            other.start()
            point_to(other)
            api.kill()
            d.wait_log("two copies of one store", 8)
            assert d.ask("www.e.test.") == ["192.0.2.3"]
            api.start()
    finally:
        other.stop()


# --- full states over a slow link ----------------------------------------------------------------------------------------

class SlowLink:
    """A Unix socket that forwards to another one, with this many bytes per second on the way back."""

    def __init__(self, path, target, rate):
        self.target, self.rate, self.chunk = target, rate, max(rate // 50, 1)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(16)
        self.pairs = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
                server = socket.socket(socket.AF_UNIX)
                server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                server.connect(self.target)
            except OSError:
                return
            self.pairs += [client, server]
            threading.Thread(target=self.pump, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, self.rate), daemon=True).start()

    def pump(self, source, target, rate):
        try:
            while data := source.recv(self.chunk if rate else 65536):
                target.sendall(data)
                if rate:
                    time.sleep(len(data) / rate)
        except OSError:
            pass
        for s in (source, target):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.socket.close()
        for s in self.pairs:
            s.close()


def first_answer(port, name, seconds):
    """The addresses in the first reply to `name` at the port, however long it takes."""
    deadline = time.monotonic() + seconds * SLOW
    while time.monotonic() < deadline:
        try:
            reply = dns.query.udp(dns.message.make_query(name, "A"), "127.0.0.1", port=port, timeout=0.2)
            return [r.to_text() for rrset in reply.answer for r in rrset], reply.rcode()
        except (OSError, dns.exception.Timeout):
            time.sleep(0.01)
    raise AssertionError("nobody answers")


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fill(api, count, size=0):
    connection = api.connect()
    for i in range(count):
        body = b'{"ttl":60,"records":["\\"%s\\""]}' % (b"y" * min(size, 250) or b"x")
        connection.request("PUT", f"/v1/zones/{ZONE}/rrsets/f{i}/TXT", body=body)
        reply = connection.getresponse()
        reply.read()
        assert reply.status in (200, 201)
    connection.close()


@pytest.mark.parametrize("loss", ["lost", "damaged"])
def test_a_name_server_whose_plan_is_gone_serves_again(tmp_path, api, server, loss):
    assert api.put("/v1/sites/a", {"region": "eu"}).status == 201
    put_a(api, "www", "192.0.2.1")
    wait_until(lambda: server.ask("www.e.test.") == ["192.0.2.1"], 5)
    # another new subscriber: from now on a full state is kept, and grows old
    api.subscribe().until("commit")
    put_a(api, "www", "192.0.2.2")
    wait_until(lambda: server.ask("www.e.test.") == ["192.0.2.2"], 5)
    server.stop()
    for name in os.listdir(tmp_path / "ns"):
        if name.startswith("plan."):
            if loss == "lost":
                os.unlink(tmp_path / "ns" / name)
            elif name == "plan.base":
                with open(tmp_path / "ns" / name, "r+b") as f:
                    f.seek(130)
                    f.write(b"\0\xff\0\xff")
    link = SlowLink(tmp_path / "link", api.unix, 200_000)
    with Dnsd("--feed", f"unix:{tmp_path}/link", "--state", str(tmp_path / "ns")) as d:
        d.ready(10)
        assert d.ask("www.e.test.") == ["192.0.2.2"]
        assert "refused" not in d.log().replace("the saved plan is refused", ""), d.log()
        wait_until(lambda: in_sync(api), 5)
    link.close()


def test_a_new_name_server_is_ready_with_what_hello_named(tmp_path, api):
    make_zone(api)
    put_a(api, "www", "192.0.2.1")
    api.subscribe().until("commit")  # a subscriber whose full state grows old
    fill(api, 600, 250)
    put_a(api, "late", "192.0.2.9")
    put_a(api, "www", "192.0.2.2")
    port = free_port()
    link = SlowLink(tmp_path / "link", api.unix, 100_000)  # the rest of the state takes seconds
    with Dnsd("--feed", f"unix:{tmp_path}/link", "--state", str(tmp_path / "ns"), listen=(f"127.0.0.1@{port}",)) as d:
        assert first_answer(port, "late.e.test.", 30) == (["192.0.2.9"], 0)
        d.ready()
        assert d.ask("www.e.test.") == ["192.0.2.2"]
    link.close()


def test_many_newcomers_share_one_full_state(api):
    make_zone(api)
    fill(api, 20)
    before = api.metric("veer_feed_snapshots_total")
    streams = [api.subscribe() for _ in range(20)]
    for stream in streams:
        stream.until("commit")
    assert api.metric("veer_feed_snapshots_total") - before <= 3
    for stream in streams:
        stream.close()


# --- backup and restore ---------------------------------------------------------------------------------------------------

def veer(*args):
    return subprocess.run([f"{BUILD}/veer", *map(str, args)], capture_output=True, text=True, timeout=60 * SLOW, check=False)


def test_a_backup_is_taken_while_the_service_runs_and_put_back(tmp_path, api, server):
    put_a(api, "www", "192.0.2.1")
    token = api.make_token("admin")
    _, agent = api.enrol("agent", "a1")
    over = threading.Event()
    writer = threading.Thread(target=lambda: [put_a(api, f"w{i % 20}", f"10.0.0.{i % 250}") for i in range(100000) if not over.is_set()])
    writer.start()
    try:
        for i in range(3):
            made = veer("backup", tmp_path / f"b{i}", "--api", f"unix:{api.unix}")
            assert made.returncode == 0, made.stderr
            assert os.stat(tmp_path / f"b{i}").st_mode & 0o777 == 0o600
            with sqlite3.connect(tmp_path / f"b{i}") as db:
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        over.set()
        writer.join()
    assert not [name for name in os.listdir(api.directory) if "backup" in name]
    # after the backup: changes, a new zone, and two credentials are revoked
    put_a(api, "www", "192.0.2.4")
    put_a(api, "late", "192.0.2.9")
    assert api.post("/v1/zones", {"name": "new.test.", "nameservers": ["ns1.new.test."]}).status == 201
    assert api.get("/v1/sites", token=token, tcp=True).status == 200
    assert api.delete("/v1/tokens/" + token.split(".")[0]).status == 204
    assert api.delete("/v1/agents/" + agent.split(".")[0]).status == 204
    wait_until(lambda: server.ask("new.test.", "SOA") and server.ask("late.e.test."), 5)
    serial = serial_of(server)
    busy = veer("restore", tmp_path / "b2", "--store", f"sqlite:{api.store}")
    assert busy.returncode != 0 and "stop it first" in busy.stderr, busy
    before = api.get("/v1/status").json["store_id"]
    api.stop()
    bad = veer("restore", tmp_path / "nothing", "--store", f"sqlite:{api.store}")
    assert bad.returncode != 0 and "nothing" in bad.stderr
    (tmp_path / "rubbish").write_bytes(b"x" * 10000)
    bad = veer("restore", tmp_path / "rubbish", "--store", f"sqlite:{api.store}")
    assert bad.returncode != 0 and "not a backup" in bad.stderr
    done = veer("restore", tmp_path / "b2", "--store", f"sqlite:{api.store}")
    assert done.returncode == 0, done.stderr
    assert "lost" in done.stdout and "zone new.test.: lost" in done.stdout, done.stdout
    api.start()
    # the backup is authoritative: a zone that it does not have is removed without a question
    wait_until(lambda: server.ask("www.e.test.") == ["192.0.2.1"], 2, server.log)
    wait_until(lambda: server.ask("new.test.", "SOA", raw=True).rcode() == 5, 2)
    assert server.ask("late.e.test.") == [] and serial_of(server) - serial >= 65536 - 1000
    wait_until(lambda: in_sync(api), 3)
    assert api.get("/v1/status").json["store_id"] != before
    # and no revoked credential is valid again
    assert api.get("/v1/sites", token=token, tcp=True).status == 401
    assert api.get("/v1/agents/" + agent.split(".")[0]).json["state"] == "revoked"
    kept = [name for name in os.listdir(api.directory) if name.startswith("veer.db.before-")]
    assert len(kept) == 1


def test_a_lost_store_comes_back_from_a_backup(tmp_path, api, server):
    put_a(api, "www", "192.0.2.1")
    wait_until(lambda: server.ask("www.e.test.") == ["192.0.2.1"], 5)
    assert veer("backup", tmp_path / "b", "--api", f"unix:{api.unix}").returncode == 0
    put_a(api, "www", "192.0.2.2")
    api.kill()
    remove_store(api.store)
    assert veer("restore", tmp_path / "b", "--store", f"sqlite:{api.store}").returncode == 0
    api.start()
    wait_until(lambda: server.ask("www.e.test.") == ["192.0.2.1"] and in_sync(api), 5, server.log)


# --- what is served is what the store has ---------------------------------------------------------------------------------

class Forger(SlowLink):
    """A link that changes octets on their way, so that neither side notices."""

    def __init__(self, path, target):
        self.changes = []
        super().__init__(path, target, 0)

    def pump(self, source, target, rate):
        if rate is None:
            return super().pump(source, target, None)
        try:
            while data := source.recv(65536):
                for old, new in self.changes:
                    data = data.replace(old, new)
                target.sendall(data)
        except OSError:
            pass
        return super().pump(source, target, None)


def wire_of(name, last):
    """The record 192.0.2.LAST in the encoding of the feed."""
    return base64.b64encode(bytes([len(name)]) + name.encode() + b"\1e\4test\0" + struct.pack("!HHIH", 1, 1, 60, 4)
                            + bytes([192, 0, 2, last]))


def test_a_name_server_with_another_content_is_found_and_mended(tmp_path, api):
    make_zone(api)
    put_a(api, "www", "192.0.2.1")
    link = Forger(tmp_path / "link", api.unix)
    with Dnsd("--feed", f"unix:{tmp_path}/link", "--state", str(tmp_path / "ns")) as d:
        d.ready()
        wait_until(lambda: in_sync(api), 5)
        link.changes = [(wire_of("www", 66), wire_of("www", 67))]
        put_a(api, "www", "192.0.2.66")
        wait_until(lambda: d.ask("www.e.test.") == ["192.0.2.67"], 5, d.log)
        link.changes = []
        wait_until(lambda: d.ask("www.e.test.") == ["192.0.2.66"], 5, api.said)
        assert "another content than the store" in api.said()
        wait_until(lambda: in_sync(api), 5)
        d.wait_log("what is served is not what the control plane has")
        for i in range(50):  # the checksums continue to match
            put_a(api, f"w{i % 7}", f"10.0.0.{i}")
        assert api.delete(f"/v1/zones/{ZONE}/rrsets/w1/A").status == 204
        assert api.delete(f"/v1/zones/{ZONE}").status == 204
        wait_until(lambda: in_sync(api), 5, lambda: api.get("/v1/status").json)
    link.close()


def test_a_serial_that_was_served_is_never_fallen_short_of(tmp_path, api, server):
    copy_store(api.store, tmp_path / "copy")
    wait_until(lambda: server.ask(ZONE, "SOA"), 5)
    high = serial_of(server) + 10_000_000  # for example that of a zone file
    text = f"$ORIGIN {ZONE}\n@ 300 SOA ns1 h {high} 2 3 4 5\n@ 300 NS ns1\n"
    assert api.call("PUT", f"/v1/zones/{ZONE}/import", text, headers={"Content-Type": "text/dns"}).status == 200
    wait_until(lambda: serial_of(server) == high, 5)
    api.stop()
    put_back(api, tmp_path / "copy")
    api.start()
    wait_until(lambda: serial_of(server) > high, 5, server.log)
    assert serial_of(server) == high + 1
    assert "a name server has seen a higher serial" in api.said()
    wait_until(lambda: in_sync(api), 3)
