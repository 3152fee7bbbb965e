"""Claims about the systemd units: hardened, and honest about what a user manager cannot do."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.service import UNITS, install
from memory.errors import UsageError

SERVICES = [name for name in UNITS if name.endswith(".service")]


def texts(home, *, system):
    found = install(home, system=system, only_print=True)
    return {Path(unit["path"]).name: unit["text"] for unit in found["units"]}, found["notes"]


def test_printing_writes_nothing_and_names_this_home(tmp_path):
    units, _ = texts(tmp_path / "home", system=True)
    assert f"--home {tmp_path / 'home'} run" in units["junior.service"]
    assert f"-m agent.child %i {tmp_path / 'home'}" in units["junior-stage@.service"]
    for text in units.values():
        settings = [line for line in text.splitlines() if not line.startswith("#")]
        assert not re.search(r"@[A-Z]+@", "\n".join(settings))
    assert list(tmp_path.iterdir()) == []


def test_every_unit_of_the_folder_is_installed():
    there = {path.name for path in (Path(__file__).parent.parent / "systemd").glob("*.*er*")}
    assert set(UNITS) == {name for name in there if name.endswith((".service", ".timer"))}


def test_the_daemon_has_no_gpu_and_the_stages_have_no_network(tmp_path):
    units, _ = texts(tmp_path, system=True)
    assert "nvidia" not in units["junior.service"]
    assert "char-nvidia* rw" in units["junior-stage@.service"]
    assert "PrivateNetwork=yes" in units["junior-stage@.service"]


def test_the_daemons_user_may_start_the_stages_and_nothing_else(tmp_path):
    rules = texts(tmp_path, system=True)[0]["50-junior.rules"]
    (pattern,) = re.findall(r"/(\^.*\$)/\.test", rules)
    assert re.match(pattern, "junior-stage@train.service")
    assert not re.match(pattern, "junior-stage@x.service") and not re.match(pattern, "ssh.service")


def test_a_user_unit_says_what_was_left_out(tmp_path):
    units, notes = texts(tmp_path, system=False)
    assert "DeviceAllow" in notes[0] and "User" in notes[0]
    for name in SERVICES:
        assert "DeviceAllow" not in units[name] and "PrivateUsers=yes" in units[name]
    assert "default.target" in units["junior.service"]


def test_a_path_with_spaces_is_refused(tmp_path):
    with pytest.raises(UsageError, match="spaces"):
        install(tmp_path / "my home", system=True, only_print=True)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
@pytest.mark.parametrize("name", SERVICES)
def test_a_system_unit_is_exposed_as_little_as_promised(tmp_path, name):
    text = texts(Path("/var/lib/junior"), system=True)[0][name]
    unit = tmp_path / name.replace("@", "@train")
    unit.write_text(re.sub(r"^User=.*", "User=nobody", text, flags=re.M))
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", str(unit)], capture_output=True, text=True
    )
    level = float(re.search(r"exposure level for \S+: ([\d.]+)", done.stdout).group(1))
    print(f"{name}: {level}")
    assert level <= 1.5, done.stdout


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
def test_systemd_understands_every_line(tmp_path):
    for name, text in texts(Path("/var/lib/junior"), system=True)[0].items():
        if name in UNITS:
            (tmp_path / name.replace("@", "@train")).write_text(text.replace("User=root\n", ""))
    files = [str(path) for path in tmp_path.glob("*.*er*")]
    done = subprocess.run(
        ["systemd-analyze", "verify", *files], capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )  # fmt: skip
    assert not re.search(r"junior\S*:\d+: ", done.stderr), done.stderr
