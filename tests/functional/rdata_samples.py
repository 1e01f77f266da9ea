# SPDX-License-Identifier: Apache-2.0
"""One RDATA of every type that ldns reads, as text and as octets. Peers that cannot read the text of a type get the
octets (RFC 3597 5).

`{t}` and `{u}` stand for names. The types that make up a signed zone are included and treated as ordinary data, except
NSEC3, which peers keep in a separate tree. WKS is left out, because the meaning of its text depends on the services
that a machine knows.
"""
import types

import dns.immutable
import dns.name
import dns.rdata
import dns.rdatatype
import dns.rdtypes.nsbase

DIGEST = "ab" * 32
RRSIG = "0001 08 02 00000e10 70dbd880 5e0be100 3039 {t} 000000"

# type: (text, octets in hex)
SAMPLES = {
    "MD": ("{t}", "{t}"),
    "MF": ("{t}", "{t}"),
    "MB": ("{t}", "{t}"),
    "MG": ("{t}", "{t}"),
    "MR": ("{t}", "{t}"),
    "NULL": ("\\# 3 010203", "010203"),
    "HINFO": ('"PDP-11" "UNIX"', "06 5044502d3131 04 554e4958"),
    "MINFO": ("{t} {u}", "{t} {u}"),
    "RP": ("{t} {u}", "{t} {u}"),
    "AFSDB": ("1 {t}", "0001 {t}"),
    "X25": ('"311061700956"', "0c 333131303631373030393536"),
    "ISDN": ('"150862028003217" "004"', "0f 313530383632303238303033323137 03 303034"),
    "RT": ("10 {t}", "000a {t}"),
    "NSAP": ("0x47000580005a0000000001e133ffffff00016100", "47000580005a0000000001e133ffffff00016100"),
    "SIG": ("A 8 2 3600 20300101000000 20200101000000 12345 {t} AAAA", RRSIG),
    "KEY": ("256 3 5 AAAA", "0100 03 05 000000"),
    "PX": ("10 {t} {u}", "000a {t} {u}"),
    "GPOS": ('"-32.6882" "116.8652" "10.0"', "08 2d33322e36383832 08 3131362e38363532 04 31302e30"),
    "LOC": ("52 22 23.000 N 4 53 32.000 E -2.00m 1m 10000m 10m", "00 12 16 13 8b3cf018 810cbce0 009895b8"),
    "EID": ("\\# 2 abcd", "abcd"),
    "NIMLOC": ("\\# 2 abcd", "abcd"),
    "KX": ("10 {t}", "000a {t}"),
    "CERT": ("1 12345 8 AAAA", "0001 3039 08 000000"),
    "APL": ("1:192.0.2.0/24 !2:2001:db8::/32", "0001 18 03 c00002 0002 20 84 20010db8"),
    "SSHFP": ("4 2 " + DIGEST, "04 02 " + DIGEST),
    "IPSECKEY": ("10 3 2 {t} AQNR", "0a 03 02 {t} 010351"),
    "RRSIG": ("A 8 2 3600 20300101000000 20200101000000 12345 {t} AAAA", RRSIG),
    "NSEC": ("{t} A MX", "{t} 00 02 4001"),
    "DNSKEY": ("257 3 13 AAAA", "0101 03 0d 000000"),
    "DHCID": ("AAIBY2/A", "0002 01 636fc0"),
    "NSEC3PARAM": ("1 0 10 aabb", "01 00 000a 02 aabb"),
    "TLSA": ("3 1 1 " + DIGEST, "03 01 01 " + DIGEST),
    "SMIMEA": ("3 1 1 " + DIGEST, "03 01 01 " + DIGEST),
    "HIP": ("2 200100107b1a74df365639cc39f1d578 AwEAAbdx {t}", "10 02 0006 200100107b1a74df365639cc39f1d578 03010001b771 {t}"),
    "TALINK": ("{t} {u}", "{t} {u}"),
    "CDS": ("12345 13 2 " + DIGEST, "3039 0d 02 " + DIGEST),
    "CDNSKEY": ("257 3 13 AAAA", "0101 03 0d 000000"),
    "OPENPGPKEY": ("AAAA", "000000"),
    "CSYNC": ("66 3 A NS AAAA", "00000042 0003 00 04 60000008"),
    "ZONEMD": ("2018031500 1 1 " + "ab" * 48, "7848b78c 01 01 " + "ab" * 48),
    "SVCB": ("1 {t} alpn=h2 port=8443", "0001 {t} 0001 0003 026832 0003 0002 20fb"),
    "SPF": ('"v=spf1 -all"', "0b 763d73706631202d616c6c"),
    "NID": ("10 0014:4fff:ff20:ee64", "000a 00144fffff20ee64"),
    "L32": ("10 10.1.2.0", "000a 0a010200"),
    "L64": ("10 2001:0db8:1140:1000", "000a 20010db811401000"),
    "LP": ("10 {t}", "000a {t}"),
    "EUI48": ("00-00-5e-00-53-2a", "00005e00532a"),
    "EUI64": ("00-00-5e-ef-10-00-00-2a", "00005eef1000002a"),
    "URI": ('10 1 "https://www.example/"', "000a 0001 68747470733a2f2f7777772e6578616d706c652f"),
    "CAA": ('128 issue "ca.example.net"', "80 05 6973737565 63612e6578616d706c652e6e6574"),
    "DLV": ("12345 13 2 " + DIGEST, "3039 0d 02 " + DIGEST),
}

