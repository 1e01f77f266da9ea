# SPDX-License-Identifier: Apache-2.0
"""Kept connections, servers that drain, and switched protocols: no healthy server may be taken for dead. The probes are
made by a process that keeps connections, as agents do."""
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

from check_servers import PEERS, GrpcServer, Hostile, Nginx, Pki, answers, free_port
from http_peers import Probes
from veer_util import SLOW, wait_until

NODE = """
const http2 = require('http2');
const served = new WeakMap();
const serve = (stream, headers) => {
  const count = (served.get(stream.session) || 0) + 1;
  served.set(stream.session, count);
  stream.on('error', () => {});
  stream.session.on('error', () => {});
  const say = () => { stream.respond({ ':status': 200 }); stream.end('well'); };
  switch (headers[':path']) {
  case '/drain': say(); stream.session.goaway(0); break;
  case '/close': say(); stream.session.close(); break;
  case '/refuse-the-second': if (count > 1) stream.close(http2.constants.NGHTTP2_REFUSED_STREAM); else say(); break;
  case '/refuse': stream.close(http2.constants.NGHTTP2_REFUSED_STREAM); break;
  case '/break-the-second': if (count > 1) stream.session.destroy(); else say(); break;
  case '/early': stream.respond({ ':status': 200 }, { endStream: true }); stream.close(http2.constants.NGHTTP2_NO_ERROR); break;
  case '/interim': stream.additionalHeaders({ ':status': 103, link: '</x>' }); say(); break;
  case '/trailers': stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1' })); stream.end('well'); break;
  case '/ping': stream.session.ping(() => say()); break;
  case '/settings': stream.session.settings({ initialWindowSize: 1000, headerTableSize: 0 }, () => say()); break;
  case '/reset': stream.respond({ ':status': 200 }); stream.write('x'); stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR); break;
  default: say();
  }
};
http2.createServer().on('stream', serve).listen(+process.argv[1], '127.0.0.1');
"""


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def probes():
    made = Probes()
    yield made
    made.close()


@pytest.fixture(scope="module")
def node():
    if shutil.which("node") is None:
        pytest.skip("node is not here")
    port = free_port()
    process = subprocess.Popen(["node", "-e", NODE, str(port)])
    wait_until(lambda: answers(port), 20, "node answers")
    yield {"kind": "http", "port": port, "http_version": "2"}
    process.kill()
    process.wait()


@pytest.mark.parametrize("path", ["/", "/drain", "/close", "/refuse-the-second", "/break-the-second", "/interim", "/trailers", "/ping", "/settings"])
@pytest.mark.parametrize("is_kept", [False, True])
def test_a_healthy_server_may_drain_and_talk(probes, node, path, is_kept):
    assert probes.run({**node, "path": path, "keep_connection": is_kept, "body_contains": "well"}, 30) == (30, 0, "")


@pytest.mark.parametrize("is_kept", [False, True])
def test_a_reply_may_come_before_the_body_was_read(probes, node, is_kept):
    body = {"method": "POST", "body": "b" * 16000}
    assert probes.run({**node, **body, "path": "/early", "keep_connection": is_kept}, 20) == (20, 0, "")
    assert probes.run({**node, **body, "path": "/", "keep_connection": is_kept}, 20) == (20, 0, "")


def test_a_server_that_refuses_each_request_or_resets_it_fails(probes, node):
    good, bad, text = probes.run({**node, "path": "/refuse"})
    assert (good, bad) == (0, 1) and text.startswith("http_protocol: the server takes no requests"), text
    good, bad, text = probes.run({**node, "path": "/reset"})
    assert (good, bad) == (0, 1) and text.startswith("http_protocol: the request was given up: INTERNAL_ERROR"), text


CHOOSY = """
const http2 = require('http2'), fs = require('fs');
const [, dir, old, young] = process.argv;
const tls = { key: fs.readFileSync(dir + '/good.key'), cert: fs.readFileSync(dir + '/good.pem') };
const both = http2.createSecureServer({ ...tls, allowHTTP1: true }, (req, res) => {
  if (req.httpVersionMajor === 2) res.stream.close(http2.constants.NGHTTP2_HTTP_1_1_REQUIRED); else res.end('old');
});
both.listen(+old, '127.0.0.1');
http2.createSecureServer(tls, (req, res) => res.end('young')).listen(+young, '127.0.0.1');
"""


