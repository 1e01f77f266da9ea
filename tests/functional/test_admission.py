# SPDX-License-Identifier: Apache-2.0
"""Admission: the limit of replies over UDP, the limits of connections, and what is logged and counted about both."""
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import time

import dns.edns
import dns.flags
import dns.message
import dns.query
import pytest

from abuse import NAMES, ORIGIN, TCP_REPAIR, Server, is_answer, query
from dnsd_util import BUILD, Dnsd, SLOW, descriptors_of, wait_for

FLOODER, OTHER = "127.0.5.1", "127.0.6.1"
COOKIE = 10


@pytest.fixture
def start(tmp_path):
    servers = []

    def make(*args):
        servers.append(Server(str(tmp_path), *args))
        return servers[-1]

    yield make
    for s in servers:
        assert s.process.poll() is not None or s.stop() == 0, s.log()
        assert "Sanitizer" not in s.log(), s.log()


def udp_from(address, server):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)  # no reply is lost while we do not read
    s.bind((address, 0))
    s.connect(("127.0.0.1", server.port))
    return s


def ask_many(s, packets, wait_s=0.2 * SLOW):
    """Send all queries, reading meanwhile and until no more replies come. Return (complete answers, truncated ones, the
    last truncated one)."""
    whole = truncated = 0
    last = None
    for i, packet in enumerate(packets):
        s.send(packet)
        while select.select([s], [], [], wait_s if i + 1 == len(packets) else 0)[0]:
            reply = s.recv(2048)
            if reply[2] & 2:
                truncated, last = truncated + 1, reply
            else:
                whole += is_answer(reply)
    return whole, truncated, last


def names(count):
    return [query(i & 0xffff, f"h{i % NAMES}.{ORIGIN}") for i in range(count)]


def test_a_prefix_over_its_limit_gets_truncated_replies_or_none(start):
    d = start("--rrl-rate", "10")
    with udp_from(FLOODER, d) as s, udp_from("127.0.5.77", d) as neighbour, udp_from(OTHER, d) as other:
        began = time.monotonic()
        whole, truncated, last = ask_many(s, names(400))
        took = time.monotonic() - began
        assert 20 <= whole <= 21 + 10 * took
        assert abs(truncated - (400 - whole) / 2) <= 1
        message = dns.message.from_wire(last)
        assert message.flags & dns.flags.TC and not message.answer and len(message.question) == 1
        assert len(last) == len(names(1)[0]) or len(last) <= len(names(400)[-1])
        assert ask_many(neighbour, names(40))[0] <= 10 * SLOW  # a client in the same /24
        assert ask_many(other, names(15))[0] == 15
    reply = dns.query.tcp(dns.message.make_query(f"h1.{ORIGIN}.", "A"), "127.0.0.1", port=d.port, source=FLOODER, timeout=3 * SLOW)
    assert len(reply.answer) == 1
    d.wait_log(r"replies are limited.*prefix=127\.0\.5\.0/24")
    m = d.metrics()
    assert m['veer_dns_rrl_total{action="slipped"}'] >= truncated
    assert m['veer_dns_rrl_total{action="dropped"}'] == m['veer_dns_dropped_total{reason="limit"}'] >= truncated - 1
    assert d.log().count("replies are limited") == 1


def test_with_a_cookie_nobody_is_limited(start):
    d = start("--rrl-rate", "1", "--rrl-slip", "1")

    def asks(cookie):
        return dns.message.make_query(f"h1.{ORIGIN}.", "A", use_edns=0, options=[dns.edns.GenericOption(COOKIE, cookie)]).to_wire()

    with udp_from(FLOODER, d) as s:
        _, truncated, last = ask_many(s, [asks(b"12345678")] * 20)
        assert truncated >= 17
        option = [o for o in dns.message.from_wire(last).options if int(o.otype) == COOKIE][0]
        cookie = option.client + option.server if hasattr(option, "server") else option.data
        assert len(cookie) == 24
        assert ask_many(s, [asks(cookie)] * 300)[0] == 300
        assert ask_many(s, [asks(cookie[:-1] + bytes([cookie[-1] ^ 1]))] * 20)[0] <= 2 + SLOW


def test_all_workers_share_one_limit(start):
    """Many source ports are spread over the workers, but the prefix still has one rate."""
    d = start("--rrl-rate", "10", "--rrl-slip", "0")
    sockets = [udp_from(FLOODER, d) for _ in range(40)]
    began = time.monotonic()
    whole = sum(ask_many(s, names(10), 0.02 * SLOW)[0] for s in sockets)
    assert 20 <= whole <= 21 + 10 * (time.monotonic() - began)
    for s in sockets:
        s.close()


