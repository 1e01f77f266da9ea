# SPDX-License-Identifier: Apache-2.0
"""Loading a large zone file: how long it takes until the zone is answered, and how much CPU and memory, beside Knot and
beside ldns' parser alone."""
import json
import os
import statistics
import subprocess
import time

from servers import SERVER_CORE, Servers, cpu_us, end, rss_kb, write_zone

ROUNDS = 3


def parse_with_ldns(args, zone):
    out = subprocess.run(["taskset", "-c", str(SERVER_CORE), os.path.join(args.build, "tests/ldns_floor"), zone], check=True, capture_output=True,
                         text=True).stdout
    return json.loads(out)["cpu_s"]


def bench(args, directory, bars):
    print(f"A zone file of {args.large} names: {ROUNDS} rounds")
    zone = os.path.join(directory, "zone")
    write_zone(zone, args.large)
    servers = Servers(args.build, args.peers, directory, zone)
    seen = {"veer": [], "knot": []}
    ldns = []
    for _ in range(ROUNDS):
        for name, results in seen.items():
            begun = time.monotonic()
            process, _port = servers.run(name)
            took = time.monotonic() - begun
            results.append((took, cpu_us(process.pid) / 1e6, rss_kb(process.pid) / 1024))
            end(process)
        ldns.append(parse_with_ldns(args, zone))
    middle = {name: [statistics.median(column) for column in zip(*results)] for name, results in seen.items()}
    for name, (took, cpu, rss) in middle.items():
        print(f"  {name:14} answers after {took:.2f} s, {cpu:.2f} s CPU, RSS {rss:.0f} MiB")
    print(f"  ldns alone     {statistics.median(ldns):.2f} s CPU to parse it")
    bars.at_most("zone file to first answer", middle["veer"][0], 6, " s")
    bars.at_most("RSS to Knot's", middle["veer"][2] / middle["knot"][2], 1.0)
