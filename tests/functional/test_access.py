#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may do what: tokens and scopes, enrolment, revocation, TLS."""
import json
import os
import re
import socket
import sqlite3
import ssl
import subprocess
import threading
import time

import pytest

from route_rows import faults, read_rows, scope_texts
from veer_util import BUILD, Api, Program, Reply, SLOW, source, wait_until
from test_api import assert_problem

SCOPES = [scope for scope in scope_texts().values() if scope != "admin"]
ALL = ("ANONYMOUS", "TOKEN", "AGENT", "NAMESERVER")
# Every other route is for tokens only, with the scope of its kind of objects (route_rows.py).
SPECIAL = {  # method, path: who may call it, and the scopes of which a token needs one
    ("GET", "/healthz"): (ALL, ()),
    ("GET", "/openapi.json"): (ALL, ()),
    ("GET", "/openapi"): (ALL, ()),
    ("GET", "/metrics"): (ALL, ("health:read",)),
    ("POST", "/v1/enrol"): (ALL, ()),
    ("GET", "/v1/backup"): (("TOKEN",), ("admin",)),
    ("GET", "/v1/feed"): (("TOKEN", "NAMESERVER"), ("feed:read",)),
    ("POST", "/v1/uplink"): (("NAMESERVER",), ()),
    ("GET", "/v1/agents/self/assignments"): (("AGENT",), ()),
    ("POST", "/v1/agents/self/reports"): (("AGENT",), ()),
    ("POST", "/v1/checks/{name}/push"): (("TOKEN",), ("health:push", "health:write")),
    ("POST", "/v1/zones/{zone}/delegation"): (("TOKEN",), ("zones:read",)),  # it compares, and writes nothing
}
ROWS = read_rows()


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    program = Api(tmp_path_factory.mktemp("access")).start()
    yield program
    program.stop()


@pytest.fixture(scope="module")
def tokens(api):
    return {scope: api.make_token(scope) for scope in SCOPES + ["admin"]}


@pytest.fixture(scope="module")
def programs(api):
    """A credential of each kind of program."""
    return {"AGENT": api.enrol("agent", "tries-routes")[1], "NAMESERVER": api.enrol("nameserver", "tries-routes")[1]}


def test_each_route_is_for_tokens_with_a_scope_or_a_special_one():
    assert faults(ROWS, SPECIAL) == []


@pytest.mark.parametrize("was,becomes", [
    (r"TOKENS, \w+, ", "ANYBODY, API_SCOPE_NONE, "), (r"TOKENS, \w+, ", "TOKENS, API_SCOPE_NONE, "),
    (r"TOKENS, (\w+), ", r"FEEDERS, \1, "), (r"(?<!_)(AGENTS|SERVERS), ", "ANYBODY, "), (r"_WRITE, ", "_READ, "),
    (r"_READ, ", "_WRITE, "), (r"_SCOPE_(AGENTS|TOKENS|ADMIN|FEED), ", "_SCOPE_HEALTH_READ, ")])
def test_a_row_with_other_rights_than_those_intended_is_noticed(was, becomes):
    """Each row in turn is damaged."""
    text, count = re.sub(r",\n\t (?=\S)", ", ", source("api/rest/routes.c")), 0  # each row on one line
    for row in re.finditer(r'^\t\{("\w+"), ("/[^"]*").*\},$', text, re.M):
        damaged = re.sub(was, becomes, row.group())
        if damaged != row.group():
            method, path = (word.strip('"') for word in row.groups())
            found = faults(read_rows(text[:row.start()] + damaged + text[row.end():]), SPECIAL)
            assert len(found) == 1 and found[0].startswith(f"{method} {path}: "), damaged
            count += 1
    assert count >= 3


def try_route(api, row, **kw):
    """The reply's status, and what it says of an error. Parameters and bodies are such that nothing is changed."""
    path = re.sub(r"\{[^}]*\}", "x", row.path)
    if row.group == "STREAM" and row.method == "GET":
        stream = api.subscribe(path, **kw)
        reply = Reply(stream.response) if stream.status != 200 else stream
        stream.close()
        return reply
    return api.call(row.method, path, {} if row.takes_body else None, **kw)


