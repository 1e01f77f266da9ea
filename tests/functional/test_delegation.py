# SPDX-License-Identifier: Apache-2.0
"""The parents' delegations of zones, compared with the zones. Tests that need servers on port 53 are in
delegation_world.py."""
import concurrent.futures
import os
import socket
import subprocess
import sys
import threading
import time

import dns.message
import dns.rcode
import dns.rrset
import pytest

import delegation_world
from health_rig import cli
from veer_util import BUILD, SLOW, Api, Program, wait_until

PATH = delegation_world.PATH
LONG = ["by_itself", "many", "others_silent"]  # these start first
CASES = LONG + sorted({name[len("case_"):] for name in vars(delegation_world) if name.startswith("case_")} - set(LONG))


def run_case(case, directory):
    return subprocess.run(["unshare", "-n", sys.executable, delegation_world.__file__, case, str(directory)], capture_output=True,
                          text=True, timeout=240 * SLOW, check=False)


@pytest.fixture(scope="module")
def runs(request, tmp_path_factory):
    """Run the selected cases, several at once: each has its own network and mostly waits."""
    cases = [item.callspec.params["case"] for item in request.session.items if getattr(item, "originalname", "") == "test_with_a_parent"]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        yield {case: pool.submit(run_case, case, tmp_path_factory.mktemp(case)) for case in cases}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a network of its own")
@pytest.mark.parametrize("case", CASES)
def test_with_a_parent(runs, case):
    run = runs[case].result()
    if "unshare" in run.stderr and "not permitted" in run.stderr:
        pytest.skip("no network namespaces here")
    print(run.stdout)
    assert run.returncode == 0, run.stderr


class Resolver:
    """A resolver on a port that the kernel chooses. Its replies are those of `answer`: bytes, or None for silence."""

    def __init__(self, answer):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.name = f"127.0.0.1@{self.socket.getsockname()[1]}"
        self.answer = answer
        self.asked = []
        self.failed = None
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                data, client = self.socket.recvfrom(4096)
            except OSError:
                return
            query = dns.message.from_wire(data)
            self.asked.append((query.question[0].name.to_text(), query.question[0].rdtype))
            try:
                reply = self.answer(query)
            except Exception as error:
                self.failed = error
                raise
            if reply is not None:
                self.socket.sendto(reply, client)


@pytest.fixture
def start(tmp_path):
    """Start veer-api with resolvers and a zone."""
    started = []

    def with_resolvers(*resolvers):
        args = [word for r in resolvers for word in ("--resolver", r if isinstance(r, str) else r.name)]
        started.append(Api(tmp_path, *args).start())
        made = started[-1].post("/v1/zones", {"name": delegation_world.ZONE, "nameservers": ["ns1.other.", "ns2.other."]})
        assert made.status == 201, made
        return started[-1]
    yield with_resolvers
    for api in started:
        api.kill()


def test_it_can_be_switched_off(start):
    api = start("none")
    for reply in (api.get(f"{PATH}/delegation"), api.post(f"{PATH}/delegation", None)):
        assert reply.status == 200 and reply.json["state"] == "unchecked" and "none" in reply.json["summary"], reply
    assert api.metric('veer_zones_delegation{state="unchecked"}') == api.metric("veer_zones_delegation") == 1
    assert "--resolver none" in cli(api, "zone", "delegation", "gslb.example").stdout
    assert "DELEGATION" not in cli(api, "status", "--check").stdout
    api.stop()


def test_who_may_ask(start):
    api = start("none")
    for scope, status in (("zones:read", 200), ("zones:write", 403), ("health:read", 403)):
        token = api.make_token(scope)
        assert api.get(f"{PATH}/delegation", token=token).status == status
        assert api.post(f"{PATH}/delegation", None, token=token).status == status
    limited = api.post("/v1/tokens", {"name": "l", "scopes": ["zones:read"], "zones": ["other.example."]})
    assert limited.status == 201, limited
    assert api.get(f"{PATH}/delegation", token=limited.json["token"]).status == 403
    assert api.post(f"{PATH}/delegation", None, token=limited.json["token"]).status == 403
    assert api.get("/v1/zones/none.example./delegation").status == 404
    assert api.post("/v1/zones/none.example./delegation", None).status == 404
    api.stop()


def test_resolvers_that_do_not_answer(start):
    """The failure is known within seconds, no zone is shown a fault, only one zone is compared at a time, and the
    shutdown does not wait."""
    resolver = Resolver(lambda query: None)
    api = start(resolver)
    replies = []

    def ask():
        at = time.monotonic()
        replies.append((api.post(f"{PATH}/delegation", None), time.monotonic() - at))
    first = threading.Thread(target=ask)
    first.start()
    wait_until(lambda: resolver.asked, 5)
    busy = api.post(f"{PATH}/delegation", None)
    assert busy.status == 503 and int(busy.headers["Retry-After"]) > 0, busy
    first.join()
    reply, took = replies[0]
    assert reply.status == 200 and reply.json["state"] == "unreachable" and 3.9 < took < 8 * SLOW, (reply, took)
    assert reply.json["summary"] == "no resolver has answered", reply
    assert resolver.asked == [("example.", 2)] * 2 + [(".", 2)] * 2, resolver.asked
    assert cli(api, "status", "--check").returncode == 0
    assert "DELEGATION" not in cli(api, "status").stdout
    assert api.said().count("no resolver answers") == 1 and "event=delegation" not in api.said(), api.said()
    second = threading.Thread(target=ask)
    second.start()
    wait_until(lambda: len(resolver.asked) > 4, 5)
    api.stop(seconds=1)
    second.join()
    resolver.socket.close()


