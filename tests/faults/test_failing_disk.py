"""Claims about a disk that is full, broken or read-only, and about too many open files."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.homes import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("cc") and sys.platform == "linux"), reason="needs cc and LD_PRELOAD"
    ),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    made = tmp_path_factory.mktemp("library") / "failing.so"
    source = Path(__file__).with_name("failing.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", made, source, "-ldl"], check=True)
    return made


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EMFILE", "EROFS"])
@pytest.mark.parametrize("action", ["ingest", "publish"])
def test_whichever_call_fails_nothing_is_lost_or_half_done(library, tmp_path, action, error):
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.run_failing", action, error, str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"LD_PRELOAD": str(library), "FAIL_UNDER": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    found = json.loads(done.stdout.splitlines()[-1]) if done.stdout else done.stderr
    assert found["problems"] == [] and found["failed"] >= 3, found
