#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Seeded zones, alone and as families of parents and children, which contain all special cases of the lookup, and
questions that reach those cases."""
import glob
import os
import random
import re

import rdata_samples

LABELS = ["a", "b", "c", "www", "mail", "x-1", "_sip", "_tcp", "n0", "deep", "long" + "g" * 40, "\\032space", "d\\.ot", "\\255", "\\000", "\\@\\000\\\"",
          "\\128" * 63]
TYPES = ["A", "AAAA", "NS", "SOA", "MX", "TXT", "SRV", "CNAME", "CAA", "HTTPS", "DS", "PTR", "TYPE65280", "DNAME", "NAPTR", "ANY"]
COMMON = ["A", "AAAA", "MX", "SRV", "TXT", "CAA", "HTTPS", "PTR", "TYPE65280", "NAPTR"]
META = ["AXFR", "IXFR", "MAILA", "MAILB", "TKEY", "TSIG", "TYPE128", "TYPE254"]


def wire_len(name):
    """The number of octets of an absolute name in text."""
    return len(re.sub(r"\\\\(\d\d\d|.)", "x", name)) + 1 if name != "." else 1


def below(labels, name):
    """Add labels before `name`, if the result is still a valid name (RFC 1035 2.3.4)."""
    return labels + name if wire_len(labels + name) <= 255 else name


class Zone:
    """The text of one zone, and its owner names."""

    def __init__(self, seed, origin=None, elsewhere=(), children=()):
        """`elsewhere`: names in other zones to point to. `children`: origins of child zones that are also served."""
        self.rng = random.Random(str(seed) + (origin or ""))
        self.origin = origin or f"z{seed}.test."
        self.elsewhere = list(elsewhere)
        self.children = list(children)
        self.lines = []
        self.peer_lines = []
        self.types = {}
        self.owners = set()
        self.cnames = set()
        self.cuts = set()
        self.dnames = set()
        self.make()

    def add(self, owner, rtype, rdata, ttl=None, peer_rdata=None):
        ttl = ttl if ttl is not None else 300
        self.lines.append(f"{owner} {ttl} IN {rtype} {rdata}")
        peer_type = rtype if peer_rdata is None else f"TYPE{rdata_samples.number(rtype)}"
        self.peer_lines.append(f"{owner} {ttl} IN {peer_type} {peer_rdata or rdata}")
        self.owners.add(owner)
        self.types.setdefault(owner, []).append(rtype)

    def longest_name(self, total=255):
        """A name in the zone of exactly `total` octets."""
        labels, room = [], total - wire_len(self.origin)
        while room > 1:
            size = min(64, room) if room - min(64, room) != 1 else 32
            labels.append("abcdefghij"[len(labels)] * (size - 1))
            room -= size
        return ".".join(labels) + "." + self.origin

    def name(self, depth=None):
        depth = depth or self.rng.choice([1, 1, 1, 2, 2, 3, 4])
        return ".".join(self.rng.choice(LABELS) for _ in range(depth)) + "." + self.origin

    def target(self):
        """A name to point to: in the zone, not existing, below a wildcard, or outside."""
        rng = self.rng
        kind = rng.random()
        if self.elsewhere and rng.random() < 0.4:
            return below(rng.choice(["", "", "x."]), rng.choice(self.elsewhere).replace("*", "star"))
        if kind < 0.5 and self.owners:
            more = rng.choice(["", "a."]) if self.dnames else ""
            return below(more, rng.choice(sorted(self.owners)).replace("*", "star"))
        if kind < 0.7:
            return "nowhere." + self.origin
        if kind < 0.85:
            return self.name()
        return "host.example.org."

    def address(self):
        return f"192.0.2.{self.rng.randrange(1, 255)}"

    def rdata(self, rtype):
        rng = self.rng
        if rtype == "A":
            return self.address()
        if rtype == "AAAA":
            return f"2001:db8::{rng.randrange(1, 65535):x}"
        if rtype == "MX":
            return f"{rng.randrange(100)} {self.target()}"
        if rtype == "SRV":
            return f"{rng.randrange(9)} {rng.randrange(9)} {rng.randrange(1, 65535)} {self.target()}"
        if rtype == "TXT":
            return " ".join('"' + "t" * rng.randrange(0, 200) + str(rng.random()) + '"' for _ in range(rng.choice([1, 1, 2])))
        if rtype == "CAA":
            return '0 issue "ca.example.org"'
        if rtype == "HTTPS":
            if rng.random() < 0.3:
                return f"0 {rng.choice(['.', self.target(), self.target()])}"  # AliasMode
            return f"{rng.randrange(1, 9)} {rng.choice(['.', self.target()])} alpn=\"h2,h3\" ipv4hint={self.address()}"
        if rtype == "PTR":
            return self.target()
        if rtype == "NAPTR":
            return f'10 20 "u" "E2U+sip" "!^.*$!sip:x@example.org!" .'
        return "\\# 4 " + "%08x" % rng.randrange(2 ** 32)

    def static(self, owner):
        for rtype in self.rng.sample(COMMON, self.rng.randrange(1, 4)):
            for rdata in {self.rdata(rtype) for _ in range(self.rng.choice([1, 1, 2, 3]))}:
                self.add(owner, rtype, rdata)

    def unusual(self, owner):
        """Some records of all existing types."""
        rng = self.rng
        for rtype in rng.sample(sorted(rdata_samples.SAMPLES), rng.randrange(1, 6)):
            target, other = self.target(), self.target()
            if rtype not in COMMON and wire_len(target) + wire_len(other) < 450:
                self.add(owner, rtype, rdata_samples.text(rtype, target, other), None, rdata_samples.octets(rtype, target, other))

    def below_cut(self, owner):
        return any(owner == c or owner.endswith("." + c) for c in self.cuts)

    def below_dname(self, owner):
        return any(owner.endswith("." + d) for d in self.dnames)

    def make_dnames(self, taken):
        """RFC 6672: redirections within the zone, to a long name, to each other, and to other zones; nothing below
        them."""
        rng = self.rng
        long = ".".join(["l" * 63, "m" * 63, "n" * 63]) + "."
        for i in range(rng.choice([0, 0, 1, 2, 4])):
            owner = rng.choice([f"dn{i}", f"dn{i}.deep", f"*.dn{i}"]) + "." + self.origin
            target = rng.choice([self.origin, "sub1." + self.origin, f"dn{i + 1}." + self.origin, f"dn{i - 1}." + self.origin,
                                 long + self.origin, "elsewhere.example.", self.name(), f"x.dn{i}." + self.origin])
            if self.below_cut(owner) or owner in taken:
                continue
            taken.add(owner)
            self.dnames.add(owner)
            self.add(owner, "DNAME", target, rng.choice([0, 77, 3600]))
            if rng.random() < 0.4:
                self.add(owner, "A", self.address())

    def make_children(self, taken):
        """Delegations to zones that are also served here, and (for some of them) data that they hide."""
        rng = self.rng
        for child in self.children:
            taken.add(child)
            self.cuts.add(child)
            if rng.random() < 0.25:
                self.static("www." + child)  # not a delegation: the child's zone hides this record all the same
                continue
            for server in rng.sample(["ns1." + child, "ns1." + self.origin, "ns9." + child, "ns.example.net."], rng.choice([1, 2])):
                self.add(child, "NS", server)
                if server.endswith(child):
                    self.add(server, "A", "192.0.2.54")
            if rng.random() < 0.5:
                self.add(child, "DS", "12345 13 2 " + "ab" * 32)

    def make(self):
        rng = self.rng
        soa = f"ns1.{self.origin} hostmaster.{self.origin} 1 3600 600 86400 {rng.choice([30, 300, 900])}"
        self.add(self.origin, "SOA", soa, rng.choice([60, 600, 3600]))
        self.add(self.origin, "NS", "ns1." + self.origin)
        if rng.random() < 0.5:
            self.add(self.origin, "NS", "ns.example.org.")
        self.add("ns1." + self.origin, "A", "192.0.2.53")
        if rng.random() < 0.5:
            self.add("ns1." + self.origin, "AAAA", "2001:db8::53")
        taken = {self.origin, "ns1." + self.origin}
        for _ in range(rng.randrange(0, 3)):
            cut = rng.choice(["sub", "del", "child.deep"]) + str(rng.randrange(9)) + "." + self.origin
            if cut in taken:
                continue
            taken.add(cut)
            self.cuts.add(cut)
            for i in range(rng.choice([1, 2, 3])):
                inside = rng.random() < 0.6
                server = f"ns{i}.{cut}" if inside else self.rng.choice(["ns1." + self.origin, "ns.example.net."])
                self.add(cut, "NS", server)
                if inside:
                    self.add(server, "A", self.address())
                    if rng.random() < 0.4:
                        self.add(server, "AAAA", f"2001:db8::{i + 1:x}")
        self.make_children(taken)
        self.make_dnames(taken)
        for _ in range(rng.randrange(5, 25)):
            owner = self.name()
            if rng.random() < 0.25:
                owner = "*." + owner
            if owner in taken or self.below_cut(owner) or self.below_dname(owner):
                continue
            taken.add(owner)
            if rng.random() < 0.3:
                self.add(owner, "CNAME", self.target())
                self.cnames.add(owner)
            else:
                self.static(owner)
                if rng.random() < 0.5:
                    self.unusual(owner)
        if rng.random() < 0.5:
            owner = self.longest_name(rng.choice([255, 255, 254, 253]))
            self.static(owner)
            self.add("long-alias." + self.origin, "CNAME", owner)
        if rng.random() < 0.3:
            owner = "big." + self.origin
            for i in range(rng.choice([30, 60, 120])):
                self.add(owner, "A", f"198.51.100.{i + 1}")
                self.add(owner, "AAAA", f"2001:db8:1::{i + 1:x}")
        if rng.random() < 0.4:
            loop = [f"loop{i}." + self.origin for i in range(rng.choice([1, 2, 5]))]
            for i, owner in enumerate(loop):
                self.add(owner, "CNAME", loop[(i + 1) % len(loop)])
        if rng.random() < 0.4:
            for i in range(12):
                self.add(f"chain{i}." + self.origin, "CNAME", f"chain{i + 1}." + self.origin)
            self.add("chain12." + self.origin, "A", "192.0.2.99")

    def text(self):
        """The zone file. for_peers() gives the same zone with octets where a peer may not know the text of a type."""
        return "\n".join(self.lines) + "\n"

    def for_peers(self):
        return "\n".join(self.peer_lines) + "\n"

    def asked(self, owner):
        """A name to ask for: `owner`, or a name near it."""
        rng = self.rng
        kind = rng.random()
        if kind < 0.15:
            owner = below(self.name(1)[:-len(self.origin)], owner)
        elif kind < 0.25:
            owner = below("x.y.", owner)
        elif kind < 0.35:
            owner = self.name()
        elif kind < 0.45 and owner != self.origin:
            owner = owner.split(".", 1)[1] if "\\" not in owner else owner
        elif kind < 0.48:
            owner = "outside.example."
        if self.dnames and rng.random() < 0.2:
            inside = owner[:-len(self.origin)] if owner.endswith(self.origin) else "a."
            owner = below(rng.choice([self.name(1)[:-len(self.origin)], "a." + self.name(2)[:-len(self.origin)], "q" * 63 + ".", inside]),
                          rng.choice(sorted(self.dnames)))
        owner = owner.replace("*", rng.choice(["*", "w", "w.v"]) if wire_len(owner) < 250 else "w")
        if self.elsewhere and rng.random() < 0.2:
            owner = below(rng.choice(["", "", "a."]), rng.choice(self.elsewhere).replace("*", "w"))
        if self.children and rng.random() < 0.1:
            owner = below(rng.choice(["", "", "www.", "ns1.", "no."]), rng.choice(self.children))
        return owner

    def questions(self, count):
        rng = self.rng
        owners = sorted(self.owners)
        for _ in range(count):
            base = rng.choice(owners)
            owner = self.asked(base)
            if rng.random() < 0.2:
                owner = "".join(c.upper() if rng.random() < 0.5 else c for c in owner)
            kind = rng.random()
            if kind < 0.02:
                yield owner, rng.choice(META)
            elif kind < 0.35:
                yield owner, rng.choice(self.types[base])
            else:
                yield owner, rng.choice(TYPES)


class Handwritten(Zone):
    """A zone file of tests/wire, with its own names to ask for."""

    # Without an RRset of several TTLs (RFC 2181 5.2 leaves open which one counts), and without what Knot refuses: data
    # below a DNAME, PX, a class given as a number.
    LEFT_OUT = re.compile(r"(ttl|hidden\.dname|px|unknown) ")
    LINE = re.compile(r"(\S+)(?: \d+)?(?: CLASS1)? ([A-Z]\S*) ")

    def __init__(self, path):
        self.path = path
        super().__init__("", os.path.basename(path)[:-len("zone")])

    def make(self):
        with open(self.path, encoding="ascii") as f:
            self.lines = [line for line in f.read().splitlines() if not self.LEFT_OUT.match(line)]
        self.peer_lines = self.lines
        for owner, rtype in (m.groups() for m in map(self.LINE.match, self.lines) if m and m.group(1) != ";"):
            owner = self.origin if owner == "@" else f"{owner}.{self.origin}"
            self.owners.add(owner)
            self.types.setdefault(owner, []).append(rtype)
            if rtype == "DNAME":
                self.dnames.add(owner)


def handwritten():
    """The zones of the golden packets."""
    return [Handwritten(path) for path in sorted(glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../wire/*.zone")))]


def family(seed):
    """The zones of one server: a parent, its child, that one's child, and an unrelated zone; they point at each
    other."""
    parent, child, grandchild, other = f"z{seed}.test.", f"child.z{seed}.test.", f"g.deep.child.z{seed}.test.", f"o{seed}.example."
    common = ["ns1." + parent, "www." + parent, "ns1." + child, "a." + child, "nowhere." + child, "ns1." + other, other, child]
    zones = [Zone(seed, grandchild, common)]
    zones.append(Zone(seed, child, common + sorted(zones[0].owners), [grandchild]))
    zones.append(Zone(seed, other, common + sorted(zones[1].owners)))
    zones.append(Zone(seed, parent, common + sorted(zones[1].owners | zones[2].owners), [child]))
    return zones