def test_a_resolver_that_waits_itself_is_not_silent(start):
    """The servers of one zone's parent are dead, so the resolver has no answer in time. Other zones are not delayed."""
    def answer(query):
        name = query.question[0].name.to_text()
        return None if name == "example." else response(query, rcode="REFUSED")
    resolver = Resolver(answer)
    api = start(resolver)
    found = api.post(f"{PATH}/delegation", None).json
    assert found["state"] == "unreachable" and found["summary"] == "the resolver does not find the parent in time", found
    assert api.post("/v1/zones", {"name": "a.test.", "nameservers": ["ns1.other.", "ns2.other."]}).status == 201
    wait_until(lambda: "REFUSED" in api.get("/v1/zones/a.test./delegation").json["summary"], 10)
    assert "no resolver answers" not in api.said(), api.said()
    resolver.socket.close()
    api.stop()


def test_a_resolver_that_is_not_there(start):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    api = start(f"127.0.0.1@{port}")
    at = time.monotonic()
    assert api.post(f"{PATH}/delegation", None).json["state"] == "unreachable"
    assert time.monotonic() - at < 1 * SLOW
    api.stop()


def response(query, *rrsets, rcode="NOERROR"):
    reply = dns.message.make_response(query)
    reply.set_rcode(dns.rcode.from_text(rcode))
    reply.answer = list(rrsets)
    return reply.to_wire(max_size=65535)


def test_the_next_resolver_is_asked(start):
    """One resolver is silent, one fails, one knows the answer: it is asked for each name upwards, then for the
    addresses of the servers."""
    def know(query):
        name, kind = query.question[0].name.to_text(), query.question[0].rdtype
        if name == "example.":
            return response(query, rcode="NXDOMAIN")
        if (name, kind) == (".", 2):
            return response(query, dns.rrset.from_text(".", 60, "IN", "NS", "a.root.", "b.root."))
        return response(query)
    silent, failing, knowing = Resolver(lambda q: None), Resolver(lambda q: response(q, rcode="SERVFAIL")), Resolver(know)
    api = start(silent, failing, knowing)
    reply = api.post(f"{PATH}/delegation", None).json
    assert reply["state"] == "unreachable" and reply["parent"] == ".", reply
    assert sorted((s["name"], s["result"]) for s in reply["servers"]) == [("a.root.", "no address"), ("b.root.", "no address")], reply
    assert knowing.asked[:2] == [("example.", 2), (".", 2)] and len(knowing.asked) == 6, knowing.asked
    assert silent.asked == failing.asked == [("example.", 2)]  # only once, because the third resolver knows the answer
    for resolver in (silent, failing, knowing):
        resolver.socket.close()
    api.stop()


HOSTILE = {
    "refused": lambda q: response(q, rcode="REFUSED"),
    "echo": lambda q: q.to_wire(),
    "empty": lambda q: b"",
    "random": lambda q: os.urandom(512),
    "header": lambda q: response(q)[:12],
    "counts": lambda q: response(q)[:6] + b"\xff" * 6 + response(q)[12:],
    "loop": lambda q: response(q)[:6] + b"\0\1\0\0\0\0" + response(q)[12:] + bytes([0xc0, len(response(q))]) * 20,
    "cname": lambda q: response(q, dns.rrset.from_text(q.question[0].name, 1, "IN", "CNAME", q.question[0].name.to_text())),
    "many": lambda q: response(q, dns.rrset.from_text(q.question[0].name, 1, "IN", "NS", *[f"n{i}.test." for i in range(1000)])),
}


def ask_hostile(directory, answer):
    resolver = Resolver(answer)
    api = Api(directory, "--resolver", resolver.name).start()
    try:
        made = api.post("/v1/zones", {"name": delegation_world.ZONE, "nameservers": ["ns1.other.", "ns2.other."]})
        assert made.status == 201, made
        at = time.monotonic()
        reply = api.post(f"{PATH}/delegation", None)
        assert reply.status == 200 and reply.json["state"] == "unreachable", reply
        assert len(reply.json["servers"]) <= 8 and time.monotonic() - at < 15 * SLOW
        assert resolver.asked and resolver.failed is None, resolver.failed
        assert api.get("/healthz").status == 200
        api.stop()
    finally:
        api.kill()
        resolver.socket.close()


def test_hostile_resolvers(tmp_path_factory):
    with concurrent.futures.ThreadPoolExecutor(len(HOSTILE)) as pool:
        asked = {name: pool.submit(ask_hostile, tmp_path_factory.mktemp(name), answer) for name, answer in HOSTILE.items()}
        for name, future in asked.items():
            assert future.exception() is None, (name, future.exception())


@pytest.mark.parametrize("resolvers", [["dns.example"], ["192.0.2.1@0"], ["none", "192.0.2.1"], ["192.0.2.1"] * 4])
def test_what_is_no_resolver_is_refused(tmp_path, resolvers):
    args = [word for r in resolvers for word in ("--resolver", r)]
    program = Program(tmp_path, ["veer-api", "--listen", f"unix:{tmp_path}/s", "--store", f"sqlite:{tmp_path}/veer.db", *args])
    program.start(ready=False)
    assert program.process.wait(20 * SLOW) == 2
    assert not os.path.exists(tmp_path / "veer.db")
    assert "resolver" in program.said()
    config = tmp_path / "veer.yaml"
    config.write_text(f"state: {tmp_path}/state\napi:\n  resolver: [{', '.join(resolvers)}]\n")
    done = subprocess.run([os.path.join(BUILD, "veer"), "run", "--check-config", str(config)], capture_output=True, text=True, timeout=20 * SLOW)
    assert done.returncode == 2 and "resolver" in done.stderr, done
