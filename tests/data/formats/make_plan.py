#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes plan.base and plan.journal, and plan-1.base and plan-1.journal of the format's first version, beside itself,
written only from docs/formats.md section 7, so that the format is checked against a second implementation.

The base holds revision 3 of a store: a site, a zone, a static RRset and a bound one. The journal holds revision 4 (the
site is taken out, a verdict and an override are added) and revision 7 (the bound RRset is deleted).
"""
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
STORE_ID = b"0b8a6f0f5d3c4e2f9a7b1c2d3e4f5a6b"
LINEAGE = b"a3d1c5b7908642ff1357ace02468bdf0"
SITE, POOL, POLICY, ZONE, RRSET, VERDICT, LAST = range(1, 8)
OVERRIDE = 14
PUT, DEL = 1, 2


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def digest(revision):
    """Not the sums of the objects: any values will do here."""
    return struct.pack("<QQQQ", revision, 1, 2, revision)


def header(version, magic, revision):
    first = magic + struct.pack("<II", version, version - 1) + STORE_ID + struct.pack("<Q", revision)
    return first + LINEAGE + digest(revision) if version == 2 else first


def record(kind, key, value):
    body = struct.pack("<BH", kind, len(key)) + key + value
    return struct.pack("<I", len(body) + 4) + body + struct.pack("<I", crc32c(body))


def operation(op, kind, key, value=b""):
    return struct.pack("<BBH", op, kind, len(key)) + key + struct.pack("<I", len(value)) + value


def commit(version, revision, operations):
    body = struct.pack("<QI", revision, len(operations))
    if version == 2:
        body += struct.pack("<I", 1) + bytes.fromhex(LINEAGE.decode()) + digest(revision)
    body += b"".join(operations)
    return struct.pack("<I", len(body) + 4) + body + struct.pack("<I", crc32c(body))


A_RECORD = b"\x02ns\x04gslb\x07example\x00" + struct.pack(">HHIH", 1, 1, 300, 4) + bytes([192, 0, 2, 53])
RECORDS = [
    record(SITE, b"fra", b'{"name":"fra","region":"eu"}'),
    record(ZONE, b"gslb.example.", b'{"name":"gslb.example.","version":1}'),
    record(RRSET, b"gslb.example./1/ns.gslb.example./A", b"w" + A_RECORD),
    record(RRSET, b"gslb.example./1/www.gslb.example./A", b"pwww"),
]


def files(version):
    base = header(version, b"VEERPLN1", 3) + b"".join(RECORDS) + struct.pack("<IQ", 0xFFFFFFFF, len(RECORDS))
    base += struct.pack("<I", crc32c(base))
    journal = header(version, b"VEERJRN1", 3)
    journal += commit(version, 4, [operation(PUT, SITE, b"fra", b'{"name":"fra","region":"eu","state":"out"}'),
                                   operation(PUT, VERDICT, b"web/fra", b'{"endpoint":"web/fra","state":"down"}'),
                                   operation(PUT, OVERRIDE, b"web/fra", b'{"endpoint":"web/fra","action":"up"}')])
    journal += commit(version, 7, [operation(DEL, RRSET, b"gslb.example./1/www.gslb.example./A")])
    return base, journal


for plan, version in (("plan", 2), ("plan-1", 1)):
    for suffix, data in zip((".base", ".journal"), files(version)):
        with open(os.path.join(HERE, plan + suffix), "wb") as out:
            out.write(data)