# Types for which dnspython of Debian 12 has no name.
NUMBERS = {"MD": 3, "MF": 4, "MB": 7, "MG": 8, "MR": 9, "MINFO": 14, "SIG": 24, "KEY": 25, "EID": 31, "NIMLOC": 32, "KX": 36, "SINK": 40, "TALINK": 58,
           "ZONEMD": 63, "NID": 104, "L32": 105, "L64": 106, "LP": 107, "DLV": 32769}


@dns.immutable.immutable
class Minfo(dns.rdata.Rdata):
    """RDATA of two names, which may be compressed (RFC 1035 3.3.7)."""

    __slots__ = ["names"]

    def __init__(self, rdclass, rdtype, *names):
        super().__init__(rdclass, rdtype)
        self.names = names

    def to_text(self, origin=None, relativize=True, **kw):
        return " ".join(n.to_text() for n in self.names)

    def _to_wire(self, file, compress=None, origin=None, canonicalize=False):
        for n in self.names:
            n.to_wire(file, None, origin, canonicalize)

    @classmethod
    def from_wire_parser(cls, rdclass, rdtype, parser, origin=None):
        return cls(rdclass, rdtype, parser.get_name(origin), parser.get_name(origin))


def teach_dnspython():
    """Teach dnspython the types of RFC 1035 whose names may be compressed, because it cannot read messages without
    them."""
    for rtype in ("MD", "MF", "MB", "MG", "MR"):
        known = type(rtype, (dns.rdtypes.nsbase.NSBase,), {})
        dns.rdata.register_type(types.SimpleNamespace(**{rtype: known}), NUMBERS[rtype], rtype)
    dns.rdata.register_type(types.SimpleNamespace(MINFO=Minfo), NUMBERS["MINFO"], "MINFO")


teach_dnspython()


def number(rtype):
    return NUMBERS.get(rtype) or int(dns.rdatatype.from_text(rtype))


def text(rtype, target, other):
    """RDATA as a person would write it."""
    return SAMPLES[rtype][0].format(t=target, u=other)


def octets(rtype, target, other):
    """The same in the form of RFC 3597 5."""
    names = {k: dns.name.from_text(v).to_wire().hex() for k, v in (("t", target), ("u", other))}
    data = SAMPLES[rtype][1].format(**names).replace(" ", "")
    return f"\\# {len(data) // 2} {data}"
