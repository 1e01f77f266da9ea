# SPDX-License-Identifier: Apache-2.0
"""A small control plane for one agent, as docs/formats.md describes it (sections 4 to 6), and sites to probe."""
import http.server
import json
import queue
import socket
import socketserver
import threading
import time

STORE_ID = "0b8a6f0f5d3c4e2f9a7b1c2d3e4f5a6b"
TOKEN = "vre_" + "0" * 43
CREDENTIAL = "vrc_" + "1" * 43
AGENT = "ag-test01"


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, *args):
        super().__init__(*args)
        self.connections = []

    def handle_error(self, request, client_address):
        pass

    def process_request(self, request, client_address):
        self.connections.append(request)
        super().process_request(request, client_address)

    def close_all(self):
        """Close all connections, as the death of the process would."""
        self.shutdown()
        self.server_close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class FakeApi:
    """One control plane. `reports` are in the order of their arrival, each with its time of arrival."""

    def __init__(self, port=0, region="eu"):
        self.region = region
        self.token_used = False
        self.enrolments = 0
        self.conflicts = 0  # this many enrolments get the answer that another one takes place at the same time
        self.assignments = None
        self.streams = []
        self.reports = []
        self.report_status = 204
        self.changed = threading.Condition()
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def answer(self, status, obj=None, kind="application/json"):
                body = b"" if obj is None else json.dumps(obj).encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def problem(self, status, detail, slug="x"):
                self.answer(status, {"type": f"urn:veer:problem:{slug}", "status": status, "title": "x", "detail": detail},
                            "application/problem+json")

            def body(self):
                return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def is_known(self):
                return self.headers.get("Authorization") == f"Bearer {AGENT}.{CREDENTIAL}"

            def do_POST(self):
                body = self.body()
                if self.path == "/v1/enrol":
                    return api.enrol(self, body)
                if not self.is_known():
                    return self.problem(401, "who are you?")
                if self.path == "/v1/agents/self/reports":
                    return api.report(self, body)
                return self.problem(404, "no such place")

            def do_GET(self):
                if not self.is_known():
                    return self.problem(401, "who are you?")
                if self.path == "/v1/agents/self/assignments":
                    return api.stream(self)
                return self.problem(404, "no such place")

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def enrol(self, handler, body):
        self.enrolments += 1
        if self.enrolments <= self.conflicts:
            return handler.problem(409, "somebody else changed it meanwhile", "conflict")
        if body.get("token") != TOKEN or body.get("kind") != "agent" or self.token_used:
            return handler.problem(403, "this token is unknown, used or expired")
        if body.get("region", self.region) != self.region:
            return handler.problem(409, f"this token is for region {self.region}")
        self.token_used = True
        return handler.answer(201, {"id": AGENT, "credential": CREDENTIAL, "name": "eu-1", "region": self.region})

    def report(self, handler, body):
        status = self.report_status
        if status == 204 and body["assignment_revision"] != (self.assignments or {}).get("revision"):
            status = 409
        with self.changed:
            if status == 204:
                self.reports.append((time.monotonic(), body))
            self.changed.notify_all()
        handler.answer(status)

    def stream(self, handler):
        lines = queue.Queue()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/x-ndjson")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        lines.put({"type": "hello", "format": 1, "store_id": STORE_ID, "agent": AGENT, "region": self.region})
        if self.assignments is not None:
            lines.put(self.assignments)
        with self.changed:
            self.streams.append(lines)
            self.changed.notify_all()
        while True:
            try:
                line = lines.get(timeout=1)
            except queue.Empty:
                line = {"type": "heartbeat"}
            if line is None:
                handler.close_connection = True
                return
            data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            handler.wfile.flush()

    def assign(self, revision, checks, items, report_ms=1000):
        self.assignments = {"type": "assignments", "revision": revision, "checks": checks, "items": items,
                            "report_ms": report_ms, "a_field_of_the_future": 1}
        self.send(self.assignments)

    def send(self, line):
        for lines in self.streams:
            lines.put(line)

    def cut(self):
        self.send(None)
        self.streams = []

    def wait(self, what, timeout=10.0):
        """Wait for a new report for which what(report) holds. Return its time of arrival and the report."""
        end = time.monotonic() + timeout
        with self.changed:
            seen = len(self.reports)
            while True:
                for at, report in self.reports[seen:]:
                    if what(report):
                        return at, report
                seen = len(self.reports)
                left = end - time.monotonic()
                assert left > 0, f"no such report within {timeout} s; the last: {self.reports[-1:]}"
                self.changed.wait(left)

    def wait_stream(self, timeout=10.0):
        with self.changed:
            assert self.changed.wait_for(lambda: self.streams, timeout), "the agent does not connect"

    def close(self):
        self.cut()
        self.server.close_all()


class Site:
    """A server to probe. `status` is the status of its replies; `hits` are the times of the requests."""

    def __init__(self, port=0, address="127.0.0.1"):
        self.status = 200
        self.delay = 0
        self.hits = []
        self.hosts = set()
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_GET(self):
                site.hits.append(time.monotonic())
                site.hosts.add(self.headers.get("Host"))
                time.sleep(site.delay)
                self.send_response(site.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

        self.server = Server((address, port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.close_all()
