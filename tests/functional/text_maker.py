#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Seeded lines of zone files: every type that BIND reads and every optional field, in all the ways of writing them; and
the same lines damaged."""
import base64
import random

LABELS = ["a", "www", "Mail", "x-1", "_tcp", "*", "a\\.b", "a\\032b", "\\065\\000", "\\@", "n" * 63, "\\255", "a\\\"b", "\\;"]
TYPE_NAMES = ["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "SRV", "RRSIG", "NSEC", "DNSKEY", "CAA", "TYPE65280", "TYPE1", "https", "DLV", "TYPE300"]
ALGORITHMS = ["5", "7", "8", "10", "13", "14", "15", "16", "RSASHA1", "RSASHA256", "RSASHA512", "ECDSAP256SHA256", "ECDSAP384SHA384", "ED25519",
              "ED448", "ecdsap256sha256", "NSEC3RSASHA1", "PRIVATEDNS", "253", "200"]


def seldom(rng):
    return rng.random() < 0.03


def number(rng, bits):
    top = 2 ** bits - 1
    n = rng.choice([0, 1, rng.randrange(10), rng.randrange(top + 1), rng.randrange(top + 1), top])
    if seldom(rng):
        return rng.choice([str(top + 1), "-1", "+1", "0x10", "1.5", "\"1\"", "", "1k", str(2 ** 64 + 1)])
    return rng.choice(["", "", "", "0", "000"]) + str(n)


def period(rng):
    if rng.random() < 0.5:
        return number(rng, 32)
    return "".join(f"{rng.randrange(60)}{u}" for u in rng.sample("wdhmsWDHMS", rng.randrange(1, 4)))


def name(rng):
    kind = rng.random()
    if kind < 0.08:
        return rng.choice([".", "@"])
    labels = ".".join(rng.choice(LABELS) for _ in range(rng.choice([1, 1, 2, 3])))
    if seldom(rng):
        return rng.choice(["a..b", ".a", "n" * 64, "\"a\"", "a\\25", "a\\256", "(" + labels + ")", ".".join(["n" * 63] * 4)])
    return labels + rng.choice(["", ".", ".", ".Example.ORG."])


def ipv4(rng):
    if seldom(rng):
        return rng.choice(["10.1", "010.1.2.3", "1.2.3", "1.2.3.4.5", "1.2.3.256", "0x7f.1.1.1", "\"1.2.3.4\"", "1.2.3.4.", "::1"])
    return ".".join(str(rng.choice([0, 1, 10, 192, 255, rng.randrange(256)])) for _ in range(4))


def ipv6(rng):
    if seldom(rng):
        return rng.choice([":::", "1::2::3", "g::", "12345::", "fe80::1%lo", "1:2:3:4:5:6:7:8:9", "1.2.3.4", "::1.2.3"])
    groups = [f"{rng.choice([0, 0, rng.randrange(65536)]):x}" for _ in range(8)]
    if rng.random() < 0.5:
        at = rng.randrange(0, 7)
        return ":".join(groups[:at]) + "::" + ":".join(groups[at + 2:])
    if rng.random() < 0.1:
        return "::ffff:192.0.2.1"
    return ":".join(groups).upper() if rng.random() < 0.3 else ":".join(groups)


def octets(rng, low, high):
    return bytes(rng.randrange(256) for _ in range(rng.randrange(low, high + 1)))


def in_pieces(rng, text):
    """Digits with blanks among them."""
    if len(text) < 3 or rng.random() < 0.6:
        return text
    at = rng.randrange(1, len(text))
    return text[:at] + rng.choice([" ", "  ", "\t"]) + text[at:]


def hexes(rng, low=1, high=40):
    text = octets(rng, low, high).hex()
    text = text.upper() if rng.random() < 0.2 else text
    if seldom(rng):
        text = rng.choice([text[1:], text + "g", "", '"' + text + '"'])
    return in_pieces(rng, text)


def base64s(rng, low=1, high=60):
    text = base64.b64encode(octets(rng, low, high)).decode()
    if seldom(rng):
        text = rng.choice([text.rstrip("=") or "A", text + "=", text[:-1], "=" + text, text + "AAAA", text.replace("A", "-"), '"' + text + '"', ""])
    return in_pieces(rng, text)


def characters(rng, high=20):
    """The characters of a string as they are written in quotation marks."""
    out = []
    for _ in range(rng.randrange(high + 1)):
        kind = rng.random()
        if kind < 0.75:
            out.append(rng.choice("abcXYZ019-_=.,:/+ ;()@$'"))
        elif kind < 0.85:
            out.append("\\%03d" % rng.randrange(256))
        elif kind < 0.97:
            out.append("\\" + rng.choice("\"\\;().abc@ "))
        else:
            out.append("\t")
    return "".join(out)


def string(rng):
    kind = rng.random()
    if seldom(rng):
        return rng.choice(['"' + "x" * 256 + '"', "x" * 256, "a\\256", "a\\1", 'a"b"', '"a"b', '"\\99"', '"a""b"'])
    if kind < 0.05:
        return '"' + rng.choice("ax") * rng.choice([255, 254]) + '"'
    if kind < 0.65:
        return '"' + characters(rng) + '"'
    word = "".join(rng.choice(["a", "Z", "9", "-", "=", ":", ".", ",", "\\;", "\\032", "\\\"", "\\\\", "\\(", "$", "@", "'"]) for _ in range(rng.randrange(1, 12)))
    return word


def strings(rng):
    return " ".join(string(rng) for _ in range(rng.choice([1, 1, 1, 2, 3, 5])))


def digits(rng):
    text = "".join(rng.choice("0123456789") for _ in range(rng.choice([3, 4, 5, 12])))
    return rng.choice([text, '"' + text + '"', text + ("x" if seldom(rng) else "")])


def types(rng, least=0):
    return " ".join(rng.choice(TYPE_NAMES) for _ in range(rng.randrange(least, 8)))


def time(rng):
    if seldom(rng):
        return rng.choice(["20301301000000", "20300230000000", "20300101250000", "2030010100000", "20300101000061", "x", "4294967296"])
    if rng.random() < 0.3:
        return str(rng.randrange(1577836800, 4200000000))
    return "%04d%02d%02d%02d%02d%02d" % (rng.randrange(2027, 2090), rng.randrange(1, 13), rng.randrange(1, 29), rng.randrange(24), rng.randrange(60),
                                         rng.randrange(61))


def digest(rng, lengths):
    kind = rng.choice(sorted(lengths, key=str))
    length = lengths[kind]
    if seldom(rng):
        length += rng.choice([-1, 1])
    return f"{kind} " + in_pieces(rng, octets(rng, length, length).hex())


def algorithm(rng):
    return "foo" if seldom(rng) else rng.choice(ALGORITHMS)


def metres(rng, sizes=False):
    if seldom(rng):
        return rng.choice(["1.234", "m", "1mm", "-1", "99999999999", "90000000.01m", "1e3", "--1", ""])
    sign = "-" if not sizes and rng.random() < 0.3 else ""
    whole = rng.choice([0, 1, 9, 10, 99, rng.randrange(100000), rng.randrange(90000000) if sizes else rng.randrange(40000000 if not sign else 99999)])
    return sign + str(whole) + rng.choice(["", "", ".5", ".05", ".00", ".99", "."]) + rng.choice(["", "m", "m", "M"])


def angle(rng, top, sides):
    parts = [str(rng.randrange(top + 1))]
    for depth in range(rng.randrange(3)):
        parts.append(str(rng.randrange(60)))
        if depth == 1:
            parts[-1] += rng.choice(["", "", ".0", ".123", ".5", ".999", "."])
    if seldom(rng):
        parts[rng.randrange(len(parts))] = rng.choice(["60", "181", "-1", "1.2345", "x", ".5"])
    side = rng.choice(sides)
    return " ".join(parts) + " " + (side.lower() if seldom(rng) else side)


def location(rng):
    sizes = " ".join(metres(rng, True) for _ in range(rng.randrange(4)))
    return f"{angle(rng, 90, 'NS')} {angle(rng, 180, 'EW')} {metres(rng)} {sizes}"


def prefixes(rng):
    items = []
    for _ in range(rng.randrange(4)):
        sign = rng.choice(["", "", "!"])
        if rng.random() < 0.5:
            items.append(f"{sign}1:{ipv4(rng)}/{rng.choice([0, 8, 24, 31, 32, rng.randrange(33), 33 if seldom(rng) else 1])}")
        else:
            items.append(f"{sign}2:{ipv6(rng)}/{rng.choice([0, 32, 64, 127, 128, 129 if seldom(rng) else 1])}")
    if seldom(rng):
        items.append(rng.choice(["3:00/8", "1:1.2.3.4", "1.2.3.4/8", "!!1:1.2.3.4/8", "1:/8"]))
    return " ".join(items)


def item(rng):
    """An identifier in a list, escaped twice."""
    return "".join(rng.choice(["h", "2", "3", "-", ".", "\\\\,", "\\\\\\\\", "\\001", "\\;", "\\255"]) for _ in range(rng.randrange(1, 6)))


def parameter(rng, key):
    quote = rng.choice(["", "", '"'])
    value = {
        "alpn": lambda: ",".join(item(rng) for _ in range(rng.randrange(1, 4))),
        "port": lambda: number(rng, 16),
        "ipv4hint": lambda: ",".join(ipv4(rng) for _ in range(rng.randrange(1, 4))),
        "ipv6hint": lambda: ",".join(ipv6(rng) for _ in range(rng.randrange(1, 4))),
        "ech": lambda: base64.b64encode(octets(rng, 1, 20)).decode(),
        "dohpath": lambda: "/dns-query{?dns}",
    }.get(key)
    if key == "no-default-alpn":
        return key
    if value is None:  # written as keyNNNNN
        return key + rng.choice(["", "=" + '"' + characters(rng) + '"', "=" + "".join(rng.choice(["a", "\\000", "=", "\\\"", "1"]) for _ in range(5))])
    return f"{key}={quote}{value()}{quote}"


def parameters(rng):
    keys = rng.sample(["alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "key667", "key65000", "key10"], rng.randrange(6))
    if "no-default-alpn" in keys and "alpn" not in keys and not seldom(rng):
        keys.append("alpn")
    params = [parameter(rng, k) for k in keys]
    if keys and rng.random() < 0.3:
        chosen = rng.sample(keys, rng.randrange(1, len(keys) + 1))
        params.append("mandatory=" + ",".join(chosen))
    if seldom(rng):
        params.append(rng.choice(["alpn=h2", "port=1", "foo=1", "key0667=x", "ALPN=h2", "mandatory=key9", "key3=\\001\\002", "key3=x", "alpn=a,,b", "alpn", "=",
                                  "no-default-alpn=", "ech=", "ohttp", "key8", "dohpath=x", "alpn=\\\\h", "ipv4hint=1.2.3.4,"]))
    rng.shuffle(params)
    return " ".join(params)


def service(rng):
    if rng.random() < 0.1:
        return f"0 {name(rng)}"
    return f"{number(rng, 16)} {name(rng)} {parameters(rng)}"


def gateway(rng):
    kind = rng.choice([0, 1, 2, 3, 3])
    return kind, [lambda: ".", lambda: ipv4(rng), lambda: ipv6(rng), lambda: name(rng)][kind]()


def ipseckey(rng):
    kind, where = gateway(rng)
    method = rng.choice([0, 1, 2, 2, 3])
    key = "" if method == 0 and rng.random() < 0.3 else base64s(rng)
    return f"{number(rng, 8)} {kind if not seldom(rng) else 4} {method} {where} {key}"


def amtrelay(rng):
    kind, where = gateway(rng)
    return f"{number(rng, 8)} {rng.choice('01') if not seldom(rng) else 2} {kind} {where}"


def hip(rng):
    key = base64.b64encode(octets(rng, 1, 30)).decode()
    return f"{number(rng, 8)} {octets(rng, 1, 20).hex()} {key} " + " ".join(name(rng) for _ in range(rng.randrange(3)))


def nsap(rng):
    text = octets(rng, 1, 20).hex()
    at = rng.randrange(len(text))
    text = text[:at] + rng.choice(["", "."]) + text[at:]
    return rng.choice(["0x", "0x", "0X"]) + text + ("" if not seldom(rng) else "0")


def atma(rng):
    if rng.random() < 0.5:
        return "+" + "".join(rng.choice("0123456789.") for _ in range(rng.randrange(2, 12)))
    return octets(rng, 1, 20).hex() + ("" if not seldom(rng) else "0")


def a6(rng):
    prefix = rng.choice([0, 1, 7, 8, 64, 65, 127, 128, rng.randrange(129)])
    suffix = ipv6(rng) if prefix < 128 else ""
    return f"{prefix if not seldom(rng) else 129} {suffix} {name(rng) if prefix > 0 else ''}"


def wks(rng):
    ports = " ".join(number(rng, 16) for _ in range(rng.randrange(5)))
    return f"{ipv4(rng)} {rng.choice(['tcp', 'udp', 'TCP', '6', '17', '255'])} {ports}"


def hashed(rng):
    text = base64.b32hexencode(octets(rng, 20, 20)).decode().rstrip("=")
    return text.lower() if rng.random() < 0.5 else text


def eui(rng, count):
    if seldom(rng):
        return rng.choice(["0-0-5e-00-53-2a", "00:00:5e:00:53:2a", "00-00-5e-00-53", "00-00-5e-00-53-2g"])
    text = "-".join("%02x" % rng.randrange(256) for _ in range(count))
    return text.upper() if rng.random() < 0.3 else text


def locator(rng):
    if seldom(rng):
        return rng.choice(["::1", "1:2:3", "1:2:3:4:5", "1:2:3:12345", "g:1:2:3"])
    return ":".join(rng.choice(["0", "%x", "%04x", "%X"]).replace("%x", f"{rng.randrange(65536):x}").replace("%04x", f"{rng.randrange(65536):04x}")
                    .replace("%X", f"{rng.randrange(65536):X}") for _ in range(4))


def uri(rng):
    return f"{number(rng, 16)} {number(rng, 16)} " + (string(rng) if rng.random() < 0.1 else '"' + characters(rng, 60) + '"')


def naptr(rng):
    regexp = rng.choice(['""', '"!^.*$!sip:info@example.com!"', '"!^(.*)$!\\\\1.x!i"', '"/a/b/"', "!a!b!"])
    return f"{number(rng, 16)} {number(rng, 16)} {string(rng)} {string(rng)} {regexp} {name(rng)}"


def key(rng, least):
    flags = number(rng, 16)
    if least == 0 and rng.random() < 0.2:
        return f"{rng.choice([49152, 49408, 65535])} 3 {algorithm(rng)}"
    return f"{flags} {number(rng, 8)} {algorithm(rng)} {base64s(rng)}"


def signature(rng):
    return (f"{rng.choice(TYPE_NAMES + ['1', '257'])} {algorithm(rng)} {rng.randrange(2, 6)} {period(rng)} {time(rng)} 20200101000000 {number(rng, 16)} "
            f"{rng.choice(['.', 'a.', 'Example.'])} {base64s(rng, 40, 64)}")


def tag(rng):
    if seldom(rng):
        return rng.choice(['"issue"', "is-sue", "", "a" * 256, "i_x"])
    return rng.choice(["issue", "issuewild", "iodef", "ISSUE", "x9", "contactemail"])


DS = {1: 20, 2: 32, 4: 48, "SHA-1": 20, "SHA256": 32, "SHA-384": 48, 200: 9, 0: 1}

MAKERS = {
    "A": ipv4, "AAAA": ipv6, "NS": name, "MD": None, "CNAME": name, "PTR": name, "MB": name, "MG": name, "MR": name, "DNAME": name,
    "SOA": None, "HINFO": lambda r: f"{string(r)} {string(r)}", "MINFO": lambda r: f"{name(r)} {name(r)}", "MX": lambda r: f"{number(r, 16)} {name(r)}",
    "TXT": strings, "SPF": strings, "NINFO": strings, "AVC": strings, "RESINFO": strings, "RP": lambda r: f"{name(r)} {name(r)}",
    "AFSDB": lambda r: f"{number(r, 16)} {name(r)}", "X25": digits, "ISDN": lambda r: f"{string(r)} {r.choice(['', string(r)])}",
    "RT": lambda r: f"{number(r, 16)} {name(r)}", "NSAP": nsap, "NSAP-PTR": name, "KEY": lambda r: key(r, 0), "PX": lambda r: f"{number(r, 16)} {name(r)} {name(r)}",
    "GPOS": lambda r: f"{string(r)} {string(r)} {string(r)}", "LOC": location, "EID": hexes, "NIMLOC": hexes,
    "SRV": lambda r: f"{number(r, 16)} {number(r, 16)} {number(r, 16)} {name(r)}", "ATMA": atma, "NAPTR": naptr, "KX": lambda r: f"{number(r, 16)} {name(r)}",
    "CERT": lambda r: f"{r.choice(['PKIX', 'SPKI', 'pgp', 'URI', 'OID', 'IPGP', '1', '65535', 'x' if seldom(r) else '0'])} {number(r, 16)} {algorithm(r)} {base64s(r)}",
    "A6": a6, "SINK": lambda r: f"{number(r, 8)} {number(r, 8)} {number(r, 8)} {base64s(r)}", "APL": prefixes,
    "DS": lambda r: f"{number(r, 16)} {algorithm(r)} {digest(r, DS)}", "CDS": lambda r: f"{number(r, 16)} {algorithm(r)} {digest(r, DS)}",
    "DLV": lambda r: f"{number(r, 16)} {algorithm(r)} {digest(r, DS)}", "TA": lambda r: f"{number(r, 16)} {algorithm(r)} {digest(r, DS)}",
    "SSHFP": lambda r: f"{number(r, 8)} {digest(r, {1: 20, 2: 32, 3: 7, 0: 5})}", "IPSECKEY": ipseckey, "RRSIG": signature,
    "NSEC": lambda r: f"{name(r)} {types(r, 1)}", "DNSKEY": lambda r: key(r, 1), "CDNSKEY": lambda r: key(r, 1), "DHCID": base64s,
    "NSEC3": lambda r: f"{number(r, 8)} {number(r, 8)} {number(r, 16)} {r.choice(['-', octets(r, 1, 9).hex()])} {hashed(r)} {types(r)}",
    "NSEC3PARAM": lambda r: f"{number(r, 8)} {number(r, 8)} {number(r, 16)} {r.choice(['-', octets(r, 1, 9).hex(), 'abc' if seldom(r) else '00'])}",
    "TLSA": lambda r: f"{number(r, 8)} {number(r, 8)} {number(r, 8)} {hexes(r)}", "SMIMEA": lambda r: f"{number(r, 8)} {number(r, 8)} {number(r, 8)} {hexes(r)}",
    "HIP": hip, "TALINK": lambda r: f"{name(r)} {name(r)}", "OPENPGPKEY": base64s, "CSYNC": lambda r: f"{number(r, 32)} {number(r, 16)} {types(r)}",
    "ZONEMD": lambda r: f"{number(r, 32)} {number(r, 8)} {digest(r, {1: 48, 2: 64, 3: 12, 240: 20})}", "SVCB": service, "HTTPS": service,
    "NID": lambda r: f"{number(r, 16)} {locator(r)}", "L32": lambda r: f"{number(r, 16)} {ipv4(r)}", "L64": lambda r: f"{number(r, 16)} {locator(r)}",
    "LP": lambda r: f"{number(r, 16)} {name(r)}", "EUI48": lambda r: eui(r, 6), "EUI64": lambda r: eui(r, 8), "URI": uri,
    "CAA": lambda r: f"{number(r, 8)} {tag(r)} {string(r)}", "AMTRELAY": amtrelay, "WKS": wks, "NULL": lambda r: "\\# 0", "TYPE65280": lambda r: "\\# 0",
}
del MAKERS["MD"], MAKERS["SOA"]
TYPES = sorted(MAKERS)


def generic(rng, rdata):
    """The generic form (RFC 3597 5) of octets, either correct, or with one octet removed, added or changed."""
    data = bytearray(rdata)
    kind = rng.random()
    if kind < 0.15 and data:
        del data[rng.randrange(len(data)):]
    elif kind < 0.3:
        data += octets(rng, 1, 3)
    elif kind < 0.6 and data:
        data[rng.randrange(len(data))] = rng.choice([0, 1, 255, rng.randrange(256)])
    return f"\\# {len(data)} {in_pieces(rng, bytes(data).hex())}"


def spoil(rng, text):
    """Remove, add or change one character. Quotation marks and parentheses stay in pairs, because they are not what is
    tested here."""
    at = rng.randrange(len(text) + 1)
    kind = rng.random()
    if kind < 0.35 and at < len(text) and text[at] not in '"()\\':
        return text[:at] + text[at + 1:]
    if kind < 0.7:
        return text[:at] + rng.choice("0159afzAFZ .-,:=/+!@") + text[at:]
    if at < len(text) and text[at] not in '"()\\':
        return text[:at] + rng.choice("0159afzAFZ .-,:=/+!@") + text[at + 1:]
    return text + " x"


def is_closed(text):
    """Are all quotation marks and parentheses closed at the end of the text?"""
    depth, quoted, escaped = 0, False, False
    for c in text:
        if escaped or c == "\\":
            escaped = not escaped
        elif c == '"':
            quoted = not quoted
        elif not quoted and c in "();":
            depth += {"(": 1, ")": -1, ";": 1000}[c]
            if depth < 0:
                return False
    return depth == 0 and not quoted and not escaped


def dress(rng, text):
    """The same in another layout: more blanks, parentheses, a comment."""
    kind = rng.random()
    if kind < 0.7:
        return text
    if kind < 0.8:
        return text + rng.choice([" ; a comment", " ;", ";x", "\t", "  "])
    if kind < 0.9:
        return f"( {text} )"
    return text.replace(" ", "\t", 1) if '"' not in text else text


def line(rng):
    """Return (type, RDATA, the whole line after its owner)."""
    rtype = rng.choice(TYPES)
    text = MAKERS[rtype](rng)
    if rng.random() < 0.12:
        spoilt = spoil(rng, text)
        text = spoilt if is_closed(spoilt) else text
    head = rng.choice(["", "", "", "", "IN ", "300 ", "300 IN ", "IN 300 ", "1h30m ", "CLASS1 ", "in 2w "])
    shown = rtype.lower() if rng.random() < 0.1 else rtype
    return rtype, text, f"{head}{shown} {dress(rng, text)}"


def lines(seed, count):
    rng = random.Random(seed)
    return [line(rng) for _ in range(count)]
