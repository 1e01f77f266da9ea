#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Look for false alarms: agents probe over bad paths, one agent at a time is cut off or lying, and all sites are well
all the time.

    steady_health.py [MINUTES] [--seconds N] [--seed N]

Real programs in network namespaces of their own. Paths between agents and everything else lose 2 % of packets in each
direction, half of the endpoints are behind a relay that delays, and episodes follow each other at random: an agent's
link is down; an agent sees all endpoints, or half of them, dead (packets dropped, connections reset, or redirected to a
closed port); or one agent lies while another is cut off, and the second does not come back before the lie is over. Two
agents with false views at the same time would be a quorum, so no episode has two.

Every transition is a false alarm, and so is every answer without an endpoint. At the end a site really dies and comes
back, which shows that an alarm would have been seen. The last line is `N passed, N failed`.
"""
import argparse
import os
import random
import socket
import sys
import tempfile
import threading
import time

import health_net
from health_world import Agent, Asker, REGIONS, Sites, World, certificate
from veer_util import wait_until

SITES = 4
EACH = 5  # endpoints per site
PORT = 80
# A check with the default times, and one with a shorter interval. A lost SYN is sent again after a second.
CHECKS = {"web": {"kind": "http", "port": PORT}, "tcp": {"kind": "tcp", "port": PORT, "interval_ms": 1000, "timeout_ms": 2000}}


class Watch:
    """Asks the name server all the time, and watches transitions, votes and agents."""

    def __init__(self, world, port, expected):
        self.world, self.expected = world, expected
        self.asker = Asker(port)
        self.answers = self.lost = self.suspect_ttl = 0
        self.wrong = []
        self.votes = {}
        self.over = threading.Event()
        self.threads = [threading.Thread(target=f, daemon=True) for f in (self.ask_on, self.look_on)]
        for thread in self.threads:
            thread.start()

    def ask_on(self):
        while not self.over.wait(0.02):
            for pool, addresses in self.expected.items():
                answer = self.asker.ask(pool)
                if answer is None:
                    self.lost += 1
                    continue
                self.answers += 1
                self.suspect_ttl += answer[1] == 5
                if answer[0] != addresses:
                    self.wrong.append((time.time(), pool, sorted(addresses ^ answer[0])))

    def look_on(self):
        """Count how often agents reported each observation, to know whether there was any trouble at all."""
        keys = sorted(self.world.states())
        while not self.over.wait(0.5):
            for key in (keys[0], keys[-1]):
                for vote in self.world.api.get(f"/v1/endpoints/{key}").json.get("votes", []):
                    word = vote.get("not_counted") or {"d": "down", "f": "failing", "u": "up"}.get(vote["state"], "unknown")
                    self.votes[word] = self.votes.get(word, 0) + 1

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(10)


class Witness:
    """Probes each endpoint from the router, where no packet is lost and no agent lies, and notes when a site itself was
    slow, and when this process did not get to run. The notes explain a false alarm but do not excuse it."""

    def __init__(self, expected):
        self.places = sorted((address, pool) for pool, addresses in expected.items() for address in addresses)
        self.slow, self.late = [], []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.probe_on, args=(self.places[n::4],), daemon=True) for n in range(4)]
        self.threads.append(threading.Thread(target=self.tick_on, daemon=True))
        for thread in self.threads:
            thread.start()

    def probe_on(self, places):
        while not self.over.wait(0.5):
            for address, pool in places:
                began = time.monotonic()
                try:
                    with socket.create_connection((address, PORT), timeout=10) as s:
                        if pool == "web":
                            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                            s.recv(100)
                except OSError:
                    pass
                took = time.monotonic() - began
                if took > 1:
                    self.slow.append((time.strftime("%H:%M:%S"), address, round(took, 2)))

    def tick_on(self):
        while not self.over.is_set():
            began = time.monotonic()
            time.sleep(0.05)
            late = time.monotonic() - began - 0.05
            if late > 0.5:
                self.late.append((time.strftime("%H:%M:%S"), round(late, 2)))

    def stop(self):
        self.over.set()
        print(f"witness: {len(self.slow)} probes over 1 s, {len(self.late)} times over 0.5 s without the processor", flush=True)
        for line in self.slow[:200] + self.late[:200]:
            print(f"  witness {line}")


class Episodes:
    """Causes troubles, one after the other."""

    def __init__(self, net, rng, addresses, is_short):
        self.net, self.rng, self.addresses, self.is_short = net, rng, addresses, is_short
        self.counts = {}

    def note(self, text):
        print(f"  {time.strftime('%H:%M:%S')} {text}", flush=True)

    def wait(self, low, high):
        time.sleep(5 if self.is_short else self.rng.uniform(low, high))

    def cut(self):
        agent = self.rng.randrange(len(REGIONS))
        self.note(f"agent {agent} is cut off")
        self.net.cut(agent)
        self.wait(3, 40)
        self.net.heal(agent)

    def begin_lie(self):
        agent = self.rng.randrange(len(REGIONS))
        how = self.rng.choice(("blackhole", "reset", "redirect"))
        count = len(self.addresses) if self.is_short else self.rng.choice((len(self.addresses), len(self.addresses) // 2, 1))
        self.note(f"agent {agent} lies about {count} endpoints ({how})")
        self.net.lie(agent, how, self.rng.sample(self.addresses, count))
        return agent

    def lie(self):
        agent = self.begin_lie()
        self.wait(10, 75)
        self.net.truth(agent)

    def lie_and_cut(self):
        liar = self.begin_lie()
        self.wait(5, 30)
        agent = (liar + 1) % len(REGIONS)
        self.note(f"agent {agent} is cut off meanwhile")
        self.net.cut(agent)
        self.wait(5, 30)
        self.net.truth(liar)
        time.sleep(15)  # until the lying agent has seen the truth twice
        self.net.heal(agent)

    def play(self, until):
        kinds = [self.cut, self.lie, self.cut, self.lie, self.lie_and_cut]
        number = 0
        while number < 2 if self.is_short else time.monotonic() < until:
            kind = (self.lie, self.cut)[number % 2] if self.is_short else self.rng.choice(kinds)
            kind()
            self.counts[kind.__name__] = self.counts.get(kind.__name__, 0) + 1
            number += 1
            time.sleep(5 if self.is_short else 14)  # until the agent that was cut off has probed twice again


def build(directory, net):
    """Set up the service and the sites. Return (world, port of the name server, addresses by pool)."""
    certificate(directory, "api", *(f"IP:10.1.{i}.1" for i in range(len(REGIONS))))
    options = ["--tls-cert", f"{directory}/api.pem", "--tls-key", f"{directory}/api.key"]
    world = World(directory, listen="0.0.0.0:8053", api_args=options)
    endpoints, expected = [], {pool: set() for pool in CHECKS}
    for j in range(SITES):
        world.sites[j] = Sites(net.within(f"s{j}", []))
        for n in range(EACH):
            address, pool = f"10.2.{j}.{10 + n}", list(CHECKS)[(j + n) % 2]
            delay = [20, 150] if n % 4 < 2 else None
            world.sites[j].tell("open", address, PORT, kind="http" if pool == "web" else "tcp", delay_ms=delay)
            endpoints.append((pool, f"s{j}-{n}", address, f"s{j}"))
            expected[pool].add(address)
    world.configure(endpoints, CHECKS)
    for i, region in enumerate(REGIONS):
        world.started(Agent(world.api, directory, f"a{i}", region, f"https://10.1.{i}.1:8053", "--region", region, "--ca-file",
                            f"{directory}/api.pem", prefix=net.within(f"p{i}", [])))
    server = world.name_server()
    return world, server.port, expected


def really_dies(world, port, expected):
    """End the servers of one site: its endpoints, and no others, must leave the answers."""
    asker = Asker(port)
    dead = {f"10.2.0.{10 + n}" for n in range(EACH)}
    before = time.monotonic()
    world.sites[0].kill()
    wait_until(lambda: all(asker.ask(pool)[0] == addresses - dead for pool, addresses in expected.items()), 60, "the dead site is out")
    return time.monotonic() - before


def measure(args, directory):
    rng = random.Random(args.seed)
    net = health_net.Net(len(REGIONS), SITES)
    world, port, expected = build(directory, net)
    try:
        world.all_up(60)
        net.lose(2)
        baseline = {t["id"] for t in world.transitions()}
        committed = world.api.metric("veer_transitions_total")
        watch, witness = Watch(world, port, expected), Witness(expected)
        episodes = Episodes(net, rng, sorted(set.union(*expected.values())), args.seconds < 120)
        began = time.monotonic()
        episodes.play(began + args.seconds)
        lasted = time.monotonic() - began
        wrong = [t for t in world.transitions() if t["id"] not in baseline]
        committed = world.api.metric("veer_transitions_total") - committed
        watch.stop()
        witness.stop()
        print(f"{lasted / 60:.1f} minutes, seed {args.seed}, episodes {episodes.counts}, {net.lost()} packets lost; answers {watch.answers}, "
              f"of them with the short TTL of a doubt {watch.suspect_ttl}; votes seen {watch.votes}", flush=True)
        for t in wrong[:200]:
            print(f"  WRONG {t}")
        for w in watch.wrong[:10]:
            print(f"  WRONG ANSWER {w}")
        for program in world.programs:
            assert program.process.poll() is None, f"ended: {program.said()}"
        took = really_dies(world, port, expected)
        print(f"a site that really died was out of the answers after {took:.2f} s", flush=True)
        return [(f"wrong transitions: {len(wrong)} (counter: {committed:.0f})", not wrong and committed == 0),
                (f"wrong answers: {len(watch.wrong)} of {watch.answers}", not watch.wrong and watch.answers > args.seconds * 10),
                (f"questions without an answer: {watch.lost}", watch.lost == 0),
                ("there was trouble: agents said down, and were not counted",
                 watch.votes.get("down", 0) > 0 and watch.votes.get("silent", 0) > 0 and net.lost() > args.seconds),
                ("a site that dies is noticed", True)]
    finally:
        world.stop()


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("minutes", nargs="?", type=float, default=45)
    ap.add_argument("--seconds", type=float)
    ap.add_argument("--seed", type=int, default=int(time.time()))
    args = ap.parse_args()
    args.seconds = args.seconds or args.minutes * 60
    health_net.inside()
    with tempfile.TemporaryDirectory(dir="/run") as directory:
        results = measure(args, directory)
    for what, good in results:
        print(f"  {'ok    ' if good else 'FAILED'} {what}")
    bad = sum(not good for _, good in results)
    print(f"{len(results) - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