def test_loopback_and_what_is_exempt_are_not_limited(tmp_path, start):
    d = start("--rrl-rate", "1")
    limited = Dnsd("--zone", f"{ORIGIN}={tmp_path}/zone", "--rrl-rate", "1")
    exempt = Dnsd("--zone", f"{ORIGIN}={tmp_path}/zone", "--rrl-rate", "1", "--rrl-exempt", "127.0.5.0/24", "--rrl-exempt", "::1")
    off = start("--rrl-rate", "0")
    with limited, exempt:
        for server, address, is_limited in ((d, FLOODER, True), (limited.ready(), FLOODER, False), (exempt.ready(), FLOODER, False),
                                            (exempt, OTHER, True), (off, FLOODER, False)):
            with udp_from(address, server) as s:
                whole = ask_many(s, names(100))[0]
                assert whole < 20 if is_limited else whole == 100, (address, whole)


@pytest.mark.parametrize("args,reason", [
    (["--rrl-exempt", "192.0.2.1/24"], "--rrl-exempt 192.0.2.1/24: not a prefix"), (["--rrl-exempt", "x"], "not a prefix"),
    (["--rrl-exempt", "none", "--rrl-exempt", "192.0.2.0/24"], "--rrl-exempt none: not a prefix"),
    (["--rrl-rate", "-1"], "rrl-rate"), (["--rrl-rate", "100001"], "rrl-rate"), (["--rrl-slip", "101"], "rrl-slip"),
    (["--tcp-max", "x"], "tcp-max"), ([a for i in range(65) for a in ("--rrl-exempt", f"10.0.{i}.0/24")], "at most 64 times")])
def test_bad_limits_are_said(tmp_path, args, reason):
    (tmp_path / "zone").write_text("@ 60 SOA a b 1 2 3 4 5\n@ 60 NS a.test.\n")
    run = subprocess.run([os.path.join(BUILD, "veer-dnsd"), "--listen", "127.0.0.1@0", "--zone", f"x={tmp_path}/zone"] + args,
                         stderr=subprocess.PIPE, text=True, timeout=20 * SLOW)
    assert run.returncode == 2 and reason in run.stderr.splitlines()[-1], run.stderr


def test_a_configuration_file_sets_the_limits(tmp_path, start):
    start().stop()  # only to write the zone
    config = tmp_path / "dnsd.yaml"
    config.write_text(f"listen: 127.0.0.1@0\nzone: {ORIGIN}={tmp_path}/zone\nworkers: 1\nrrl_rate: 5\nrrl_slip: 1\nrrl_exempt: [\"127.0.6.0/24\"]\n"
                      "tcp_max: 8\ntcp_max_prefix: 2\n")
    with Dnsd("--config", str(config), listen=()) as d:
        d.ready()
        with udp_from(FLOODER, d) as s, udp_from(OTHER, d) as other:
            whole, truncated, _ = ask_many(s, names(100))
            assert whole < 30 and whole + truncated == 100
            assert ask_many(other, names(100))[0] == 100
        with connect(d, FLOODER) as a, connect(d, FLOODER) as b, connect(d, FLOODER) as c:
            assert wait_for(lambda: is_closed(a), what="the third one takes the place of the first")
            assert not is_closed(b) and not is_closed(c)


# --- connections --------------------------------------------------------------------------------------------

def connect(server, address="127.0.0.1"):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.bind((address, 0))
    s.settimeout(5 * SLOW)
    s.connect(("127.0.0.1", server.port))
    return s


def is_closed(s):
    try:
        return bool(select.select([s], [], [], 0)[0]) and s.recv(1, socket.MSG_PEEK) == b""
    except ConnectionResetError:
        return True


def framed(packet):
    return struct.pack("!H", len(packet)) + packet


def read_reply(s):
    data = b""
    while len(data) < 2 or len(data) < 2 + struct.unpack("!H", data[:2])[0]:
        more = s.recv(65536)
        assert more
        data += more
    return data[2:]


def test_connections_are_limited_in_total_and_by_prefix(start):
    d = start("--tcp-max", "16", "--tcp-max-prefix", "8")  # 8 per worker, of which 4 for one prefix
    crowd = [connect(d, FLOODER) for _ in range(60)]
    wait_for(lambda: d.metrics()["veer_dns_tcp_accepted_total"] == 60, what="60 accepted")
    m = d.metrics()
    assert m["veer_dns_tcp_connections"] <= 8
    assert m['veer_dns_tcp_closed_total{reason="prefix"}'] == 60 - m["veer_dns_tcp_connections"]
    assert m['veer_dns_tcp_closed_total{reason="full"}'] == 0
    others = [connect(d, f"127.0.{i}.1") for i in range(100, 160)]
    wait_for(lambda: d.metrics()["veer_dns_tcp_accepted_total"] == 120, what="120 accepted")
    m = d.metrics()
    assert m["veer_dns_tcp_connections"] <= 16
    assert m['veer_dns_tcp_closed_total{reason="full"}'] >= 40
    with connect(d) as s:  # the newest client still gets a connection
        s.sendall(framed(names(1)[0]))
        assert is_answer(read_reply(s))
    for s in crowd + others:
        s.close()


