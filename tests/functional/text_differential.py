#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Gives the same lines of zone files to zones/ and to BIND's named-compilezone. Every difference in which lines are
accepted, and in each octet, is found and judged.

Run the whole:  make differential-text
In pieces:      /usr/bin/python3 tests/functional/text_differential.py --first 0 --chunks 10
                (a chunk is 2,000 lines)

A second round gives both the generic form (RFC 3597 5) of what both have read, some of it damaged. A difference is
*explained* when one of EXPLAINED below gives the reason with the RFC's text.
"""
import argparse
import collections
import os
import random
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import text_maker  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHUNK = 2000
BIND_HEAD = "$TTL 300\n@ SOA ns1 host 1 2 3 4 60\n@ NS ns1.example.org.\n"
BIND_OPTIONS = ["-F", "raw=0", "-l", "0"] + [x for o in "knmMSTrW" for x in ("-" + o, "ignore")] + ["-i", "none"]


def read_raw(path):
    """Return number of the line -> RDATA, from BIND's raw form: a header of 12 octets, then RRsets."""
    found = {}
    with open(path, "rb") as f:
        data = f.read()
    at = 12
    while at < len(data):
        total, _, _, _, _, _, length = struct.unpack_from(">IHHHIIH", data, at)
        owner = data[at + 20:at + 20 + length]
        rdata_at = at + 20 + length
        rdata_len, = struct.unpack_from(">H", data, rdata_at)
        label = owner[1:1 + owner[0]]
        if re.fullmatch(rb"r\d+", label):
            found[int(label[1:])] = data[rdata_at + 2:rdata_at + 2 + rdata_len]
        at += total
    return found


def ask_bind(peers, lines, directory):
    """Return (number -> RDATA, number -> error). BIND writes nothing when a line is wrong: lines with errors are left
    out until none is left."""
    program = os.path.join(peers, "usr/bin/named-compilezone")
    env = dict(os.environ, LD_LIBRARY_PATH=os.path.join(peers, "usr/lib/x86_64-linux-gnu"))
    zone, out = os.path.join(directory, "zone"), os.path.join(directory, "raw")
    left, errors = list(range(len(lines))), {}
    while True:
        with open(zone, "w", encoding="latin-1") as f:
            f.write(BIND_HEAD + "".join(f"r{i} {lines[i]}\n" for i in left))
        run = subprocess.run([program] + BIND_OPTIONS + ["-o", out, "z.example", zone], capture_output=True, env=env, timeout=120)
        if run.returncode == 0:
            return read_raw(out), errors
        wrong = {}
        for number, text in re.findall(r"zone:(\d+): (.*)", (run.stdout + run.stderr).decode("latin-1")):
            at = int(number) - 1 - BIND_HEAD.count("\n")
            if 0 <= at < len(left):
                wrong[left[at]] = text
        if not wrong:
            raise RuntimeError((run.stdout + run.stderr).decode("latin-1")[-2000:])
        errors.update(wrong)
        left = [i for i in left if i not in wrong]


def ask_veer(build, lines):
    """The same for tests/tools/zone_text.c. RDATA that is read, printed and read again must be the same."""
    text = "".join(f"r{i} {line}\n" for i, line in enumerate(lines)).encode("latin-1")
    out = subprocess.run([os.path.join(build, "tests/zone_text")], input=text, capture_output=True, check=True, timeout=300).stdout.decode("latin-1")
    found, errors = {}, {}
    for i, answer in enumerate(out.split("\n")[:-1]):
        if answer[:1] in ("!", "?"):
            errors[i] = answer
        else:
            found[i] = bytes.fromhex(answer)
    assert len(found) + len(errors) == len(lines), "zone_text did not answer each line"
    return found, errors


# --- why a difference is right ------------------------------------------------------------------------------
# Each function takes (type, RDATA's text, octets of BIND or None, ours or None, BIND's error, our error) and returns
# whether it explains the difference.

WORD = re.compile(r'"(?:\\.|[^"\\])*"|(?:\\.|[^\s"\\])+')


def words(text):
    return WORD.findall(text)


def marks_within_words(rtype, text, bind, ours, bind_error, our_error):
    """RFC 1035 5.1: "<character-string> is expressed in one or two ways: as a contiguous set of characters without
    interior spaces, or as a string beginning with a " and ending with a "." BIND reads a"b" as two strings, which is
    never intended."""
    return ours is None and ("quotation mark within a word" in our_error or "blank is missing after a quoted" in our_error)


