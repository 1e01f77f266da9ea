# SPDX-License-Identifier: Apache-2.0
"""Shared by the functional tests: programs that are started and stopped by pid, and HTTP with only the standard
library."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time

BUILD = os.path.abspath(os.environ.get("VEER_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build")))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Sanitizers make everything slower, so deadlines and amounts depend on them.
SLOW = 4 if any(word in os.path.basename(os.path.abspath(BUILD)) for word in ("thread", "address")) else 1


def source(path):
    """The text of a file of the sources."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def wait_until(condition, seconds, what="the condition"):
    """Return the condition's first true value; fail after `seconds` (longer under sanitizers)."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds * SLOW} s: {what() if callable(what) else what}"
        time.sleep(0.005)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def read_whole(response, seconds):
    """Return the body; fail when it has not ended after this many seconds, as that of a stream never does."""
    deadline, parts = time.monotonic() + seconds, []
    while part := response.read1(1 << 20):
        parts.append(part)
        assert time.monotonic() < deadline, f"{response.status}: the reply does not end: {parts[0][:200]!r}"
    return b"".join(parts)


class Reply:
    def __init__(self, response, seconds=60 * SLOW):
        self.status = response.status
        self.headers = response.headers
        self.body = read_whole(response, seconds)
        self.type = response.headers.get("Content-Type", "")
        self.etag = response.headers.get("ETag")
        self.json = json.loads(self.body) if "json" in self.type and self.body and "ndjson" not in self.type else None

    def __repr__(self):
        return f"{self.status} {self.body[:500]!r}"


class Program:
    """One of our programs in its own directory: its log is DIR/log, and it is ready when it logs that."""

    def __init__(self, directory, argv, name="log", env=None):
        self.directory = str(directory)
        self.log_path = os.path.join(self.directory, name)
        self.argv = [os.path.join(BUILD, argv[0])] + [str(a) for a in argv[1:]]
        self.env = env
        self.process = None

    def start(self, ready=True, seconds=20):
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env)
        if ready:
            wait_until(self.is_ready, seconds, self.said)
        return self

    def said(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def is_ready(self):
        assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.said()}"
        return "event=ready" in self.said()

    def ready_field(self, name):
        line = next(line for line in self.said().splitlines() if "event=ready" in line)
        return re.search(rf"\b{name}=(\S+)", line).group(1)

    def kill(self):
        """End it as a crash would: kill -9."""
        if self.process and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        if self.process:
            self.process.wait()

    def stop(self, seconds=20):
        """End it as an operator would: SIGTERM, after which it must end cleanly."""
        if self.process is None or self.process.poll() is not None:
            return
        os.kill(self.process.pid, signal.SIGTERM)
        try:
            code = self.process.wait(timeout=seconds * SLOW)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("does not stop:\n" + self.said()) from None
        assert code == 0, f"ended with {code}:\n{self.said()}"


class Api(Program):
    """veer-api on a port that the kernel chooses, and on a Unix socket in its directory."""

    def __init__(self, directory, *extra, listen="127.0.0.1:0"):
        self.unix = os.path.join(str(directory), "api.sock")
        self.store = os.path.join(str(directory), "veer.db")
        self.port = None
        if "--resolver" not in extra:
            extra += ("--resolver", "none")  # tests ask no server outside
        super().__init__(directory, ["veer-api", "--listen", listen, "--listen", f"unix:{self.unix}", "--store",
                                     f"sqlite:{self.store}", *extra])

    def start(self, ready=True, seconds=20):
        super().start(ready, seconds)
        if ready:
            self.port = int(self.ready_field("port"))
        return self

    def connect(self, tcp=False, timeout=30):
        timeout *= SLOW
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout) if tcp else UnixConnection(self.unix, timeout)

    def call(self, method, path, body=None, token=None, tcp=False, headers=None, timeout=30):
        """Send one request on a connection of its own; `body` is text, bytes or a value for JSON."""
        headers = dict(headers or {})
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        connection = self.connect(tcp or token is not None, timeout)
        try:
            try:
                connection.request(method, path, body=body.encode() if isinstance(body, str) else body, headers=headers)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it refused the request before the whole body was sent: the reply gives the reason
            return Reply(connection.getresponse(), 2 * timeout * SLOW)
        finally:
            connection.close()

    def get(self, path, **kw):
        return self.call("GET", path, **kw)

    def put(self, path, body, **kw):
        return self.call("PUT", path, body, **kw)

    def post(self, path, body, **kw):
        return self.call("POST", path, body, **kw)

    def delete(self, path, **kw):
        return self.call("DELETE", path, **kw)

    def make_token(self, *scopes):
        reply = self.post("/v1/tokens", {"name": "test", "scopes": list(scopes)})
        assert reply.status == 201, reply
        return reply.json["token"]

    def enrol(self, kind="agent", name="a1", region="eu"):
        """Enrol a new identity. Return its id and its bearer token."""
        announcement = {"name": name, "region": region} if kind == "agent" else {"name": name}
        made = self.post(f"/v1/{kind}s", announcement)
        assert made.status == 201, made
        reply = self.post("/v1/enrol", {"token": made.json["token"], "kind": kind})
        assert reply.status == 201, reply
        return reply.json["id"], f"{reply.json['id']}.{reply.json['credential']}"

    def subscribe(self, path="/v1/feed", token=None, timeout=20, tcp=False):
        return Stream(self, path, token, timeout, tcp)

    def metric(self, name):
        text = self.get("/metrics").body.decode()
        return sum(float(m) for m in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M))


class Stream:
    """A reply that does not end, read line by line as JSON."""

    def __init__(self, api, path, token=None, timeout=20, tcp=False):
        self.connection = api.connect(tcp or token is not None, timeout)
        self.connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        self.response = self.connection.getresponse()
        self.status = self.response.status

    def line(self):
        """The next line; None at the end of the stream."""
        text = self.response.readline()
        return json.loads(text) if text else None

    def until(self, kind):
        """Return all lines up to and including the next of this type."""
        lines = []
        while not lines or lines[-1]["type"] != kind:
            line = self.line()
            assert line is not None, f"the stream ended before {kind}: {lines}"
            lines.append(line)
        return lines

    def is_ended(self):
        """Read the rest; true when the reply ends."""
        try:
            while self.response.readline():
                pass
        except (OSError, http.client.HTTPException):
            pass
        return True

    def close(self):
        self.connection.close()
        self.response.close()
