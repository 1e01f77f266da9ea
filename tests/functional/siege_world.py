# SPDX-License-Identifier: Apache-2.0
"""The world of a siege: one control plane with agents that report what the siege wants, and two name servers, each with
its own disks where this user may mount some. Everything runs on loopback; programs are ended by their pid."""
import http.client
import os
import re
import signal
import subprocess
import threading
import time
import urllib.request

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

import health_rig
from health_rig import ZONE, free_udp_port
from siege_oracle import CONTROL, Figures, Ledger, Outages, Deaths
from veer_util import BUILD, SLOW, Api, wait_until

BULK = "bulk.example."
BULK_NAMES = 3000
WRITERS, NAMES_EACH = 3, 8
ADDRESSES = {f"web/{name}": f"192.0.2.{i + 1}" for i, name in enumerate("abc")}
DISK_MB = 48


class Agent(health_rig.Agent):
    """An agent that can fall silent."""

    is_silent = False

    def report(self):
        try:
            return None if self.is_silent else super().report()
        except (AttributeError, http.client.HTTPException):  # the connection was reset while the body was sent, or in the reply
            return None


class NameServer(health_rig.NameServer):
    """`epoch` counts the lives of the server that began with the plan on disk; each process has its own log."""

    def __init__(self, directory, state, name, feed, *extra):
        super().__init__(directory, name, feed, "--metrics", "127.0.0.1:0", *extra)
        self.argv[self.argv.index("--state") + 1] = state
        self.epoch = self.lives = 0

    def start(self, ready=True, seconds=20):
        self.lives += 1
        self.log_path = os.path.join(self.directory, f"{self.name}-{self.lives}.log")
        return super().start(ready, seconds)

    def replace(self):
        """Replace the process by another one."""
        old, argv = self.process, self.argv
        self.argv = argv + ["--replace"]
        try:
            self.start()
        finally:
            self.argv = argv
        code = old.wait(timeout=30 * SLOW)
        assert code == 0, f"{self.name}, replaced, ended with {code}"

    def quarantined(self):
        address = re.findall(r'event="metrics served" address="?([^"\s]+)', self.said())[-1]
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=5 * SLOW) as reply:
            text = reply.read().decode()
        return next((why for why, on in re.findall(r'veer_store_quarantined\{why="(\w+)"\} (\d)', text) if on == "1"), None)

    def look_up(self, label, timeout=0.3 * SLOW, tcp=False, zone=ZONE):
        """The A records, or None for a name that does not exist; anything but an authoritative answer is an error."""
        query = dns.message.make_query(f"{label}.{zone}", "A")
        reply = (dns.query.tcp if tcp else dns.query.udp)(query, "127.0.0.1", port=self.port, timeout=timeout)
        if reply.rcode() == dns.rcode.NXDOMAIN and reply.flags & dns.flags.AA:
            return None
        if reply.rcode() != dns.rcode.NOERROR or not reply.flags & dns.flags.AA:
            raise ValueError(f"{label}.{zone} at {self.name}: {dns.rcode.to_text(reply.rcode())}")
        return sorted(x.address for r in reply.answer if r.rdtype == dns.rdatatype.A for x in r)