def short_address(rtype, text, bind, ours, bind_error, our_error):
    """RFC 1035 3.4.1: "an Internet address expressed as four decimal numbers separated by dots without any embedded
    spaces": BIND accepts everything that inet_aton() accepts, such as fewer numbers, or octal and hex ones, and warns
    that it will stop doing so."""
    return ours is None and "IPv4 address is needed" in our_error


def letters_of_directions(rtype, text, bind, ours, bind_error, our_error):
    """RFC 1876 3 writes N, S, E, W and m; RFC 1035 5.1 leaves the case of keywords open. n, s, e, w and M can mean
    nothing else."""
    return rtype == "LOC" and bind is None and re.search(r"[nsew] |M", text) is not None and ours is not None


def range_of_metres(rtype, text, bind, ours, bind_error, our_error):
    """RFC 1876 3: "alt = [-100000.00 .. 42849672.95]", "siz, hp, vp = [0 .. 90000000.00]", "s1 = [0 .. 59.999]":
    neither a plus sign nor 90000000.01 is allowed."""
    return rtype == "LOC" and ours is None and ("metres are needed" in our_error or "+" in text)


def quoted_names(rtype, text, bind, ours, bind_error, our_error):
    """RFC 1035 5.1: quotation marks make a <character-string>; a <domain-name> is "a sequence of labels separated by
    dots". BIND accepts them around the target of SVCB and HTTPS, and around an owner, but not around other names."""
    return ours is None and "only text may stand in quotation marks" in our_error


def private_algorithms(rtype, text, bind, ours, bind_error, our_error):
    """RFC 4034 A.1.1: for the algorithms 253 and 254 "the public key area in the DNSKEY RR and the signature area in
    the RRSIG RR begin with a wire encoded domain name", or an OID: BIND checks that. We do not, because the contents of
    a key matter only to validators."""
    at = {"CERT": 4, "RRSIG": 2, "SIG": 2}.get(rtype, 3)
    return rtype in ("KEY", "DNSKEY", "CDNSKEY", "CERT", "RRSIG", "SIG") and bind is None and ours is not None and ours[at] in (253, 254)


def unquoted_target(rtype, text, bind, ours, bind_error, our_error):
    """RFC 7553 4.5: "The URI ... enclosed in double-quote characters". A target without them is one word, and is read
    completely."""
    return rtype == "URI" and bind is None and ours is not None and not words(text)[2].startswith('"')


def substitution(rtype, text, bind, ours, bind_error, our_error):
    """RFC 3403 4.1: REGEXP is "a <character-string> containing a substitution expression that is applied to the
    original string held by the client": BIND compiles the expression. A name server that does not apply it need not
    know which regular expressions clients accept."""
    return rtype == "NAPTR" and bind is None and ours is not None and ("syntax error" in bind_error or "unbalanced" in bind_error)


def named_numbers(rtype, text, bind, ours, bind_error, our_error):
    """RFC 4034 2.2: "The Flag field MUST be represented as an unsigned decimal integer", "the Protocol Field MUST be
    represented as an unsigned decimal integer"; RFC 5155 3.3 says the same of the hash algorithm. BIND also takes names
    (RFC 2535 7.1)."""
    return rtype in ("KEY", "DNSKEY", "CDNSKEY", "NSEC3", "NSEC3PARAM") and ours is None and "a number from 0" in our_error


def length_of_hash(rtype, text, bind, ours, bind_error, our_error):
    """RFC 5155 3.1.7: "The Next Hashed Owner Name field is not base32 encoded, unlike the owner name of the NSEC3 RR.
    It is the unmodified binary hash value", after its length octet, so we accept any length. BIND demands the 20 octets
    of SHA-1."""
    return rtype == "NSEC3" and bind is None and ours is not None and "out of range" in bind_error


def no_key(rtype, text, bind, ours, bind_error, our_error):
    """RFC 4025 2.4: "A value of 0 indicates that no key is present", and 3.1 shows the key in brackets; BIND
    nevertheless requires a key."""
    return rtype == "IPSECKEY" and bind is None and ours is not None and ours[2] == 0 and "unexpected end" in bind_error