@pytest.mark.parametrize("is_kept", [False, True])
def test_the_server_may_choose_the_version(probes, pki, is_kept):
    """One server requires HTTP/1.1 for this request, another speaks only HTTP/2."""
    if shutil.which("node") is None:
        pytest.skip("node is not here")
    old, young = free_port(), free_port()
    process = subprocess.Popen(["node", "-e", CHOOSY, pki.dir, str(old), str(young)])
    check = {"kind": "https", "host": "www.example.test", "ca_pem": pki.text("ca.pem"), "keep_connection": is_kept}
    try:
        wait_until(lambda: answers(old) and answers(young), 20, "node answers")
        for version in ("any", "1.1", "default"):
            assert probes.run({**check, "port": old, "http_version": version, "body_contains": "old"}, 3) == (3, 0, "")
        assert probes.run({**check, "port": old, "http_version": "2"})[2] == "http_protocol: the server wants HTTP/1.1"
        for version in ("any", "2", "default"):
            assert probes.run({**check, "port": young, "http_version": version, "body_contains": "young"}, 3) == (3, 0, "")
        assert probes.run({**check, "port": young, "http_version": "1.1"})[2].startswith("tls_failed: in the handshake")
    finally:
        process.kill()
        process.wait()


def frame(kind, flags, stream, data=b""):
    return len(data).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + data


HEAD = frame(1, 4, 1, b"\x88")


@pytest.mark.parametrize("first, again", [
    (b"", frame(6, 0, 0, b"12345678") * 100), (b"", frame(4, 0, 0) * 100), (HEAD, frame(0, 0, 1) * 100),
    (HEAD, frame(0, 8, 1, b"\x03\0\0\0") * 100), (frame(1, 0, 1, b"\x88"), frame(9, 0, 1) * 100), (b"", frame(1, 4, 1, b"\x08\x03103") * 100),
    (b"", frame(200, 0, 0, b"x" * 1000)), (b"", frame(8, 0, 0, b"\0\0\0\1") * 100), (b"", frame(2, 0, 1, b"\0\0\0\0\1") * 100),
    (b"", frame(4, 0, 0, b"\0\3\0\0\0\1" * 60) * 10)],
    ids=["ping", "settings", "empty data", "padding", "continuation", "interim", "unknown", "window", "priority", "long settings"])
def test_floods_end_soon(probes, first, again):
    """When a server sends without end, at most some hundred kilobytes are read, and then the check has failed."""
    def behave(server, connection, _):
        server.send(connection, frame(4, 0, 0) + first)
        while not server.is_over:
            server.send(connection, again)
    server = Hostile(behave)
    try:
        good, bad, text = probes.run({"kind": "http", "port": server.port, "http_version": "2", "timeout_ms": 3000 * SLOW})
        assert (good, bad) == (0, 1) and text.startswith(("http_protocol", "reset")), text
        assert server.sent < 4_000_000
    finally:
        server.close()


def test_a_trickle_ends_at_the_deadline(probes):
    def behave(server, connection, _):
        server.send(connection, frame(4, 0, 0) + HEAD)
        while not server.is_over:
            server.send(connection, frame(0, 0, 1, b"x"))
            time.sleep(0.02)
    server = Hostile(behave)
    try:
        began = time.monotonic()
        good, bad, text = probes.run({"kind": "http", "port": server.port, "http_version": "2", "timeout_ms": 400 * SLOW})
        assert (good, bad) == (0, 1) and text.startswith("timeout: not done after"), text
        assert time.monotonic() - began < 1.5 * SLOW
    finally:
        server.close()


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("options", [(), (("grpc.max_connection_age_ms", 20), ("grpc.max_connection_age_grace_ms", 1000)),
                                     (("grpc.keepalive_time_ms", 10), ("grpc.http2.min_recv_ping_interval_without_data_ms", 10))])
def test_grpc_is_kept_and_drained(probes, pki, tls, options):
    """A real server sends GOAWAY when a connection is 20 ms old, or pings every 10 ms."""
    server = GrpcServer(pki, options)
    check = {"kind": "grpc", "port": server.tls_port if tls else server.port}
    if tls:
        check.update(tls=True, host="www.example.test", ca_pem=pki.text("ca.pem"))
    try:
        for is_kept in (True, False):
            assert probes.run({**check, "keep_connection": is_kept}, 150) == (150, 0, "")
        good, bad, text = probes.run({**check, "keep_connection": True, "service": "cellar"}, 3)
        assert (good, bad, text) == (0, 3, "grpc_status: NOT_SERVING")
    finally:
        server.close()


