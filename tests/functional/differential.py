#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Loads the same zones into veer-dnsd, Knot and NSD, asks all of them the same questions, and judges every difference.

Run the whole:  make differential
In pieces:      /usr/bin/python3 tests/functional/differential.py --first 1 --zones 25 --questions 600
                (then --first 26, ...)

A difference is *explained* when one of EXPLAINED below gives the reason with the RFC's text. When Knot and NSD differ
from each other, it is enough that veer-dnsd agrees with one of them.
"""
import argparse
import os
import random
import socket
import subprocess
import sys
import tempfile
import time

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rdatatype

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rdata_samples  # noqa: E402
from zone_maker import Zone, family, handwritten  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def free_port():
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u, socket.socket() as t:
            u.bind(("127.0.0.1", 0))
            try:
                t.bind(("127.0.0.1", u.getsockname()[1]))
                return u.getsockname()[1]
            except OSError:
                continue


class Server:
    """A name server in the foreground, with a log of its own."""

    def __init__(self, name, argv, port, directory, env=None):
        self.name, self.port = name, port
        self.log = open(os.path.join(directory, name + ".log"), "w")
        self.process = subprocess.Popen(argv, stdout=self.log, stderr=self.log, env=env, cwd=directory)

    def wait(self, zone):
        deadline = time.monotonic() + 60
        query = dns.message.make_query(zone, "SOA")
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if dns.query.udp(query, "127.0.0.1", port=self.port, timeout=0.3).rcode() == 0:
                    return
            except dns.exception.Timeout:
                pass
            except OSError:
                pass
            time.sleep(0.05)
        with open(self.log.name) as f:
            raise RuntimeError(f"{self.name} does not serve:\n{f.read()[-3000:]}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def start_veer(build, zones, directory):
    port = free_port()
    argv = [os.path.join(build, "veer-dnsd"), "--listen", f"127.0.0.1@{port}", "--workers", "1"]
    for z in zones:
        argv += ["--zone", f"{z.origin}={directory}/{z.origin}veer"]
    return Server("veer", argv, port, directory)


def start_knot(peers, zones, directory, env):
    port = free_port()
    state = os.path.join(directory, "knot")
    os.mkdir(state)
    lines = ["server:", f"    rundir: {state}", f"    listen: 127.0.0.1@{port}", "    udp-workers: 1", "    tcp-workers: 1",
             "    background-workers: 1", "log:", "  - target: stderr", "    any: warning", "database:", f"    storage: {state}",
             "template:", "  - id: default", f"    storage: {directory}", "    file: %s.zone", "    zonefile-load: whole",
             "    zonefile-sync: -1", "    journal-content: none", "    semantic-checks: off", "zone:"]
    lines += [f"  - domain: {z.origin}\n    file: {z.origin}zone" for z in zones]
    path = os.path.join(directory, "knot.conf")
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    return Server("knot", [os.path.join(peers, "usr/sbin/knotd"), "-c", path], port, directory, env)


def start_nsd(peers, zones, directory, env):
    port = free_port()
    lines = ["server:", f"    ip-address: 127.0.0.1@{port}", '    username: ""', '    chroot: ""', f'    zonesdir: "{directory}"',
             f'    database: ""', f'    pidfile: "{directory}/nsd.pid"', f'    zonelistfile: "{directory}/nsd.list"',
             f'    xfrdfile: "{directory}/nsd.xfrd"', f'    xfrdir: "{directory}"', "    rrl-ratelimit: 0", "    minimal-responses: no",
             "    server-count: 1", "    round-robin: no", "remote-control:", "    control-enable: no"]
    for z in zones:
        lines += ["zone:", f'    name: "{z.origin}"', f'    zonefile: "{z.origin}zone"']
    path = os.path.join(directory, "nsd.conf")
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    return Server("nsd", [os.path.join(peers, "usr/sbin/nsd"), "-d", "-c", path], port, directory, env)


def section(message, rrsets):
    """A section as a set of (owner, type, TTL, RDATA), independent of order and case."""
    return frozenset((str(r.name).lower(), dns.rdatatype.to_text(r.rdtype), r.ttl, rd.to_text().lower())
                     for r in rrsets for rd in r)


class Reply:
    def __init__(self, message):
        self.rcode = message.rcode()
        self.aa = bool(message.flags & dns.flags.AA)
        self.tc = bool(message.flags & dns.flags.TC)
        self.edns = message.edns >= 0
        self.again = False  # see asked_again()
        self.direct = False  # see asked_directly()
        self.answer = section(message, message.answer)
        self.authority = section(message, message.authority)
        self.additional = section(message, message.additional)

    def core(self):
        return self.rcode, self.aa, self.tc, self.edns, self.answer, self.authority

    def full(self):
        return self.core() + (self.additional,)

    def text(self):
        parts = [f"rcode {self.rcode} aa {self.aa} tc {self.tc} edns {self.edns}"]
        for name in ("answer", "authority", "additional"):
            for rr in sorted(getattr(self, name)):
                parts.append(f"    {name}: {' '.join(map(str, rr))}")
        return "\n".join(parts)


def ask(server, query, tcp):
    if tcp:
        return Reply(dns.query.tcp(query, "127.0.0.1", port=server.port, timeout=3))
    return Reply(dns.query.udp(query, "127.0.0.1", port=server.port, timeout=3, ignore_trailing=False))


CHAIN_MAX = 12  # ANSWER_CHAIN_MAX of dnsd/packet/lookup.h

# --- why a difference is right ------------------------------------------------------------------------------
# Each function takes (question name, type, veer, knot, nsd) and returns whether it explains that veer differs from
# both.

def truncated_differently(name, rtype, veer, knot, nsd):
    """RFC 2181 9: "TC should be set only when an RRSet is required as a part of the response, but could not be included
    in its entirety"; the server may choose what else it sends. All three servers agree on TC."""
    return veer.tc and knot.tc and nsd.tc and veer.rcode == knot.rcode


