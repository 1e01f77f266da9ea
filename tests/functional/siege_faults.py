# SPDX-License-Identifier: Apache-2.0
"""The faults of a siege. Each fault is drawn from its own random source, describes itself in one line, and repairs its
damage at the end."""
import contextlib
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import threading
import time

import attacks
from siege_oracle import BOUND_S, CONTROL, DISK
from siege_world import BULK
from test_disk import empty, fill
from veer_util import SLOW, wait_until

STREAMS, SILENT = 400, 1200
NO_REPORT = json.dumps({f"k{i}": 0 for i in range(320000)}, separators=(",", ":"))  # 4 MB
PARTS = (".db", ".db-wal", ".db-shm")


# --- attacks -------------------------------------------------------------------------------------------------------


def many_files(function, *args):
    """Runs in the attacker's process: allow it as many descriptors as it will hold."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    function(*args)


def flood_streams(port, token, count):
    """Hold this many feeds of one token and read each; those that end or are refused are opened again."""
    request = f"GET /v1/feed HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()

    def follow():
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as s:
                s.sendall(request)
                while s.recv(65536):
                    pass
            time.sleep(0.05)

    threads = [threading.Thread(target=follow, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def attack_named(world, name):
    """The attack that `attacks.attack` runs, by its name."""
    port = world.api.port
    sources = [f"127.0.7.{i}" for i in range(1, 9)]
    return {
        "a stolen agent posts 4 MB that are no report": (attacks.flood_reports, port, world.stolen, NO_REPORT),
        f"one token opens {STREAMS} feeds": (many_files, flood_streams, port, world.tokens["feed:read"], STREAMS),
        "12 exports at a time": (attacks.flood_exports, port, world.tokens["zones:read"], BULK),
        "32 large lists at a time": (attacks.flood_lists, port, world.tokens["zones:read"], BULK),
        f"{SILENT} silent connections": (many_files, attacks.hold_silent, port, SILENT, sources),
    }[name]


ATTACKS = ["a stolen agent posts 4 MB that are no report", f"one token opens {STREAMS} feeds", "12 exports at a time",
           "32 large lists at a time", f"{SILENT} silent connections"]


# --- faults: generators that first yield what they are about to do --------------------------------------------------


def some_time(rng):
    """For how many seconds a part is stopped: mostly shorter than any deadline of others, sometimes longer than
    most."""
    return 8 + 4 * rng.random() if rng.random() < 0.15 else 0.5 + 2.5 * rng.random()


def nothing_else(world, rng):
    seconds = 3 + 3 * rng.random()
    yield f"nothing else for {seconds:.1f} s"
    time.sleep(seconds)


def kill_control(world, rng):
    pause = rng.random()
    yield f"kill -9 of veer-api, started again after {pause:.2f} s"
    world.kill_api()
    time.sleep(pause)
    world.start_api()
    world.api_is_back()


def stop_control(world, rng):
    seconds = some_time(rng)
    yield f"SIGSTOP of veer-api for {seconds:.2f} s"
    world.pause(world.api, CONTROL, seconds)


def restart_server(world, server, pause):
    world.outages.begin(server.name)
    server.kill()
    server.epoch += 1
    time.sleep(pause)
    server.start()
    world.outages.end(server.name)


def kill_server(world, rng):
    server, pause = rng.choice(world.servers), rng.random()
    yield f"kill -9 of {server.name}, started again after {pause:.2f} s"
    restart_server(world, server, pause)


def stop_server(world, rng):
    server, seconds = rng.choice(world.servers), some_time(rng)
    yield f"SIGSTOP of {server.name} for {seconds:.2f} s"
    world.pause(server, server.name, seconds)


def replace_servers(world, rng):
    count = rng.randrange(2, 6)
    yield f"--replace of both name servers, {count} times"
    for _ in range(count):
        for server in world.servers:
            server.replace()


def silent_agent(world, rng):
    agent, seconds = rng.choice(world.agents[:-1]), 1 + 4 * rng.random()
    yield f"agent {agent.name} says nothing for {seconds:.2f} s"
    agent.is_silent = True
    try:
        time.sleep(seconds)
    finally:
        agent.is_silent = False


@contextlib.contextmanager
def full(disk, leave):
    fill(disk, leave)
    try:
        yield
    finally:
        empty(disk)


def full_disk_of_a_server(world, rng):
    is_killed, seconds = rng.random() < 0.5, 1 + 2 * rng.random()
    if world.mounted[1] is None:
        yield "(no disk can be mounted here)"
        return
    yield f"the disk of ns2 is full for {seconds:.2f} s" + (", and it is killed meanwhile" if is_killed else "")
    with full(world.mounted[1], 0):
        time.sleep(seconds)
        if is_killed:
            restart_server(world, world.servers[1], 0.2)


def fill_control(world, rng, leave, what):
    seconds = 2 + 2 * rng.random()
    if world.mounted[0] is None:
        yield "(no disk can be mounted here)"
        return
    yield f"the disk of veer-api has {what} left for {seconds:.2f} s"
    world.outages.begin(DISK)
    with full(world.mounted[0], leave):
        time.sleep(seconds)
    wait_until(lambda: world.api.put("/v1/sites/a", {"region": "eu"}).status in (200, 201), 5, "writes after the disk was emptied")
    world.outages.end(DISK)


def small_disk_of_control(world, rng):
    yield from fill_control(world, rng, 512 << 10, "512 KiB")


def full_disk_of_control(world, rng):
    yield from fill_control(world, rng, 0, "nothing")


# --- stores --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def peace(world):
    """Stop all writes and deaths, and find out as far as possible what became of each write."""
    with contextlib.ExitStack() as stack:
        for lock in [world.health] + world.writers:
            stack.enter_context(lock)
        yield


def store_files(world):
    return [world.api.store[:-len(".db")] + part for part in PARTS]


def restore(world, rng):
    pause, is_clean = 0.3 + rng.random(), rng.random() < 0.5
    yield f"veer backup, edits for {pause:.2f} s, veer restore"
    path = f"{world.directory}/backup"
    with world.health:
        begin = time.monotonic()
        world.veer("backup", path, "--api", f"unix:{world.api.unix}")
        end = time.monotonic()
    time.sleep(pause)
    with peace(world):
        world.ledger.going_back(True)
        world.outages.begin(CONTROL)
        if is_clean:
            world.api.stop()
        else:
            world.api.kill()
        said = world.veer("restore", path, "--store", f"sqlite:{world.api.store}").stdout
        world.start_api()
        judge_restore(world, begin, end, said)
        world.ledger.going_back(False)
        world.api_is_back()
    os.unlink(path)
    for name in os.listdir(world.api.directory):
        if ".before-" in name:
            os.unlink(f"{world.api.directory}/{name}")


def judge_restore(world, begin, end, said):
    """Each name must have the value that it had when the backup was taken, and each name with another value than the
    last acknowledged one must be reported as lost."""
    counts = re.search(r"(\d+) are lost and (\d+) are older; (\d+) that had been deleted are back", said)
    if counts is None:
        world.figures.fault("lost", f"veer restore does not say what is lost: {said}")
        return
    ours = {"lost": 0, "as it was": 0, "back again": 0}
    for label in world.ledger.writes:
        last, value = world.ledger.last(label).value, world.read(label)
        if value not in world.ledger.held_between(label, begin, end):
            world.figures.fault("lost", f"{label}: {value} after a restore was not there when the backup was taken")
        if value == last:
            continue
        kind = "lost" if value is None else "back again" if last is None else "as it was"
        ours[kind] += 1
        world.ledger.restored(label, value)
        if "  …" not in said and not re.search(rf"rrset \S*/{label}\.\S*: {kind}", said):
            world.figures.fault("lost", f"veer restore does not say of {label} \"{kind}\": {said}")
    if any(int(told) < count for told, count in zip(counts.groups(), ours.values())):
        world.figures.fault("lost", f"veer restore says too little: {said} of {ours}")
    world.figures.add("writes that a restore took back and said so", sum(ours.values()))


def lost_store(world, rng):
    seconds = 0.5 + 1.5 * rng.random()
    yield f"the store is lost, another one is made for {seconds:.2f} s, and it is found again"
    aside = f"{world.directory}/aside"
    os.makedirs(aside)
    with peace(world):
        world.kill_api()
        for path in store_files(world):
            if os.path.exists(path):
                shutil.move(path, aside)
        try:
            live_with_another_store(world, seconds)
        finally:
            world.api.kill()
            find_store(world, aside)
            os.rmdir(aside)


def live_with_another_store(world, seconds):
    """ns1 sees the new store and reports it; for ns2 this is a control plane that does not know ns2."""
    refused = subprocess.run(world.api.argv, capture_output=True, text=True, timeout=60 * SLOW, check=False)
    if refused.returncode != 2 or "--create" not in refused.stderr:
        world.figures.fault("store", f"a lost store: {refused.returncode} {refused.stderr}")
    world.start_api("--create")
    began = time.monotonic()
    while world.servers[0].quarantined() is None:
        if time.monotonic() - began > BOUND_S:
            world.figures.fault("store", "ns1 does not say that another store is quarantined")
            break
        time.sleep(0.02)
    time.sleep(seconds)


def find_store(world, aside):
    for path in store_files(world):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    for name in os.listdir(aside):
        shutil.move(f"{aside}/{name}", world.api.directory)
    world.start_api()
    world.api_is_back()
    back = time.monotonic()
    wait_until(lambda: not any(s.quarantined() for s in world.servers), 10, "the end of the quarantine")
    took = time.monotonic() - back
    world.figures.measure("end of a quarantine", took)
    if took > BOUND_S:
        world.figures.fault("store", f"the quarantine lasts {took:.2f} s after the store was found")


# what may happen to a name server while the control plane has another fault
BESIDE = ["kill_server", "stop_server", "replace_servers", "full_disk_of_a_server"]
WITH_BESIDE = ["kill_control", "stop_control", "small_disk_of_control", "full_disk_of_control", "restore", "silent_agent"]
FAULTS = {function.__name__: function for function in (
    nothing_else, kill_control, stop_control, kill_server, stop_server, replace_servers, silent_agent, full_disk_of_a_server,
    small_disk_of_control, full_disk_of_control, restore, lost_store)}
