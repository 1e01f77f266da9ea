# SPDX-License-Identifier: Apache-2.0
"""veer-dnsd on a feed that the test makes up."""
import os
import socket
import threading
import time

from test_run import free_port
from veer_util import Program, wait_until

STORE = "0b8a6f0f5d3c4e2f9a7b1c2d3e4f5a6b"
HELLO = '{"type":"hello","format":1,"store_id":"%s","revision":5}\n' % STORE
ZONE = '{"type":"put","kind":"zone","key":"a.","revision":1,"object":{"name":"a.","version":1}}\n'


class Feed:
    """Answers each GET /v1/feed with the same lines and closes it; answers each POST with 204."""

    def __init__(self, path, lines):
        self.lines = lines
        self.subscriptions = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(path)
        self.socket.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            head = connection.recv(65536)
            if head.startswith(b"POST"):
                connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
                return
            self.subscriptions.append(time.monotonic())
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            for line in self.lines:
                connection.sendall(line.encode())
                time.sleep(0.01)

    def close(self):
        self.socket.close()


def test_a_feed_that_fails_every_time_is_asked_for_with_growing_pauses(tmp_path):
    path = os.path.join(tmp_path, "api.sock")
    feed = Feed(path, [HELLO, '{"type":"reset"}\n', ZONE, "this is no line of a feed\n"])
    dnsd = Program(tmp_path, ["veer-dnsd", "--listen", f"127.0.0.1@{free_port()}", "--feed", f"unix:{path}", "--state", tmp_path,
                              "--workers", "1"])
    try:
        dnsd.start(ready=False)
        wait_until(lambda: feed.subscriptions, 10)
        time.sleep(4)
        assert 2 <= len(feed.subscriptions) <= 8, len(feed.subscriptions)
        assert "feed line 4" in dnsd.said()
        feed.lines = [HELLO, '{"type":"reset"}\n', ZONE, '{"type":"commit","revision":5}\n']
        wait_until(dnsd.is_ready, 20)
    finally:
        dnsd.kill()
        feed.close()
