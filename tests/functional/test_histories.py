#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A few of the histories of stores; all of them: make histories."""
import pytest

from histories import play
from veer_util import SLOW


@pytest.mark.parametrize("seed", range(1000, 1004 if SLOW == 1 else 1002))
def test_a_name_server_has_what_its_store_has_or_says_that_it_does_not_follow(seed):
    wrong = play(seed, steps=10)
    assert wrong is None, wrong