def loop_length(name, rtype, veer, knot, nsd):
    """RFC 1034 3.6.2: "CNAME chains should be followed and CNAME loops signalled as an error"; the RFC does not define
    how many links of a loop an authoritative server shows. All three show the beginning of the same loop."""
    return name.lower().startswith("loop") and veer.rcode == 0 and all(rr[1] == "CNAME" for rr in veer.answer | knot.answer)


def chain_length(name, rtype, veer, knot, nsd):
    """RFC 1034 4.3.2 step 3a: "change QNAME to the canonical name in the CNAME RR, and go back to step 1": Knot stops
    after some links, NSD goes to the end and adds the SOA or the apex NS, which RFC 1034 does not require with an
    answer. Ours is NSD's answer without that addition. A chain of more than 12 links ends after 12 in ours, which is
    longer than Knot's. RFC 1034 5.3.3: "Bound the amount of work (packets sent, parallel processes started) so that a
    request can't get into an infinite loop"; a resolver continues from the last alias."""
    followed = [sum(rr[1] == "CNAME" for rr in r.answer) for r in (knot, veer, nsd)]
    if followed[0] < followed[1] < followed[2] and followed[1] >= CHAIN_MAX:
        return veer.answer < nsd.answer and veer.aa and veer.rcode == 0 and not veer.authority
    return veer.answer == nsd.answer and veer.rcode == nsd.rcode and veer.aa == nsd.aa and not veer.authority and \
        all(rr[1] in ("NS", "SOA") for rr in nsd.authority)


def fits_by_compression(name, rtype, veer, knot, nsd):
    """RFC 1035 4.1.4: "an entire domain name or a list of labels at the end of a domain name is replaced with a pointer
    to a prior occurance of the same name": the CNAME that is made of a DNAME points into the DNAME before it, so
    records fit that peers leave out or truncate. Our reply contains everything that they send, with two exceptions:
    Knot also expands the owner of a DNAME at "*" (dname_at_wildcard), or stays in the parent (nearest_zone)."""
    return nsd.tc and not veer.tc and veer.rcode in (knot.rcode, nsd.rcode) and any(rr[1] == "DNAME" for rr in veer.answer) and \
        veer.answer >= nsd.answer and veer.authority >= nsd.authority and (veer.authority >= knot.authority or stays_in_parent(veer, knot))


