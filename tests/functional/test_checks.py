# SPDX-License-Identifier: Apache-2.0
"""Each kind of check, by `veer-probe check`, against real servers of that kind and against hostile ones."""
import base64
import json
import os
import re
import socket
import struct
import subprocess
import time

import pytest

from check_servers import PEERS, GrpcServer, Hostile, Knot, Nginx, Pki, UdpServer, closed_port, dns_header, free_port
from veer_util import BUILD, SLOW, wait_until

PROBE = os.path.join(BUILD, "veer-probe")
HAS_PEERS = os.path.exists(os.path.join(PEERS, "usr/sbin/nginx"))
needs_peers = pytest.mark.skipif(not HAS_PEERS, reason="tests/tools/fetch-peers was not run")


class Result:
    def __init__(self, done, took):
        self.code, self.text, self.took = done.returncode, done.stdout + done.stderr, took
        verdict = re.search(r"result +(\w+)(?:, (\w+))?(?:: (.*))?", done.stdout)
        self.verdict, self.reason, self.detail = verdict.groups() if verdict else (None, None, None)

    def step(self, name):
        return [line.strip()[len(name):].strip() for line in self.text.splitlines() if line.startswith(f"  {name}")]

    def __repr__(self):
        return f"exit {self.code}:\n{self.text}"


def probe(*args):
    start = time.monotonic()
    done = subprocess.run([PROBE, "check", *[str(a) for a in args]], capture_output=True, text=True, errors="replace", timeout=60)
    return Result(done, time.monotonic() - start)


@pytest.fixture
def check(tmp_path):
    """Run a check object against 127.0.0.1."""
    def run(kind, port=None, address="127.0.0.1", options=(), **fields):
        fields.setdefault("timeout_ms", 1500 * SLOW)
        body = {"name": "c", "kind": kind, "interval_ms": 60000, **fields}
        if port is not None:
            body["port"] = port
        path = tmp_path / "check.json"
        path.write_text(json.dumps(body))
        return probe(*options, "--file", path, address)
    return run


def passes(result):
    assert (result.code, result.verdict) == (0, "PASS"), result
    return result


def fails(result, reason):
    assert (result.code, result.verdict, result.reason) == (1, "FAIL", reason), result
    return result


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def nginx(tmp_path_factory, pki):
    server = Nginx(tmp_path_factory.mktemp("nginx"), pki)
    yield server
    server.close()


@pytest.fixture(scope="module")
def grpc_server(pki):
    server = GrpcServer(pki)
    yield server
    server.close()


@pytest.fixture(scope="module")
def knot(tmp_path_factory):
    server = Knot(tmp_path_factory.mktemp("knot"))
    yield server
    server.close()


@pytest.fixture
def serve():
    """Start servers that end with the test."""
    running = []

    def start(behave, udp=False, **kw):
        server = UdpServer(behave) if udp else Hostile(behave, **kw)
        running.append(server)
        return server
    yield start
    for server in running:
        server.close()


# --- HTTP and HTTPS against nginx ---------------------------------------------------------------------------------------------------

@needs_peers
def test_http_speaks_1_1_and_2(check, nginx):
    passes(check("http", nginx.ports["http"], path="/echo", body_contains="GET HTTP/1.1 "))
    passes(check("http", nginx.ports["h2c"], path="/echo", http_version="2", body_contains="GET HTTP/2.0 "))
    result = check("http", nginx.ports["http"], http_version="2")
    assert result.verdict == "FAIL" and result.reason in ("http_protocol", "reset"), result


@needs_peers
def test_https_negotiates_or_insists(check, nginx, pki):
    tls = {"host": "www.example.test", "ca_file": pki.ca, "path": "/echo"}
    passes(check("https", nginx.ports["good"], body_contains="HTTP/1.1", **tls))
    passes(check("https", nginx.ports["good"], body_contains="HTTP/2.0", http_version="any", **tls))
    passes(check("https", nginx.ports["good"], body_contains="HTTP/1.1", http_version="1.1", **tls))
    passes(check("https", nginx.ports["good"], body_contains="HTTP/2.0", http_version="2", **tls))
    passes(check("https", nginx.ports["tls1"], body_contains="HTTP/1.1", http_version="any", **tls))
    fails(check("https", nginx.ports["tls1"], http_version="2", **tls), "http_protocol")


