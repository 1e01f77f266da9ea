#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What answering, loading, starting and changing cost, compared with other servers in the same run.

    bench.py [--only peers,policy,scale,zonefile,restart,change,agent,https]

All servers are measured in turns. The results are medians over the rounds. Absolute figures drift on a shared machine,
but ratios within one run do not, so the bars are ratios where that is possible. The last line counts the bars that were
met.
"""
import argparse
import os
import statistics
import sys
import tempfile

import agent
import control
import https
from servers import ROOT, Servers, end, write_queries, write_zone
import zonefile


class Bars:
    """The bars that must be reached, and whether each was."""

    def __init__(self):
        self.met = self.missed = 0

    def at_most(self, what, value, limit, unit=""):
        good = value <= limit
        self.met, self.missed = self.met + good, self.missed + (not good)
        print(f"  {'met   ' if good else 'MISSED'} {what}: {value:.3f}{unit}, at most {limit:g}{unit}", flush=True)


def medians(rounds):
    return {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}


def show(name, rounds):
    m = medians(rounds)
    costs = [r["cpu_us"] for r in rounds]
    print(f"  {name:14} {m['cpu_us']:6.3f} us CPU a query ({min(costs):.3f} to {max(costs):.3f})  {m['qps']:8.0f} queries/s  loss {m['loss']:.4f}"
          f"  RSS {m['rss_kb'] / 1024:.0f} MiB", flush=True)
    return m["cpu_us"]


def in_turns(names, rounds):
    """Measure each name once per round, and begin each round with another name."""
    for i in range(rounds):
        yield from names[i % len(names):] + names[:i % len(names)]


def bench_peers(args, directory, bars):
    print(f"CPU a query beside peers: {args.names} names, {args.rounds} rounds of {args.seconds} s")
    zone, queries = os.path.join(directory, "zone"), os.path.join(directory, "queries")
    write_zone(zone, args.names)
    write_queries(queries, args.names)
    servers = Servers(args.build, args.peers, directory, zone)
    peers = ["nsd", "knot", "gdnsd"]
    results = {name: [] for name in ["veer", *peers, "echo"]}
    for name in in_turns(list(results), args.rounds):
        process, port = servers.run(name)
        try:
            results[name].append(servers.load(process.pid, port, queries, args.seconds))
        finally:
            end(process)
    cost = {name: show(name, rounds) for name, rounds in results.items()}
    best = min(peers, key=lambda name: cost[name])
    bars.at_most(f"veer to the best peer ({best})", cost["veer"] / cost[best], 1.0)
    bars.at_most("veer to the echo", cost["veer"] / cost["echo"], 1.15)
    bars.at_most("loss", medians(results["veer"])["loss"], 0)


def bench_scale(args, directory, bars):
    print(f"CPU a query, 1,000 and 1,000,000 names: {args.rounds} rounds of {args.seconds} s")
    setups = {}
    for names in (1000, 1000000):
        sub = os.path.join(directory, str(names))
        os.mkdir(sub)
        write_zone(os.path.join(sub, "zone"), names)
        write_queries(os.path.join(sub, "queries"), names)
        setups[names] = Servers(args.build, args.peers, sub, os.path.join(sub, "zone"))
    running = {}
    results = {names: [] for names in setups}
    try:
        for names, servers in setups.items():
            running[names] = servers.run("veer")
        for names in in_turns(list(setups), args.rounds):
            process, port = running[names]
            results[names].append(setups[names].load(process.pid, port, os.path.join(setups[names].dir, "queries"), args.seconds))
    finally:
        for process, _ in running.values():
            end(process)
    cost = {names: show(f"{names} names", rounds) for names, rounds in results.items()}
    bars.at_most("1,000,000 names to 1,000", cost[1000000] / cost[1000], 1.25)


def bench_policy(args, directory, bars):
    names = 1000
    print(f"CPU a query through a policy: {names} names each, {args.rounds} rounds of {args.seconds} s")
    files = {"static": "h", "failover": "f", "weighted": "w"}
    for kind, prefix in files.items():
        write_queries(os.path.join(directory, kind), names, prefix)
    results = {kind: [] for kind in files}
    with control.Plane(args.build, directory) as plane:
        write_zone(os.path.join(directory, "zone"), names)
        plane.import_zone(os.path.join(directory, "zone"))
        plane.bind_policies({"f": "failover", "w": "weighted"}, names)
        process, port = plane.name_server("static", saves=False)
        servers = Servers(args.build, args.peers, directory, "")
        for kind in in_turns(list(files), args.rounds):
            results[kind].append(servers.load(process.pid, port, os.path.join(directory, kind), args.seconds))
    cost = {kind: show(kind, rounds) for kind, rounds in results.items()}
    bars.at_most("failover to static", cost["failover"] / cost["static"], 1.05)
    bars.at_most("weighted to static", cost["weighted"] / cost["static"], 1.05)


SCENARIOS = {"peers": bench_peers, "policy": bench_policy, "scale": bench_scale, "zonefile": zonefile.bench, "restart": control.bench_restart,
             "change": control.bench_change, "agent": agent.bench, "https": https.bench}


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    ap.add_argument("--build", default=os.path.join(ROOT, "build"))
    ap.add_argument("--peers", default=os.path.join(ROOT, "build/peers/root"))
    ap.add_argument("--names", type=int, default=100000, help="names in the zone that all servers answer")
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--seconds", type=int, default=3, help="seconds of load per round")
    ap.add_argument("--large", type=int, default=1000000, help="names in the large zone")
    ap.add_argument("--changes", type=int, default=10000, help="records that are changed under load")
    ap.add_argument("--https-rounds", type=int, default=3)
    ap.add_argument("--https-seconds", type=int, default=20)
    ap.add_argument("--before", help="another build to compare the https scenario with")
    ap.add_argument("--only", default=",".join(SCENARIOS))
    args = ap.parse_args()
    args.before = args.before and os.path.abspath(args.before)
    args.build, args.peers = os.path.abspath(args.build), os.path.abspath(args.peers)
    bars = Bars()
    for name in args.only.split(","):
        with tempfile.TemporaryDirectory(prefix="veer-bench-") as directory:
            SCENARIOS[name](args, directory, bars)
    print(f"{bars.met} passed, {bars.missed} failed")
    return 1 if bars.missed else 0


if __name__ == "__main__":
    sys.exit(main())
