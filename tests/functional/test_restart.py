# SPDX-License-Identifier: Apache-2.0
"""A name server that starts again: its saved plan may be older than the death of a site."""
import json
import socket
import threading
import time

import pytest

from dnsd_util import SLOW, Dnsd, wait_for
from test_dnsd import FeedServer, feed_lines, verdict

BEFORE, AFTER = ["192.0.2.2"], ["192.0.2.1"]
STORE = "0b8a6f0f5d3c4e2f9a7b1c2d3e4f5a6b"


@pytest.fixture
def saved(tmp_path):
    """A state directory with a good plan at revision 12: fra is down."""
    text = feed_lines().replace('"name":"www","ttl":5,', '"name":"www","ttl":5,"ttl_suspect":1,')
    assert text != feed_lines()
    control = FeedServer(str(tmp_path / "first.sock"), lambda path: text)
    state = str(tmp_path / "state")
    with Dnsd("--feed", f"unix:{control.path}", "--state", state) as d:
        d.ready()
        wait_for(lambda: d.ask("www.gslb.example.") == BEFORE, what="revision 12")
        assert d.stop() == 0
    control.close()
    return state


def hello(revision):
    first = json.loads(feed_lines().splitlines()[0])
    return json.dumps(dict(first, revision=revision), separators=(",", ":")) + "\n"


def lines(*objects):
    return "".join(json.dumps(o, separators=(",", ":")) + "\n" for o in objects)


def first_answer(d):
    """The first answer from the moment at which it answers at all."""
    reply = wait_for(lambda: d.ready().ask("www.gslb.example.", raw=True), 5, "an answer")
    return sorted(r.to_text() for rrset in reply.answer for r in rrset), reply.answer[0].ttl


def test_the_first_answer_is_what_the_feed_says_not_what_was_saved(saved, tmp_path):
    fresh = hello(13) + lines(*verdict("fra/fra", "up", 13), {"type": "heartbeat", "revision": 13})
    for i in range(5):
        control = FeedServer(str(tmp_path / f"api{i}.sock"), lambda path: fresh)
        with Dnsd("--feed", f"unix:{control.path}", "--state", saved) as d:
            assert first_answer(d) == (AFTER, 5)
            assert d.stop() == 0
        control.close()
        fresh = hello(13) + lines({"type": "heartbeat", "revision": 13})


def test_nothing_new_delays_nothing(saved, tmp_path):
    control = FeedServer(str(tmp_path / "api.sock"), lambda path: hello(12))
    begun = time.monotonic()
    with Dnsd("--feed", f"unix:{control.path}", "--state", saved) as d:
        assert first_answer(d) == (BEFORE, 5)
        assert time.monotonic() - begun < 0.5 * SLOW
        assert d.stop() == 0
    control.close()


class Silent:
    """A server that accepts connections and sends nothing."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(16)
        self.kept = []
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        try:
            while True:
                self.kept.append(self.socket.accept()[0])
        except OSError:
            pass

    def close(self):
        self.socket.close()
        for s in self.kept:
            s.close()


def test_a_control_plane_that_says_nothing_is_not_waited_for_long(saved, tmp_path):
    silent = Silent(str(tmp_path / "api.sock"))
    begun = time.monotonic()
    with Dnsd("--feed", f"unix:{tmp_path}/api.sock", "--state", saved) as d:
        answers, ttl = first_answer(d)
        assert answers == BEFORE and ttl == 1  # the policy's ttl_suspect
        assert 0.2 < time.monotonic() - begun < 1.0 * SLOW
        assert d.stop() == 0
    silent.close()


def test_a_control_plane_that_is_not_there_is_not_waited_for(saved, tmp_path):
    for feed in (f"unix:{tmp_path}/nobody", "http://127.0.0.1:1"):
        begun = time.monotonic()
        with Dnsd("--feed", feed, "--state", saved) as d:
            answers, ttl = first_answer(d)
            assert answers == BEFORE and ttl == 1
            assert time.monotonic() - begun < 0.2 * SLOW
            assert d.stop() == 0


def test_a_feed_that_dribbles_is_waited_for_a_second(saved, tmp_path):
    """Hello announces 13, but the changes that lead to it never come."""
    control = FeedServer(str(tmp_path / "api.sock"), lambda path: hello(13))
    begun = time.monotonic()
    with Dnsd("--feed", f"unix:{control.path}", "--state", saved) as d:
        assert first_answer(d) == (BEFORE, 1)
        assert 0.8 < time.monotonic() - begun < 1.5 * SLOW
        # once the changes have come, the full TTL is back
        control.push(*verdict("fra/fra", "up", 13))
        wait_for(lambda: first_answer(d) == (AFTER, 5), what="revision 13")
        assert d.stop() == 0
    control.close()
