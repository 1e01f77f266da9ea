# SPDX-License-Identifier: Apache-2.0
"""The load during the whole siege: clients that ask, administrators who write, and endpoints that die and come back."""
import contextlib
import http.client
import itertools
import random
import threading
import time

import dns.exception

from health_rig import ZONE
from siege_oracle import BOUND_S, CONTROL, DISK
from siege_world import ADDRESSES, BULK, BULK_NAMES
from veer_util import SLOW

GIVE_UP_S = 6 * SLOW  # how long a client tries, in all
SWITCH_GIVE_UP_S = 15 * SLOW
DOWN_OR_GONE = (OSError, http.client.HTTPException)


class Worker(threading.Thread):
    """Repeats its turn until it is told to end. An unexpected error counts as an error of the siege itself: it is
    reported and never hidden."""

    def __init__(self, world, seed):
        super().__init__(daemon=True)
        self.world, self.random, self.over = world, random.Random(seed), threading.Event()

    def run(self):
        while not self.over.is_set():
            try:
                self.turn()
            except Exception as e:  # pylint: disable=broad-except
                self.world.figures.fault("siege", f"{type(self).__name__}: {e!r}")
                self.over.wait(1)

    def end(self):
        self.over.set()
        if self.ident is not None:
            self.join()


class Client(Worker):
    """Asks as a resolver does: it asks one server, then another when that does not reply, and so on. Each answer is
    judged."""

    PAUSE_S = 0.02

    def turn(self):
        label = self.random.choice(["www", f"h{self.random.randrange(BULK_NAMES)}", *self.random.sample(list(self.world.ledger.writes), 2)])
        servers = self.world.servers[:]
        self.random.shuffle(servers)
        began = time.monotonic()
        self.world.figures.add("queries")
        for tries, server in enumerate(itertools.cycle(servers)):
            if self.ask(server, label):
                break
            if time.monotonic() - began > GIVE_UP_S:
                self.world.figures.fault("unanswered", f"{label}: none of {[s.name for s in servers]} answered in {tries + 1} tries")
                return
            self.over.wait(0.02)
        if tries > 0:
            self.world.figures.add("retried queries")
        self.over.wait(self.random.random() * 2 * self.PAUSE_S)

    def ask(self, server, label):
        """Ask; true when an answer came."""
        epoch, sent = server.epoch, time.monotonic()
        try:
            got = server.look_up(label, tcp=self.random.random() < 0.05, zone=BULK if label[0] == "h" else ZONE)
        except (OSError, EOFError, dns.exception.DNSException):
            return False
        except ValueError as e:
            self.wrong(server, str(e))
            return True
        received = time.monotonic()
        if label == "www":
            why = self.world.deaths.judge(server.name, got, sent)
        elif label[0] == "h":
            why = f"{label}: {got}" if got != [f"192.0.2.{int(label[1:]) % 250}"] else None
        elif got is not None and len(got) != 1:
            why = f"{label}: {got}"
        else:
            why = self.world.ledger.judge(server.name, epoch, label, got and got[0], sent, received)
        if why is not None and epoch == server.epoch:
            self.wrong(server, why)
        return True

    def wrong(self, server, why):
        try:
            quarantined = server.quarantined()
        except (OSError, IndexError):
            quarantined = None
        if quarantined is not None:
            self.world.figures.add("answers from quarantine")
        else:
            self.world.figures.fault("answer", f"{server.name}: {why}")


class Writer(Worker):
    """Writes its own names, one after the other, and remembers the acknowledged values."""

    def __init__(self, world, number, seed):
        super().__init__(world, seed)
        self.number, self.labels = number, world.labels[number]
        self.unknown = None  # (label, write) of a write whose reply never came

    def turn(self):
        with self.world.writers[self.number]:
            if self.unknown is not None:
                self.settle()
            else:
                self.write()
        self.over.wait(self.random.random() * 0.1)

    def write(self):
        label = self.random.choice(self.labels)
        delete = self.random.random() < 0.15 and self.world.ledger.last(label).value is not None
        count = self.world.ledger.count
        value = None if delete else f"10.{count >> 16 & 255}.{count >> 8 & 255}.{count & 255}"
        if not delete:
            value = f"{10 + self.number}.{value[3:]}"  # so that no two writers write the same value
        write = self.world.ledger.send(label, value)
        path = f"/v1/zones/{ZONE}/rrsets/{label}/A"
        try:
            reply = self.world.api.delete(path) if delete else self.world.api.put(path, {"ttl": 60, "records": [value]})
        except DOWN_OR_GONE as e:
            self.unknown = label, write
            if not self.world.outages.touched(write.sent, time.monotonic(), CONTROL):
                self.world.figures.fault("write", f"{label}: {e!r} although the control plane runs")
            return
        self.told(label, write, reply)

    def told(self, label, write, reply):
        if reply.status in (200, 201, 204):
            self.world.ledger.acknowledge(label, write)
            self.world.figures.add("acknowledged writes")
            return
        self.world.ledger.refuse(write)
        self.world.figures.add(f"writes answered with {reply.status}")
        is_full = self.world.outages.touched(write.sent, time.monotonic(), DISK)
        if not (reply.status in (429, 503) or reply.status == 507 and is_full):
            self.world.figures.fault("write", f"{label}: {reply}")

    def settle(self):
        """Find out what became of a write whose reply never came."""
        label, write = self.unknown
        try:
            value = self.world.read(label)
        except DOWN_OR_GONE:
            return
        self.unknown = None
        if not self.world.ledger.settle(label, write, value):
            self.world.figures.fault("lost", f"{label}: {value} is neither {write.value} nor {self.world.ledger.last(label).value}")


