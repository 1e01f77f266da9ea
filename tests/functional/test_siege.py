#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A short siege; the whole of it, with the attacks on the control plane: make siege."""
from siege import Siege

SECONDS = 22
FAULTS = ["kill_control", "stop_control", "kill_server", "stop_server", "replace_servers", "silent_agent", "full_disk_of_a_server", "restore", "lost_store"]


def test_everything_at_once(capsys):
    held = Siege(1, SECONDS, FAULTS, attacks_named=[]).play()
    assert held, capsys.readouterr().out