def stays_in_parent(veer, knot):
    """Knot refers to a child zone that it serves itself, or gives the parent's denial of the name, where ours has the
    child's SOA: see nearest_zone()."""
    ours, = {rr[0] for rr in veer.authority if rr[1] == "SOA"} or {None}
    theirs = {(rr[0], rr[1]) for rr in knot.authority}
    return ours is not None and (theirs == {(ours, "NS")} or any(rtype == "SOA" and ours.endswith("." + zone) for zone, rtype in theirs))


def unexpanded(knot, veer):
    """Change Knot's answer so that the DNAME's owner is "*", as in ours: see dname_at_wildcard()."""
    wild = [rr for rr in veer.answer if rr[1] == "DNAME" and rr[0].startswith("*.")]
    return frozenset(next((w for w in wild if rr[1:] == w[1:] and rr[0].endswith(w[0][1:])), rr) if rr[1] == "DNAME" else rr for rr in knot.answer)


def dname_at_wildcard(name, rtype, veer, knot, nsd):
    """RFC 6672 3.3: "The interaction between the expansion of the wildcard and the redirection of the DNAME is
    non-deterministic". Knot gives such a DNAME the question's name; NSD and ours leave it at "*". Otherwise our reply
    is the same as Knot's."""
    return veer.core() == (knot.rcode, knot.aa, knot.tc, knot.edns, unexpanded(knot, veer), knot.authority)


def no_transfers(name, rtype, veer, knot, nsd):
    """RFC 5936 2.2.1: NotAuth when the server "is not authoritative" for the zone asked for, Refused when it does not
    allow the transfer. Knot and NSD check access lists, protocol and class first, each in its own order. No server
    sends a record."""
    return rtype in ("AXFR", "IXFR") and veer.rcode in (5, 9) and not veer.answer | veer.authority | veer.additional


def any_is_one_rrset(name, rtype, veer, knot, nsd):
    """RFC 8482 4.1: "A DNS responder that receives an ANY query MAY decide to provide a single RRset ... the RRsets to
    be returned are chosen by the responder". Our RRset equals that of the peers when they are asked for its type: see
    asked_again()."""
    return rtype == "ANY" and veer.again


def nearest_zone(name, rtype, veer, knot, nsd):
    """RFC 1034 4.3.2 step 2: "Search the available zones for the zone which is the nearest ancestor to QNAME", again
    after an alias: when both parent and child are served here, the child decides whether the alias's target exists.
    Knot stays in the zone of the alias, or in the parent, but when it is asked directly for the target, it denies the
    target as ours does: see asked_directly(). NSD goes to the child as ours does, but treats each name that the parent
    has below the cut as a name that exists: its reply has the child's SOA with NOERROR."""
    return veer.rcode == 3 and veer.direct and veer.answer == nsd.answer and veer.authority == nsd.authority


def glue_is_needed(name, rtype, veer, knot, nsd):
    """RFC 9471, abstract: "If message size constraints prevent the inclusion of all glue records for in-domain name
    servers, the server must set the TC (Truncated) flag". NSD leaves such glue out and does not set TC. Knot may have
    room for it where the name in the question has the same ending as those of the servers. Ours refers to the same
    servers, with less glue, and sets TC."""
    return veer.tc and not veer.aa and not veer.answer and veer.rcode == knot.rcode == nsd.rcode == 0 and \
        veer.authority == knot.authority == nsd.authority and veer.additional < (knot.additional | nsd.additional)


EXPLAINED = [truncated_differently, loop_length, chain_length, fits_by_compression, dname_at_wildcard, no_transfers, any_is_one_rrset,
             nearest_zone, glue_is_needed]


def compare(name, rtype, veer, knot, nsd):
    """None when veer agrees with a peer; otherwise the name of the explanation, or "" when there is none."""
    if veer.full() in (knot.full(), nsd.full()):
        return None
    if veer.core() in (knot.core(), nsd.core()):
        # Additional records are optional (RFC 1034 4.3.2 step 6), but each of ours must be in a peer's reply or be real
        # glue.
        if veer.additional <= (knot.additional | nsd.additional) and not (knot.additional & nsd.additional) - veer.additional:
            return None
    for rule in EXPLAINED:
        if rule(name, rtype, veer, knot, nsd):
            return rule.__name__
    return ""