def labels_of_signer(rtype, text, bind, ours, bind_error, our_error):
    """RFC 4034 3.1.3 and 3.1.7 relate the number of labels and the signer's name to the owner. Validators check that
    (RFC 4035 5.3.1). BIND checks when it reads the text that the name does not have more labels than the field says,
    and when it loads the zone that no signature has expired."""
    return rtype in ("RRSIG", "SIG") and bind is None and ours is not None and ("out of range" in bind_error or "expired" in bind_error)


def times_before_1970(rtype, text, bind, ours, bind_error, our_error):
    """RFC 4034 3.2: "YYYY is the year (0001-9999...)" but the field counts "from 1 January 1970": an earlier time
    cannot be expressed."""
    return rtype in ("RRSIG", "SIG") and ours is None and "a time is needed" in our_error


def pairs_of_digits(rtype, text, bind, ours, bind_error, our_error):
    """RFC 7043 3.2, 4.2: "represented as six two-digit hexadecimal numbers separated by hyphens": BIND also accepts
    single digits, and further characters after them."""
    return rtype in ("EUI48", "EUI64") and ours is None and "pairs of hex digits" in our_error


def groups_of_locators(rtype, text, bind, ours, bind_error, our_error):
    """RFC 6742 2.2.2: a locator is written as "four groups of hexadecimal digits" with colons between; BIND also
    accepts a colon after them."""
    return rtype in ("NID", "L64") and ours is None and "four groups of hex digits" in our_error


def list_escapes(rtype, text, bind, ours, bind_error, our_error):
    """RFC 9460 A.1: "escaped-item = 1*(item-allowed / "\\," / "\\\\")": in a list a backslash may stand only before a
    comma or a backslash."""
    return rtype in ("SVCB", "HTTPS") and ours is None and "malformed escape" in our_error


def new_parameters(rtype, text, bind, ours, bind_error, our_error):
    """RFC 9540 4 gives key 8 the name "ohttp" and no value; BIND 9.18 does not know it. RFC 9460 14.3.2 defines "ech"
    as base64, and an empty text is not valid base64 data."""
    return rtype in ("SVCB", "HTTPS") and ("ohttp" in text or "key8" in text or "ech=" in text)


def signs(rtype, text, bind, ours, bind_error, our_error):
    """RFC 3597 5: "TYPE" is "immediately followed by the decimal RR type number", RFC 3123 5: a family is "an unsigned
    decimal integer": no sign is allowed, and none of the other characters that strtol() skips for BIND."""
    return ours is None and (("record type is needed" in our_error and re.search(r"TYPE[+-]", text, re.I) is not None) or
                             ("an item is [!]" in our_error and re.search(r"(^|[ !])[+-]", text) is not None))


def needs_alpn(rtype, text, bind, ours, bind_error, our_error):
    """RFC 9460 7.1.1: "When "no-default-alpn" is specified in an RR, "alpn" must also be specified in order for the RR
    to be self-consistent": BIND does not check this where "mandatory" names it."""
    return rtype in ("SVCB", "HTTPS") and ours is None and 'needs "alpn"' in our_error


def template(rtype, text, bind, ours, bind_error, our_error):
    """RFC 9461 5: "dohpath" is "a relative URI Template", which must have the variable "dns": BIND checks that. A
    client that cannot use the template ignores it (5: "Clients MUST ... ignore")."""
    return rtype in ("SVCB", "HTTPS") and bind is None and ours is not None and ("dohpath" in text or b"\0\7" in ours)


def services_by_name(rtype, text, bind, ours, bind_error, our_error):
    """RFC 1035 3.4.2 takes the names of protocols and services from RFC 1010; machines have lists of their own, so the
    same file would mean different things. We accept numbers, and the names TCP and UDP."""
    return rtype == "WKS" and ours is None and ("ports are needed" in our_error or "a protocol is needed" in our_error)


def generic_mark(rtype, text, bind, ours, bind_error, our_error):
    """RFC 3597 5: "The RDATA ... is represented by the special token \\#": BIND reads \\# as text where no number follows."""
    return ours is None and text.strip(" ()\t").startswith("\\#") and ("\\# needs a length" in our_error or "missing at the end" in our_error)


