#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Everything at once: clients ask two name servers, administrators write, endpoints die and come back, and meanwhile
parts are killed and stopped, disks fill, stores are restored and lost, name servers are replaced, and the control plane
is attacked. The results are judged from outside.

    siege.py [--seconds 1200] [--seed 1] [--from STEP] [--only NAME,...] [--without NAME,...] [--progress FILE]

The faults depend only on the seed and the number of the step. An interrupted run continues where it stopped: FILE holds
its figures. The bars: no wrong answer, no query that no server answers, no lost write that was acknowledged (except
those that `veer restore` reports as lost), failover at most max(2 x its quiet time, that + 0.5 s) at the 99th
percentile, and drains within 0.2 s at the 95th.
"""
import argparse
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import attacks  # noqa: E402
from siege_faults import ATTACKS, BESIDE, FAULTS, WITH_BESIDE, attack_named, peace  # noqa: E402
from siege_load import Client, Health, Writer  # noqa: E402
from siege_oracle import BOUND_S, p99  # noqa: E402
from siege_world import World  # noqa: E402
from veer_util import SLOW  # noqa: E402

CLIENTS = 3
DRAIN_S = 0.2 * SLOW
NOTHING_WRONG = {"answer": "answers that are wrong", "unanswered": "queries that no server answered", "lost": "acknowledged writes lost",
                 "write": "writes refused or failed without a cause", "failover": "failovers that never came", "program": "programs that ended or broke",
                 "recovery": "recoveries that never came", "drain": "drains refused", "switch of a drain": "drains that changed no answer",
                 "store": "stores that were followed wrongly", "siege": "errors of the siege itself"}


class Siege:
    def __init__(self, seed, seconds, faults, progress=None, first=0, attacks_named=tuple(ATTACKS)):
        self.seed, self.seconds, self.faults, self.progress, self.step = seed, seconds, sorted(faults), progress, first
        self.attacks = attacks_named
        self.elapsed, self.steps_failed = 0.0, []
        self.steps_passed = 0
        self.quiet_s = min(30, max(5, seconds * 0.2))

    # --- one step --------------------------------------------------------------------------------------------------

    def draw(self):
        """Draw the fault of a step. Each round has every fault once, in a new order; other events at the same time, and
        the attack, are drawn independently."""
        round_number, place = divmod(self.step, len(self.faults))
        deck = self.faults[:]
        random.Random(f"{self.seed}/round {round_number}").shuffle(deck)
        rng = random.Random(f"{self.seed}/step {self.step}")
        is_attacked = self.attacks and (deck[place] == "nothing_else" or rng.random() < 0.5)
        attack = rng.choice(self.attacks) if is_attacked else None
        beside = [name for name in BESIDE if name in self.faults]
        names = [deck[place]]
        if names[0] in WITH_BESIDE and beside and rng.random() < 0.5:
            names.append(rng.choice(beside))
        return names, attack, rng.random()

    def play_fault(self, name, fault):
        try:
            for _ in fault:
                pass
        except Exception as e:  # pylint: disable=broad-except
            self.world.figures.fault("siege", f"{name}: {e!r}")

    def play_step(self):
        names, attack, seed = self.draw()
        name = " and ".join(names)
        wrong = len(self.world.figures.wrong)
        faults = [FAULTS[n](self.world, random.Random(f"{seed}/{n}")) for n in names]
        told = [next(fault) for fault in faults] + ([attack] if attack else [])
        print(f"[{self.elapsed_now():7.1f} s] step {self.step}: {'; meanwhile '.join(told)}", flush=True)
        self.health.phase = f"attack: {attack}" if attack else "faults"
        with attacks.attack(*attack_named(self.world, attack)) if attack else contextlib.nullcontext():
            threads = [threading.Thread(target=self.play_fault, args=pair) for pair in zip(names, faults)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.health.phase = "between faults"
        self.check(time.monotonic())
        if len(self.world.figures.wrong) > wrong:
            self.steps_failed.append(f"step {self.step}, {name}" + (f", {attack}" if attack else ""))
        else:
            self.steps_passed += 1
        self.step += 1

    def check(self, ended):
        """Soon after a fault, the API and each name server must have the acknowledged value of each name."""
        with peace(self.world):
            for writer in self.writers:
                while writer.unknown is not None and time.monotonic() < ended + 10 * SLOW:
                    writer.settle()
            began = time.monotonic()
            while (difference := self.world.difference()) is not None:
                if time.monotonic() > max(ended, began) + BOUND_S:
                    self.world.figures.fault("lost", difference)
                    break
                time.sleep(0.02)
            self.world.check_programs()
        self.world.figures.add("acknowledged names read back", 3 * len(self.world.ledger.writes))

    # --- the whole -------------------------------------------------------------------------------------------------

    def elapsed_now(self):
        return self.elapsed + time.monotonic() - self.began

    def play(self):
        """Play the siege; true when all bars hold."""
        with tempfile.TemporaryDirectory(prefix="veer-siege-") as directory:
            self.world = world = World(directory)
            self.load()
            self.writers = [Writer(world, i, f"{self.seed}/writer {i}") for i in range(len(world.writers))]
            self.health = Health(world, f"{self.seed}/health")
            workers = self.writers + [self.health] + [Client(world, f"{self.seed}/client {i}") for i in range(CLIENTS)]
            self.began = time.monotonic()
            try:
                world.start()
                for worker in workers:
                    worker.start()
                self.lay()
            finally:
                for worker in workers:
                    worker.end()
                world.end()
            return self.report()

    def lay(self):
        print(f"[{self.elapsed_now():7.1f} s] quiet for {self.quiet_s:.0f} s, seed {self.seed}", flush=True)
        time.sleep(self.quiet_s)
        self.check(time.monotonic())
        while self.elapsed_now() < self.seconds:
            self.play_step()
            self.save()

    def load(self):
        if self.progress is None or not os.path.exists(self.progress):
            return
        with open(self.progress, encoding="utf-8") as f:
            kept = json.load(f)
        if kept["seed"] != self.seed or kept["faults"] != self.faults or kept["elapsed"] >= self.seconds:
            return
        self.step, self.elapsed, self.steps_passed, self.steps_failed = kept["step"], kept["elapsed"], kept["passed"], kept["failed"]
        figures = self.world.figures
        figures.counts, figures.took, figures.wrong = kept["counts"], kept["took"], [tuple(w) for w in kept["wrong"]]

    def save(self):
        if self.progress is None:
            return
        figures = self.world.figures
        with figures.lock, open(self.progress + ".new", "w", encoding="utf-8") as f:
            json.dump({"seed": self.seed, "faults": self.faults, "step": self.step, "elapsed": self.elapsed_now(), "passed": self.steps_passed,
                       "failed": self.steps_failed, "counts": figures.counts, "took": figures.took, "wrong": figures.wrong}, f)
        os.replace(self.progress + ".new", self.progress)

    # --- what came of it -------------------------------------------------------------------------------------------

    def bars(self):
        """Return (the bar, whether it holds)."""
        figures = self.world.figures
        for kind, text in NOTHING_WRONG.items():
            yield f"{figures.wrongs(kind)} {text}", figures.wrongs(kind) == 0

        def besieged(what):
            return [s for phase, took in figures.took.items() if phase.startswith((f"{what}, attack", f"{what}, faults", f"{what}, between"))
                    for s in took]

        quiet, under = p99(figures.took.get("failover, quiet", [])), p99(besieged("failover"))
        bar = max(2 * quiet, quiet + 0.5 * SLOW)
        yield f"failover p99 {under:.3f} s besieged, {quiet:.3f} s quiet, bar {bar:.3f} s", under <= bar
        after = p99(figures.took.get("failover, after an outage", [0]))
        yield f"failover p99 {after:.3f} s after an outage of the control plane or that name server, bar {BOUND_S:.1f} s", after <= BOUND_S
        drains = sorted(besieged("drain")) or [0]
        p95 = drains[int(len(drains) * 0.95)]
        yield f"drain p95 {p95:.3f} s, bar {DRAIN_S:.1f} s", p95 <= DRAIN_S

    def report(self):
        figures, held, missed = self.world.figures, 0, []
        print(f"\n{self.step} steps in {self.elapsed_now():.0f} s, seed {self.seed}")
        for name, count in sorted(figures.counts.items()):
            print(f"  {count} {name}")
        for phase, took in sorted(figures.took.items()):
            print(f"  {phase}: {len(took)}, p50 {sorted(took)[len(took) // 2]:.3f} s, p99 {p99(took):.3f} s, longest {max(took):.3f} s")
        for text, holds in self.bars():
            print(f"  {'holds' if holds else 'MISSED'}: {text}")
            held += holds
            missed += [] if holds else [text]
        for text in self.steps_failed:
            print(f"  failed: {text}")
        print(f"{self.steps_passed + held} passed, {len(self.steps_failed) + len(missed)} failed", flush=True)
        return not self.steps_failed and not missed


def end_once(*_):
    """Handle the signal that ends the siege: end all parts, and ignore further signals meanwhile."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="STEP", help="begin with this step, for example to repeat it")
    parser.add_argument("--only", default="", help="only these of the faults: " + ", ".join(FAULTS))
    parser.add_argument("--without", default="")
    parser.add_argument("--without-attacks", action="store_true")
    parser.add_argument("--progress", metavar="FILE")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, end_once)
    named = {n for n in (args.only + "," + args.without).split(",") if n}
    if not named <= set(FAULTS):
        parser.error(f"no such fault: {', '.join(sorted(named - set(FAULTS)))}")
    faults = set(args.only.split(",") if args.only else FAULTS) - set(args.without.split(","))
    return 0 if Siege(args.seed, args.seconds, faults, args.progress, args.first, () if args.without_attacks else tuple(ATTACKS)).play() else 1


if __name__ == "__main__":
    sys.exit(main())