def assert_may(row, reply):
    assert reply.status not in (401, 403, 405, 500), (row, reply)
    assert "nothing at" not in ((getattr(reply, "json", None) or {}).get("detail", "")), (row, reply)


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.method} {row.path}" for row in ROWS])
def test_each_route_is_for_its_roles_and_scopes_and_no_others(api, tokens, programs, row):
    anonymous = try_route(api, row, tcp=True)
    if "ANONYMOUS" in row.roles:
        assert_may(row, anonymous)
    else:
        assert_problem(anonymous, 401, "Bearer")
        assert anonymous.headers["WWW-Authenticate"] == "Bearer"
    for role, credential in programs.items():
        reply = try_route(api, row, token=credential)
        if role in row.roles:
            assert_may(row, reply)
        else:
            assert_problem(reply, 403, "not for this")
    for scope, token in tokens.items():
        reply = try_route(api, row, token=token)
        if "ANONYMOUS" in row.roles or "TOKEN" in row.roles and scope in row.scopes | {"admin"}:
            assert_may(row, reply)
        elif row.scopes:
            assert_problem(reply, 403, "lacks the scope")
            assert any(reply.json["detail"].endswith(" " + named) for named in row.scopes), reply
        else:
            assert_problem(reply, 403, "not for this")
    assert_may(row, try_route(api, row))


def test_the_feed_takes_its_scope_and_name_servers(api, tokens):
    for scope in SCOPES:
        stream = api.subscribe(token=tokens[scope])
        assert stream.status == (200 if scope == "feed:read" else 403), scope
        stream.close()
    _, credential = api.enrol("nameserver", "ns1")
    stream = api.subscribe(token=credential)
    assert stream.status == 200 and stream.line()["type"] == "hello"
    stream.close()
    _, agent = api.enrol("agent", "a1")
    assert api.get("/v1/feed", token=agent).status == 403


BAD_TOKENS = ["", "x", "t-abc", "t-abc.", ".", "t-" + "a" * 100 + ".vrt_x", "t-abcdefgh.vrt_" + "a" * 43, "ag-abcdefgh.vrc_" + "b" * 43,
              "t-abcdefgh.vrt_" + "a" * 500]


@pytest.mark.parametrize("token", BAD_TOKENS)
def test_bad_tokens_are_refused_also_from_the_owner(api, token):
    assert_problem(api.get("/v1/sites", token=token), 401, "token")
    assert api.call("GET", "/v1/sites", headers={"Authorization": f"Bearer {token}"}).status == 401


def test_a_secret_is_shown_once_and_the_wrong_one_fails(api):
    reply = api.post("/v1/tokens", {"name": "ci", "scopes": ["health:read"]})
    token = reply.json["token"]
    listed = api.get("/v1/tokens?limit=1000")
    assert reply.json["id"] in listed.body.decode() and "secret" not in listed.body.decode()
    with open(api.store, "rb") as f:
        assert token.split(".")[1].encode() not in f.read()
    assert api.get("/v1/sites", token=token).status == 200
    wrong = token[:-1] + ("a" if token[-1] != "a" else "b")
    assert api.get("/v1/sites", token=wrong).status == 401
    assert api.delete(f"/v1/tokens/{reply.json['id']}").status == 204
    assert api.get("/v1/sites", token=token).status == 401
    assert_problem(api.delete(f"/v1/tokens/{reply.json['id']}"), 404, "")


BAD_TOKEN_BODIES = [({"name": "x"}, "/scopes"), ({"name": "x", "scopes": []}, "/scopes"), ({"name": "x", "scopes": ["root"]}, "/scopes"),
                    ({"scopes": ["admin"]}, "/name"), ({"name": "x", "scopes": ["agents", "health:read", "agents"]}, "/scopes"),
                    *[({"name": f"x{c}y", "scopes": ["admin"]}, "/name") for c in "\x01\n\x1b\x7f\x85"], ({"name": "x", "scopes": ["admin"], "secret": "y"}, "/secret")]


@pytest.mark.parametrize("body,pointer", BAD_TOKEN_BODIES)
def test_bad_token_requests_name_the_field(api, body, pointer):
    assert_problem(api.post("/v1/tokens", body), 422, pointer)


def test_a_token_cannot_give_what_it_lacks(api, tokens):
    assert_problem(api.post("/v1/tokens", {"name": "x", "scopes": ["admin"]}, token=tokens["tokens"]), 422, "lacks")
    assert api.post("/v1/tokens", {"name": "x", "scopes": ["admin"]}, token=tokens["admin"]).status == 201