def canonical_bitmap(rtype, text, bind, ours, bind_error, our_error):
    """RFC 3597 5: a known type in the generic form means the same as its text: we refuse RDATA that no text can
    express. BIND accepts it where its octets can be read: flags that must be zero (RFC 2874 3.1, the bits before an A6
    suffix), services with octets of zeros at the end (RFC 1035 3.4.2), lists of parameters that clients must call
    malformed (RFC 9460 2.2), an invalid ATM address."""
    return ours is None and bind is not None and text.strip(" ()\t").startswith("\\#") and \
        rtype in ("A6", "WKS", "SVCB", "HTTPS", "ATMA", "X25", "NSAP", "NAPTR", "LOC", "URI", "CSYNC", "APL", "GPOS", "ISDN", "HIP", "KEY")


EXPLAINED = [marks_within_words, short_address, letters_of_directions, range_of_metres, quoted_names, private_algorithms, unquoted_target, substitution, named_numbers, length_of_hash, no_key,
             labels_of_signer, times_before_1970, pairs_of_digits, groups_of_locators, list_escapes, new_parameters, signs, needs_alpn, template, services_by_name, generic_mark, canonical_bitmap]


class Judge:
    def __init__(self, peers):
        self.peers = peers
        self.asked, self.taken = 0, 0
        self.counts = collections.Counter()
        self.unexplained = []

    def is_bind_confused(self, line, theirs, ours):
        """After an error BIND may read the next lines as parts of a string; read alone, the line gives our result."""
        if theirs is not None or ours is None:
            return False
        with tempfile.TemporaryDirectory(prefix="veer-text-") as directory:
            return ask_bind(self.peers, [line], directory)[0].get(0) == ours

    def judge(self, lines, bind, veer):
        """Judge `lines`: (type, RDATA, line)."""
        for i, (rtype, text, line) in enumerate(lines):
            ours, theirs = veer[0].get(i), bind[0].get(i)
            self.asked += 1
            self.taken += ours is not None
            our_error, bind_error = veer[1].get(i, ""), bind[1].get(i, "")
            if our_error[:1] == "?":
                self.unexplained.append(f"{line}\n    printed and read back as another: {our_error}")
            elif ours != theirs and not self.is_bind_confused(line, theirs, ours):
                why = next((e.__name__ for e in EXPLAINED if e(rtype, text, theirs, ours, bind_error, our_error)), None)
                if why is None:
                    self.unexplained.append(f"{line}\n    BIND {theirs.hex() if theirs is not None else bind_error}\n"
                                            f"    Veer {ours.hex() if ours is not None else our_error}")
                else:
                    self.counts[why] += 1


def run(build, peers, chunks, size=CHUNK):
    judge = Judge(peers)
    for chunk in chunks:
        with tempfile.TemporaryDirectory(prefix="veer-text-") as directory:
            lines = text_maker.lines(chunk, size)
            bind, veer = ask_bind(peers, [l for _, _, l in lines], directory), ask_veer(build, [l for _, _, l in lines])
            judge.judge(lines, bind, veer)
            rng = random.Random(f"generic {chunk}")
            again = []
            for i in rng.sample(sorted(set(veer[0]) & set(bind[0])), min(len(veer[0]) // 4, len(set(veer[0]) & set(bind[0])))):
                text = text_maker.generic(rng, veer[0][i])
                again.append((lines[i][0], text, f"{lines[i][0]} {text}"))
            texts = [l for _, _, l in again]
            judge.judge(again, ask_bind(peers, texts, directory), ask_veer(build, texts))
    return judge


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--build", default=os.path.join(ROOT, "build"))
    args.add_argument("--peers", default=os.path.join(ROOT, "build/peers/root"))
    args.add_argument("--first", type=int, default=0)
    args.add_argument("--chunks", type=int, default=45)
    given = args.parse_args()
    judge = run(os.path.abspath(given.build), given.peers, range(given.first, given.first + given.chunks))
    for text in judge.unexplained[:40]:
        print(text)
    for why, count in judge.counts.most_common():
        print(f"{count:7} {why}")
    print(f"{judge.asked} lines, {judge.taken} taken, {sum(judge.counts.values())} differences explained, {len(judge.unexplained)} unexplained")
    sys.exit(1 if judge.unexplained else 0)


if __name__ == "__main__":
    main()
