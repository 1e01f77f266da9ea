#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Seeded histories of what happens to stores: backups, restores, rollbacks with and without a program's memory, living copies, losses,
wiped name servers, programs killed at any time. After each step, within two seconds, each name server has the whole content of the store
that it is pointed at, or says that the store is quarantined. Never something else.

    histories.py --histories 300 [--from SEED] [--steps 12] [--progress FILE]

An interrupted run goes on where it was: FILE holds the seeds that passed.
"""
import argparse
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import dns.exception
import dns.message
import dns.query
import dns.rcode

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dnsd_util import Dnsd  # noqa: E402
from veer_util import BUILD, Api, SLOW, wait_until  # noqa: E402

ZONES = [f"z{i}.test." for i in range(3)]
NAMES = [f"n{i}" for i in range(5)]
ENDPOINTS = {f"e{i}": f"192.0.2.{10 + i}" for i in range(3)}
WITHIN_S = 2


class Wrong(AssertionError):
    pass


def unlink(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


class Place:
    """A directory with a store, and the veer-api that has it open, if one runs."""

    def __init__(self, directory):
        os.makedirs(directory, exist_ok=True)
        self.api = Api(directory)
        self.base = list(self.api.argv)

    @property
    def runs(self):
        return self.api.process is not None and self.api.process.poll() is None

    def start(self, *extra):
        self.api.argv = self.base + list(extra)
        self.api.start()
        self.api.argv = self.base

    def end(self, rng):
        if rng.random() < 0.5:
            self.api.kill()
        else:
            self.api.stop()

    def witness(self):
        return os.path.join(self.api.directory, "witness-veer.db")

    def remove(self, witness):
        for suffix in ("", "-wal", "-shm", ".lock"):
            unlink(self.api.store + suffix)
        if witness:
            unlink(self.witness())

    def copy_to(self, path):
        unlink(path)
        with sqlite3.connect(self.api.store) as a, sqlite3.connect(path) as b:
            a.backup(b)
        a.close()
        b.close()


class Server:
    """A name server that follows whatever its link leads to."""

    def __init__(self, directory, number):
        self.link, self.state = f"{directory}/link{number}", f"{directory}/ns{number}"
        self.place = None
        self.process = None
        self.logs = []

    def point(self, place):
        self.place = place
        unlink(self.link)
        os.symlink(place.api.unix, self.link)

    def start(self, *extra):
        self.process = Dnsd("--feed", f"unix:{self.link}", "--state", self.state, "--metrics", "127.0.0.1:0", "--workers", "1", *extra)
        self.metrics = self.process.wait_log(r'event="metrics served" address=(\S+)').group(1)

    def end(self, rng):
        if rng.random() < 0.5:
            self.process.kill()
        else:
            code = self.process.stop()
            if code != 0:
                raise Wrong(f"a name server ended with {code}: {self.process.log()}")
        self.check_log()

    def check_log(self):
        if "Sanitizer" in self.process.log():
            raise Wrong(self.process.log())
        self.logs.append(self.process.log())

    def is_ready(self):
        return "event=ready" in self.process.log()

    def has_followed(self):
        """The store as it is now, by the note of what it has served: what is answered alone may be equal by chance."""
        present = self.place.api.get("/v1/status").json["lineage"]
        try:
            with open(f"{self.state}/lineages", encoding="ascii", errors="replace") as f:
                return f"{present} served" in f.read()
        except FileNotFoundError:
            return False

    def quarantined(self):
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=5 * SLOW) as reply:
            text = reply.read().decode()
        return next((why for why, on in re.findall(r'veer_store_quarantined\{why="(\w+)"\} (\d)', text) if on == "1"), None)

    def ask(self, name, kind):
        """The RCODE and the records."""
        port = int(re.search(r'listen="?127.0.0.1@(\d+)', self.process.log()).group(1))
        reply = dns.query.udp(dns.message.make_query(name, kind), "127.0.0.1", port=port, timeout=2 * SLOW)
        return reply.rcode(), sorted(r.to_text() for rrset in reply.answer for r in rrset)


def expected(api):
    """What a name server must answer, by the API: {(name, type): (rcode, records)}."""
    zones = {z["name"]: z for z in api.get("/v1/zones").json["items"]}
    drained = {o["endpoint"].split("/")[1] for o in api.get("/v1/overrides").json["items"] if o["action"] in ("drain", "down")}
    wanted = {}
    for zone in ZONES:
        if zone not in zones:
            for name in NAMES:
                wanted[f"{name}.{zone}", "A"] = (dns.rcode.REFUSED, [])
            wanted[zone, "SOA"] = (dns.rcode.REFUSED, [])
            continue
        items = {(i["name"], i["type"]): i for i in api.get(f"/v1/zones/{zone}/rrsets?limit=1000").json["items"]}
        wanted[zone, "SOA"] = (0, items[zone, "SOA"]["records"])
        for name in NAMES:
            item = items.get((f"{name}.{zone}", "A"))
            if item is None:
                wanted[f"{name}.{zone}", "A"] = (dns.rcode.NXDOMAIN, [])
            elif "policy" in item:
                up = sorted(a for e, a in ENDPOINTS.items() if e not in drained) or sorted(ENDPOINTS.values())
                wanted[f"{name}.{zone}", "A"] = (0, up)
            else:
                wanted[f"{name}.{zone}", "A"] = (0, sorted(item["records"]))
    return wanted


class History:
    def __init__(self, seed, steps, directory):
        self.seed, self.steps, self.directory = seed, steps, directory
        self.rng = random.Random(seed)
        self.places = [Place(f"{directory}/a"), Place(f"{directory}/b")]
        self.servers = [Server(directory, i) for i in range(2)]
        self.copies = []
        self.family = 0    # counts stores that were made from nothing
        self.families = {} # of copies
        self.told = []     # what was done
        self.may_part = False  # has anything happened after which a store may rightly be refused?

    # --- what people do --------------------------------------------------------------------------------------------

    def edit(self, place=None, count=None):
        rng, api = self.rng, (place or self.places[0]).api
        for _ in range(count or rng.randrange(1, 8)):
            zone, name, what = rng.choice(ZONES), rng.choice(NAMES), rng.random()
            path = f"/v1/zones/{zone}/rrsets/{name}/A"
            if what < 0.1:
                reply = api.post("/v1/zones", {"name": zone, "nameservers": [f"ns.{zone}"]})
            elif what < 0.13:
                reply = api.delete(f"/v1/zones/{zone}")
            elif what < 0.25:
                reply = api.delete(path)
            elif what < 0.4:
                reply = api.put(path, {"policy": "p"})
            elif what < 0.5:
                reply = api.put(f"/v1/overrides/p/{rng.choice(list(ENDPOINTS))}?force=p", {"action": "drain", "reason": "x", "force": "p"})
            elif what < 0.55:
                reply = api.delete(f"/v1/overrides/p/{rng.choice(list(ENDPOINTS))}")
            else:
                reply = api.put(path, {"ttl": 60, "records": [f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}"]})
            if reply.status >= 500:
                raise Wrong(f"an edit: {reply}")

    def make_all(self, place):
        api = place.api
        api.put("/v1/sites/s", {"region": "eu"})
        api.put("/v1/pools/p", {"endpoints": [{"name": e, "address": a, "site": "s"} for e, a in ENDPOINTS.items()]})
        api.put("/v1/policies/p", {"tree": "p", "ttl": 5})
        for zone in ZONES:
            api.post("/v1/zones", {"name": zone, "nameservers": [f"ns.{zone}"]})
        self.edit(place, 10)

    # --- steps -----------------------------------------------------------------------------------------------------

    def copy_path(self):
        return f"{self.directory}/copy{len(self.copies)}"

    def step_edit(self):
        self.edit()

    def step_backup(self):
        path = self.copy_path()
        done = subprocess.run([f"{BUILD}/veer", "backup", path, "--api", f"unix:{self.places[0].api.unix}"], capture_output=True, text=True,
                              timeout=60 * SLOW, check=False)
        if done.returncode != 0:
            raise Wrong(f"veer backup: {done.stderr}")
        self.keep(path)
        self.edit()

    def step_raw_copy(self):
        path = self.copy_path()
        self.places[0].copy_to(path)
        self.keep(path)
        self.edit()

    def keep(self, path):
        self.copies.append(path)
        self.families[path] = self.family

    def a_copy(self):
        """One that takes the place of the store: of another family, nobody need know it."""
        if not self.copies:
            self.step_raw_copy()
        path = self.rng.choice(self.copies)
        self.may_part = self.may_part or self.families[path] != self.family
        self.family = self.families[path]
        return path

    def veer_restore(self, place, path, *extra):
        done = subprocess.run([f"{BUILD}/veer", "restore", path, "--store", f"sqlite:{place.api.store}", *extra], capture_output=True, text=True, timeout=60 * SLOW, check=False)
        if done.returncode != 0:
            raise Wrong(f"veer restore: {done.stderr}")

    def step_restore(self):
        place, path = self.places[0], self.a_copy()
        place.end(self.rng)
        self.veer_restore(place, path)
        place.start()
        self.edit_perhaps()

    def edit_perhaps(self):
        if self.rng.random() < 0.6:
            self.edit(count=self.rng.randrange(1, 25))

    def step_rollback(self):
        """A copy of the file is put back by hand, with or without what was beside it."""
        place, copy = self.places[0], self.a_copy()
        place.end(self.rng)
        place.remove(witness=self.rng.random() < 0.3)
        shutil.copy(copy, place.api.store)
        self.may_part = True
        place.start()
        self.edit_perhaps()

    def step_rollback_with_memory(self):
        """The file goes back beneath the program that has it open."""
        place, copy = self.places[0], self.a_copy()
        if self.rng.random() < 0.5:
            self.edit()
        before = place.api.said().count("event=ready")
        self.may_part = True
        with sqlite3.connect(copy) as a, sqlite3.connect(place.api.store, timeout=20) as b:
            old, new = (x.execute("SELECT value, (SELECT id FROM lineages ORDER BY seq DESC LIMIT 1) FROM meta WHERE key='revision'").fetchone()
                        for x in (a, b))
            a.backup(b)
        a.close()
        b.close()
        if old != new:
            wait_until(lambda: place.api.said().count("event=ready") > before, 10, place.api.said)
            place.api.port = int(re.findall(r"\bport=(\d+)", place.api.said())[-1])
        self.edit_perhaps()

    def step_clone(self):
        """A copy lives on beside the original, and some name servers follow it for a while."""
        here, there = self.places
        if there.runs:
            there.end(self.rng)
        there.remove(witness=True)
        is_declared = self.rng.random() < 0.5
        here.copy_to(f"{self.directory}/clone")
        if is_declared:
            self.veer_restore(there, f"{self.directory}/clone", "--copy")
        else:
            shutil.copy(f"{self.directory}/clone", there.api.store)
        there.start()
        self.may_part = True
        self.edit(there)
        self.edit(here)
        for server in self.servers:
            if self.rng.random() < 0.6:
                self.move(server, there)

    def move(self, server, place):
        """As a changed address: its stream to the other place ends."""
        server.point(place)
        server.end(self.rng)
        server.start()

    def step_point_back(self):
        for server in self.servers:
            if server.place is not self.places[0]:
                self.may_part = True
                self.move(server, self.places[0])
        self.edit()

    def step_lost_store(self):
        place = self.places[0]
        place.end(self.rng)
        witness = self.rng.random() < 0.5
        shutil.copy(place.api.store, f"{self.directory}/lost") if not os.path.exists(place.api.store + "-wal") else \
            place.copy_to(f"{self.directory}/lost")
        place.remove(witness)
        if not witness:
            refused = subprocess.run(place.api.argv, capture_output=True, text=True, timeout=60 * SLOW, check=False)
            if refused.returncode != 2 or "--create" not in refused.stderr:
                raise Wrong(f"a lost store: {refused.returncode} {refused.stderr}")
        self.may_part = True
        before, self.family = self.family, max([self.family, *self.families.values()]) + 1
        place.start(*([] if witness else ["--create"]))
        if self.rng.random() < 0.5:
            self.make_all(place)
        self.check()
        if self.rng.random() < 0.7:  # found again
            place.end(self.rng)
            place.remove(witness=self.rng.random() < 0.5)
            shutil.copy(f"{self.directory}/lost", place.api.store)
            self.family = before
            place.start()

    def step_wipe(self):
        server = self.rng.choice(self.servers)
        server.end(self.rng)
        shutil.rmtree(server.state)
        server.start()

    def step_damage(self):
        """The plan on disk ends, or changes, at any byte."""
        server = self.rng.choice(self.servers)
        server.end(self.rng)
        name = f"{server.state}/{self.rng.choice(['plan.base', 'plan.journal', 'highest', 'lineages'])}"
        if os.path.exists(name) and os.path.getsize(name) > 0:
            at = self.rng.randrange(os.path.getsize(name))
            if self.rng.random() < 0.5:
                os.truncate(name, at)
            else:
                with open(name, "r+b") as f:
                    f.seek(at)
                    f.write(bytes([self.rng.randrange(256)]))
            self.may_part = self.may_part or name.endswith(("highest", "lineages"))
        self.edit()
        server.start()

    def step_restart(self):
        """Killed in the midst of writes."""
        place, over = self.places[0], threading.Event()

        def write():
            rng = random.Random(self.rng.random())
            while not over.is_set():
                try:
                    place.api.put(f"/v1/zones/{rng.choice(ZONES)}/rrsets/{rng.choice(NAMES)}/A",
                                  {"ttl": 60, "records": [f"10.9.{rng.randrange(256)}.{rng.randrange(256)}"]})
                except Exception:  # pylint: disable=broad-except  # it was killed
                    return

        writer = threading.Thread(target=write)
        writer.start()
        time.sleep(self.rng.random() * 0.1)
        which = self.rng.randrange(3)
        if which == 0:
            place.api.kill()
            over.set()
            writer.join()
            place.start()
        else:
            for server in self.servers[:which]:
                server.process.process.send_signal(signal.SIGKILL)
                server.process.kill()
                server.check_log()
                server.start()
            over.set()
            writer.join()

    STEPS = ([step_edit] * 3 + [step_backup] * 2 + [step_raw_copy, step_restore, step_restore, step_rollback, step_rollback,
                                                   step_rollback_with_memory, step_clone, step_point_back, step_lost_store, step_wipe,
                                                   step_damage, step_restart, step_restart])

    # --- judging ---------------------------------------------------------------------------------------------------

    def difference(self, server, wanted):
        """The first thing that is not as it should be; None when all is. "quarantine": it says so."""
        why = server.quarantined()
        if why is not None:
            return f"quarantine: {why}"
        if not server.is_ready():
            return "it does not serve"
        for (name, kind), answer in wanted.items():
            try:
                got = server.ask(name, kind)
            except (dns.exception.Timeout, OSError) as e:
                return f"{name} {kind}: {e}"
            if got != answer:
                return f"{name} {kind}: {got} instead of {answer}"
        return None

    def check(self):
        """Twice in a row, and the store the same before and after: what is in sync does not change by itself."""
        deadline = time.monotonic() + WITHIN_S * SLOW
        pending = list(self.servers)
        while True:
            last = {}
            for server in list(pending):
                wanted = expected(server.place.api)
                last[server] = self.difference(server, wanted)
                if last[server] is None or (last[server].startswith("quarantine") and self.may_part):
                    pending.remove(server)
            if not pending:
                return
            if time.monotonic() > deadline:
                raise Wrong("\n".join(f"{s.state}: {last[s]}\n{s.process.log()[-3000:]}" for s in pending))
            time.sleep(0.02)

    def adopt_quarantined(self):
        """Somebody decides: this store."""
        for server in self.servers:
            if server.quarantined() is not None:
                server.end(self.rng)
                server.start("--adopt-store")

    def play(self):
        self.places[0].start()
        self.make_all(self.places[0])
        for server in self.servers:
            server.point(self.places[0])
            server.start()
        self.check()
        for i in range(self.steps):
            # what is done depends on the seed alone, not on what came of it
            self.rng = random.Random(self.seed * 1000 + i)
            step = self.rng.choice(self.STEPS)
            self.told.append(step.__name__[5:])
            step(self)
            self.check()
            if self.rng.random() < 0.5:
                self.told.append("adopt")
                self.adopt_quarantined()
                self.check()
            self.told[-1] += "!" if self.may_part else ""
            if all(s.place is self.places[0] and s.has_followed() and s.quarantined() is None for s in self.servers):
                self.may_part = False

    def end(self):
        for server in self.servers:
            if server.process is not None and server.process.process.poll() is None:
                server.process.kill()
        for place in self.places:
            place.api.kill()


def play(seed, steps=12):
    """None, or what went wrong."""
    directory = tempfile.mkdtemp(prefix="veer-history-")
    history = History(seed, steps, directory)
    try:
        history.play()
    except Exception as e:  # pylint: disable=broad-except
        return f"history {seed}, {' '.join(history.told)}: {type(e).__name__}: {e}\n{history.places[0].api.said()[-2000:]}"
    finally:
        history.end()
        shutil.rmtree(directory, ignore_errors=True)
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=300)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--progress")
    args = parser.parse_args()
    passed = set()
    if args.progress and os.path.exists(args.progress):
        with open(args.progress, encoding="ascii") as f:
            passed = {int(line) for line in f if line.strip().isdigit()}
    failed = 0
    for seed in range(args.first, args.first + args.histories):
        if seed in passed:
            continue
        wrong = play(seed, args.steps)
        if wrong is not None:
            failed += 1
            print(wrong, flush=True)
            continue
        passed.add(seed)
        if args.progress:
            with open(args.progress, "a", encoding="ascii") as f:
                f.write(f"{seed}\n")
    count = len([s for s in passed if args.first <= s < args.first + args.histories])
    print(f"{count} of {args.histories} histories passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