def test_a_token_removes_within_its_scopes_whatever_the_ends(api, tokens):
    def make(*scopes):
        reply = api.post("/v1/tokens", {"name": "other", "scopes": list(scopes)})
        return reply.json["id"], reply.json["token"]
    _, asks = make("tokens", "health:read")
    for scopes in (["admin"], ["health:read", "zones:read"], ["agents"]):
        ident, secret = make(*scopes)
        assert_problem(api.delete(f"/v1/tokens/{ident}", token=asks), 403, "scopes")
        assert api.get("/v1/tokens?limit=1000").body.decode().count(ident) == 1
        assert api.delete(f"/v1/tokens/{ident}", token=tokens["admin"]).status == 204
        assert api.get("/v1/sites", token=secret).status == 401
    ident, _ = make("health:read")
    assert api.delete(f"/v1/tokens/{ident}", token=asks).status == 204
    own, secret = make("tokens")
    assert api.delete(f"/v1/tokens/{own}", token=secret).status == 204
    short = api.post("/v1/tokens", {"name": "short", "scopes": ["tokens", "health:read"], "ttl_s": 60}).json["token"]
    assert_problem(api.post("/v1/tokens", {"name": "x", "scopes": ["health:read"]}, token=short), 422, "ttl_s")
    ident, secret = make("health:read")
    assert api.delete(f"/v1/tokens/{ident}", token=short).status == 204
    assert api.get("/v1/sites", token=secret).status == 401


@pytest.mark.parametrize("name", ["x\x01y", "x\ny", "x\x7fy", "x\u0085y", "\x1b[2J"])
@pytest.mark.parametrize("kind", ["agents", "nameservers"])
def test_names_of_agents_and_name_servers_have_no_control_characters(api, kind, name):
    body = {"name": name, "region": "eu"} if kind == "agents" else {"name": name}
    assert_problem(api.post(f"/v1/{kind}", body), 422, "/name")


# --- identities -------------------------------------------------------------------------------------------------------------

def announce(api, region="eu"):
    reply = api.post("/v1/agents", {"name": "eu-1", "region": region})
    assert reply.status == 201 and reply.json["token"].startswith("vre_"), reply
    return reply.json["token"]


def test_an_enrolment_token_works_once(api):
    token = announce(api)
    reply = api.post("/v1/enrol", {"token": token, "kind": "agent", "region": "eu"}, tcp=True)
    assert reply.status == 201 and reply.json["region"] == "eu" and reply.json["name"] == "eu-1", reply
    assert reply.json["id"].startswith("ag-") and reply.json["credential"].startswith("vrc_")
    assert_problem(api.post("/v1/enrol", {"token": token, "kind": "agent"}, tcp=True), 401, "enrolment")
    shown = api.get(f"/v1/agents/{reply.json['id']}").json
    assert shown["state"] == "enrolled" and "credential_sha256" not in shown


