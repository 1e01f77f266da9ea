#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Frozen samples of what the programs keep between two starts: samples.py DIR writes the state of this build into DIR.

The store: a site that is out, a pool with an endpoint that is down and one that is drained, a policy, a maintenance
window, settings, a token, an agent and a name server, a zone of many types and one that is bound to a policy. The state
of a name server that followed this store, with a base and a journal. The identity and assignments of an agent whose
control plane no longer exists.
"""
import os
import shutil
import sqlite3
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from health_rig import Rig  # noqa: E402
from veer_util import Program, wait_until  # noqa: E402

ZONE_TEXT = """$ORIGIN sample.example.
@ 300 SOA ns1 host 1 7200 900 1209600 60
@ 86400 NS ns1
ns1 300 A 192.0.2.53
ns1 300 AAAA 2001:db8::53
Mixed.Case 300 TXT "a text" "and another"
mail 300 MX 10 MAIL.Example.
* 300 A 192.0.2.99
alias 300 CNAME www
cert 300 CAA 0 issue "ca.example"
https 300 HTTPS 1 . alpn=h2,http/1.1
odd 300 TYPE65280 \\# 3 abcdef
"""


def fill(rig):
    api = rig.api
    for pool, names in (("web", "abc"), ("alt", "d")):  # the agent probes these endpoints, so they are on loopback
        endpoints = [{"name": n, "address": f"127.0.1.{ord(n)}", "site": n} for n in names]
        assert api.put(f"/v1/pools/{pool}", {"checks": ["web"], "endpoints": endpoints}).status == 200
    rig.say("u", "web/a", "web/b", "web/c", "alt/d")
    rig.all_up()
    rig.say("d", "web/a")
    wait_until(lambda: rig.verdict("web/a") == "down", 20)
    replies = [
        api.put("/v1/sites/c", {"region": "eu", "state": "out"}),
        rig.override("alt/d", "drain", "a sample"),
        api.put("/v1/maintenance/window", {"sites": ["d"], "starts_at": "2030-01-01T00:00:00Z", "ends_at": "2030-01-01T01:00:00Z",
                                           "reason": "a sample"}),
        api.put("/v1/settings", {"brake": "off"}),
        api.post("/v1/tokens", {"name": "sample", "scopes": ["zones:read"]}),
        api.put("/v1/zones/sample.example./import", ZONE_TEXT, headers={"Content-Type": "text/dns"}),
    ]
    assert all(r.status in (200, 201) for r in replies), replies


def agent_of(rig, place):
    """The state of a real agent that has been given assignments."""
    made = rig.api.post("/v1/agents", {"name": "real", "region": "eu"})
    token = os.path.join(rig.directory, "real.token")
    with open(token, "w", encoding="ascii") as f:
        f.write(made.json["token"])
    program = Program(rig.directory, ["veer-probe", "--api", f"unix:{rig.api.unix}", "--token-file", token, "--state", place, "--region", "eu",
                                      "--allow-targets", "loopback"], name="real.log").start()
    wait_until(lambda: os.path.exists(os.path.join(place, "assignments.json")), 20, lambda: os.listdir(place))
    program.stop()


def copy_store(source, target):
    with sqlite3.connect(source) as a, sqlite3.connect(target) as b:
        a.backup(b)
        b.execute("PRAGMA journal_mode=DELETE")
    a.close()
    b.close()


def main():
    out = sys.argv[1]
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    with tempfile.TemporaryDirectory(prefix="veer-samples-") as directory:
        rig = Rig(directory)
        try:
            server = rig.name_server()
            fill(rig)
            wait_until(lambda: server.addresses("www") == ["127.0.1.98"], 20, server.said)
            agent_of(rig, os.path.join(out, "agent"))
            rig.servers.clear()
            server.kill()  # after an ordinary stop there would be no journal
            copy_store(rig.api.store, os.path.join(out, "veer.db"))
        finally:
            rig.stop()
        shutil.copytree(os.path.join(directory, "ns1"), os.path.join(out, "nameserver"),
                        ignore=shutil.ignore_patterns("*.sock", "lock", "*.lock"))
    for folder, _, names in os.walk(out):
        for name in names:
            path = os.path.join(folder, name)
            print(f"{os.path.getsize(path):8} {os.path.relpath(path, out)}")


if __name__ == "__main__":
    main()