def test_all_ends_are_counted_by_reason(start):
    d = start()
    with connect(d) as s:
        s.sendall(framed(names(1)[0]))
        assert is_answer(read_reply(s))
    with connect(d) as s:
        s.sendall(b"\0\0")
        assert s.recv(1) == b""
    with connect(d) as s:
        s.sendall(framed(b"\0\1\x80\0" + names(1)[0][4:]))
        assert s.recv(1) == b""
    with connect(d) as s:
        s.sendall(b"\0")
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for reason, count in (("client", 1), ("invalid", 2), ("reset", 1)):
        wait_for(lambda r=reason, c=count: d.metrics()[f'veer_dns_tcp_closed_total{{reason="{r}"}}'] == c, what=reason)
    m = d.metrics()
    assert m['veer_dns_dropped_total{reason="short"}'] == 1 and m['veer_dns_dropped_total{reason="response"}'] == 1
    assert m["veer_dns_tcp_connections"] == 0


def test_slow_and_vanished_clients_are_closed_in_time(start):
    d = start()
    silent, length, trickle, gone = (connect(d) for _ in range(4))
    began = time.monotonic()
    length.sendall(b"\0\x1d")
    try:
        gone.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)  # the server does not learn of the end
    except OSError:
        pass
    gone.close()
    for byte in framed(names(1)[0])[:-1]:
        try:
            trickle.send(bytes([byte]))
        except OSError:
            break
        time.sleep(0.3)
        if is_closed(trickle):
            break
    assert 4.5 < time.monotonic() - began < 7 * SLOW
    wait_for(lambda: is_closed(length), 2, what="no query after its length")
    wait_for(lambda: is_closed(silent), 10, what="silence")
    assert 9.5 < time.monotonic() - began < 12 * SLOW
    wait_for(lambda: d.metrics()["veer_dns_tcp_connections"] == 0, what="none open")
    m = d.metrics()
    assert m['veer_dns_tcp_closed_total{reason="query"}'] == 2
    assert m['veer_dns_tcp_closed_total{reason="idle"}'] >= 1
    for s in (silent, length, trickle):
        s.close()


def hard_limit(server):
    return resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)[1]


def test_without_descriptors_udp_is_answered_and_nothing_spins(start):
    d = start()

    def descriptors():
        return descriptors_of(d.process.pid)

    used = descriptors()
    with connect(d) as s:
        s.sendall(framed(names(1)[0]))
        assert is_answer(read_reply(s))
    metrics = d.metrics()
    wait_for(lambda: descriptors() == used, what="both connections are closed at the other end, too")
    _, hard = resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE, (used, hard_limit(d)))  # no room for connections
    waiting = [connect(d) for _ in range(40)]
    for s in waiting:
        s.sendall(framed(names(1)[0]))
    time.sleep(0.5)
    cpu = d.cpu_s()
    time.sleep(1)
    assert d.cpu_s() - cpu < 0.2 * SLOW
    with udp_from(OTHER, d) as s:
        assert ask_many(s, names(100))[0] == 100
    resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE, (used + 100, hard))
    answered = sum(is_answer(read_reply(s)) for s in waiting if not is_closed(s))
    assert answered >= 30
    m = d.metrics()
    assert m["veer_dns_tcp_postponed_total"] > metrics["veer_dns_tcp_postponed_total"]
    for s in waiting:
        s.close()


def test_what_the_kernel_drops_is_counted(start):
    d = start()
    assert d.metrics()['veer_dns_kernel_drops_total{proto="udp"}'] == 0
    d.process.send_signal(signal.SIGSTOP)
    try:
        with udp_from(OTHER, d) as s:
            packet = names(1)[0]
            for _ in range(40000):
                s.send(packet)
    finally:
        d.process.send_signal(signal.SIGCONT)
    wait_for(lambda: d.metrics()['veer_dns_kernel_drops_total{proto="udp"}'] > 0, what="drops")
    asked = wait_for(lambda: d.metrics()['veer_dns_requests_total{proto="udp",family="ipv4",type="A"}'], what="requests")
    wait_for(lambda: d.metrics()['veer_dns_requests_total{proto="udp",family="ipv4",type="A"}']
             + d.metrics()['veer_dns_kernel_drops_total{proto="udp"}'] == 40000, what=f"all of 40000, not {asked}")


def test_who_is_limited_is_said_once_and_never_for_each_packet(start):
    d = start("--rrl-rate", "1", "--rrl-slip", "0")
    for network in range(60):
        with udp_from(f"127.9.{network}.1", d) as s:
            ask_many(s, names(5), 0)
    d.wait_log("replies are limited")
    time.sleep(2.2)
    lines = re.findall(r"event=\"?replies are limited", d.log())
    assert 1 <= len(lines) <= 33
