# SPDX-License-Identifier: Apache-2.0
"""A full disk: user writes are refused, verdicts and answers continue, and everything is written when there is room
again."""
import json
import os
import signal
import subprocess

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
import pytest

from dnsd_util import Dnsd, FeedServer
from test_run import free_port
from veer_util import Api, Program, wait_until


@pytest.fixture
def disk(tmp_path):
    """A small file system of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", path], capture_output=True,
                                                    check=False).returncode == 0
    if not mounted:
        pytest.skip("cannot mount a small disk here")
    yield str(path)
    subprocess.run(["umount", "-l", path], check=True)


def fill(disk, leave=0):
    """Use up all room except `leave` bytes."""
    with open(os.path.join(disk, "filler"), "wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(65536))
        except OSError:
            pass
        try:
            while True:
                f.write(bytes(512))
        except OSError:
            pass
        f.truncate(max(0, f.tell() - leave))


def empty(disk):
    os.unlink(os.path.join(disk, "filler"))


def make_model(api):
    assert api.put("/v1/sites/fra", {"region": "eu"}).status in (200, 201)
    assert api.put("/v1/checks/web", {"kind": "tcp", "port": 80, "hold_s": 0}).status in (200, 201)
    assert api.put("/v1/pools/web", {"checks": ["web"], "endpoints": [
        {"name": "a", "address": "192.0.2.1", "site": "fra"}, {"name": "b", "address": "192.0.2.2", "site": "fra"}]}).status in (200, 201)


def take_the_rest(disk):
    """Use up the room to the last byte."""
    with open(os.path.join(disk, "filler"), "ab", buffering=0) as f:
        try:
            while True:
                f.write(bytes(512))
        except OSError:
            pass


class Agent:
    """An agent that reports what it is told to."""

    def __init__(self, api):
        self.api = api
        _, self.bearer = api.enrol()
        self.seq = 0
        self.stream = api.subscribe("/v1/agents/self/assignments", token=self.bearer)
        self.revision = self.stream.until("assignments")[-1]["revision"]

    def say(self, letters):
        self.seq += 1
        reasons = {"u": "ok", "d": "timeout"}
        body = {"format": 1, "assignment_revision": self.revision, "boot": "00000000000000aa", "seq": self.seq, "blind": False,
                "items": [[c, reasons[c], 10, 0] for c in letters]}
        reply = self.api.post("/v1/agents/self/reports", body, token=self.bearer)
        assert reply.status == 204, reply


def verdicts(feed, key, state):
    """Read the feed until it has this verdict."""
    while True:
        line = feed.line()
        assert line is not None
        if line["type"] == "put" and line["kind"] == "verdict" and line["key"] == key and line["object"]["state"] == state:
            return


def test_verdicts_go_on_when_user_writes_are_refused(disk, tmp_path):
    api = Api(disk)
    api.log_path = str(tmp_path / "log")
    api.start()
    try:
        make_model(api)
        agent = Agent(api)
        feed = api.subscribe()
        feed.until("commit")
        fill(disk, leave=512 << 10)
        refused = api.put("/v1/sites/iad", {"region": "us"})
        assert refused.status == 507 and "disk" in refused.json["detail"], refused
        # On a full disk, only the administrators' decision whether a site is in the answers is accepted, and no other
        # change of a site.
        for state in ("out", "in"):
            assert api.put("/v1/sites/iad", {"region": "us", "state": state}).status == 507  # a new site
            assert api.put("/v1/sites/fra", {"region": "us", "state": state}).status == 507
            word = api.put("/v1/sites/fra?force=fra", {"region": "eu", "state": state})
            assert word.status == 200, word
            assert api.get("/v1/sites/fra").json["state"] == state
        agent.say("du")
        verdicts(feed, "web/a", "down")
        # Only the room that is reserved for this is left.
        take_the_rest(disk)
        for _ in range(5):
            agent.say("ud")
        assert api.get("/v1/status").status == 200
        wait_until(lambda: api.get("/healthz").status == 503, 5)
        assert "disk" in api.get("/healthz").json["reason"]
        empty(disk)
        wait_until(lambda: api.get("/healthz").status == 200, 10)
        verdicts(feed, "web/b", "down")
        assert api.put("/v1/sites/iad", {"region": "us"}).status in (200, 201)
        feed.close()
        agent.stream.close()
        api.stop()
        api.start()
        states = {e["endpoint"]: e["state"] for e in api.get("/v1/status").json["endpoints"]}
        assert states["web/b"] == "down"
    finally:
        api.kill()


def answer(port, name):
    try:
        reply = dns.query.udp(dns.message.make_query(name, "A"), "127.0.0.1", port=port, timeout=2)
    except (dns.exception.Timeout, OSError):
        return None
    return sorted(r.address for rrset in reply.answer if rrset.rdtype == dns.rdatatype.A for r in rrset)


def test_answers_change_and_the_plan_is_made_good_later(disk, tmp_path):
    (tmp_path / "api").mkdir()
    api = Api(tmp_path / "api").start()
    port = free_port()
    dnsd = Program(tmp_path, ["veer-dnsd", "--listen", f"127.0.0.1@{port}", "--feed", f"unix:{api.unix}", "--state", disk,
                              "--workers", "1"], name="dnsd.log")

    def set_address(address):
        assert api.put("/v1/zones/t.example./rrsets/www/A", {"ttl": 5, "records": [address]}).status in (200, 201)

    try:
        assert api.post("/v1/zones", {"name": "t.example.", "nameservers": ["ns1.t.example."]}).status == 201
        set_address("192.0.2.1")
        dnsd.start()
        wait_until(lambda: answer(port, "www.t.example.") == ["192.0.2.1"], 10)
        wait_until(lambda: os.path.exists(f"{disk}/plan.base"), 10)
        fill(disk)
        # More than the last page of the journal has room for.
        for i in range(40):
            assert api.put(f"/v1/zones/t.example./rrsets/t{i}/TXT", {"ttl": 5, "records": ['"' + "x" * 200 + '"']}).status in (200, 201)
        set_address("192.0.2.2")
        wait_until(lambda: answer(port, "www.t.example.") == ["192.0.2.2"], 10)
        wait_until(lambda: "the plan cannot be written" in dnsd.said(), 10)
        # A restart now finds the last complete plan, which is old but consistent.
        api.kill()
        dnsd.kill()
        dnsd.start()
        assert answer(port, "www.t.example.") == ["192.0.2.1"]
        api.start()
        wait_until(lambda: answer(port, "www.t.example.") == ["192.0.2.2"], 20)
        empty(disk)
        api.kill()  # the name server reconnects and asks for a full state
        api.start()
        wait_until(lambda: b"\xc0\x00\x02\x02" in open(f"{disk}/plan.base", "rb").read(), 40)
        api.kill()
        dnsd.kill()
        dnsd.start()
        assert answer(port, "www.t.example.") == ["192.0.2.2"]
    finally:
        dnsd.kill()
        api.kill()


def test_a_name_server_starts_from_a_disk_that_became_read_only(disk, tmp_path):
    feed = os.path.join(os.path.dirname(__file__), "../data/formats/feed.ndjson")
    with open(feed, encoding="utf-8") as f:
        text = f.read()
    control = FeedServer(str(tmp_path / "api.sock"), lambda path: text)
    args = ["--feed", f"unix:{control.path}", "--state", os.path.join(disk, "state")]
    with Dnsd(*args) as d:
        d.ready()
        wait_until(lambda: d.ask("www.gslb.example.") == ["192.0.2.2"], 5, "revision 12")
        assert d.stop() == 0
    control.close()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with Dnsd(*args) as d:
        d.ready()
        assert d.ask("www.gslb.example.") == ["192.0.2.2"]
        d.wait_log("part=control .*Read-only")
        assert d.stop() == 0


def test_a_full_disk_has_no_full_state_read_again(disk, tmp_path):
    feed = os.path.join(os.path.dirname(__file__), "../data/formats/feed.ndjson")
    with open(feed, encoding="utf-8") as f:
        text = f.read()
    hello = json.dumps({**json.loads(text.split("\n")[0]), "revision": 13}) + "\n"
    later = hello + '{"type":"reset"}\n{"type":"commit","revision":13}\n'
    control = FeedServer(str(tmp_path / "api.sock"), lambda path: hello if "since=" in path else later if control.requests[1:] else text)

    def change(revision, size):
        control.push({"type": "put", "kind": "zone", "key": "z.", "revision": revision,
                      "object": {"name": "z.", "version": 1, "note": "x" * size}},
                     {"type": "commit", "revision": revision})

    with Dnsd("--feed", f"unix:{control.path}", "--state", os.path.join(disk, "state")) as d:
        d.ready()
        wait_until(lambda: os.path.exists(f"{disk}/state/plan.base"), 5, "the base")
        fill(disk)
        change(13, 20000)
        d.wait_log("the plan cannot be written")
        control.cut()
        wait_until(lambda: len(control.requests) > 1, 10, "another stream")
        assert "since=13" in control.requests[1], control.requests
        # half a minute after it fell behind, once there is room
        empty(disk)
        wait_until(lambda: len(control.requests) > 2, 40, "the full state")
        assert "since=" not in control.requests[2], control.requests
        d.wait_log("level=notice.*the plan on disk is behind, and there is room")
        assert "refused" not in d.log()
        assert d.stop() == 0
    control.close()


def test_an_identity_that_the_disk_did_not_take_is_kept_later(disk, tmp_path):
    (tmp_path / "api").mkdir()
    api = Api(tmp_path / "api").start()
    made = api.post("/v1/nameservers", {"name": "ns1"})
    assert made.status == 201, made
    (tmp_path / "token").write_text(made.json["token"])
    assert api.post("/v1/zones", {"name": "t.example.", "nameservers": ["ns1.t.example."]}).status == 201
    os.mkdir(f"{disk}/state")
    fill(disk)
    args = ["--feed", f"unix:{api.unix}", "--state", f"{disk}/state", "--token-file", str(tmp_path / "token")]
    try:
        with Dnsd(*args) as d:
            d.ready()
            d.wait_log("level=error.*the identity cannot be kept")
            assert not os.path.exists(f"{disk}/state/identity.json")
            empty(disk)
            wait_until(lambda: os.path.exists(f"{disk}/state/identity.json"), 10, "the identity")
            d.wait_log("the identity is kept now")
            assert d.stop() == 0
    finally:
        api.kill()


def test_with_room_again_the_plan_on_disk_is_made_good(disk, tmp_path):
    api = Api(tmp_path).start()
    assert api.post("/v1/zones", {"name": "e.test.", "nameservers": ["ns1.e.test."]}).status == 201
    api.subscribe().until("commit")  # a subscriber whose full state is not read and grows old
    args = ["--feed", f"unix:{api.unix}", "--state", f"{disk}/ns"]

    def put(address, size=0):
        assert api.put("/v1/zones/e.test./rrsets/www/A", {"ttl": 60, "records": [address]}).status in (200, 201)
        for i in range(size):
            assert api.put(f"/v1/zones/e.test./rrsets/f{i}/TXT", {"ttl": 60, "records": ['"%s"' % ("x" * 250)]}).status in (200, 201)

    with Dnsd(*args) as d:
        d.ready()
        fill(disk)
        put("192.0.2.1", 100)
        d.wait_log("the plan cannot be written")
        put("192.0.2.2")
        wait_until(lambda: d.ask("www.e.test.") == ["192.0.2.2"], 5)
        empty(disk)
        d.wait_log("the plan on disk is behind, and there is room", 45)
        d.wait_log("the plan on disk is whole again", 10)
        journal = f"{disk}/ns/plan.journal"
        before = os.stat(journal).st_size
        put("192.0.2.3")
        wait_until(lambda: d.ask("www.e.test.") == ["192.0.2.3"], 5)
        wait_until(lambda: os.stat(journal).st_size > before, 5, "the commit in the journal")
        assert "refused" not in d.log(), d.log()
        d.kill()
    api.stop()
    with Dnsd(*args) as d:  # without a control plane
        d.ready()
        assert d.ask("www.e.test.") == ["192.0.2.3"]


def test_an_administrator_is_heard_on_a_full_disk_also_after_a_start(disk, tmp_path):
    """Drains, releases, freezes, revocations, enrolment and deletions, with 0 bytes free."""
    api = Api(disk)
    api.log_path = str(tmp_path / "log")
    api.start()
    try:
        make_model(api)
        agent = Agent(api)
        token = api.make_token("health:read")
        assert api.put("/v1/sites/iad", {"region": "us"}).status == 201
        wait_until(lambda: api.metric("veer_store_ballast") == 1, 5)
        fill(disk)
        take_the_rest(disk)
        drain = {"action": "drain", "reason": "the disk is full"}
        assert api.put("/v1/overrides/web/a", drain).status == 201
        assert api.delete("/v1/overrides/web/a").status == 204
        agent.stream.close()
        api.kill()
        api.start()
        assert api.metric("veer_store_free_bytes") < 1 << 20 and api.get("/healthz").status == 503
        assert api.put("/v1/overrides/web/a", drain).status == 201
        assert api.delete("/v1/tokens/" + token.split(".")[0]).status == 204
        assert api.get("/v1/sites", token=token).status == 401
        assert api.delete("/v1/agents/" + agent.bearer.split(".")[0]).status == 204
        assert api.delete("/v1/sites/iad").status == 204
        again = Agent(api)
        feed = api.subscribe()
        again.say("ud")
        verdicts(feed, "web/b", "down")
        assert api.put("/v1/sites/gru", {"region": "sa"}).status == 507
        for close in (feed, again.stream):
            close.close()
        empty(disk)
        wait_until(lambda: api.get("/healthz").status == 200, 10)
        wait_until(lambda: api.metric("veer_store_ballast") == 1, 10)
        assert api.put("/v1/sites/gru", {"region": "sa"}).status == 201
        wait_until(lambda: "the store works again" in api.said(), 5, api.said)
    finally:
        api.kill()


@pytest.fixture
def freezer(tmp_path):
    """A file system that can be frozen, so that it behaves like a disk that does not respond for a while."""
    image, path = tmp_path / "image", tmp_path / "frozen"
    path.mkdir()
    with open(image, "wb") as f:
        f.truncate(64 << 20)
    made = os.geteuid() == 0 and all(subprocess.run(argv, capture_output=True, check=False).returncode == 0 for argv in (
        ["mkfs.ext4", "-q", image], ["mount", "-o", "loop", image, path], ["fsfreeze", "-f", path], ["fsfreeze", "-u", path]))
    if not made:
        subprocess.run(["umount", "-l", path], capture_output=True, check=False)
        pytest.skip("cannot mount and freeze a file system here")
    yield str(path)
    subprocess.run(["fsfreeze", "-u", path], capture_output=True, check=False)
    subprocess.run(["umount", "-l", path], check=True)


def test_a_disk_that_does_not_answer_is_said_and_the_main_loop_goes_on(tmp_path, freezer):
    api = Api(tmp_path)
    api.store = os.path.join(freezer, "veer.db")
    api.argv[api.argv.index("--store") + 1] = f"sqlite:{api.store}"
    api.start()
    try:
        assert api.get("/healthz").status == 200
        subprocess.run(["fsfreeze", "-f", freezer], check=True)
        wait_until(lambda: api.get("/healthz").status == 503, 20, lambda: api.get("/healthz"))
        assert "the store's disk does not answer" in api.get("/healthz").json["reason"]
        assert api.metric("veer_store_working") == 0
        wait_until(lambda: "does not answer" in api.said(), 5, api.said)
        before = api.said().count("nothing to reload")
        os.kill(api.process.pid, signal.SIGHUP)
        wait_until(lambda: api.said().count("nothing to reload") > before, 2, api.said)
        subprocess.run(["fsfreeze", "-u", freezer], check=True)
        wait_until(lambda: api.get("/healthz").status == 200, 5, lambda: api.get("/healthz"))
        wait_until(lambda: "the store works again" in api.said(), 5, api.said)
    finally:
        subprocess.run(["fsfreeze", "-u", freezer], capture_output=True, check=False)
        api.stop()