def test_enrolment_races_have_one_winner(api):
    token, replies = announce(api), []
    threads = [threading.Thread(target=lambda: replies.append(api.post("/v1/enrol", {"token": token, "kind": "agent"}).status))
               for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert replies.count(201) == 1 and all(r in (201, 401, 409) for r in replies), replies


def test_a_wrong_region_is_409_and_the_token_stays_good(api):
    token = announce(api)
    assert_problem(api.post("/v1/enrol", {"token": token, "kind": "agent", "region": "us"}), 409, "eu")
    assert api.post("/v1/enrol", {"token": token, "kind": "agent", "region": "eu"}).status == 201


BAD_ENROLMENTS = [({"token": "vre_" + "a" * 43, "kind": "agent"}, 401, "enrolment"), ({"kind": "agent"}, 422, "/token"),
                  ({"token": "x", "kind": "site"}, 422, "/kind"), ({"token": "x", "kind": "agent", "x": 1}, 422, "/x"), ("{", 400, "JSON")]


@pytest.mark.parametrize("body,status,named", BAD_ENROLMENTS)
def test_bad_enrolments_are_refused(api, body, status, named):
    assert_problem(api.post("/v1/enrol", body, tcp=True), status, named)


def test_a_token_with_the_nonce_it_was_used_with_gives_the_same_identity_again(api):
    token = announce(api)
    mine = {"token": token, "kind": "agent", "nonce": "a" * 43}
    first = api.post("/v1/enrol", mine, tcp=True)
    assert first.status == 201 and first.json["credential"].startswith("vrc_") and len(first.json["credential"]) == 47, first
    revision = api.get("/v1/status").json["revision"]
    for _ in range(3):
        again = api.post("/v1/enrol", mine, tcp=True)
        assert (again.status, again.json) == (201, first.json), again
    assert api.get("/v1/status").json["revision"] == revision, "nothing is written for a reply that is given again"
    for other in ({**mine, "nonce": "b" * 43}, {"token": token, "kind": "agent"}, {**mine, "kind": "nameserver"}):
        assert_problem(api.post("/v1/enrol", other, tcp=True), 401, "enrolment")
    assert_problem(api.post("/v1/enrol", {**mine, "region": "us"}, tcp=True), 409, "eu")
    bearer = f"{first.json['id']}.{first.json['credential']}"
    stream = api.subscribe("/v1/agents/self/assignments", bearer)
    assert stream.status == 200
    stream.close()
    # another of its name takes its place, and with it what the token was good for
    other = api.post("/v1/enrol", {"token": announce(api), "kind": "agent", "nonce": "a" * 43})
    assert other.status == 201 and other.json["credential"] != first.json["credential"]
    assert_problem(api.post("/v1/enrol", mine, tcp=True), 401, "enrolment")


def test_a_revoked_identity_is_not_given_again(api):
    mine = {"token": announce(api), "kind": "agent", "nonce": "a" * 43}
    first = api.post("/v1/enrol", mine)
    assert first.status == 201 and api.delete(f"/v1/agents/{first.json['id']}").status == 204
    assert_problem(api.post("/v1/enrol", mine), 401, "enrolment")


@pytest.mark.parametrize("nonce", ["", "a" * 31, "a" * 65, "-" * 43, "\u0001" * 43, 7])
def test_a_nonce_that_can_be_guessed_or_is_none_is_refused(api, nonce):
    assert_problem(api.post("/v1/enrol", {"token": announce(api), "kind": "agent", "nonce": nonce}), 422, "/nonce")


def test_an_enrolment_token_is_for_its_kind(api):
    token = announce(api)
    assert_problem(api.post("/v1/enrol", {"token": token, "kind": "nameserver"}), 401, "enrolment")
    assert api.post("/v1/enrol", {"token": token, "kind": "agent"}).status == 201


def test_an_enrolment_token_expires(tmp_path):
    """The clock is moved by moving what the store says of the token."""
    api = Api(tmp_path).start()
    token = announce(api)
    api.stop()
    db = sqlite3.connect(api.store)
    table = next(name for name, in db.execute("SELECT name FROM sqlite_master WHERE type='table'")
                 if db.execute(f"SELECT count(*) FROM pragma_table_info('{name}') WHERE name IN ('kind','key','value')").fetchone()[0] == 3
                 and "log" not in name and "history" not in name)
    (key, value), = db.execute(f"SELECT key, value FROM {table} WHERE kind = 11").fetchall()
    old = dict(json.loads(value), expires_s=int(time.time()) - 1)
    db.execute(f"UPDATE {table} SET value = ? WHERE kind = 11 AND key = ?", (json.dumps(old), key))
    db.commit()
    db.close()
    api.start()
    assert_problem(api.post("/v1/enrol", {"token": token, "kind": "agent"}), 401, "older than")
    announce(api)  # takes the expired one away
    api.stop()
    db = sqlite3.connect(api.store)
    assert db.execute(f"SELECT count(*) FROM {table} WHERE kind = 11").fetchone() == (1,)
    assert db.execute(f"SELECT count(*) FROM {table} WHERE kind = 11 AND key = ?", (key,)).fetchone() == (0,)
    db.close()


def test_tokens_that_ended_a_week_ago_are_removed(tmp_path):
    api = Api(tmp_path).start()
    idents = [api.post("/v1/tokens", {"name": f"t{i}", "scopes": ["health:read"], "ttl_s": 86400}).json["id"] for i in range(3)]
    old = announce(api)
    api.stop()
    week, now, keys = 7 * 86400, int(time.time()), {0: -60, 1: 3600}
    with sqlite3.connect(api.store) as db:
        for i, after in keys.items():  # the first ended a week and a minute ago, the second an hour less than a week ago
            db.execute("UPDATE objects SET value = json_set(value, '$.expires_s', ?) WHERE kind = 12 AND key = ?", (now - week + after, idents[i]))
        db.execute("UPDATE objects SET value = json_set(value, '$.expires_s', ?) WHERE kind = 11", (now - week - 60,))
        stored = dict(db.execute("SELECT kind, count(*) FROM objects WHERE kind IN (11, 12) GROUP BY kind"))
    assert stored == {12: 3, 11: 1} and old
    db.close()
    api.start()
    try:
        wait_until(lambda: {t["id"] for t in api.get("/v1/tokens").json["items"]} == set(idents[1:]), 10, api.said)
        assert [t.get("expired") for t in api.get("/v1/tokens").json["items"] if t["id"] == idents[1]] == [True]
        assert [t.get("expired") for t in api.get("/v1/tokens").json["items"] if t["id"] == idents[2]] == [None]
        assert "(expired)" in subprocess.run([f"{BUILD}/veer", "token", "list", "--api", f"unix:{api.unix}"], capture_output=True, text=True).stdout
        with sqlite3.connect(api.store) as db:
            wait_until(lambda: db.execute("SELECT count(*) FROM objects WHERE kind = 11").fetchone() == (0,), 10, api.said)
        db.close()
        assert api.said().count("it has ended a week ago") == 2
    finally:
        api.stop()


def edit_store(api, fill):
    """Write into the store of a veer-api that does not run, past it. `fill` gets a function put(kind, key, object)."""
    db = sqlite3.connect(api.store)
    fill(lambda kind, key, value: db.execute("INSERT INTO objects VALUES (?, ?, 1, 0, ?)", (kind, key, json.dumps(value))))
    db.commit()
    db.close()


def agent_argv(api, tmp_path, token):
    (tmp_path / "token").write_text(token)
    return ["veer-probe", "--api", f"http://127.0.0.1:{api.port}", "--token-file", tmp_path / "token", "--state", tmp_path / "state"]


def test_more_agents_than_can_vote_are_refused_and_left_out(tmp_path):
    api = Api(tmp_path).start()
    token = announce(api)
    api.stop()
    edit_store(api, lambda put: [put(9, f"ag-{i:04}", {"id": f"ag-{i:04}", "name": f"has-{i}", "region": "eu", "state": "enrolled"}) for i in range(4096)])
    api.start()
    try:
        assert_problem(api.post("/v1/agents", {"name": "more", "region": "eu"}), 422, "4096 agents")
        assert_problem(api.post("/v1/enrol", {"token": token, "kind": "agent"}), 422, "4096 agents")
        # who is there already may enrol again: it takes no place that it does not have
        waiting = Program(tmp_path, agent_argv(api, tmp_path, token), name="agent").start(ready=False)
        try:
            waiting_for = "there are 4096 agents already"
            wait_until(lambda: waiting_for in waiting.said(), 10, waiting.said)
            made = api.post("/v1/agents", {"name": "has-1", "region": "eu"})
            assert made.status == 201, made
            again = api.post("/v1/enrol", {"token": made.json["token"], "kind": "agent"})
            assert again.status == 201 and api.get("/v1/agents/ag-0001").status == 404, again
            assert waiting.process.poll() is None, waiting.said()
            assert api.delete("/v1/agents/ag-0000").status == 204
            wait_until(waiting.is_ready, 15, waiting.said)
            assert waiting.said().count(waiting_for) == 1, waiting.said()
        finally:
            waiting.kill()
        assert api.post("/v1/nameservers", {"name": "ns"}).status == 201
    finally:
        api.stop()


def test_what_is_stored_beyond_the_limits_keeps_its_verdict(tmp_path):
    api = Api(tmp_path).start()
    assert api.put("/v1/sites/s", {"region": "eu"}).status == 201
    for i in range(17):
        assert api.put(f"/v1/checks/c{i}", {"kind": "push"}).status == 201
    api.stop()

    def fill(put):
        for p in range(5):
            put(2, f"big{p}", {"name": f"big{p}", "checks": [f"c{i}" for i in range(16)], "endpoints": [
                {"name": f"e{i}", "address": f"10.{p}.{i // 250}.{i % 250}", "site": "s"} for i in range(1000)]})
        put(2, "small", {"name": "small", "checks": ["c16"], "endpoints": [{"name": "x", "address": "192.0.2.1", "site": "s"}]})
        put(6, "big4/e0", {"endpoint": "big4/e0", "state": "down"})

    edit_store(api, fill)
    api.start()
    try:
        assert "big4" in next(line for line in api.said().splitlines() if "a pool is left out" in line)
        assert api.get("/v1/endpoints/big4/e0").json["eligible"] is False
        assert api.get("/v1/endpoints/big4/e1").json["eligible"] is True
        wait_until(lambda: api.post("/v1/checks/c16/push", {"endpoint": "small/x", "state": "down"}).status == 204, 5)
        wait_until(lambda: api.get("/v1/endpoints/small/x").json["eligible"] is False, 5)
        assert api.get("/v1/endpoints/big4/e0").json["eligible"] is False
    finally:
        api.stop()


REVOKED = [("agent", "/v1/agents/self/assignments", "agents"), ("nameserver", "/v1/feed", "nameservers")]


@pytest.mark.parametrize("kind,path,plural", REVOKED)
def test_revocation_ends_streams_and_credentials_within_5_s(api, kind, path, plural):
    ident, credential = api.enrol(kind, "gone")
    _, stays = api.enrol(kind, "stays")
    stream, other = api.subscribe(path, credential), api.subscribe(path, stays)
    assert stream.line()["type"] == other.line()["type"] == "hello"
    start = time.monotonic()
    assert api.delete(f"/v1/{plural}/{ident}").status == 204
    assert api.get(path, token=credential).status == 401
    assert stream.is_ended() and time.monotonic() - start < 5 * SLOW
    assert other.until("heartbeat")
    assert api.get(f"/v1/{plural}/{ident}").json["state"] == "revoked"
    stream.close()
    other.close()


def test_a_deleted_token_ends_its_feed(api):
    reply = api.post("/v1/tokens", {"name": "feed", "scopes": ["feed:read"]})
    stream = api.subscribe(token=reply.json["token"])
    assert stream.line()["type"] == "hello"
    start = time.monotonic()
    assert api.delete(f"/v1/tokens/{reply.json['id']}").status == 204
    assert stream.is_ended() and time.monotonic() - start < 5 * SLOW
    stream.close()


def test_one_agent_cannot_take_all_streams(api):
    _, credential = api.enrol("agent", "greedy")
    streams = [api.subscribe("/v1/agents/self/assignments", credential) for _ in range(8)]
    assert [s.line()["type"] for s in streams] == ["hello"] * 8
    refused = api.get("/v1/agents/self/assignments", token=credential)
    assert_problem(refused, 429, "share")
    assert refused.headers["Retry-After"] == "1"
    _, other = api.enrol("agent", "modest")
    stream = api.subscribe("/v1/agents/self/assignments", other)
    assert stream.status == 200
    for s in streams + [stream]:
        s.close()
    wait_until(lambda: api.metric("veer_api_streams") == 0, 20)


# --- TLS ------------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    cert, key = str(directory / "cert.pem"), str(directory / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert,
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], check=True,
                   capture_output=True)
    return cert, key


