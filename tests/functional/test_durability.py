#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A write that was acknowledged survives kill -9; one that was not is stored completely or not at all; revisions never
go back."""
import http.client
import json
import random
import threading
import time

from veer_util import Api, SLOW

ROUNDS = 200 if SLOW == 1 else 30
WRITERS = 3
SEED = 20261122


class Writer(threading.Thread):
    """Writes pools, RRsets and deletions, one after the other, until the server is gone, and remembers the replies."""

    def __init__(self, api, number, seed, known):
        super().__init__()
        self.api, self.number, self.rng, self.known = api, number, random.Random(seed), known
        self.acknowledged = 0
        self.highest = 0
        self.wrong = None
        self.pending = None  # (path, value or None) of a request without a reply

    def next_write(self):
        i = self.rng.randrange(8)
        if self.rng.random() < 0.5:
            path, n = f"/v1/pools/w{self.number}-{i}", self.rng.randrange(1, 30)
            value = {"min_up": 1, "endpoints": [{"name": f"e{k}", "address": f"10.{n}.{self.rng.randrange(256)}.{k}", "site": "fra"}
                                                for k in range(n)]}
        else:
            path = f"/v1/zones/d.example./rrsets/w{self.number}-{i}/TXT"
            value = {"ttl": self.rng.randrange(3600), "records": [f'"{self.rng.getrandbits(256):x}"']}
        if path in self.known and self.rng.random() < 0.25:
            value = None
        return path, value

    def run(self):
        connection = self.api.connect()
        try:
            while True:
                path, value = self.next_write()
                self.pending = path, value
                connection.request("DELETE" if value is None else "PUT", path, body=None if value is None else json.dumps(value))
                reply = connection.getresponse()
                body = reply.read()
                if reply.status not in (200, 201, 204):
                    self.wrong = (path, reply.status, body)
                    return
                if value is None:
                    self.known.pop(path, None)
                else:
                    self.known[path] = value
                    self.highest = max(self.highest, json.loads(body)["revision"])
                self.acknowledged += 1
                self.pending = None
        except (OSError, http.client.HTTPException, ValueError):
            pass  # the server was killed
        finally:
            connection.close()


def listed(connection):
    """Everything that the writers may have written."""
    found = {}
    for path, key in (("/v1/pools?limit=1000", lambda i: f"/v1/pools/{i['name']}"),
                      ("/v1/zones/d.example./rrsets?limit=1000", lambda i: f"/v1/zones/d.example./rrsets/{i['name'].split('.')[0]}/{i['type']}")):
        connection.request("GET", path)
        for item in json.loads(connection.getresponse().read())["items"]:
            found[key(item)] = {k: v for k, v in item.items() if k not in ("name", "type", "revision")}
    return found


def test_acknowledged_writes_survive_kill_9(tmp_path):
    api = Api(tmp_path).start()
    assert api.put("/v1/sites/fra", {"region": "eu"}).status == 201
    assert api.post("/v1/zones", {"name": "d.example.", "nameservers": ["ns1.d.example."]}).status == 201
    rng = random.Random(SEED)
    known = [{} for _ in range(WRITERS)]
    highest = serial = total = 0
    begun = time.monotonic()
    for round_ in range(ROUNDS):
        writers = [Writer(api, n, rng.getrandbits(64), known[n]) for n in range(WRITERS)]
        for w in writers:
            w.start()
        time.sleep(rng.random() * 0.06)
        api.kill()
        for w in writers:
            w.join()
            assert w.wrong is None, f"round {round_}: {w.wrong}"
        highest = max([highest] + [w.highest for w in writers])
        total += sum(w.acknowledged for w in writers)
        api.start()
        connection = api.connect()
        connection.request("GET", "/healthz")
        revision = json.loads(connection.getresponse().read())["revision"]
        assert revision >= highest, f"round {round_}: revision {revision} after {highest}"
        highest = revision
        found = listed(connection)
        for n, w in enumerate(writers):
            if w.pending is not None:  # complete or absent, and from then on it must not change
                path, value = w.pending
                now = found.get(path)
                assert now in (value, known[n].get(path)), f"round {round_}: {path} is neither old nor new: {now}"
                if now is None:
                    known[n].pop(path, None)
                else:
                    known[n][path] = now
        wanted = {path: value for k in known for path, value in k.items()}
        extra = {path for path in set(found) - set(wanted) if "/rrsets/d/" not in path}
        assert not extra and all(found.get(path) == value for path, value in wanted.items()), f"round {round_}"
        connection.request("GET", "/v1/zones/d.example.")
        zone = json.loads(connection.getresponse().read())
        assert zone["serial"] >= serial and zone["rrsets"] == 2 + sum("/rrsets/" in path for path in wanted)
        serial = zone["serial"]
        connection.close()
    api.stop()
    print(f"{ROUNDS} rounds, {total} acknowledged writes, {time.monotonic() - begun:.0f} s")
    assert total > ROUNDS