class World:
    def __init__(self, directory):
        self.directory = directory
        self.figures, self.outages = Figures(), Outages()
        self.deaths = Deaths(self.outages)
        self.labels = [[f"w{i}-{k}" for k in range(NAMES_EACH)] for i in range(WRITERS)]
        # each is held during one write; a thread that holds all of them stops all writes
        self.writers = [threading.Lock() for _ in range(WRITERS)]
        self.health = threading.Lock()                             # held during one death and recovery
        self.servers = []
        self.stolen, self.tokens = None, {}
        self.agents = []
        self.mounted = [self._mount(name) for name in ("control", "ns2")]
        self.api = Api(f"{directory}/control", listen=f"127.0.0.1:{free_udp_port()}")
        self.lives = 0
        self.ledger = Ledger(self.outages, [label for labels in self.labels for label in labels])

    def start(self):
        self.start_api()
        self._make_model()
        # a majority is left when one agent is silent while another, whose credential was stolen, is revoked
        self.agents = [Agent(self.api, f"a{i}", ("eu", "us", "ap")[i % 3]) for i in range(5)]
        self.stolen = self.agents[-1].bearer
        self.tokens = {scope: self.api.make_token(scope) for scope in ("feed:read", "zones:read")}
        self._start_servers()
        wait_until(lambda: all(e["state"] == "up" for e in self.api.get("/v1/status").json["endpoints"]), 20)

    def _mount(self, name):
        path = f"{self.directory}/{name}"
        os.makedirs(path)
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", path], capture_output=True,
                                                check=False).returncode != 0:
            return None
        return path

    def _make_model(self):
        api = self.api

        def put(path, body):
            assert api.put(path, body).status == 201, path

        for site in "abcd":
            put(f"/v1/sites/{site}", {"region": "eu"})
        put("/v1/checks/web", {"kind": "tcp", "port": 80, "interval_ms": 1000, "timeout_ms": 500, "hold_s": 0})
        put("/v1/pools/web", {"checks": ["web"], "endpoints": [{"name": key[4:], "address": a, "site": key[4:]} for key, a in ADDRESSES.items()]})
        put("/v1/pools/alt", {"checks": ["web"], "endpoints": [{"name": "d", "address": "192.0.2.4", "site": "d"}]})
        put("/v1/policies/www", {"ttl": 9, "tree": {"failover": ["web", "alt"]}})
        assert api.post("/v1/zones", {"name": ZONE, "nameservers": ["ns1." + ZONE]}).status == 201
        put(f"/v1/zones/{ZONE}/rrsets/www/A", {"policy": "www"})
        text = "@ 60 SOA ns1 hostmaster 1 900 300 604800 60\n@ 60 NS ns1\n" + "".join(f"h{i} 60 A 192.0.2.{i % 250}\n" for i in range(BULK_NAMES))
        path = f"{self.directory}/bulk.zone"
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        self.veer("zone", "import", BULK, path, "--api", f"unix:{api.unix}")

    def _start_servers(self):
        made = self.api.post("/v1/nameservers", {"name": "ns2"})
        assert made.status == 201, made
        token = f"{self.directory}/ns2.token"
        with open(token, "w", encoding="ascii") as f:
            f.write(made.json["token"])
        feeds = [(f"{self.directory}/ns1", f"unix:{self.api.unix}"), (f"{self.directory}/ns2/state", f"http://127.0.0.1:{self.api.port}", "--token-file", token)]
        for i, (state, *feed) in enumerate(feeds):
            self.servers.append(NameServer(self.directory, state, f"ns{i + 1}", *feed).start())

    # --- parts -----------------------------------------------------------------------------------------------------

    def start_api(self, *extra):
        self.lives += 1
        self.api.log_path = f"{self.directory}/api-{self.lives}.log"
        base, self.api.argv = self.api.argv, self.api.argv + list(extra)
        try:
            self.api.start()
        finally:
            self.api.argv = base

    def kill_api(self):
        self.outages.begin(CONTROL)
        self.api.kill()

    def api_is_back(self):
        self.outages.end(CONTROL)

    def pause(self, program, part, seconds):
        """Stop the process with SIGSTOP, then let it continue."""
        self.outages.begin(part)
        os.kill(program.process.pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(program.process.pid, signal.SIGCONT)
            self.outages.end(part)

    def veer(self, *args, check=True):
        done = subprocess.run([f"{BUILD}/veer", *args], capture_output=True, text=True, timeout=60 * SLOW, check=False)
        assert not check or done.returncode == 0, f"veer {' '.join(args)}: {done.returncode} {done.stderr}"
        return done

    def say(self, state, *endpoints):
        for agent in self.agents:
            agent.say(state, *endpoints)

    def read(self, label):
        """The record according to the API, None when it does not exist; raises OSError while no server answers."""
        reply = self.api.get(f"/v1/zones/{ZONE}/rrsets/{label}/A", timeout=60)
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise OSError(f"reading {label}: {reply}")
        return reply.json["records"][0]

    def difference(self):
        """The first name that does not have the last acknowledged value; None when all have it. Needs the writers'
        locks."""
        for label in self.ledger.writes:
            wanted = self.ledger.last(label).value
            try:
                if self.read(label) != wanted:
                    return f"{label}: the API says {self.read(label)} instead of {wanted}"
                for server in self.servers:
                    got = server.look_up(label)
                    if got != (wanted if wanted is None else [wanted]):
                        return f"{label}: {server.name} says {got} instead of {wanted}"
            except (OSError, ValueError, dns.exception.DNSException) as e:
                return f"{label}: {e!r}"
        return None

    def check_programs(self):
        """No program has ended by itself, and none has reported a memory error."""
        for program in [self.api] + self.servers:
            if program.process.poll() is not None:
                self.figures.fault("program", f"{program.argv[0]} ended with {program.process.returncode}: {program.said()[-1500:]}")

    def end(self):
        for agent in self.agents:
            agent.stop()
        for program in [self.api] + self.servers:
            program.kill()
        for name in os.listdir(self.directory):
            if name.endswith(".log"):
                with open(f"{self.directory}/{name}", encoding="utf-8", errors="replace") as f:
                    text = f.read()
                if re.search("Sanitizer|Assertion", text):
                    self.figures.fault("program", f"{name}: {text[-3000:]}")
        self.unmount()

    def unmount(self):
        for path in self.mounted:
            if path is not None:
                subprocess.run(["umount", "-l", path], check=True)
        self.mounted = []
