# SPDX-License-Identifier: Apache-2.0
"""The HTTP server with many clients, and its end under load."""
import http.client
import resource
import socket
import threading
import time

import pytest

from veer_util import SLOW, Api, wait_until


@pytest.fixture
def api(tmp_path):
    a = Api(tmp_path).start()
    yield a
    a.kill()


def test_it_ends_cleanly_while_streams_begin(tmp_path):
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 3 + b"GET /v1/feed HTTP/1.1\r\nHost: x\r\n\r\n"
    for _ in range(5):
        api = Api(tmp_path).start()
        is_over = threading.Event()

        def storm(path=api.unix, over=is_over):
            while not over.is_set():
                try:
                    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
                        s.settimeout(0.05)
                        s.connect(path)
                        s.sendall(request)
                        s.recv(4096)
                        s.recv(4096)
                except OSError:
                    pass
        threads = [threading.Thread(target=storm, daemon=True) for _ in range(8)]
        for t in threads:
            t.start()
        time.sleep(0.3)
        api.stop()  # fails when it aborts or hangs
        is_over.set()
        for t in threads:
            t.join()


def test_a_stop_finishes_writes_as_fast_as_ever(tmp_path):
    """Each write used to wait for a part that had already been stopped."""
    api = Api(tmp_path).start()
    assert api.put("/v1/sites/a", {"region": "eu"}).status == 201
    pool = {"endpoints": [{"name": "x", "address": "192.0.2.77", "site": "a"}]}
    begun, replies, longest = threading.Event(), [], []

    def write(i):
        n = 0
        while not replies or replies[-1].status < 300:
            start = time.monotonic()
            try:
                reply = api.put(f"/v1/pools/p{i}-{n % 50}", pool)
            except (OSError, http.client.HTTPException):
                return
            longest.append(time.monotonic() - start)
            replies.append(reply)
            n += 1
            if n > 5:
                begun.set()
    threads = [threading.Thread(target=write, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    assert begun.wait(20)
    start = time.monotonic()
    api.stop()
    took = time.monotonic() - start
    for thread in threads:
        thread.join()
    assert took < 1.5 * SLOW and max(longest) < 1.5 * SLOW, (took, max(longest))


def test_a_stop_does_not_wait_for_what_has_not_begun(tmp_path):
    """It used to answer all that waited: 14 s with 60 backups and exports."""
    api = Api(tmp_path).start()
    assert api.post("/v1/zones", {"name": "big.test.", "nameservers": ["ns1.example.net."]}).status == 201
    text = "@ 60 SOA ns1 host 1 900 300 604800 60\n@ 60 NS ns1\n" + "".join(f"h{i} 60 A 192.0.2.1\n" for i in range(40000 // SLOW))
    assert api.put("/v1/zones/big.test./import", text, headers={"Content-Type": "text/dns"}, timeout=60).status == 200
    statuses = []

    def ask(path):
        try:
            statuses.append(api.get(path).status)
        except (OSError, http.client.HTTPException):
            statuses.append(0)  # cut, or it came too late
    threads = [threading.Thread(target=ask, args=(path,)) for path in ["/v1/backup", "/v1/zones/big.test./export"] * 30]
    for thread in threads:
        thread.start()
    wait_until(lambda: 200 in statuses, 20)
    start = time.monotonic()
    api.stop()
    took = time.monotonic() - start
    for thread in threads:
        thread.join()
    assert took < 2 * SLOW and set(statuses) <= {0, 200, 503} and 503 in statuses, (took, sorted(statuses))


def test_those_who_say_nothing_give_way_to_those_who_do(api):
    wanted = 4600
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * wanted:
        pytest.skip("too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held = []
    try:
        feed = api.subscribe()
        feed.until("commit") if api.metric("veer_store_revision") else feed.line()
        for _ in range(wanted):
            held.append(socket.create_connection(("127.0.0.1", api.port)))
        start = time.monotonic()
        wait_until(lambda: api.metric("veer_api_cut_total") > 400, 10)
        assert time.monotonic() - start < 10 * SLOW  # the ordinary deadline is 15 s
        wait_until(lambda: api.metric("veer_api_connections") < 4096, 10)
        feed.until("heartbeat")  # a client that is being served is not disturbed
        assert api.get("/healthz", tcp=True).status == 200
    finally:
        for s in held:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_one_agent_cannot_take_the_places_of_others(api):
    _, bearer = api.enrol()
    streams = [api.subscribe("/v1/agents/self/assignments", token=bearer) for _ in range(9)]
    assert [s.status for s in streams] == [200] * 8 + [429]
    for s in streams:
        s.close()


def test_an_enrolment_of_garbage_is_no_token(api):
    """Data that none of our programs wrote must not end the server. This test uses only the API, so it comes only near
    that case."""
    made = api.post("/v1/agents", {"name": "a", "region": "eu"})
    for body in ({}, {"token": made.json["token"]}, {"token": made.json["token"], "kind": "agent", "x": 1},
                 {"token": made.json["token"], "kind": "nobody"}, {"token": 7, "kind": "agent"}, []):
        assert api.post("/v1/enrol", body).status in (400, 401, 422)
    assert api.post("/v1/enrol", {"token": made.json["token"], "kind": "nameserver"}).status == 401
    assert api.post("/v1/enrol", {"token": made.json["token"], "kind": "agent"}).status == 201