@needs_peers
def test_http_method_headers_host_and_sni(check, nginx, pki):
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        passes(check("http", nginx.ports["http"], path="/echo", method=method, body_contains=f"{method} ",
                     **({} if method in ("DELETE", "OPTIONS") else {"body": "some text"})))
    passes(check("http", nginx.ports["http"], path="/echo", method="HEAD"))
    passes(check("https", nginx.ports["good"], path="/echo", host="host.example.test", sni="www.example.test", ca_file=pki.ca,
                 headers={"X-Probe": "me"}, body_contains="host=host.example.test sni=www.example.test probe=me"))


@needs_peers
def test_http_status_and_body(check, nginx):
    port = nginx.ports["http"]
    assert fails(check("http", port, path="/status/500"), "http_status").detail == "status 500"
    passes(check("http", port, path="/status/500", expect_status=["500-502"]))
    passes(check("http", port, body_regex='"status": *"(ok|healthy)"'))
    passes(check("http", port, body_regex="^[{].*[}]$"))
    fails(check("http", port, body_regex='"status": *"broken"'), "body")
    fails(check("http", port, body_contains="sick"), "body")


@needs_peers
def test_http_redirects(check, nginx):
    port = nginx.ports["http"]
    assert fails(check("http", port, path="/moved"), "http_status").detail == "status 302"
    passes(check("http", port, path="/moved", expect_status=["302"], follow_redirects=3))
    passes(check("http", port, path="/moved", follow_redirects=1, headers={"X-Probe": "me"}, body_contains="probe=me"))
    passes(check("http", port, path="/post-then-get", method="POST", body="x", follow_redirects=1, body_contains="GET "))
    assert "more often" in fails(check("http", port, path="/loop", follow_redirects=5), "http_redirect").detail
    fails(check("http", port, path="/nowhere", follow_redirects=5), "http_redirect")
    fails(check("http", port, path="/secret", follow_redirects=5), "http_redirect")


