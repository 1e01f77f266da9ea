# SPDX-License-Identifier: Apache-2.0
"""Request heads that RFC 9112 does not allow, byte for byte: the answer is 400 and the connection ends, even where a
library would accept the head."""
import socket
import ssl
import subprocess

import pytest

from veer_util import SLOW, Api

GET = b"GET /healthz HTTP/1.1\r\n"
REFUSED = {
    "two different lengths": GET + b"Host: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
    "two equal lengths": GET + b"Host: x\r\nContent-Length: 0\r\ncontent-length: 0\r\n\r\n",
    "a list of lengths": GET + b"Host: x\r\nContent-Length: 0, 0\r\n\r\n",
    "length with a sign": GET + b"Host: x\r\nContent-Length: +0\r\n\r\n",
    "length and coding": GET + b"Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding and length": GET + b"Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "length and coding with a blank": GET + b"Host: x\r\nContent-Length: 0\r\nTransfer-Encoding : chunked\r\n\r\n",
    "coding twice": GET + b"Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding of HTTP/1.0": b"GET /healthz HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded": GET + b"Host: x\r\nX-A: b\r\n c\r\n\r\n",
    "folded by a tab": GET + b"Host: x\r\nX-A: b\r\n\tc\r\nX-B: d\r\n\r\n",
    "folded first": GET + b" Host: x\r\nX-A: b\r\n\r\n",
    "folded coding": GET + b"Host: x\r\nContent-Length: 0\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
    "folded to nothing": GET + b"Host: x\r\nX-A: b\r\n \r\n\r\n",
    "blank before the colon": GET + b"Host: x\r\nX-A : b\r\n\r\n",
    "tab before the colon": GET + b"Host: x\r\nX-A\t: b\r\n\r\n",
    "blank in a name": GET + b"Host: x\r\nX A: b\r\n\r\n",
    "no colon": GET + b"Host: x\r\nXA\r\n\r\n",
    "no name": GET + b"Host: x\r\n: b\r\n\r\n",
    "bare LF": GET + b"Host: x\r\nX-A: b\nX-B: c\r\n\r\n",
    "bare LF first": GET + b"Host: x\nX-A: b\r\nX-B: c\r\n\r\n",
    "bare LF last": GET + b"Host: x\r\nX-A: b\n\r\n",
    "bare LF at the end": GET + b"Host: x\r\nX-A: b\r\n\n",
    "bare LF behind the request": b"GET /healthz HTTP/1.1\nHost: x\r\n\r\n",
    "bare LF everywhere": b"GET /healthz HTTP/1.1\nHost: x\n\n",
    "bare LF before a body of NULs": b"POST /v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Length: 4\n\r\n\0\0\0\0",
    "bare LF twice before a body of NULs": b"POST /v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Length: 4\n\n\0\0\0\0",
    "bare CR in a value": GET + b"Host: x\r\nX-A: b\rX-B: c\r\n\r\n",
    "bare CR in a name": GET + b"Host: x\r\nX-\rA: b\r\n\r\n",
    "bare CR in the path": b"GET /heal\rthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "bare CR at a line's end": GET + b"Host: x\r\nX-A: b\r\r\n\r\n",
    "NUL in a value": GET + b"Host: x\r\nX-A: b\0c\r\n\r\n",
    "NUL at a value's end": GET + b"Host: x\r\nX-A: b\0\r\n\r\n",
    "NULs for a line end": GET + b"Host: x\0\0X-A: b\r\n\r\n",
    "NUL in a name": GET + b"Host: x\r\nX-\0A: b\r\n\r\n",
    "NUL in the path": b"GET /healthz\0x HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in the query": b"GET /v1/sites?limit=1\0x HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in the method": b"GET\0 /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "escaped NUL": b"GET /healthz%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "another control character": GET + b"Host: x\r\nX-A: b\x01\r\n\r\n",
    "two hosts": GET + b"Host: x\r\nHost: y\r\n\r\n",
    "the same host twice": GET + b"Host: x\r\nhost: x\r\n\r\n",
    "no host": GET + b"\r\n",
    "two blanks in the request line": b"GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tab in the request line": b"GET\t/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "a blank behind the version": b"GET /healthz HTTP/1.1 \r\nHost: x\r\n\r\n",
    "trailers": b"POST /v1/enrol HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nHost: y\r\n\r\n",
}
UNKNOWN = [b"gzip", b"identity", b"gzip, chunked", b"chunked, chunked", b"xchunked"]
TAKEN = {
    "plain": GET + b"Host: x\r\n\r\n",
    "many blanks": GET + b"Host:x\r\nX-A: \t b c \t\r\nX-B:\r\nX-C: \t \r\n\r\n",
    "a query": b"GET /healthz? HTTP/1.1\r\nHost: x\r\n\r\n",
    "letters beyond ASCII": GET + b"Host: x\r\nX-A: \xc3\xa9\r\n\r\n",
    "a cookie": GET + b"Host: x\r\nCookie: a=b; c=d\r\nX-A: b\r\n\r\n",
    "an empty line before": b"\r\n" + GET + b"Host: x\r\n\r\n",
    "HTTP/1.0": b"GET /healthz HTTP/1.0\r\n\r\n",
    "a long value": GET + b"Host: x\r\nX-A: " + b"y" * 12000 + b"\r\nX-B: c\r\n\r\n",
    "many headers": GET + b"Host: x\r\n" + b"".join(b"X-%d: %d\r\n" % (i, i) for i in range(100)) + b"\r\n",
}


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    made = Api(tmp_path_factory.mktemp("strict")).start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def tls_api(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    cert, key = str(directory / "cert.pem"), str(directory / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                    "-out", cert, "-days", "2", "-subj", "/CN=localhost"], check=True, capture_output=True)
    made = Api(directory, "--tls-cert", cert, "--tls-key", key).start()
    yield made
    made.stop()