@pytest.mark.skipif(not os.path.exists(os.path.join(PEERS, "usr/sbin/nginx")), reason="tests/tools/fetch-peers was not run")
def test_sessions_are_resumed_where_the_check_says_so(probes, pki, tmp_path):
    server = Nginx(tmp_path / "nginx", pki)
    check = {"kind": "https", "port": server.ports["good"], "path": "/echo", "host": "www.example.test", "ca_pem": pki.text("ca.pem")}
    try:
        for _ in range(3):
            assert probes.run({**check, "body_contains": "reused=."}) == (1, 0, "")
        assert probes.run({**check, "tls_resume": True, "body_contains": "reused=."}) == (1, 0, "")
        for version in ("1.1", "2", "1.1"):
            assert probes.run({**check, "tls_resume": True, "http_version": version, "body_contains": "reused=r"}) == (1, 0, "")
        # Checks with another name, with other authorities, or without verification have separate sessions.
        assert probes.run({**check, "tls_resume": True, "host": "other.example.test"})[2].startswith("tls_name")
        assert probes.run({**check, "tls_resume": True, "ca_pem": pki.text("self.pem")})[2].startswith("tls_untrusted")
        assert probes.run({**check, "tls_resume": True, "tls_verify": False, "body_contains": "reused=."}) == (1, 0, "")
        assert probes.run({**check, "body_contains": "reused=."}) == (1, 0, "")
    finally:
        server.close()


# --- HTTP/1.1 -----------------------------------------------------------------------------------------------------------------------

def serves(count, reply):
    """Answers `count` requests of each connection, then closes it without notice."""
    def behave(server, connection, request):
        for _ in range(count):
            if not request:
                return
            server.send(connection, reply)
            request = connection.recv(65536)
    return behave


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_kept_connection_may_end_at_any_time(probes, count):
    server = Hostile(serves(count, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    try:
        assert probes.run({"kind": "http", "port": server.port, "keep_connection": True, "body_contains": "ok"}, 30) == (30, 0, "")
        assert server.connections < 60 and (count == 1 or server.connections < 30)
    finally:
        server.close()


def test_only_what_is_good_for_more_is_kept(probes):
    for reply, connections in ((b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 1),
                               (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", 5),
                               (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 5),
                               (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 stale\r\nContent-Length: 0\r\n\r\n", 5)):
        server = Hostile(serves(100, reply))
        try:
            assert probes.run({"kind": "http", "port": server.port, "keep_connection": True}, 5) == (5, 0, "")
            assert server.connections == connections, reply
        finally:
            server.close()


class Switcher:
    """A WebSocket server over TLS: it answers 101, and then waits."""

    def __init__(self, pki):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki.path("good.pem"), pki.path("good.key"))
        self.listener = context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x02hi")
                connection.recv(100)
            except OSError:
                if self.listener.fileno() < 0:
                    return

    def close(self):
        self.listener.close()


@pytest.mark.parametrize("fields", [{}, {"keep_connection": True}, {"follow_redirects": 2}, {"http_version": "1.1"}])
def test_switched_protocols_end_the_exchange_by_tls_too(probes, pki, fields):
    server = Switcher(pki)
    try:
        check = {"kind": "https", "port": server.port, "host": "www.example.test", "ca_pem": pki.text("ca.pem"), "expect_status": ["101"]}
        assert probes.run({**check, **fields, "timeout_ms": 2000 * SLOW}, 3) == (3, 0, "")
    finally:
        server.close()


def test_what_probes_find_in_the_environment_is_not_used():
    """No proxy from the environment is used, whatever the variable is called."""
    server = Hostile(serves(1, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    old = {name: os.environ.get(name) for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY")}
    os.environ.update({name: "http://127.0.0.1:9" for name in old})
    try:
        made = Probes()
        assert made.run({"kind": "http", "port": server.port}) == (1, 0, "")
        made.close()
    finally:
        for name, value in old.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        server.close()
