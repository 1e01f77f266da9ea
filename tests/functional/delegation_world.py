#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A parent zone with its servers on port 53, in a network of its own: unshare -n delegation_world.py CASE DIRECTORY."""
import os
import re
import socket
import subprocess
import sys
import threading
import time

import dns.flags
import dns.message
import dns.rrset

from dnsd_util import Dnsd
from health_rig import cli
from veer_util import SLOW, Api, wait_until

ZONE = "gslb.example."
PATH = f"/v1/zones/{ZONE}"
SERVERS = {"s1": "127.0.0.1", "s2": "127.0.0.2", "quiet": "127.0.0.3", "liar": "127.0.0.4"}
DELEGATED = "gslb 3600 NS ns1.gslb\ngslb 3600 NS ns.other.\nns1.gslb 3600 A 192.0.2.53\n"


class World:
    """veer-dnsd on 127.0.0.1 serves example. and is the resolver; veer-api has a zone below it."""

    def __init__(self, directory, servers=("s1",), delegation=DELEGATED):
        self.directory = directory
        self.programs = []
        self.servers = servers
        self.parent = self.name_server("s1", delegation)
        self.api = Api(directory, "--resolver", "127.0.0.1").start()
        self.programs.append(self.api)

    def write_zone(self, name, delegation):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write("@ 60 SOA s1 h 1 2 3 4 60\n" + "".join(f"@ 60 NS {s}\n" for s in self.servers))
            f.write("".join(f"{s} 60 A {a}\n" for s, a in SERVERS.items()) + "six 60 AAAA ::1\n" + delegation)
        return path

    def name_server(self, name, delegation, address=None):
        path = self.write_zone(name, delegation)
        server = Dnsd("--zone", f"example={path}", "--workers", "1", listen=(f"{address or SERVERS[name]}@53",)).ready()
        self.programs.append(server)
        return server

    def change_parent(self, delegation):
        self.write_zone("s1", delegation)
        seen = self.parent.log().count("event=reloaded")
        self.parent.hangup()
        wait_until(lambda: self.parent.log().count("event=reloaded") > seen, 5)

    def make_zone(self, nameservers=("ns1.gslb.example.", "ns.other."), address="192.0.2.53"):
        assert self.api.post("/v1/zones", {"name": ZONE, "nameservers": list(nameservers)}).status == 201
        if address:
            assert self.api.put(f"{PATH}/rrsets/ns1/A", {"ttl": 300, "records": [address]}).status in (200, 201)

    def compare(self, state):
        reply = self.api.post(f"{PATH}/delegation", None)
        assert reply.status == 200 and reply.json["state"] == state, reply.json or reply
        assert self.api.get(f"{PATH}/delegation").json == reply.json
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", reply.json["checked_at"])
        assert self.api.get("/v1/status").json["delegations"][state] == 1
        assert self.api.metric(f'veer_zones_delegation{{state="{state}"}}') == 1
        assert self.api.metric("veer_zones_delegation") == 1
        return reply.json

    def close(self):
        for program in self.programs:
            program.kill()


def case_ok(directory):
    world = World(directory, ("s1", "six"))
    world.name_server("six", DELEGATED, address="::1")
    try:
        world.make_zone()
        found = world.compare("ok")
        assert found["parent"] == "example." and found["ttl"] == {"zone": 86400, "parent": 3600}, found
        assert found["warnings"] == found["glue"] == found["ns_only_parent"] == found["ns_only_zone"] == [], found
        assert found["servers"] == [{"name": "s1.example.", "address": "127.0.0.1", "result": "delegates"},
                                    {"name": "six.example.", "address": "::1", "result": "delegates"}], found
        said = cli(world.api, "zone", "delegation", "gslb.example")
        assert said.stdout.startswith("gslb.example.: ok: ") and "remove" not in said.stdout, said
        assert "DELEGATION" not in cli(world.api, "status", "--check").stdout
        assert "event=delegation" not in world.api.said()
        world.api.stop()
    finally:
        world.close()


