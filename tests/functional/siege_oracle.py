# SPDX-License-Identifier: Apache-2.0
"""What must hold during a siege, judged from outside: which values were written and acknowledged, which endpoints are
dead, and which parts the siege has put out of order. Any thread may use everything here; times are those of
time.monotonic()."""
import threading
import time

from veer_util import SLOW

BOUND_S = 2 * SLOW  # after this time every name server has the data of the control plane
CONTROL = "control"
DISK = "disk of the control plane"


class Outages:
    """When the siege killed or stopped each part, which therefore cannot be expected to know what happened
    meanwhile."""

    def __init__(self):
        self.lock = threading.Lock()
        self.spans = {}

    def begin(self, part):
        with self.lock:
            self.spans.setdefault(part, []).append([time.monotonic(), None])

    def end(self, part):
        with self.lock:
            self.spans[part][-1][1] = time.monotonic()

    def counted_from(self, since, at, *parts):
        """The time from which these parts must know something that holds `since` then; None while one of them is out of
        order at `at`."""
        with self.lock:
            for begin, end in (span for part in parts for span in self.spans.get(part, ())):
                if begin <= at and (end is None or end >= at):
                    return None
                if end is not None and end <= at:
                    since = max(since, end)
        return since

    def touched(self, since, until, *parts):
        """Was one of these parts out of order at any time in this interval?"""
        with self.lock:
            return any(begin <= until and (end is None or end >= since) for part in parts for begin, end in self.spans.get(part, ()))


class Write:
    """The write of a value (None: deleted). It is sent, and then acknowledged, refused, or of unknown result; the next
    acknowledged write replaces it."""

    def __init__(self, number, value, sent):
        self.number, self.value, self.sent = number, value, sent
        self.acknowledged = self.refused = self.replaced = None


class Ledger:
    """All writes of each name, in order: a name has one writer."""

    def __init__(self, outages, names):
        self.outages = outages
        self.lock = threading.Lock()
        self.writes = {name: [] for name in names}
        self.newest_seen = {}  # (server, its epoch, name): (number of the write, when)
        self.count = 0
        self.is_going_back = False
        for name in names:
            self.acknowledge(name, self.send(name, None))

    def send(self, name, value):
        with self.lock:
            self.count += 1
            write = Write(len(self.writes[name]), value, time.monotonic())
            self.writes[name].append(write)
            return write

    def acknowledge(self, name, write):
        with self.lock:
            write.acknowledged = time.monotonic()
            for earlier in self.writes[name][:write.number]:
                earlier.replaced = earlier.replaced or write.acknowledged

    def refuse(self, write):
        with self.lock:
            write.refused = time.monotonic()

    def last(self, name, at=None):
        """The last acknowledged write (up to that time)."""
        with self.lock:
            return next(w for w in reversed(self.writes[name]) if w.acknowledged is not None and (at is None or w.acknowledged <= at))

    def settle(self, name, write, value):
        """Use a value that was read to decide what became of a write whose reply never came. False when the value fits
        neither result."""
        if value == write.value:
            self.acknowledge(name, write)
            return True
        self.refuse(write)
        return value == self.last(name).value

    def held_between(self, name, begin, end):
        """The values that a copy made in that interval may have."""
        with self.lock:
            return {w.value for w in self.writes[name]
                    if w.refused is None and w.sent <= end and (w.replaced is None or w.replaced >= begin)}

    def restored(self, name, value):
        """A restore set this value."""
        self.acknowledge(name, self.send(name, value))

    def going_back(self, is_going_back):
        """While a restore takes place, answers may be older than answers that were seen before."""
        with self.lock:
            self.is_going_back = is_going_back
            self.newest_seen.clear()

    def judge(self, server, epoch, name, value, sent, received):
        """None, or the reason why no name server may have given this answer to a query of that time."""
        with self.lock:
            write = next((w for w in reversed(self.writes[name]) if w.value == value and w.sent <= received
                          and (w.refused is None or w.refused >= sent)), None)
            if write is None:
                return f"{name}: {value} was never acknowledged"
            replaced = write.replaced
            known, when = self.newest_seen.get((server, epoch, name), (-1, 0))
            if value is not None and write.number < known and when < sent and not self.is_going_back:
                return f"{name}: went back to {value}, number {write.number}, after number {known}"
            if value is not None and write.number > known:
                self.newest_seen[server, epoch, name] = (write.number, received)
        if replaced is None:
            return None
        since = self.outages.counted_from(replaced, sent, CONTROL, server)
        if since is None or sent - since <= BOUND_S:
            return None
        return f"{name}: {value} was replaced {sent - replaced:.2f} s before ({sent - since:.2f} s that count)"


class Deaths:
    """Which endpoints are dead, and since when."""

    def __init__(self, outages):
        self.outages = outages
        self.lock = threading.Lock()
        self.dead = {}

    def die(self, *addresses):
        with self.lock:
            self.dead.update({a: time.monotonic() for a in addresses})

    def live(self, *addresses):
        with self.lock:
            for a in addresses:
                self.dead.pop(a, None)

    def judge(self, server, addresses, sent):
        if not addresses:
            return "no address at all"
        with self.lock:
            dead = {a: self.dead[a] for a in addresses if a in self.dead}
        for address, since in dead.items():
            counted = self.outages.counted_from(since, sent, CONTROL, server)
            if counted is not None and sent - counted > BOUND_S:
                return f"{address} is dead since {sent - since:.2f} s ({sent - counted:.2f} s that count)"
        return None


def p99(values):
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))] if values else float("nan")


class Figures:
    """What was counted and measured, and what was wrong."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = {}
        self.took = {}   # phase: seconds
        self.wrong = []  # (kind, text)

    def add(self, name, by=1):
        with self.lock:
            self.counts[name] = self.counts.get(name, 0) + by

    def measure(self, phase, seconds):
        with self.lock:
            self.took.setdefault(phase, []).append(seconds)

    def fault(self, kind, text):
        """Record that something is wrong."""
        with self.lock:
            self.wrong.append((kind, text))
            count = sum(k == kind for k, _ in self.wrong)
        if count <= 10:
            print(f"  WRONG {kind}: {text[:1500]}", flush=True)

    def wrongs(self, kind):
        with self.lock:
            return sum(k == kind for k, _ in self.wrong)