class Health(Worker):
    """Lets one endpoint after the other die and come back, and times each death at each name server. Some endpoints are
    drained instead."""

    phase = "quiet"

    def turn(self):
        with self.world.health:
            key = self.random.choice(list(ADDRESSES))
            (self.drain if self.random.random() < 0.25 else self.die)(key)
        self.over.wait(self.random.random() * 0.3)

    def die(self, key):
        began, phase = time.monotonic(), self.phase
        self.world.deaths.die(ADDRESSES[key])
        self.world.say("d", key)
        try:
            self.watch(key, began, "failover", phase, is_in=False)
            self.over.wait(self.random.random() * 0.5)
        finally:
            self.world.deaths.live(ADDRESSES[key])
            self.world.say("u", key)
        self.watch(key, time.monotonic(), "recovery", self.phase, is_in=True)

    def drain(self, key):
        began, phase = time.monotonic(), self.phase
        with self.while_it_runs() as asked:
            asked.append(self.world.api.put(f"/v1/overrides/{key}", {"action": "drain", "reason": "siege"}))
        if not asked:
            self.release(key)
            return
        if asked[0].status in (200, 201):
            out = self.world.outages.touched(began, time.monotonic(), CONTROL)
            self.world.figures.measure(f"drain, {'held up with the control plane' if out else phase}", time.monotonic() - began)
            self.watch(key, time.monotonic(), "switch of a drain", phase, is_in=False)
        else:
            self.world.figures.fault("drain", f"{key}: {asked[0]}")
        self.release(key)
        self.watch(key, time.monotonic(), "recovery", self.phase, is_in=True)

    def release(self, key):
        deadline = time.monotonic() + SWITCH_GIVE_UP_S
        while not self.over.is_set():
            with self.while_it_runs() as asked:
                asked.append(self.world.api.delete(f"/v1/overrides/{key}"))
            if asked and asked[0].status in (204, 404):
                return
            if time.monotonic() > deadline:
                self.world.figures.fault("drain", f"release of {key}: {asked}")
                return
            self.over.wait(0.1)

    @contextlib.contextmanager
    def while_it_runs(self):
        """Send a request that may fail only while the siege has put the control plane out of order."""
        began = time.monotonic()
        try:
            yield (asked := [])
        except DOWN_OR_GONE as e:
            asked.clear()
            if not self.world.outages.touched(began, time.monotonic(), CONTROL):
                self.world.figures.fault("drain", f"{e!r} although the control plane runs")

    def watch(self, key, began, what, phase, is_in):
        """Wait until each name server gives the expected answer. For a server that was out of order, or could not be
        told, the time counts from its recovery."""
        address, pending = ADDRESSES[key], list(self.world.servers)
        while pending and not self.over.is_set():
            for server in pending[:]:
                sent = time.monotonic()
                if self.world.outages.counted_from(began, sent, server.name) is None:
                    continue
                try:
                    got = server.look_up("www", timeout=0.1 * SLOW) or []
                except (OSError, EOFError, ValueError, dns.exception.DNSException):
                    continue
                now = time.monotonic()
                since = self.world.outages.counted_from(began, sent, CONTROL, server.name)
                if (address in got) == is_in:
                    pending.remove(server)
                    # a server that was out of order has this long to reconnect to the others
                    out = self.world.outages.touched(began - BOUND_S, now, CONTROL, server.name)
                    self.world.figures.measure(f"{what}, {'after an outage' if out else phase}", now - (since or now))
                elif since is not None and now - since > SWITCH_GIVE_UP_S:
                    pending.remove(server)
                    self.world.figures.measure(f"{what}, {phase}", now - since)
                    self.world.figures.fault(what, f"{key} at {server.name}: not after {now - since:.1f} s")
            time.sleep(0.004)