def case_differs(directory):
    world = World(directory, delegation="gslb 3600 NS ns1.gslb\ngslb 3600 NS old.other.\nns1.gslb 3600 A 192.0.2.9\n")
    try:
        world.make_zone()
        found = world.compare("differs")
        assert found["ns_only_parent"] == ["old.other."] and found["ns_only_zone"] == ["ns.other."], found
        assert found["glue"] == [{"name": "ns1.gslb.example.", "only_parent": ["192.0.2.9"], "only_zone": ["192.0.2.53"]}], found
        said = cli(world.api, "zone", "delegation", "gslb.example", check=False)
        assert said.returncode == 1, said
        for line in ("  add    gslb.example. NS ns.other.", "  remove gslb.example. NS old.other.",
                     "  add    ns1.gslb.example. A 192.0.2.53", "  remove ns1.gslb.example. A 192.0.2.9"):
            assert line in said.stdout.splitlines(), said.stdout
        said = cli(world.api, "zone", "delegation", "gslb.example.", "--json", check=False)
        assert said.returncode == 1 and '"state": "differs"' in said.stdout, said
        status = cli(world.api, "status", "--check", check=False)
        assert status.returncode == 1 and "DELEGATION of gslb.example. differs: " in status.stdout, status
        items = world.api.get("/v1/status").json["delegations"]["items"]
        assert [(i["zone"], i["state"], i["parent"]) for i in items] == [(ZONE, "differs", "example.")], items
        # each change of a zone's state logs one line
        assert len(re.findall(r"level=warning.*event=delegation zone=gslb.example. state=differs was=unchecked", world.api.said())) == 1
        world.change_parent(DELEGATED)
        world.compare("ok")
        world.compare("ok")
        assert len(re.findall("event=delegation ", world.api.said())) == 2, world.api.said()
        assert "state=ok was=differs" in world.api.said()
        assert cli(world.api, "status", "--check").returncode == 0
        # a question is not a change
        assert "path=/v1/zones/gslb.example./delegation" not in world.api.said()
        world.api.stop()
    finally:
        world.close()


def case_missing(directory):
    for delegation in ("", "gslb 60 TXT x\n", "*.gslb 60 TXT x\n"):  # NXDOMAIN, NODATA, an empty non-terminal
        os.makedirs(os.path.join(directory, str(len(delegation))))
        world = World(os.path.join(directory, str(len(delegation))), delegation=delegation)
        try:
            world.make_zone()
            found = world.compare("missing")
            assert found["ns_only_zone"] == ["ns.other.", "ns1.gslb.example."], found
            said = cli(world.api, "zone", "delegation", "gslb.example", check=False)
            assert said.returncode == 1 and "  add    ns1.gslb.example. A 192.0.2.53" in said.stdout, said
            status = cli(world.api, "status", "--check", check=False)
            assert status.returncode == 1 and "DELEGATION of gslb.example. is missing" in status.stdout, status
            world.api.stop()
        finally:
            world.close()


def case_unreachable(directory):
    """The parent's only server is silent: the state is known within the given time, and no fault is shown."""
    world = World(directory, servers=("quiet",))
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind((SERVERS["quiet"], 53))
    try:
        world.make_zone()
        started = time.monotonic()
        found = world.compare("unreachable")
        assert 1.9 < time.monotonic() - started < 5 * SLOW
        assert found["servers"] == [{"name": "quiet.example.", "address": "127.0.0.3", "result": "no answer"}], found
        said = cli(world.api, "zone", "delegation", "gslb.example")
        assert "unreachable" in said.stdout and "no server of the parent has answered" in said.stdout, said
        assert "DELEGATION" not in cli(world.api, "status", "--check").stdout
        started = time.monotonic()
        threading.Thread(target=lambda: world.api.post(f"{PATH}/delegation", None), daemon=True).start()
        silent.settimeout(5 * SLOW)
        for _ in range(5):  # the two comparisons before had two tries each
            silent.recv(512)
        world.api.stop(seconds=1)  # in the middle of a comparison
    finally:
        world.close()
        silent.close()


def case_others_silent(directory):
    """Silent servers before the good one do not use up its time."""
    names = ("a", "b", "c", "d", "e", "f", "s1")
    SERVERS.update({name: f"127.0.1.{i}" for i, name in enumerate(names[:-1], 1)})
    world = World(directory, servers=names)
    silent = []
    try:
        for name in names[:-1]:
            silent.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            silent[-1].bind((SERVERS[name], 53))
        world.make_zone()
        started = time.monotonic()
        found = world.compare("ok")
        assert time.monotonic() - started < 15 * SLOW
        assert sum(s["result"] == "no answer" for s in found["servers"]) == 6, found
        world.api.stop()
    finally:
        world.close()
        for s in silent:
            s.close()


def case_warnings(directory):
    world = World(directory, delegation="gslb 3600 NS ns1.gslb\nns1.gslb 3600 A 192.0.2.53\n")
    try:
        world.make_zone(["ns1.gslb.example."])
        assert len(world.compare("ok")["warnings"]) == 1
        put = world.api.put(f"{PATH}/rrsets/@/NS", {"ttl": 300, "records": ["ns1.gslb.example."]})
        assert put.status == 200, put
        found = world.compare("ok")
        assert any("TTL" in w and "300" in w and "3600" in w for w in found["warnings"]), found
        assert any("one name server" in w for w in found["warnings"]), found
        said = cli(world.api, "zone", "delegation", "gslb.example")
        assert said.stdout.count("Warning: ") == 2, said
        assert world.api.delete(f"{PATH}/rrsets/ns1/A").status == 204
        assert any("no address in the zone" in w for w in world.compare("differs")["warnings"])
        world.api.stop()
    finally:
        world.close()


