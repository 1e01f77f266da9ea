# SPDX-License-Identifier: Apache-2.0
"""A control plane with agents that report what a test wants, and real name servers that answer from it."""
import socket
import subprocess
import os
import threading
import time

import dns.message
import dns.query
import dns.rdatatype

from veer_util import BUILD, Api, Program, SLOW, wait_until

ZONE = "gslb.example."


def free_udp_port(address="127.0.0.1"):
    """A port that is free over UDP and TCP. Another program may take it meanwhile; then the program that wants it
    fails."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind((address, 0))
            try:
                tcp.bind((address, udp.getsockname()[1]))
            except OSError:
                continue
            return udp.getsockname()[1]
    raise RuntimeError("no free port")


class Agent:
    """An enrolled agent. It reads its assignments and reports `says` (u, d, f or ? for each endpoint; u for all others)
    every 200 ms."""

    def __init__(self, api, name, region="eu"):
        self.api = api
        self.name = name
        self.id, self.bearer = api.enrol("agent", name, region)
        self.says = {}
        self.is_blind = False
        self.rtt_us = 1000
        self.assignments = None
        self.confirms = []
        self.seq = 0
        self.refused = None  # the status of the last report that was refused
        self.stream_ended = threading.Event()
        self.stopping = threading.Event()
        self.wake = threading.Event()
        self.threads = [threading.Thread(target=f, daemon=True) for f in (self.follow, self.report_on)]
        for thread in self.threads:
            thread.start()

    def follow(self):
        while not self.stopping.is_set():
            try:
                stream = self.api.subscribe("/v1/agents/self/assignments", token=self.bearer)
                if stream.status != 200:
                    self.stream_ended.set()
                    time.sleep(0.1)
                    continue
                while not self.stopping.is_set():
                    line = stream.line()
                    if line is None:
                        break
                    if line["type"] == "assignments":
                        self.assignments = line
                        self.wake.set()
                    elif line["type"] == "confirm":
                        self.confirms.append((time.monotonic(), line["endpoint"]))
                stream.close()
            except (OSError, ValueError, AttributeError):
                pass
            self.stream_ended.set()
            self.stopping.wait(0.1)

    def report(self):
        line = self.assignments
        if line is None:
            return None
        items = []
        for item in line["items"]:
            state = self.says.get(item["endpoint"], "u")
            reason = {"u": "ok", "d": "connect_refused", "f": "connect_refused", "?": "none"}[state]
            items.append([state, reason, 10, self.rtt_us])
        self.seq += 1
        body = {"format": 1, "assignment_revision": line["revision"], "boot": "00000000000000a1", "seq": self.seq,
                "blind": self.is_blind, "items": items}
        reply = self.api.post("/v1/agents/self/reports", body, token=self.bearer)
        if reply.status != 204:
            self.refused = reply.status
        return reply.status

    def report_on(self):
        while not self.stopping.is_set():
            self.wake.wait(0.2)
            self.wake.clear()
            try:
                self.report()
            except OSError:
                self.stopping.wait(0.1)

    def say(self, state, *endpoints):
        self.says.update({endpoint: state for endpoint in endpoints})
        self.wake.set()

    def stop(self):
        self.stopping.set()
        self.wake.set()
        for thread in self.threads[1:]:
            thread.join(10)


class NameServer(Program):
    def __init__(self, directory, name, feed, *extra):
        self.port = free_udp_port()
        self.name = name
        super().__init__(directory, ["veer-dnsd", "--listen", f"127.0.0.1@{self.port}", "--workers", "2", "--feed", feed,
                                     "--state", os.path.join(str(directory), name), *extra], name=name + ".log")

    def ask(self, label, rdtype="A"):
        """Return (addresses, TTL)."""
        reply = dns.query.udp(dns.message.make_query(f"{label}.{ZONE}", rdtype), "127.0.0.1", port=self.port,
                              timeout=3 * SLOW)
        found = [r for r in reply.answer if r.rdtype == dns.rdatatype.from_text(rdtype)]
        return sorted(x.address for r in found for x in r), found[0].ttl if found else None

    def addresses(self, label):
        return self.ask(label)[0]

    def ttl(self, label):
        return self.ask(label)[1]


def cli(api, *args, check=True):
    run = subprocess.run([os.path.join(BUILD, "veer"), *args, "--api", f"unix:{api.unix}"], capture_output=True, text=True,
                         timeout=60 * SLOW, check=False)
    assert not check or run.returncode == 0, run
    return run


class Rig:
    """Pools `web` (a, b, c at the sites a, b, c) and `alt` (one endpoint, d), three agents, and name servers as a test
    asks for them."""

    def __init__(self, directory, *api_args, agents=3, check=None):
        self.directory = str(directory)
        os.makedirs(self.directory, exist_ok=True)
        self.port = free_udp_port()
        self.api = Api(directory, *api_args, listen=f"127.0.0.1:{self.port}").start()
        for site in "abcd":
            assert self.api.put(f"/v1/sites/{site}", {"region": "eu"}).status == 201
        check = check or {"kind": "tcp", "port": 80, "interval_ms": 1000, "timeout_ms": 500, "hold_s": 0}
        assert self.api.put("/v1/checks/web", check).status == 201
        endpoints = [{"name": name, "address": f"192.0.2.{i + 1}", "site": name} for i, name in enumerate("abc")]
        assert self.api.put("/v1/pools/web", {"checks": ["web"], "endpoints": endpoints}).status == 201
        alt = [{"name": "d", "address": "192.0.2.4", "site": "d"}]
        assert self.api.put("/v1/pools/alt", {"checks": ["web"], "endpoints": alt}).status == 201
        assert self.api.put("/v1/policies/www", {"ttl": 60, "tree": {"failover": ["web", "alt"]}}).status == 201
        assert self.api.put("/v1/policies/last", {"ttl": 60, "tree": "web", "when_all_down": "last"}).status == 201
        assert self.api.post("/v1/zones", {"name": ZONE, "nameservers": ["ns1." + ZONE]}).status == 201
        for name in ("www", "last"):
            assert self.api.put(f"/v1/zones/{ZONE}/rrsets/{name}/A", {"policy": name}).status == 201
        self.agents = [Agent(self.api, f"a{i}", ("eu", "us", "ap")[i % 3]) for i in range(agents)]
        self.servers = []

    def all_up(self):
        wait_until(lambda: {e["state"] for e in self.status()["endpoints"]} == {"up"}, 10, self.status)
        return self

    def name_server(self, name="ns1"):
        """Start a name server that uses the Unix socket, like the first one of a host."""
        server = NameServer(self.directory, name, f"unix:{self.api.unix}").start()
        self.servers.append(server)
        return server

    def enrolled_server(self, name):
        made = self.api.post("/v1/nameservers", {"name": name})
        assert made.status == 201, made
        path = os.path.join(self.directory, name + ".token")
        with open(path, "w", encoding="utf-8") as f:
            f.write(made.json["token"])
        server = NameServer(self.directory, name, f"http://127.0.0.1:{self.port}", "--token-file", path).start()
        self.servers.append(server)
        return server

    def say(self, state, *endpoints):
        for agent in self.agents:
            agent.say(state, *endpoints)

    def status(self):
        return self.api.get("/v1/status").json

    def endpoint(self, key):
        return self.api.get(f"/v1/endpoints/{key}").json

    def verdict(self, key):
        return self.endpoint(key)["state"]

    def transitions(self, query=""):
        reply = self.api.get(f"/v1/transitions{query}")
        assert reply.status == 200, reply
        return reply.json["items"]

    def override(self, key, action, reason="test", **fields):
        return self.api.put(f"/v1/overrides/{key}", {"action": action, "reason": reason, **fields})

    def stop(self):
        for agent in self.agents:
            agent.stop()
        for server in self.servers:
            server.stop()
        self.api.stop()
