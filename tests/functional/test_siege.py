#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A short siege, and tests of its judges with wrong answers; make siege runs it in full."""
import time

import pytest

import siege_oracle
from siege import Siege
from siege_faults import FAULTS
from siege_oracle import CONTROL, Deaths, Ledger, Outages

SECONDS = 20


@pytest.fixture
def outages():
    return Outages()


@pytest.fixture(autouse=True)
def bound(monkeypatch):
    monkeypatch.setattr(siege_oracle, "BOUND_S", 0.05)


def written(ledger, *values):
    for value in values:
        ledger.acknowledge("w", ledger.send("w", value))


def judged(ledger, value, server="ns1", epoch=0, sent=None):
    now = time.monotonic()
    return ledger.judge(server, epoch, "w", value, sent or now, now)


def test_an_answer_that_was_replaced_long_ago_is_wrong(outages):
    ledger = Ledger(outages, ["w"])
    written(ledger, "10.0.0.1", "10.0.0.2")
    assert judged(ledger, "10.0.0.1") is None
    time.sleep(0.06)
    assert "was replaced" in judged(ledger, "10.0.0.1")
    assert judged(ledger, "10.0.0.2") is None
    assert "never acknowledged" in judged(ledger, "10.0.0.3")


def test_what_a_part_cannot_know_is_not_asked_of_it(outages):
    ledger = Ledger(outages, ["w"])
    written(ledger, "10.0.0.1")
    outages.begin(CONTROL)
    written(ledger, "10.0.0.2")
    time.sleep(0.06)
    assert judged(ledger, "10.0.0.1") is None
    outages.end(CONTROL)
    assert judged(ledger, "10.0.0.1") is None
    time.sleep(0.06)
    assert judged(ledger, "10.0.0.1") is not None
    outages.begin("ns2")
    assert judged(ledger, "10.0.0.1", "ns2") is None and judged(ledger, "10.0.0.1") is not None


def test_answers_never_go_back_but_in_a_restore_or_another_life(outages):
    ledger = Ledger(outages, ["w"])
    written(ledger, "10.0.0.1", "10.0.0.2")
    assert judged(ledger, "10.0.0.2") is None
    assert "went back" in judged(ledger, "10.0.0.1")
    assert judged(ledger, "10.0.0.1", "ns2") is None and judged(ledger, "10.0.0.1", epoch=1) is None
    ledger.going_back(True)
    assert judged(ledger, "10.0.0.1") is None


def test_a_write_without_a_reply_may_be_there_or_not_until_it_was_read(outages):
    ledger = Ledger(outages, ["w"])
    written(ledger, "10.0.0.1")
    write = ledger.send("w", "10.0.0.2")
    assert judged(ledger, "10.0.0.1") is None and judged(ledger, "10.0.0.2", "ns2") is None
    assert not ledger.settle("w", write, "10.0.0.9")
    assert "never acknowledged" in judged(ledger, "10.0.0.2")


def test_an_endpoint_that_died_long_ago_is_wrong(outages):
    deaths = Deaths(outages)
    deaths.die("192.0.2.1")
    both = ["192.0.2.1", "192.0.2.2"]
    assert deaths.judge("ns1", both, time.monotonic()) is None
    time.sleep(0.06)
    assert "is dead since" in deaths.judge("ns1", both, time.monotonic())
    assert deaths.judge("ns1", both[1:], time.monotonic()) is None
    assert deaths.judge("ns1", [], time.monotonic()) is not None
    deaths.live("192.0.2.1")
    assert deaths.judge("ns1", both, time.monotonic()) is None


def test_everything_at_once(monkeypatch, capsys):
    monkeypatch.undo()
    held = Siege(2, SECONDS, FAULTS).play()
    assert held, capsys.readouterr().out