def case_disagree(directory):
    world = World(directory, servers=("s1", "s2"))
    world.name_server("s2", "gslb 3600 NS ns1.gslb\nns1.gslb 3600 A 192.0.2.53\n")
    try:
        world.make_zone()
        found = world.compare("differs")
        assert found["servers_disagree"] and found["ns_only_zone"] == ["ns.other."], found
        assert {s["name"]: s["ns"] for s in found["servers"]} == {"s1.example.": ["ns.other.", "ns1.gslb.example."],
                                                                  "s2.example.": ["ns1.gslb.example."]}, found
        said = cli(world.api, "zone", "delegation", "gslb.example", check=False)
        assert said.returncode == 1 and "its servers disagree" in said.stdout and "  add    gslb.example. NS ns.other." in said.stdout, said
        world.api.stop()
    finally:
        world.close()


def case_by_itself(directory):
    """Without any request, a new zone is compared soon, and again when its NS RRset has changed; a deleted zone is
    forgotten."""
    world = World(directory)

    def state():
        return world.api.get(f"{PATH}/delegation").json["state"]
    try:
        world.make_zone()
        assert state() == "unchecked"
        wait_until(lambda: state() == "ok", 10, state)
        assert world.api.put(f"{PATH}/rrsets/@/NS", {"ttl": 86400, "records": ["ns1.gslb.example."]}).status == 200
        wait_until(lambda: state() == "differs", 10, state)
        text = "@ 300 SOA ns1 h 1 2 3 4 5\n@ 86400 NS ns1\n@ 86400 NS ns.other.\nns1 300 A 192.0.2.53\n"
        assert world.api.put(f"{PATH}/import", text, headers={"Content-Type": "text/dns"}).status == 200
        wait_until(lambda: state() == "ok", 10, state)
        assert world.api.delete(PATH).status == 204
        wait_until(lambda: world.api.metric("veer_zones_delegation") == 0, 10)
        assert world.api.get(f"{PATH}/delegation").status == 404
        # zones that existed before the start are compared too
        world.make_zone()
        world.api.stop()
        world.api.start()
        wait_until(lambda: state() == "ok", 15, state)
        world.api.stop()
    finally:
        world.close()


def case_large(directory):
    """A referral that does not fit into a datagram is fetched over TCP."""
    names = [f"a-rather-long-name-of-a-name-server-{i:02}.gslb" for i in range(30)]
    delegation = "".join(f"gslb 3600 NS {n}\n{n} 3600 A 192.0.2.{i}\n{n} 3600 AAAA 2001:db8::{i:x}\n" for i, n in enumerate(names))
    world = World(directory, delegation=delegation)
    try:
        assert len(world.parent.ask("gslb.example", "NS", raw=True, use_edns=0, payload=1232).to_wire()) < 1233
        assert world.parent.ask("gslb.example", "NS", raw=True, use_edns=0, payload=1232).flags & dns.flags.TC
        world.make_zone(address=None)
        assert world.api.put(f"{PATH}/rrsets/@/NS", {"ttl": 86400, "records": [f"{n}.example." for n in names]}).status == 200
        for i, n in enumerate(names):
            world.api.put(f"{PATH}/rrsets/{n}.example./A", {"ttl": 300, "records": [f"192.0.2.{i}"]})
            world.api.put(f"{PATH}/rrsets/{n}.example./AAAA", {"ttl": 300, "records": [f"2001:db8::{i:x}"]})
        world.compare("ok")
        # the case of names makes no difference, and neither do addresses of policies
        assert world.api.put("/v1/sites/x", {"region": "eu"}).status == 201
        assert world.api.put("/v1/pools/p", {"endpoints": [{"name": "e", "address": "192.0.2.99", "site": "x"}]}).status == 201
        assert world.api.put("/v1/policies/p", {"tree": "p"}).status == 201
        assert world.api.put(f"{PATH}/rrsets/{names[0].upper()}.example./A", {"policy": "p"}).status == 200
        world.compare("ok")
        world.api.stop()
    finally:
        world.close()


def case_same_server(directory):
    """The parent's server also serves the zone: it is compared, and the result says so."""
    world = World(directory)
    path = os.path.join(directory, "child")
    with open(path, "w", encoding="utf-8") as f:
        f.write("@ 60 SOA s h 1 2 3 4 60\n@ 60 NS ns1\n@ 60 NS ns.other.\nns1 60 A 192.0.2.53\n")
    world.parent.kill()
    both = Dnsd("--zone", f"example={directory}/s1", "--zone", f"gslb.example={path}", listen=("127.0.0.1@53",)).ready()
    world.programs.append(both)
    try:
        world.make_zone()
        found = world.compare("ok")
        assert found["servers"][0]["result"] == "serves the zone itself", found
        assert any("serve the zone itself" in w for w in found["warnings"]), found
        world.api.stop()
    finally:
        world.close()


