# SPDX-License-Identifier: Apache-2.0
"""Real agents behind bad paths, one at a time cut off or lying: no transition, no changed answer. `make steady` does it for 45 minutes."""
import os
import re
import subprocess
import sys

import pytest

from veer_util import BUILD, ROOT, SLOW


def test_bad_paths_cutoffs_and_liars_change_nothing():
    argv = [sys.executable, os.path.join(ROOT, "tests", "bench", "steady_health.py"), "--seconds", "12"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120 * SLOW, check=False, env=dict(os.environ, VEER_BUILD=BUILD))
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0 and re.fullmatch(r"\d+ passed, 0 failed", done.stdout.splitlines()[-1]), done.stdout + done.stderr
