"""Claims about the systemd units: hardened, and honest about what a user manager cannot do."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.service import install
from memory.errors import UsageError


def test_printing_writes_nothing_and_names_this_home(tmp_path):
    found = install(tmp_path / "home", system=True, only_print=True)
    (unit,) = found["units"]
    assert (
        f"--home {tmp_path / 'home'} run" in unit["text"]
        and "@"
        not in unit["text"]
        .replace("@system-service", "")
        .replace("@privileged @resources", "")
        .replace("junior@NAME", "")
        .split("[Unit]")[1]
    )
    assert list(tmp_path.iterdir()) == []


def test_a_user_unit_says_what_was_left_out(tmp_path):
    found = install(tmp_path, system=False, only_print=True)
    text, note = found["units"][0]["text"], found["notes"][0]
    assert "DeviceAllow" not in text and "DeviceAllow" in note and "default.target" in text


def test_a_path_with_spaces_is_refused(tmp_path):
    with pytest.raises(UsageError, match="spaces"):
        install(tmp_path / "my home", system=True, only_print=True)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
def test_the_system_unit_is_exposed_as_little_as_promised(tmp_path):
    text = install(Path("/var/lib/junior"), system=True, only_print=True)["units"][0]["text"]
    unit = tmp_path / "junior.service"
    unit.write_text(re.sub(r"^User=.*", "User=nobody", text, flags=re.M))
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", str(unit)], capture_output=True, text=True
    )
    level = float(re.search(r"exposure level for \S+: ([\d.]+)", done.stdout).group(1))
    assert level <= 1.5, done.stdout