def lie(server, heard):
    """Answer each question five times: with another id, to another question, cut short, as garbage, and correctly."""
    while True:
        try:
            data, client = server.recvfrom(4096)
        except OSError:
            return
        query = dns.message.from_wire(data)
        heard.append((query, client[1]))
        right = dns.message.make_response(query)
        right.authority = [dns.rrset.from_text(ZONE, 3600, "IN", "NS", "ns1.gslb.example.", "ns.other.")]
        right.additional = [dns.rrset.from_text("ns1.gslb.example.", 3600, "IN", "A", "192.0.2.53")]
        wrong = dns.message.make_response(query)
        wrong.authority = [dns.rrset.from_text(ZONE, 3600, "IN", "NS", "ns.evil.")]
        wire = wrong.to_wire()
        server.sendto(bytes([wire[0] ^ 1]) + wire[1:], client)
        other = dns.message.make_response(dns.message.make_query("other.example.", "NS", id=query.id))
        other.authority = [dns.rrset.from_text("other.example.", 3600, "IN", "NS", "ns.evil.")]
        server.sendto(other.to_wire(), client)
        server.sendto(wire[:-3], client)
        server.sendto(wire[:30] + b"\xc0\x1e" * 200, client)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:  # the correct reply, but from another port
            elsewhere.sendto(wire, client)
        server.sendto(right.to_wire(), client)


def case_forged(directory):
    """A message from the server's address that is not a reply to the question is ignored; ports and ids differ each
    time."""
    world = World(directory, servers=("liar",))
    server, heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), []
    server.bind((SERVERS["liar"], 53))
    threading.Thread(target=lie, args=(server, heard), daemon=True).start()
    try:
        world.make_zone()
        for _ in range(20):
            world.compare("ok")
        assert len(heard) >= 20 and len({q.id for q, _ in heard}) > 15 and len({port for _, port in heard}) > 15, heard
        assert all(not q.flags & dns.flags.RD and q.payload == 1232 for q, _ in heard)
        world.api.stop()
    finally:
        server.close()
        world.close()


def case_many(directory):
    """300 zones are compared one after the other; meanwhile writes and the shutdown are not delayed."""
    count, wanted = 300, int(os.environ.get("VEER_DELEGATIONS", "80"))
    world = World(directory, servers=("s1", "quiet"), delegation="".join(f"z{i} 3600 NS ns.other.\n" for i in range(300)))
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        # at first the second server refuses, so that a comparison takes no time
        for i in range(count):
            made = world.api.post("/v1/zones", {"name": f"z{i}.example.", "nameservers": ["ns.other.", "ns2.other."]})
            assert made.status == 201, made
        started, times = time.monotonic(), []
        while world.api.metric('veer_zones_delegation{state="differs"}') < wanted:
            assert time.monotonic() - started < 60 * SLOW + count / 4
            at = time.monotonic()
            put = world.api.put(f"/v1/zones/z{len(times) % count}.example./rrsets/www/A", {"ttl": 60, "records": [f"192.0.2.{len(times) % 250}"]})
            times.append(time.monotonic() - at)
            assert put.status in (200, 201), put
            time.sleep(0.02)
        took = time.monotonic() - started
        times.sort()
        print(f"{wanted} zones in {took:.1f} s, {len(times)} writes: median {times[len(times) // 2] * 1e3:.1f} ms, "
              f"p99 {times[len(times) * 99 // 100] * 1e3:.1f} ms, longest {times[-1] * 1e3:.1f} ms")
        assert took > wanted * 0.09  # at most ten comparisons per second
        assert times[len(times) * 95 // 100] < 0.1 * SLOW, times[-20:]
        status = cli(world.api, "status", check=False).stdout
        assert status.count("DELEGATION of ") == 20 and re.search(r"and \d+ more zones whose delegation", status), status
        # now every comparison waits for a silent server
        silent.bind((SERVERS["quiet"], 53))
        silent.settimeout(5 * SLOW)
        threading.Thread(target=lambda: world.api.post("/v1/zones/z0.example./delegation", None), daemon=True).start()
        silent.recv(512)
        at = time.monotonic()
        assert world.api.put("/v1/zones/z1.example./rrsets/www/A", {"ttl": 60, "records": ["192.0.2.1"]}).status == 200
        assert time.monotonic() - at < 0.5 * SLOW
        at = time.monotonic()
        world.api.stop()
        print(f"stopped within {time.monotonic() - at:.2f} s")
        assert time.monotonic() - at < 2 * SLOW
    finally:
        world.close()
        silent.close()


if __name__ == "__main__":
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    globals()["case_" + sys.argv[1]](sys.argv[2])
