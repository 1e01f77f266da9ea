#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Credentials: what a token may change, how long it is valid, how credentials are revoked and replaced, and who can see
them."""
import json
import os
import socket
import sqlite3
import subprocess
import threading

import pytest

from health_rig import cli
from test_api import assert_problem
from test_run import free_port
from veer_util import BUILD, Api, Program, wait_until

CHECK = {"kind": "http", "path": "/?key=secret", "headers": {"Authorization": "Basic c2VjcmV0", "Accept": "text/html"}}


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    program = Api(tmp_path_factory.mktemp("credentials")).start()
    assert program.put("/v1/sites/s", {"region": "eu"}).status == 201
    for name in ("beat", "other"):
        assert program.put(f"/v1/checks/{name}", {"kind": "push"}).status == 201
    for pool in ("web", "mail"):
        endpoints = [{"name": n, "address": f"192.0.2.{i}", "site": "s"} for i, n in enumerate("ab", 1)]
        assert program.put(f"/v1/pools/{pool}", {"checks": ["beat", "other"], "endpoints": endpoints}).status == 201
    for zone in ("a.example.", "b.example."):
        assert program.post("/v1/zones", {"name": zone, "nameservers": ["ns1.example."]}).status == 201
    yield program
    program.stop()


def token(api, scopes, **limits):
    reply = api.post("/v1/tokens", {"name": "test", "scopes": scopes, **limits})
    assert reply.status == 201, reply
    return reply.json["token"]


def push(api, who, check, endpoint):
    return api.post(f"/v1/checks/{check}/push", {"endpoint": endpoint, "state": "up"}, token=who)


def test_a_push_token_is_for_the_endpoints_and_checks_that_it_names(api):
    mine = token(api, ["health:push"], endpoints=["web/*"], checks=["beat"])
    wait_until(lambda: push(api, mine, "beat", "web/a").status == 204, 5)
    assert_problem(push(api, mine, "beat", "mail/a"), 403, "mail/a")
    assert_problem(push(api, mine, "other", "web/a"), 403, "other")
    assert push(api, token(api, ["health:push"]), "other", "mail/a").status == 204


def test_a_token_for_some_endpoints_drains_those_and_changes_nothing_else(api):
    mine = token(api, ["health:write", "health:read"], endpoints=["web/*"])
    drain = {"action": "drain", "reason": "test"}
    assert api.put("/v1/overrides/web/a", drain, token=mine).status == 201
    assert_problem(api.put("/v1/overrides/mail/a", drain, token=mine), 403, "mail/a")
    assert_problem(api.post("/v1/overrides", {"endpoints": ["web/b", "mail/a"], **drain}, token=mine), 403, "mail/a")
    assert api.put("/v1/overrides/mail/b", drain).status == 201
    assert_problem(api.delete("/v1/overrides/mail/b", token=mine), 403, "mail/b")
    assert_problem(api.put("/v1/settings", {"freeze": True}, token=mine), 403, "limited")
    assert_problem(api.put("/v1/maintenance/m", {}, token=mine), 403, "limited")
    assert_problem(api.put("/v1/sites/s", {"region": "us"}, token=mine), 403, "limited")
    assert_problem(api.delete("/v1/pools/mail", token=mine), 403, "mail")
    for bad in ("web/A", "web/a_b", "W/a"):  # not a valid name: the answer is the same for all clients
        for who in (mine, None):
            assert_problem(api.put(f"/v1/overrides/{bad}", drain, token=who), 404, f'there is no endpoint "{bad}"')
    for endpoint in ("web/a", "mail/b"):
        assert api.delete(f"/v1/overrides/{endpoint}").status == 204


def test_a_token_for_some_zones_sees_and_changes_those(api):
    mine = token(api, ["zones:read", "zones:write"], zones=["a.example."])
    record = {"ttl": 60, "records": ["192.0.2.9"]}
    assert api.put("/v1/zones/a.example./rrsets/www/A", record, token=mine).status == 201
    assert_problem(api.put("/v1/zones/b.example./rrsets/www/A", record, token=mine), 403, "b.example.")
    assert_problem(api.get("/v1/zones/b.example./export", token=mine), 403, "b.example.")
    assert_problem(api.delete("/v1/zones/b.example.", token=mine), 403, "b.example.")
    assert_problem(api.post("/v1/zones", {"name": "c.example.", "nameservers": ["ns1.example."]}, token=mine), 403, "c.example.")
    for method, path, body in (("GET", "", None), ("GET", "/export", None), ("GET", "/import", None), ("PUT", "/import", "$TTL 60\n"),
                               ("GET", "/rrsets", None), ("POST", "/rrsets", {"name": "x", "type": "A", **record}), ("GET", "/rrsets/www/A", None),
                               ("PUT", "/rrsets/www/A", record), ("DELETE", "/rrsets/www/A", None), ("DELETE", "", None)):
        for zone in ("b.example.", "new.example."):
            reply = api.call(method, f"/v1/zones/{zone}{path}", body, token=mine)
            assert reply.status in (403, 404), (method, path, reply)
    assert api.get("/v1/zones/new.example.").status == 404
    assert [z["name"] for z in api.get("/v1/zones", token=mine).json["items"]] == ["a.example."]


def test_a_list_of_one_kind_gives_nothing_of_the_other(api):
    ends, checks = token(api, ["health:write"], endpoints=["web/*"]), token(api, ["health:write"], checks=["beat"])
    assert_problem(api.put("/v1/checks/beat", {"kind": "push"}, token=ends), 403, "no list of checks")
    assert api.put("/v1/checks/beat", {"kind": "push"}, token=checks).status == 200
    assert_problem(api.put("/v1/overrides/web/a", {"action": "drain", "reason": "x"}, token=checks), 403, "no list of endpoints")


def test_a_limited_token_names_no_other_check_and_sees_the_secrets_of_its_own_only(api):
    for name in ("mine", "secretchk", "calc"):
        assert api.put(f"/v1/checks/{name}", CHECK).status == 201
    assert api.put("/v1/checks/calc", {"kind": "calculated", "of": ["other", "beat"]}).status == 200
    pool = {"checks": ["mine", "other"], "endpoints": [{"name": "a", "address": "192.0.2.1", "site": "s"}]}
    assert api.put("/v1/pools/own", pool).status == 201
    both = token(api, ["health:write", "health:read"], endpoints=["own*/*"], checks=["mine", "calc"])
    ends = token(api, ["health:write", "health:read"], endpoints=["own*/*"])
    for who, why in ((both, "secretchk"), (ends, "no list of checks")):
        assert_problem(api.put("/v1/pools/own", {**pool, "checks": ["mine", "secretchk"]}, token=who), 403, why)
        assert_problem(api.put("/v1/pools/own2", {**pool, "checks": ["secretchk"]}, token=who), 403, why)
        assert_problem(api.post("/v1/pools", {**pool, "name": "own2", "checks": ["secretchk"]}, token=who), 403, why)
    assert_problem(api.put("/v1/checks/mine", {"kind": "calculated", "of": ["secretchk"]}, token=both), 403, "secretchk")
    assert_problem(api.put("/v1/checks/calc", {"kind": "calculated", "of": ["other", "secretchk"]}, token=both), 403, "secretchk")
    # An endpoint that exists stays, and one that the token owns may be named.
    assert api.put("/v1/checks/calc", {"kind": "calculated", "of": ["other", "mine"]}, token=both).status == 200
    assert api.put("/v1/pools/own", {**pool, "checks": ["other", "calc", "mine"]}, token=both).status == 200
    assert api.put("/v1/pools/own", {**pool, "checks": ["other"]}, token=ends).status == 200
    assert_problem(api.put("/v1/pools/own", pool, token=ends), 403, "no list of checks")
    shown = {who: {c["name"]: c for c in api.get("/v1/checks", token=who).json["items"]} for who in (both, ends)}
    for who, name, hidden in ((both, "mine", False), (both, "secretchk", True), (ends, "mine", True), (ends, "secretchk", True)):
        for check in (shown[who][name], api.get(f"/v1/checks/{name}", token=who).json):
            assert check["headers"]["Authorization"] == ("***" if hidden else CHECK["headers"]["Authorization"]), (name, check)
            assert (check["path"] == "/?***") == hidden, (name, check)
    free = token(api, ["health:write", "health:read"], zones=["a.example."])
    assert api.get("/v1/checks/secretchk", token=free).json["path"] == CHECK["path"]
    assert api.put("/v1/pools/own", {**pool, "checks": ["secretchk"]}, token=free).status == 200
    assert api.delete("/v1/pools/own").status == 204


def test_what_a_token_makes_ends_before_it(api):
    short = api.post("/v1/tokens", {"name": "short", "scopes": ["tokens", "health:read"], "ttl_s": 60}).json["token"]
    for more, status in (({}, 422), ({"ttl_s": 3600}, 422), ({"ttl_s": 30}, 201)):
        assert api.post("/v1/tokens", {"name": "child", "scopes": ["health:read"], **more}, token=short).status == status, more


def test_what_anybody_may_a_token_may(api):
    assert api.get("/healthz", token=token(api, ["health:read"])).status == 200


@pytest.mark.parametrize("scopes,extra,what", [
    (["admin"], {"endpoints": ["web/*"]}, "admin"), (["tokens"], {"zones": ["a."]}, "tokens"),
    (["health:push"], {"endpoints": []}, "/endpoints"), (["health:push"], {"checks": [""]}, "/checks"),
    (["health:push"], {"endpoints": ["x"] * 65}, "/endpoints"), (["health:read"], {"ttl_s": 0}, "/ttl_s"),
    (["health:read"], {"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
    (["health:read"], {"expires_at": "tomorrow"}, "/expires_at"),
    (["health:read"], {"expires_at": "2099-01-01T00:00:00Z", "ttl_s": 60}, "/ttl_s")])
def test_tokens_that_make_no_sense_are_refused(api, scopes, extra, what):
    assert_problem(api.post("/v1/tokens", {"name": "x", "scopes": scopes, **extra}), 422, what)


def test_a_token_ends_when_its_time_is_over_and_its_use_is_shown(api):
    reply = api.post("/v1/tokens", {"name": "short", "scopes": ["health:read"], "ttl_s": 2})
    who, ident = reply.json["token"], reply.json["id"]
    assert api.get("/v1/sites", token=who).status == 200
    shown = next(t for t in api.get("/v1/tokens").json["items"] if t["id"] == ident)
    assert shown["last_used_at"].startswith("20") and shown["expires_at"] == reply.json["expires_at"]
    assert "secret_sha256" not in shown and "expires_s" not in shown
    wait_until(lambda: api.get("/v1/sites", token=who).status == 401, 6)
    assert_problem(api.get("/v1/sites", token=who), 401, "expired")
    wrong = who[:-1] + ("a" if who[-1] != "a" else "b")
    assert "expired" not in api.get("/v1/sites", token=wrong).json["detail"]


def test_the_last_use_is_stored(api):
    who = token(api, ["health:read"])
    assert api.get("/v1/sites", token=who).status == 200
    ident = who.split(".")[0]

    def stored():
        with sqlite3.connect(f"file:{api.store}?mode=ro", uri=True) as db:
            return any(ident in str(row[0]) and "used_s" in str(row[0]) for row in db.execute("select value from objects"))

    wait_until(stored, 20)
    assert api.get("/v1/sites", token=who).status == 200


def test_a_401_says_why_also_in_its_header(api):
    reply = api.get("/v1/sites", token="t-nobody1.vrt_x")
    assert_problem(reply, 401, "not known")
    assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"] and "not known" in reply.headers["WWW-Authenticate"]


def test_readers_do_not_see_what_checks_send(api):
    assert api.put("/v1/checks/secret", CHECK).status == 201
    reader, writer = token(api, ["health:read"]), token(api, ["health:read", "health:write"])
    for reply in (api.get("/v1/checks/secret", token=reader).json,
                  next(c for c in api.get("/v1/checks", token=reader).json["items"] if c["name"] == "secret")):
        assert reply["headers"] == {"Authorization": "***", "Accept": "text/html"} and reply["path"] == "/?***"
    assert api.get("/v1/checks/secret", token=writer).json["headers"] == CHECK["headers"]
    assert api.get("/v1/checks/secret").json["headers"] == CHECK["headers"]
    masked = api.get("/v1/checks/secret", token=reader).json
    assert_problem(api.put("/v1/checks/secret", masked), 422, "/headers/Authorization")
    assert api.get("/v1/checks/secret").json["headers"] == CHECK["headers"]


def test_a_name_that_enrols_again_ends_its_old_identity(api):
    old_id, old = api.enrol("agent", "twice")
    new_id, new = api.enrol("agent", "twice")
    assert api.get(f"/v1/agents/{old_id}").status == 404 and old_id != new_id
    assert api.subscribe("/v1/agents/self/assignments", token=old).status == 401
    assert api.subscribe("/v1/agents/self/assignments", token=new).status == 200


def test_what_was_revoked_can_be_forgotten(api):
    ident, _ = api.enrol("agent", "past")
    assert api.delete(f"/v1/agents/{ident}").status == 204
    assert api.get(f"/v1/agents/{ident}").json["state"] == "revoked"
    assert api.delete(f"/v1/agents/{ident}").status == 204
    assert api.get(f"/v1/agents/{ident}").status == 404


# --- the command ------------------------------------------------------------------------------------------------


def test_veer_lists_and_revokes(api):
    made = cli(api, "token", "create", "--name", "ci", "--scope", "health:push", "--ttl", "90d", "--endpoint", "web/*")
    assert made.returncode == 0 and made.stdout.startswith("t-"), made
    who = made.stdout.strip()
    listed = cli(api, "token", "list").stdout
    line = next(row for row in listed.splitlines() if who.split(".")[0] in row)
    assert "ci" in line and "health:push" in line and "endpoints:web/*" in line and who.split(".")[1] not in listed
    assert cli(api, "token", "revoke", "ci").returncode == 0
    assert api.get("/v1/sites", token=who).status == 401
    assert "no token" in cli(api, "token", "revoke", "ci", check=False).stderr
    assert cli(api, "token", "create", "--name", "x", "--ttl", "soon", check=False).returncode == 2
    enrolled = cli(api, "nameserver", "enrol", "--name", "ns7")
    assert enrolled.stdout.startswith("vre_") and "veer-dnsd" in enrolled.stderr
    for kind, name in (("agent", "gone"), ("nameserver", "ns8")):
        ident, _ = api.enrol(kind, name)
        assert ident in cli(api, kind, "list").stdout
        assert cli(api, kind, "revoke", name).returncode == 0
        assert "revoked" in next(row for row in cli(api, kind, "list").stdout.splitlines() if ident in row)
        assert cli(api, kind, "revoke", ident).returncode == 0
        assert ident not in cli(api, kind, "list").stdout


def test_a_token_does_not_stay_among_the_arguments(api, tmp_path):
    listener = socket.create_server(("127.0.0.1", 0))
    argv = [os.path.join(BUILD, "veer"), "status", "--api", f"http://127.0.0.1:{listener.getsockname()[1]}", "--token", "t-secret12.vrt_secret"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        connection, _ = listener.accept()  # by now the command has read its arguments
        with open(f"/proc/{process.pid}/cmdline", "rb") as f:
            assert b"secret" not in f.read()
        assert b"Bearer t-secret12.vrt_secret" in connection.recv(65536)
        process.kill()
    listener.close()
    (tmp_path / "token").write_text(token(api, ["health:read"]) + "\n")
    run = subprocess.run([argv[0], "status", "--json", "--api", f"http://127.0.0.1:{api.port}", "--token-file", str(tmp_path / "token")],
                         capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == 0 and json.loads(run.stdout), run


def test_a_token_does_not_travel_in_the_clear():
    for where in ("http://192.0.2.1:8053", "http://veer.example", "HTTP://192.0.2.1:8053", "http://localhost:x@192.0.2.1:8053", "https://me:x@192.0.2.1", "ftp://127.0.0.1"):
        run = subprocess.run([os.path.join(BUILD, "veer"), "status", "--api", where, "--token", "t-x.y"],
                             capture_output=True, text=True, timeout=30, check=False)
        assert run.returncode == 2 and ("https://" in run.stderr or "user" in run.stderr), run


# --- programs that enrol again ----------------------------------------------------------------------------------


def agent_program(api, tmp_path):
    return Program(tmp_path, ["veer-probe", "--api", f"http://127.0.0.1:{api.port}", "--token-file", tmp_path / "token", "--state",
                              tmp_path / "state", "--region", "eu", "--allow-targets", "loopback"])


def dnsd_program(api, tmp_path):
    return Program(tmp_path, ["veer-dnsd", "--listen", f"127.0.0.1@{free_port()}", "--feed", f"http://127.0.0.1:{api.port}",
                              "--token-file", tmp_path / "token", "--state", tmp_path / "state", "--workers", "1"])


PROGRAMS = [("agents", agent_program, {"name": "again", "region": "eu"}), ("nameservers", dnsd_program, {"name": "again"})]


def identity(tmp_path):
    return json.loads((tmp_path / "state" / "identity.json").read_text())["id"]


def new_token(api, tmp_path, plural, body):
    (tmp_path / "token").write_text(api.post(f"/v1/{plural}", body).json["token"])


@pytest.mark.parametrize("plural,make,body", PROGRAMS)
def test_a_new_token_enrols_anew_at_the_next_start(api, tmp_path, plural, make, body):
    new_token(api, tmp_path, plural, body)
    program = make(api, tmp_path).start()
    first = identity(tmp_path)
    program.stop()
    program.start()
    assert identity(tmp_path) == first, "the same token is not tried twice"
    program.stop()
    new_token(api, tmp_path, plural, body)
    program.start()
    try:
        wait_until(lambda: identity(tmp_path) != first, 10, program.said)
        assert api.get(f"/v1/{plural}/{first}").status == 404
    finally:
        program.stop()


@pytest.mark.parametrize("plural,make,body", PROGRAMS)
def test_whoever_was_revoked_enrols_with_a_new_token_while_it_runs_and_says_why_it_cannot(api, tmp_path, plural, make, body):
    new_token(api, tmp_path, plural, body)
    program = make(api, tmp_path).start()
    try:
        first = identity(tmp_path)
        assert api.delete(f"/v1/{plural}/{first}").status == 204
        wait_until(lambda: "it was revoked" in program.said(), 15, program.said)
        new_token(api, tmp_path, plural, body)
        wait_until(lambda: identity(tmp_path) != first, 15, program.said)
        assert api.get(f"/v1/{plural}/{identity(tmp_path)}").json["state"] == "enrolled"
    finally:
        program.stop()


@pytest.mark.parametrize("plural,make,body", PROGRAMS)
def test_a_token_that_is_refused_leaves_the_identity_of_before(api, tmp_path, plural, make, body):
    new_token(api, tmp_path, plural, body)
    program = make(api, tmp_path).start()
    first = identity(tmp_path)
    program.stop()
    (tmp_path / "token").write_text("vre_" + "x" * 43)
    program.start()
    try:
        wait_until(lambda: "the token is refused" in program.said(), 10, program.said)
        assert identity(tmp_path) == first and api.get(f"/v1/{plural}/{first}").json["state"] == "enrolled"
        assert program.process.poll() is None
    finally:
        program.stop()


class Deaf:
    """A proxy between a program and the control plane. It forwards requests, and loses the replies to the first `lose`
    enrolments."""

    def __init__(self, port, lose):
        self.target, self.lose, self.lost = port, lose, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client, socket.create_connection(("127.0.0.1", self.target))), daemon=True).start()

    def carry(self, client, server):
        enrols = threading.Event()

        def up():
            while data := client.recv(65536):
                if b"POST /v1/enrol" in data:
                    enrols.set()
                server.sendall(data)

        def quietly():
            try:
                up()
            except OSError:
                pass

        threading.Thread(target=quietly, daemon=True).start()
        try:
            while data := server.recv(65536):
                if enrols.is_set() and self.lost < self.lose:
                    assert b" 201 " in data, data
                    self.lost += 1
                    break
                client.sendall(data)
        except OSError:
            pass
        for end in (client, server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


@pytest.mark.parametrize("plural,make,body", PROGRAMS)
def test_an_enrolment_whose_reply_is_lost_needs_no_other_token(api, tmp_path, plural, make, body):
    new_token(api, tmp_path, plural, {**body, "name": "lost"})
    between = Deaf(api.port, lose=3)
    program = make(between, tmp_path).start(ready=False)
    try:
        wait_until(lambda: between.lost >= 1, 10, program.said)
        program.kill()  # so that its memory is lost too
        program.start()
        wait_until(lambda: (tmp_path / "state" / "identity.json").exists(), 15, program.said)
        assert between.lost == 3
        kept = tmp_path / "state" / "enrolment.json"
        assert kept.stat().st_mode & 0o777 == 0o600 and set(json.loads(kept.read_text())) == {"token_sha256", "nonce"}
        named = [i for i in api.get(f"/v1/{plural}?limit=1000").json["items"] if i["name"] == "lost"]
        assert [i["id"] for i in named] == [identity(tmp_path)] and named[0]["state"] == "enrolled"
    finally:
        program.stop()
        between.listener.close()
