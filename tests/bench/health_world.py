# SPDX-License-Identifier: Apache-2.0
"""The whole service, with real programs, for measurements of health: a control plane, a name server, one agent per
region, and sites with servers."""
import json
import os
import socket
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "functional"))

from health_rig import NameServer  # noqa: E402
from veer_util import BUILD, Api, Program, wait_until  # noqa: E402, F401

ZONE = "gslb.example."
REGIONS = ("eu", "us", "ap")


def certificate(directory, name, *subject_alt):
    """Write NAME.pem and NAME.key, a self-signed certificate, into the directory."""
    cert, key = (os.path.join(directory, f"{name}.{kind}") for kind in ("pem", "key"))
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert,
            "-subj", "/CN=test", "-addext", f"subjectAltName={','.join(subject_alt)}", "-days", "30"]
    subprocess.run(argv, check=True, capture_output=True)


class Sites:
    """One process with servers. It ends with this process, because its standard input is closed then."""

    def __init__(self, prefix=()):
        self.process = subprocess.Popen([*prefix, sys.executable, os.path.join(HERE, "health_sites.py")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def tell(self, op, address, port, **more):
        self.process.stdin.write(json.dumps({"op": op, "address": address, "port": port, **more}) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n", f"the servers refuse {op} of {address}@{port}"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Agent(Program):
    """A veer-probe, started in a namespace of its own if the command `prefix` enters one."""

    def __init__(self, api, directory, name, region, url, *extra, prefix=()):
        made = api.post("/v1/agents", {"name": name, "region": region})
        assert made.status == 201, made
        token = os.path.join(directory, name + ".token")
        with open(token, "w", encoding="utf-8") as f:
            f.write(made.json["token"])
        super().__init__(directory, ["veer-probe", "--api", url, "--token-file", token, "--state", os.path.join(directory, name),
                                     "--allow-targets", "private,loopback", *extra], name=name + ".log")
        self.argv = [*prefix, *self.argv]


class World:
    """`endpoints` is a list of (pool, name, address, site); `checks` maps a pool to its check object. Each pool has its
    own policy and name."""

    def __init__(self, directory, listen="127.0.0.1:0", api_args=(), settings=None):
        self.directory = directory
        self.programs = []
        self.sites = {}
        self.api = self.started(Api(directory, *api_args, listen=listen))
        if settings:
            reply = self.api.put("/v1/settings", settings)
            assert reply.status in (200, 201), reply

    def started(self, program):
        self.programs.append(program)
        return program.start()

    def configure(self, endpoints, checks, ttl=30):
        for site in sorted({e[3] for e in endpoints}):
            self.must("put", f"/v1/sites/{site}", {"region": "eu"})
        for pool, check in checks.items():
            self.must("put", f"/v1/checks/{pool}", check)
            members = [{"name": e[1], "address": e[2], "site": e[3]} for e in endpoints if e[0] == pool]
            self.must("put", f"/v1/pools/{pool}", {"checks": [pool], "endpoints": members})
            self.must("put", f"/v1/policies/{pool}", {"ttl": ttl, "tree": pool})
        self.must("post", "/v1/zones", {"name": ZONE, "nameservers": ["ns1." + ZONE]})
        for pool in checks:
            self.must("put", f"/v1/zones/{ZONE}/rrsets/{pool}/A", {"policy": pool})

    def must(self, method, path, body):
        reply = getattr(self.api, method)(path, body)
        assert reply.status in (200, 201, 204), reply

    def name_server(self):
        return self.started(NameServer(self.directory, "ns1", f"unix:{self.api.unix}"))

    def states(self):
        """The states of all endpoints; empty when the control plane is too busy to answer."""
        reply = self.api.get("/v1/status", timeout=120)
        return {e["endpoint"]: e["state"] for e in reply.json["endpoints"]} if reply.status == 200 else {}

    def all_up(self, seconds=30):
        wait_until(lambda: set(self.states().values()) == {"up"}, seconds, lambda: f"all endpoints up: {self.states()}")

    def transitions(self, limit=1000):
        reply = self.api.get(f"/v1/transitions?limit={limit}")
        assert reply.status == 200, reply
        return reply.json["items"]

    def stop(self):
        for program in reversed(self.programs):
            program.stop()
        for sites in self.sites.values():
            sites.kill()


class Asker:
    """Asks one name server for A records over one UDP socket. One question at a time."""

    def __init__(self, port, timeout=2.0):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.socket.settimeout(timeout)
        self.ident = 0

    def ask(self, label):
        """Return (the addresses, the TTL); None when no reply came."""
        self.ident = (self.ident + 1) % 65536
        name = b"".join(bytes([len(part)]) + part.encode() for part in f"{label}.{ZONE}".split("."))
        head = struct.pack("!6H", self.ident, 0, 1, 0, 0, 0)
        try:
            self.socket.send(head + name + b"\x00\x01\x00\x01")
            while True:
                reply = self.socket.recv(4096)
                if reply[:2] == head[:2]:
                    break
        except OSError:
            return None
        count = struct.unpack("!H", reply[6:8])[0]
        at = 12 + len(name) + 4
        found, ttl = set(), None
        for _ in range(count):  # each owner name is a pointer to the question
            ttl, length = struct.unpack("!IH", reply[at + 6:at + 12])
            found.add(socket.inet_ntoa(reply[at + 12:at + 12 + length]))
            at += 12 + length
        return found, ttl