def asked_again(servers, query, tcp, veer):
    """For ANY: does our choice agree with a peer's answer when all servers are asked for its type?"""
    types = {rr[1] for rr in veer.answer} - {"CNAME", "DNAME"} or {rr[1] for rr in veer.answer}
    if len(types) != 1:
        return False
    query = dns.message.from_wire(query.to_wire())
    query.question[0].rdtype = dns.rdatatype.from_text(types.pop())
    replies = [ask(s, query, tcp) for s in servers]
    return replies[0].answer == veer.answer and compare(query.question[0].name.to_text(), "", *replies) != ""


def asked_directly(servers, query, tcp, veer):
    """After an alias: does Knot deny the target as ours does when it is asked directly for the target?"""
    aliases = {rr[0]: rr[3] for rr in veer.answer if rr[1] == "CNAME"}
    ends = set(aliases.values()) - set(aliases)
    if len(ends) != 1 or veer.rcode != 3:
        return False
    query = dns.message.from_wire(query.to_wire())
    query.question[0].name = dns.name.from_text(ends.pop())
    knot = ask(servers[1], query, tcp)
    return knot.rcode == 3 and knot.aa and knot.authority == veer.authority and not knot.answer


def run(build, peers, seeds, questions, verbose=True):
    """Return (questions asked, {explanation: count}, [unexplained])."""
    lib = os.path.join(peers, "usr/lib/x86_64-linux-gnu")
    env = dict(os.environ, LD_LIBRARY_PATH=lib)
    counts, unexplained, asked = {}, [], 0
    with tempfile.TemporaryDirectory(prefix="veer-diff-") as directory:
        zones = handwritten() if seeds is None else [z for seed in seeds for z in (family(seed) if seed % 4 == 0 else [Zone(seed)])]
        for z in zones:
            for end, text in (("veer", z.text()), ("zone", z.for_peers())):
                with open(os.path.join(directory, z.origin + end), "w", encoding="ascii") as f:
                    f.write(text)
        servers = [start_veer(build, zones, directory), start_knot(peers, zones, directory, env),
                   start_nsd(peers, zones, directory, env)]
        try:
            for s in servers:
                s.wait(zones[-1].origin)
            for z in zones:
                rng = random.Random(z.origin)
                for name, rtype in z.questions(questions):
                    edns = rng.random() < 0.6
                    query = dns.message.make_query(dns.name.from_text(name), rdata_samples.number(rtype), use_edns=0 if edns else -1,
                                                   payload=rng.choice([512, 1232, 4096]), want_dnssec=edns and rng.random() < 0.3)
                    tcp = rng.random() < 0.1
                    replies = [ask(s, query, tcp) for s in servers]
                    asked += 1
                    verdict = compare(name, rtype, *replies)
                    if verdict == "" and rtype == "ANY":
                        replies[0].again = asked_again(servers, query, tcp, replies[0])
                        verdict = compare(name, rtype, *replies)
                    elif verdict == "":
                        replies[0].direct = asked_directly(servers, query, tcp, replies[0])
                        verdict = compare(name, rtype, *replies)
                    if verdict is None:
                        continue
                    counts[verdict] = counts.get(verdict, 0) + 1
                    if verdict == "":
                        unexplained.append(f"{z.origin} {name} {rtype} tcp={tcp} edns={edns}\n" + "\n".join(
                            f"  {s.name}: {r.text()}" for s, r in zip(servers, replies)))
        finally:
            for s in servers:
                s.stop()
    return asked, counts, unexplained


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--build", default=os.path.join(ROOT, "build"))
    ap.add_argument("--peers", default=os.path.join(ROOT, "build/peers/root"))
    ap.add_argument("--zones", type=int, default=20)
    ap.add_argument("--handwritten", action="store_true", help="use the zones of tests/wire instead of generated ones")
    ap.add_argument("--first", type=int, default=1)
    ap.add_argument("--questions", type=int, default=200)
    ap.add_argument("--show", type=int, default=10)
    args = ap.parse_args()
    seeds = None if args.handwritten else range(args.first, args.first + args.zones)
    asked, counts, unexplained = run(os.path.abspath(args.build), os.path.abspath(args.peers), seeds, args.questions)
    for text in unexplained[:args.show]:
        print(text)
    print(f"{asked} questions to {'the handwritten' if args.handwritten else args.zones} zones; differences: {counts or 'none'}; unexplained: {len(unexplained)}")
    print(f"{asked - len(unexplained)} passed, {len(unexplained)} failed")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