@pytest.fixture(params=["whole", "in pieces", "over TLS"])
def say(request):
    """Send bytes. Return the status of the reply, and whether the server closes the connection then."""
    api = request.getfixturevalue("tls_api" if request.param == "over TLS" else "api")

    def speak(text):
        with connect(api, request.param == "over TLS") as s:
            try:
                for piece in [text[i:i + 1] for i in range(len(text))] if request.param == "in pieces" else [text]:
                    s.sendall(piece)
            except OSError:
                pass  # the server refused the request before all was sent
            reply = s.recv(65536)
            return int(reply.split()[1]), b"Connection: close" in reply
    return speak


def connect(api, is_tls=False):
    s = socket.create_connection(("127.0.0.1", api.port), timeout=5 * SLOW)
    if not is_tls:
        return s
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(s)


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(say, name):
    status, is_closed = say(REFUSED[name])
    assert status == 400
    assert is_closed or name == "escaped NUL"  # this head is valid, and only its path has no meaning


@pytest.mark.parametrize("coding", UNKNOWN)
def test_an_unknown_coding_is_said_to_be_so(say, coding):
    assert say(GET + b"Host: x\r\nTransfer-Encoding: " + coding + b"\r\n\r\n") == (501, True)


@pytest.mark.parametrize("name", TAKEN)
def test_it_is_taken(say, name):
    assert say(TAKEN[name])[0] == 200


@pytest.mark.parametrize("is_tls", [False, True], ids=["in clear", "over TLS"])
def test_requests_behind_each_other_are_each_checked(request, is_tls):
    body = b"POST /v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    with connect(request.getfixturevalue("tls_api" if is_tls else "api"), is_tls) as s:
        s.sendall(TAKEN["plain"] + body + TAKEN["plain"] + REFUSED["bare LF last"] + TAKEN["plain"])
        text = b""
        while True:
            more = s.recv(65536)
            if not more:
                break
            text += more
    statuses = [part.split()[0] for part in text.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"422", b"200", b"400"]
