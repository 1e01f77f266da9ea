# SPDX-License-Identifier: Apache-2.0
"""A running veer-dnsd, and a fake control plane that sends what a test wants."""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import dns.message
import dns.query
import pytest

BUILD = os.path.abspath(os.environ.get("VEER_BUILD", os.path.join(os.path.dirname(__file__), "../../build")))
SLOW = 5 if "address" in os.path.basename(BUILD) or "thread" in os.path.basename(BUILD) else 1


def wait_for(condition, seconds=5, what="condition"):
    deadline = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds * SLOW} s: {what}")
        time.sleep(0.01)


def descriptors_of(pid):
    """How many descriptors the process has open. /proc hides them from this user, as it hides the process's memory."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except PermissionError:
        pytest.skip("only root can look into a program that hides its memory")


class Dnsd:
    """veer-dnsd with `args`, listening on ports that the kernel chooses."""

    def __init__(self, *args, listen=("127.0.0.1@0",)):
        argv = [os.path.join(BUILD, "veer-dnsd")]
        for address in listen:
            argv += ["--listen", address]
        self.lines = []
        self.process = subprocess.Popen(argv + list(args), stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def log(self):
        return "\n".join(self.lines)

    def wait_log(self, pattern, seconds=5):
        return wait_for(lambda: re.search(pattern, self.log()), seconds, lambda: f"{pattern} in {self.log()}")

    def ready(self, seconds=5):
        wait_for(lambda: "ready" in self.log() or self.process.poll() is not None, seconds, "ready")
        assert self.process.poll() is None, self.log()
        addresses = re.search(r'listen="?([^"\n]*?)"? workers', self.log()).group(1).split()
        self.address, port = addresses[0].split("@")
        self.port = int(port)
        self.addresses = [(a.split("@")[0], int(a.split("@")[1])) for a in addresses]
        return self

    def ask(self, name, rdtype="A", tcp=False, raw=False, **kw):
        query = dns.message.make_query(name, rdtype, **kw)
        send = dns.query.tcp if tcp else dns.query.udp
        reply = send(query, self.address, port=self.port, timeout=3 * SLOW)
        if raw:
            return reply
        return sorted(r.to_text() for rrset in reply.answer for r in rrset)

    def hangup(self):
        self.process.send_signal(signal.SIGHUP)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()

    def stop(self):
        """Send SIGTERM and return the exit code."""
        self.process.terminate()
        code = self.process.wait(timeout=10 * SLOW)
        self.reader.join()
        return code

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            code = self.stop()
            assert kind is not None or code == 0, self.log()
        assert kind is not None or "Sanitizer" not in self.log(), self.log()


class FeedServer:
    """Serves GET /v1/feed and POST /v1/uplink on a Unix socket. Each stream begins with what `first` returns for its path."""

    def __init__(self, path, first):
        self.path = path
        self.first = first
        self.uplinks = []
        self.requests = []
        self.streams = []
        self.lock = threading.Lock()
        self.stopped = False
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()
        threading.Thread(target=self._heartbeat, daemon=True).start()

    def _accept(self):
        while not self.stopped:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                try:
                    more = client.recv(65536)
                except OSError:
                    return
                if not more:
                    return
                data += more
            head, data = data.split(b"\r\n\r\n", 1)
            method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
            if method == "GET":
                self.requests.append(path)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
                               b"Transfer-Encoding: chunked\r\n\r\n")
                with self.lock:
                    self._chunk(client, self.first(path))
                    self.streams.append(client)
                return
            length = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
            while len(data) < length:
                more = client.recv(65536)
                if not more:
                    return
                data += more
            self.uplinks.append(json.loads(data[:length]))
            data = data[length:]
            try:
                client.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            except OSError:
                return  # the client did not wait for the answer

    @staticmethod
    def _chunk(client, text):
        data = text.encode()
        client.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def _heartbeat(self):
        while not self.stopped:
            time.sleep(1)
            self.push({"type": "heartbeat", "revision": 1})

    def push(self, *lines):
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        with self.lock:
            for client in list(self.streams):
                try:
                    self._chunk(client, text)
                except OSError:
                    self.streams.remove(client)

    def cut(self):
        with self.lock:
            for client in self.streams:
                client.close()
            self.streams = []

    def close(self):
        self.stopped = True
        self.socket.close()
        self.cut()
        if os.path.exists(self.path):
            os.unlink(self.path)