def test_beyond_loopback_it_speaks_tls_only(tmp_path, certificate):
    cert, key = certificate
    api = Api(tmp_path, "--tls-cert", cert, "--tls-key", key, listen="0.0.0.0:0").start()
    try:
        context = ssl.create_default_context(cafile=cert)
        with socket.create_connection(("127.0.0.1", api.port), timeout=10 * SLOW) as raw:
            with context.wrap_socket(raw, server_hostname="127.0.0.1") as tls:
                tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert tls.recv(4096).startswith(b"HTTP/1.1 200")
        with socket.create_connection(("127.0.0.1", api.port), timeout=10 * SLOW) as raw:
            raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            try:
                assert not raw.recv(4096).startswith(b"HTTP")
            except OSError:
                pass
        assert api.get("/healthz").status == 200  # the Unix socket stays clear
    finally:
        api.stop()


def test_with_a_key_that_is_not_the_certificates_there_is_no_tcp(tmp_path, certificate):
    other = str(tmp_path / "other.pem")
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", other], check=True,
                   capture_output=True)
    api = Api(tmp_path, "--tls-cert", certificate[0], "--tls-key", other)
    api.start()
    assert "the key is not that of the TLS certificate" in api.said() and api.get("/healthz").status == 200
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", api.port), timeout=5)
    api.stop()


def test_the_unix_socket_is_for_owner_and_group_only(api):
    assert os.stat(api.unix).st_mode & 0o007 == 0
    wait_until(lambda: api.get("/healthz").status == 200, 5)