def test_a_redirect_elsewhere_takes_no_headers_along(check, serve):
    seen = []

    def other(server, connection, request):
        seen.append(request)
        server.send(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    target = serve(other)
    server = serve(lambda s, c, r: s.send(c, b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % target.port))
    passes(check("http", server.port, follow_redirects=1, host="www.example.test", headers={"Authorization": "Bearer secret"}))
    assert len(seen) == 1 and b"secret" not in seen[0] and b"example.test" not in seen[0]


@needs_peers
@pytest.mark.parametrize("certificate, reason", [("expired", "tls_expired"), ("future", "tls_expired"), ("other", "tls_name"),
                                                 ("self", "tls_untrusted")])
def test_bad_certificates_in_https_and_tls(check, nginx, pki, certificate, reason):
    port = nginx.ports[certificate]
    fails(check("https", port, host="www.example.test", ca_file=pki.ca), reason)
    fails(check("tls", port, sni="www.example.test", ca_file=pki.ca), reason)
    passes(check("https", port, host="www.example.test", tls_verify=False))
    passes(check("tls", port, sni="www.example.test", tls_verify=False))


@needs_peers
def test_a_bundle_of_the_check(check, nginx, pki):
    for kind, name in (("https", "host"), ("tls", "sni")):
        names = {name: "www.example.test"}
        passes(check(kind, nginx.ports["good"], ca_pem=pki.text("ca.pem"), **names))
        passes(check(kind, nginx.ports["self"], ca_pem=pki.text("self.pem"), **names))
        fails(check(kind, nginx.ports["good"], ca_pem=pki.text("self.pem"), **names), "tls_untrusted")
        fails(check(kind, nginx.ports["good"], **names), "tls_untrusted")
        unreadable = check(kind, nginx.ports["good"], ca_file="/nonexistent/ca.pem", **names)
        assert (unreadable.verdict, unreadable.reason) == ("UNKNOWN", "internal"), unreadable
        assert "/nonexistent/ca.pem" in unreadable.detail
    passes(check("https", nginx.ports["good"], ca_pem=pki.text("ca.pem"), keep_connection=True, host="www.example.test"))
    fails(check("https", nginx.ports["good"], ca_pem=pki.text("self.pem"), keep_connection=True, host="www.example.test"), "tls_untrusted")


@needs_peers
def test_the_days_of_a_certificate(check, nginx, pki):
    for kind, name in (("https", "host"), ("tls", "sni")):
        tls = {name: "www.example.test", "ca_file": pki.ca}
        passes(check(kind, nginx.ports["soon"], cert_warn_days=5, cert_fail_days=3, **tls))
        warned = passes(check(kind, nginx.ports["soon"], cert_warn_days=30, cert_fail_days=5, **tls))
        assert warned.reason == "tls_expires_soon" and "10 days" in warned.detail
        assert "10 days" in fails(check(kind, nginx.ports["soon"], cert_warn_days=30, cert_fail_days=20, **tls), "tls_expires_soon").detail
        fails(check(kind, nginx.ports["expired"], cert_fail_days=1, tls_verify=False, **tls), "tls_expires_soon")


@needs_peers
def test_an_address_in_a_certificate(check, nginx, pki):
    passes(check("https", nginx.ports["good"], ca_file=pki.ca))
    passes(check("tls", nginx.ports["good"], ca_file=pki.ca))
    fails(check("tls", nginx.ports["self"], ca_file=pki.path("self.pem")), "tls_name")


@needs_peers
def test_latency_and_inversion(check, nginx):
    port = nginx.ports["http"]
    passes(check("http", port, max_latency_ms=1400))
    fails(check("http", port, path="/status/500", max_latency_ms=1400), "http_status")
    fails(check("http", port, invert=True), "inverted")
    passes(check("http", port, path="/status/500", invert=True))
    passes(check("tcp", closed_port(), invert=True))


def test_a_slow_success_is_a_failure(check, serve):
    def late(server, connection, _):
        time.sleep(0.2)
        server.send(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    fails(check("http", serve(late).port, max_latency_ms=100), "slow")
    passes(check("http", serve(late).port, max_latency_ms=1400))


# --- HTTP against hostile servers ---------------------------------------------------------------------------------------------------

def chunks_for_ever(server, connection, _):
    server.send(connection, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not server.is_over:
        server.send(connection, b"2000\r\n" + b"x" * 0x2000 + b"\r\n")


def headers_for_ever(server, connection, _):
    server.send(connection, b"HTTP/1.1 200 OK\r\n")
    while not server.is_over:
        server.send(connection, b"X-Header: " + b"y" * 1000 + b"\r\n")


def trailers_for_ever(server, connection, _):
    server.send(connection, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
    while not server.is_over:
        server.send(connection, b"X-Trailer: " + b"y" * 1000 + b"\r\n")


def one_header_for_ever(server, connection, _):
    server.send(connection, b"HTTP/1.1 200 OK\r\nX: ")
    while not server.is_over:
        server.send(connection, b"y" * 8192)


def continues_for_ever(server, connection, _):
    while not server.is_over:
        server.send(connection, b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def trickle(server, connection, _):
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000000:
        server.send(connection, bytes((byte,)))
        time.sleep(0.02)
        if server.is_over:
            return


def say(data):
    return lambda server, connection, _: server.send(connection, data)


def say_and_wait(data):
    def behave(server, connection, _):
        server.send(connection, data)
        while not server.is_over and connection.recv(4096):
            pass
    return behave


@pytest.mark.parametrize("behave, reason", [
    (chunks_for_ever, None),  # the check reads only the first 64 KiB
    (headers_for_ever, "http_protocol"), (trailers_for_ever, "http_protocol"), (one_header_for_ever, "http_protocol"),
    (continues_for_ever, "http_protocol"), (trickle, "timeout"),
    (say(b"SSH-2.0-OpenSSH_9.2\r\n"), "http_protocol"), (say(b"\x00\xff" * 500), "http_protocol"), (say(b""), "reset"),
    (say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), "reset"),
    (say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "reset"),
    (say(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"), None),
    (say(b"HTTP/1.1 99999 OK\r\n\r\n"), "http_protocol"),
], ids=lambda p: getattr(p, "__name__", str(p)))
def test_http_is_bounded(check, serve, behave, reason):
    server = serve(behave)
    result = check("http", server.port, timeout_ms=1000 * SLOW)
    assert result.took < 3 * SLOW and server.sent < 4_000_000, (result, server.sent)
    if reason is None:
        assert result.verdict in ("PASS", "FAIL")
    else:
        assert result.verdict == "FAIL" and result.reason in (reason, "http_protocol", "reset"), result


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad\r\n\r\n", b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\xff" * 400,
                                  b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x05\x01\x04\x00\x00\x00\x01\xff\xff\xff\xff\xff"])
def test_broken_http2_is_a_failure(check, serve, data):
    server = serve(say_and_wait(data))
    for kind, fields in (("http", {"http_version": "2"}), ("grpc", {})):
        result = check(kind, server.port, timeout_ms=600 * SLOW, **fields)
        assert result.verdict == "FAIL" and result.reason in ("http_protocol", "timeout", "reset"), result


# --- TCP, TLS, UDP ------------------------------------------------------------------------------------------------------------------

def banner(server, connection, _):
    server.send(connection, b"220 mail.example.test ESMTP\r\n")
    request = connection.recv(100)
    server.send(connection, b"250 you said " + request)
    connection.recv(100)


def test_tcp_sends_and_expects(check, serve):
    server = serve(banner, reads=False)
    passes(check("tcp", server.port))
    passes(check("tcp", server.port, expect="220 "))
    passes(check("tcp", server.port, send="EHLO me\r\n", expect="you said EHLO"))
    passes(check("tcp", server.port, send={"base64": base64.b64encode(b"\x00\xff").decode()}, expect={"base64": base64.b64encode(b"d \x00\xff").decode()}))
    assert "220 mail" in fails(check("tcp", serve(say(b"220 mail"), reads=False).port, expect="221"), "reply").detail
    fails(check("tcp", serve(say(b""), reads=False).port, expect="x"), "reset")
    fails(check("tcp", serve(say_and_wait(b"22"), reads=False).port, expect="220", timeout_ms=300 * SLOW), "timeout")
    fails(check("tcp", closed_port()), "connect_refused")
    fails(check("tcp", closed_port(), send="x", expect="y"), "connect_refused")


def test_tcp_floods_and_trickles_are_bounded(check, serve):
    def flood(server, connection, _):
        while not server.is_over:
            server.send(connection, b"y" * 65536)
    server = serve(flood, reads=False)
    fails(check("tcp", server.port, expect="x"), "reply")
    assert server.sent < 8_000_000

    def drip(server, connection, _):
        while not server.is_over:
            server.send(connection, b"y")
            time.sleep(0.02)
    fails(check("tcp", serve(drip, reads=False).port, expect="x", timeout_ms=300 * SLOW), "timeout")


@needs_peers
def test_tls_sends_and_expects(check, nginx, pki):
    tls = {"sni": "www.example.test", "ca_file": pki.ca}
    passes(check("tls", nginx.ports["tls1"], send="GET /echo HTTP/1.0\r\n\r\n", expect="sni=www.example.test", **tls))
    fails(check("tls", nginx.ports["tls1"], send="GET /echo HTTP/1.0\r\n\r\n", expect="no such thing", **tls), "reply")
    fails(check("tls", nginx.ports["http"], timeout_ms=800, **tls), "tls_failed")
    fails(check("tls", closed_port(), **tls), "connect_refused")


@pytest.mark.parametrize("data", [b"\x16\x03\x03\xff\xff" + b"x" * 70000, b"\x15\x03\x03\x00\x02\x02\x28", b"HTTP/1.1 400 Bad\r\n\r\n", b""])
def test_broken_tls_is_a_failure(check, serve, data):
    fails(check("tls", serve(say(data)).port), "tls_failed")
    result = check("https", serve(say(data)).port)
    assert result.verdict == "FAIL" and result.reason in ("tls_failed", "reset", "connect_failed"), result


def test_a_silent_handshake_times_out(check, serve):
    fails(check("tls", serve(say_and_wait(b"")).port, timeout_ms=300 * SLOW), "timeout")


def test_udp_sends_and_expects(check, serve):
    echo = serve(lambda data: [b"pong " + data], udp=True)
    passes(check("udp", echo.port, send="ping"))
    passes(check("udp", echo.port, send="ping", expect="pong ping"))
    assert "pong ping" in fails(check("udp", echo.port, send="ping", expect="gnop"), "reply").detail
    fails(check("udp", free_port(socket.SOCK_DGRAM), send="ping"), "connect_refused")
    fails(check("udp", serve(lambda data: [], udp=True).port, send="ping", timeout_ms=300 * SLOW), "timeout")
    fails(check("udp", serve(lambda data: [b""], udp=True).port, send="ping", expect="x"), "reply")


def test_an_agent_without_a_route_to_an_address_cannot_tell():
    """A host without IPv6 cannot judge IPv6 endpoints, and a host whose link is down cannot judge any. Whoever owns a
    name decides to which addresses it leads."""
    urls = "http://192.0.2.1 https://192.0.2.1 tcp://192.0.2.1:80 'tcp://[2001:db8::1]:80' 'http://[2001:db8::1]' dns://192.0.2.1/example.com icmp://192.0.2.1"
    done = in_namespace(f"ip link set lo up; {PROBE} check {urls} || test $? = 1")
    assert done.stdout.count("UNKNOWN, internal: this host has no route there") == 7, done
    routed = in_namespace(f"ip link set lo up; ip route add unreachable 192.0.2.0/24; {PROBE} check tcp://192.0.2.1:80 http://192.0.2.1 || test $? = 1")
    assert routed.stdout.count("FAIL, connect_failed") == 2, routed


def test_what_the_own_packet_filter_stops_tells_nothing():
    """The same holds for a full table of connections: the packet was never sent."""
    done = in_namespace("ip link set lo up; ip link add d0 type veth peer name d1; ip link set d1 up; ip addr add 192.0.2.1/24 dev d0; ip link set d0 up; "
                        "nft add table ip t; nft add chain ip t o '{ type filter hook output priority 0; policy drop; }'; "
                        f"{PROBE} check 'udp://192.0.2.9:5?send=x' dns://192.0.2.9/example.com icmp://192.0.2.9 || test $? = 1")
    assert done.stdout.count("UNKNOWN, internal: Operation not permitted") == 3, done


# --- ICMP ---------------------------------------------------------------------------------------------------------------------------

def in_namespace(script):
    """Run a shell script in a new network namespace; skips where that is not allowed."""
    done = subprocess.run(["unshare", "-n", "sh", "-ec", script], capture_output=True, text=True, timeout=60)
    if "unshare" in done.stderr and "not permitted" in done.stderr:
        pytest.skip("no network namespaces here")
    return done


def test_icmp_by_an_unprivileged_and_by_a_raw_socket():
    unprivileged = in_namespace(f"ip link set lo up; echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range; "
                                f"{PROBE} check icmp://127.0.0.1 'icmp://[::1]'")
    assert unprivileged.returncode == 0 and unprivileged.stdout.count("an unprivileged socket") == 2, unprivileged
    raw = in_namespace(f"ip link set lo up; {PROBE} check icmp://127.0.0.1 'icmp://[::1]'")
    assert raw.returncode == 0 and raw.stdout.count("a raw socket") == 2, raw


def test_icmp_without_any_socket_says_what_was_tried():
    done = in_namespace(f"ip link set lo up; setpriv --bounding-set -all --inh-caps -all --no-new-privs --reuid 65534 --regid 65534 "
                        f"--clear-groups {PROBE} check icmp://127.0.0.1 || test $? = 1")
    assert "UNKNOWN, internal" in done.stdout and "ping_group_range" in done.stdout and "CAP_NET_RAW" in done.stdout, done


def test_icmp_silence_and_unreachability():
    done = in_namespace("ip link set lo up; ip link add d0 type veth peer name d1; ip link set d1 up; ip addr add 192.0.2.1/24 dev d0; ip link set d0 up; "
                        f"ip route add blackhole 198.51.100.0/24; ip route add unreachable 203.0.113.0/24; "
                        f"for a in 192.0.2.9 198.51.100.1 203.0.113.1; do {PROBE} check --timeout-ms 300 icmp://$a || test $? = 1; done")
    reasons = re.findall(r"result +FAIL, (\w+)", done.stdout)
    assert reasons[0] == "timeout" and reasons[1:] == ["connect_failed"] * 2, done


# --- DNS ----------------------------------------------------------------------------------------------------------------------------

@needs_peers
def test_dns_against_knot(check, knot):
    ask = lambda name, **kw: check("dns", knot.port, query_name=name, **kw)
    passes(ask("www.example.test."))
    passes(ask("WWW.Example.TEST", expect_answers=["192.0.2.2"]))
    passes(ask("alias.example.test.", expect_answers=["192.0.2.1", "192.0.2.2"], expect_match="all"))
    assert "1 of the 2" in fails(ask("www.example.test.", expect_answers=["192.0.2.1", "192.0.2.9"], expect_match="all"), "dns_answer").detail
    passes(ask("www.example.test.", expect_answers=["192.0.2.1", "192.0.2.9"]))
    fails(ask("www.example.test.", expect_answers=["192.0.2.9"]), "dns_answer")
    passes(ask("www.example.test.", query_type="AAAA", expect_answers=["2001:DB8:0::1"]))
    passes(ask("example.test.", query_type="MX", expect_answers=["10 MAIL.example.test."]))
    passes(ask("_s._tcp.example.test.", query_type="SRV", expect_answers=["1 2 443 www.example.test."]))
    passes(ask("text.example.test.", query_type="TXT", expect_answers=["\"two words\" \"more\""]))
    passes(ask("example.test.", query_type="SOA", expect_answers=["ns.example.test. hostmaster.example.test. 1 3600 600 86400 60"]))
    passes(ask("alias.example.test.", query_type="CNAME", expect_answers=["www.example.test."]))
    assert fails(ask("nothing.example.test."), "dns_rcode").detail == "answers NXDOMAIN"
    passes(ask("nothing.example.test.", expect_rcode="NXDOMAIN"))
    fails(ask("elsewhere.test."), "dns_rcode")
    passes(ask("www.example.test.", tcp=True))


@needs_peers
def test_dns_goes_on_over_tcp_when_truncated(check, knot):
    result = passes(check("dns", knot.port, query_name="big.example.test.", query_type="TXT"))
    assert [re.sub(r"\d+ bytes", "N bytes", s) for s in result.step("reply")][1].startswith("N bytes over TCP, NOERROR, 40 records")


def test_dns_replies_that_are_not_ours_are_not_heard(check, serve):
    def answer(query):
        name_end = query.index(b"\0", 12) + 5
        right = dns_header(query, answers_=1) + query[12:name_end] + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\xc0\0\2\1"
        other_id = bytes((right[0] ^ 1,)) + right[1:]
        return [b"", b"x", other_id, right.replace(b"www", b"wwx"), query, right]
    server = serve(answer, udp=True)
    passes(check("dns", server.port, query_name="www.example.test.", expect_answers=["192.0.2.1"]))
    for _ in range(3):
        check("dns", server.port, query_name="www.example.test.")
    assert len({port for port, _ in server.sources}) > 1 and len({data[:2] for _, data in server.sources}) > 1


@pytest.mark.parametrize("rest", [
    b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\xc0\0",                    # RDATA cut short
    b"\xc0\xff\0\1\0\1\0\0\0\1\0\4\xc0\0\2\1",                # a pointer forward
    b"\xc0\x22\0\1\0\1\0\0\0\1\0\4\xc0\0\2\1",                # a pointer to itself
    b"\x3fxx\0\1\0\1\0\0\0\1\0\4\xc0\0\2\1",                  # a label that ends beyond the message
    b"\x80xx\0\1\0\1\0\0\0\1\0\4\xc0\0\2\1",                  # a label of an undefined kind
    b"",
])
def test_dns_broken_replies(check, serve, rest):
    answer = lambda q: [dns_header(q, answers_=1) + q[12:] + rest]
    fails(check("dns", serve(answer, udp=True).port, query_name="www.example.test."), "dns_protocol")


def test_dns_floods_silence_and_closed_ports(check, serve):
    flood = serve(lambda q: [bytes((q[0] ^ 255,)) + q[1:]] * 400, udp=True)
    fails(check("dns", flood.port, query_name="a.test.", timeout_ms=700 * SLOW), "dns_protocol")
    fails(check("dns", serve(lambda q: [], udp=True).port, query_name="a.test.", timeout_ms=300 * SLOW), "timeout")
    fails(check("dns", free_port(socket.SOCK_DGRAM), query_name="a.test."), "connect_refused")
    fails(check("dns", closed_port(), query_name="a.test.", tcp=True), "connect_refused")
    slow = serve(say_and_wait(b"\xff\xff" + b"x" * 100))
    fails(check("dns", slow.port, query_name="a.test.", tcp=True, timeout_ms=300 * SLOW), "timeout")
    fails(check("dns", serve(say(b"\0\4xxxx")).port, query_name="a.test.", tcp=True), "dns_protocol")
    fails(check("dns", serve(say(b"\0")).port, query_name="a.test.", tcp=True), "reset")


# --- gRPC ---------------------------------------------------------------------------------------------------------------------------

def test_grpc_health(check, grpc_server, pki):
    port = grpc_server.port
    passes(check("grpc", port))
    passes(check("grpc", port, service="shop"))
    assert fails(check("grpc", port, service="cellar"), "grpc_status").detail == "NOT_SERVING"
    fails(check("grpc", port, service="odd"), "grpc_status")
    assert fails(check("grpc", port, service="nobody"), "grpc_status").detail == "grpc-status 5: no such service"
    fails(check("grpc", port, service="slow", timeout_ms=400 * SLOW), "timeout")
    tls = {"tls": True, "host": "www.example.test"}
    passes(check("grpc", grpc_server.tls_port, ca_file=pki.ca, cert_warn_days=30, **tls))
    warned = passes(check("grpc", grpc_server.tls_port, ca_file=pki.ca, cert_warn_days=100, **tls))
    assert warned.reason == "tls_expires_soon"
    fails(check("grpc", grpc_server.tls_port, **tls), "tls_untrusted")
    fails(check("grpc", closed_port()), "connect_refused")


@needs_peers
def test_grpc_needs_grpc(check, nginx):
    result = check("grpc", nginx.ports["h2c"])
    assert result.verdict == "FAIL" and result.reason in ("http_protocol", "http_status"), result
    result = check("grpc", nginx.ports["http"])
    assert result.verdict == "FAIL" and result.reason in ("http_protocol", "reset"), result


# --- programs -----------------------------------------------------------------------------------------------------------------------

@pytest.fixture
def programs(tmp_path):
    """A directory of programs, and a way to write one."""
    directory = tmp_path / "programs"
    directory.mkdir()

    def write(name, text):
        path = directory / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return str(path)
    write.allow = ("--allow-exec", str(directory))
    write.directory = directory
    return write


def test_exec_judges_by_exit_code(check, programs):
    passes(check("exec", command=[programs("good", "exit 0\n")], options=programs.allow))
    failed = fails(check("exec", command=[programs("bad", "echo disk full; echo more; exit 3\n")], options=programs.allow), "exec_failed")
    assert failed.detail == 'exit code 3: "disk full"'
    assert "signal 9" in fails(check("exec", command=[programs("killed", "kill -9 $$\n")], options=programs.allow), "exec_failed").detail


def test_exec_has_arguments_without_a_shell_and_a_small_environment(check, programs, tmp_path):
    out = tmp_path / "out"
    program = programs("show", f'{{ printf "%s|" "$@"; echo; env; pwd; ls /proc/self/fd; cat; ps -o pgid= -p $$; echo $$; }} > {out}\n')
    passes(check("exec", command=[program, "a b", "$(id)", "x{address}y"], options=programs.allow))
    lines = out.read_text().split("\n")
    assert lines[0] == "a b|$(id)|x127.0.0.1y|"
    names = {line.split("=")[0] for line in lines if re.match(r"[A-Z_]+=", line)}
    assert names <= {"PATH", "LANG", "PWD", "VEER_ADDRESS", "VEER_CHECK", "VEER_TIMEOUT_MS", "SHLVL", "_", "OLDPWD"}
    assert "VEER_ADDRESS=127.0.0.1" in lines and "/" in lines
    assert [line for line in lines if re.fullmatch(r"\d", line)] == ["0", "1", "2", "3"]  # 3 belongs to ls itself
    numbers = [line.strip() for line in lines if re.fullmatch(r" *\d{2,}", line)]
    assert numbers[-1] == numbers[-2]  # the process has its own process group


def is_alive(pid_file):
    try:
        os.kill(int(pid_file.read_text()), 0)
        with open(f"/proc/{pid_file.read_text().strip()}/stat") as f:
            return f.read().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_exec_is_killed_with_all_its_children(check, programs, tmp_path):
    child = tmp_path / "child"
    hung = programs("hung", f"sleep 60 & echo $! > {child}; wait\n")
    result = fails(check("exec", command=[hung], options=programs.allow, timeout_ms=400 * SLOW), "timeout")
    assert result.took < 3 * SLOW
    wait_until(lambda: not is_alive(child), 5, "the child is gone")
    left = programs("left", f"sleep 60 >/dev/null 2>&1 & echo $! > {child}; exit 0\n")
    passes(check("exec", command=[left], options=programs.allow))
    wait_until(lambda: not is_alive(child), 5, "what it left is gone")


def test_exec_output_is_bounded(check, programs):
    flood = programs("flood", "exec yes\n")
    result = fails(check("exec", command=[flood], options=programs.allow), "exec_failed")
    assert "65536 bytes" in result.detail and result.took < 2 * SLOW
    passes(check("exec", command=[programs("some", "head -c 60000 /dev/zero\n")], options=programs.allow))


def test_exec_only_where_the_operator_allows_it(check, programs, tmp_path):
    good = programs("good", "exit 0\n")
    (programs.directory / "out").symlink_to("/bin/true")
    (programs.directory / "in").symlink_to("good")
    (programs.directory / "dir").mkdir()
    beside = tmp_path / "programs-not"
    beside.write_text("#!/bin/sh\n")
    beside.chmod(0o755)
    refused = lambda result: (result.verdict, result.reason) == ("UNKNOWN", "exec_refused")
    assert refused(check("exec", command=[good]))
    passes(check("exec", command=[str(programs.directory / "in")], options=programs.allow))
    for path in ("/bin/true", str(programs.directory / "out"), str(programs.directory / "../programs/good") + "/../../programs/good",
                 str(programs.directory) + "/../programs-not", str(beside), str(programs.directory / "dir")):
        result = check("exec", command=[path], options=programs.allow)
        assert refused(result) or (result.verdict == "UNKNOWN" and "cannot be opened" in result.detail), (path, result)
    missing = check("exec", command=[str(programs.directory / "missing")], options=programs.allow)
    assert (missing.verdict, missing.reason) == ("UNKNOWN", "internal")
    inverted = check("exec", command=[good], invert=True)
    assert refused(inverted)


# --- the command itself -------------------------------------------------------------------------------------------------------------

@needs_peers
def test_the_hand_run_explains_each_step(nginx, pki):
    result = passes(probe("--ca-file", pki.ca, "--allow-targets", "private", "--header", "X-Probe: me", "--body-contains", "probe=me",
                          "--http-version", "any", f"https://127.0.0.1:{nginx.ports['soon']}/echo"))
    assert result.step("address") == ["127.0.0.1: loopback, which the agent would refuse"]
    assert result.step("tls")[0].startswith("TLSv1.")
    assert re.fullmatch(r"subject CN=www.example.test, issuer CN=Test CA, (9|10) days left", result.step("certificate")[0])
    assert result.step("status")[0].startswith("HTTP/2 status 200")
    assert result.step("expected") == ["status 200-299, a text in the body"]
    for stage in ("connected", "handshake", "first byte", "total"):
        assert re.fullmatch(r"after \d+\.\d\d ms", result.step(stage)[0]), result
    times = [float(result.step(stage)[0].split()[1]) for stage in ("connected", "handshake", "first byte", "total")]
    assert times == sorted(times)
    allowed = passes(probe("--allow-targets", "loopback", f"http://localhost:{nginx.ports['http']}/"))
    assert allowed.step("address")[0] == "localhost. resolves to 127.0.0.1: loopback, which the agent may probe"
    assert allowed.step("resolved")


def test_the_hand_run_knows_its_urls(serve, grpc_server):
    echo = serve(lambda data: [b"pong " + data], udp=True)
    passes(probe(f"udp://127.0.0.1:{echo.port}?send=a+b%21&expect=pong+a+b!"))
    passes(probe(f"tcp://127.0.0.1:{serve(banner, reads=False).port}?expect=220"))
    passes(probe(f"grpc://127.0.0.1:{grpc_server.port}/shop"))
    fails(probe("--insecure", f"grpcs://127.0.0.1:{grpc_server.tls_port}/cellar"), "grpc_status")
    both = probe(f"tcp://127.0.0.1:{closed_port()}", f"grpc://127.0.0.1:{grpc_server.port}")
    assert both.code == 1 and both.text.count("result ") == 2
    unknown = probe("http://does-not-exist.invalid/")  # a host without a resolver cannot judge the name
    assert (unknown.verdict, unknown.reason) in (("FAIL", "dns_failed"), ("UNKNOWN", "internal")) and unknown.code, unknown


@pytest.mark.parametrize("args", [(), ("nonsense",), ("ftp://127.0.0.1/",), ("tcp://127.0.0.1",), ("http://127.0.0.1:0/",), ("udp://127.0.0.1:1",),
                                  ("--method", "TRACE", "http://127.0.0.1/"), ("--method", "GET", "tcp://127.0.0.1:1"), ("--what", "http://127.0.0.1/"),
                                  ("--file", "/nonexistent", "127.0.0.1"), ("--body-regex", "(", "http://127.0.0.1/"),
                                  ("dns://127.0.0.1/a?tipe=A",), ("--timeout-ms", "5", "http://127.0.0.1/")])
def test_bad_arguments_are_told(args):
    done = subprocess.run([PROBE, "check", *args], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("veer-probe: ") and done.stderr.count("\n") == 1, done


def test_the_help_names_every_field_of_a_check():
    """For options that are fields of a check, the help has the same text as the table of fields."""
    shown = subprocess.run([PROBE, "check", "--help"], capture_output=True, text=True, check=True).stdout
    options, fields = shown.split("Fields of a check object")
    for key in ("kind", "port", "body_regex", "tls_resume", "cert_fail_days", "expect_answers", "command", "on_expiry", "need"):
        assert re.search(rf"(?m)^  {key} ", fields), key
    for option in ("--header NAME:VALUE", "--expect-status", "--http-version", "--ca-file FILE", "--follow-redirects N"):
        assert option in options, option
