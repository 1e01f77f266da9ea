#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A damaged store: the damage is noticed and reported, the store is checked, and all readable data is taken over."""
import os
import shutil
import sqlite3
import subprocess

import pytest

from veer_util import BUILD, Api, wait_until

SITES = 3000


@pytest.fixture
def api(tmp_path):
    program = Api(tmp_path)
    yield program
    program.kill()


def veer(*args):
    return subprocess.run([os.path.join(BUILD, "veer"), *args], capture_output=True, text=True, timeout=60, check=False)


def store(api):
    return f"--store=sqlite:{api.store}"


def make(api, count=SITES):
    """Write many sites past the API, so that they fill many pages."""
    api.start()
    assert api.put("/v1/sites/first", {"region": "eu"}).status == 201
    api.stop()
    with sqlite3.connect(api.store) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        kind = db.execute("SELECT kind FROM objects WHERE key='first'").fetchone()[0]
        db.executemany("INSERT INTO objects(kind, key, revision, lease, value) VALUES(?, ?, 1, 0, ?)",
                       [(kind, f"s{i:05}", '{"name":"s%05d","region":"eu"%s}' % (i, " " * 1000)) for i in range(count)])
    with sqlite3.connect(api.store) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return kind


def spoil(api, what):
    """Overwrite the page that holds this text."""
    with open(api.store, "r+b") as f:
        at = f.read().find(what)
        assert at > 0
        f.seek(at - at % 4096)
        f.write(b"\xff" * 4096)


def test_a_sound_store_is_found_sound_also_while_it_is_in_use(api):
    make(api)
    assert "all is well" in veer("store", "check", store(api)).stdout
    api.start()
    run = veer("store", "check", store(api))
    assert run.returncode == 0 and f"{SITES + 1}" in run.stdout.split("objects")[0] or "all is well" in run.stdout, run
    assert veer("store", "repair", store(api)).returncode == 2, "veer-api has it open"
    assert api.put("/v1/sites/second", {"region": "eu"}).status == 201


def test_what_can_be_read_of_a_damaged_store_is_taken_over(api):
    make(api)
    spoil(api, b'"s01500"')
    run = veer("store", "check", store(api))
    assert run.returncode == 1 and "damaged" in run.stdout, run
    api.start(ready=False)
    assert api.process.wait(20) == 2 and "integrity" in api.said()
    run = veer("store", "repair", store(api))
    assert run.returncode == 0 and "kept as" in run.stdout, run
    assert "all is well" in veer("store", "check", store(api)).stdout
    api.start()
    names = set()
    after = ""
    while after is not None:
        page = api.get(f"/v1/sites?limit=1000&after={after}").json
        names |= {s["name"] for s in page["items"]}
        after = page.get("next")
    assert {"first", "s00000", f"s{SITES - 1:05}"} <= names and SITES - 200 < len(names) < SITES + 1, len(names)
    assert any("veer.db.before-" in name for name in os.listdir(os.path.dirname(api.store)))


def test_a_file_that_is_no_store_is_neither_repaired_nor_touched(api, tmp_path):
    path = tmp_path / "veer.db"
    path.write_bytes(b"this is no database, " * 1000)
    before = path.read_bytes()
    run = veer("store", "repair", store(api))
    assert run.returncode == 2 and run.stderr, run
    assert path.read_bytes() == before and veer("store", "check", store(api)).returncode == 1
    shutil.rmtree(tmp_path / "nothing", ignore_errors=True)
    assert veer("store", "check", "--store=sqlite:" + str(tmp_path / "nothing")).returncode == 2


def test_damage_while_it_runs_is_said(api):
    make(api, 20000)  # more than fits into the caches
    api.start()
    assert api.get("/healthz").status == 200
    spoil(api, b'"s00300"')
    api.put("/v1/sites/s00300", {"region": "us"})  # this reads the damaged page now, or meets it later
    for i in range(290, 310):
        api.put(f"/v1/sites/s{i:05}", {"region": "us"})
    wait_until(lambda: api.get("/healthz").status == 503, 10)
    assert "damaged" in api.get("/healthz").json["reason"]
    wait_until(lambda: "the store is damaged" in api.said(), 5)
    assert api.metric("veer_store_errors_total") > 0 and api.metric("veer_store_working") == 0
