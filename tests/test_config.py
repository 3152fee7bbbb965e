"""Claims about config.toml: checked whole, commented, and beaten by environment and flags."""

import json

import pytest

from agent.config import flatten, freeze, load_config, name_sources, write_config
from memory.errors import ConfigError
from memory.ingest import SourceConfig


def write(home, text):
    (home / "config.toml").write_text(text)
    return home


def test_an_empty_home_has_the_defaults(tmp_path):
    config = load_config(tmp_path)
    assert config.schedule.at == "03:30" and config.sources == () and config.origins == {}


def test_all_problems_are_listed_together(tmp_path):
    text = '[schedule]\nat = "25:99"\n[train]\nbogus = 1\n[[sources]]\nkind = "pigeon"\npath="x"\n'
    with pytest.raises(ConfigError) as error:
        load_config(write(tmp_path, text))
    assert len(error.value.problems) == 3
    for word in ("25:99", "bogus", "pigeon"):
        assert word in str(error.value)


def test_a_wrong_type_is_said_with_what_was_found(tmp_path):
    with pytest.raises(ConfigError, match="window_minutes must be int, found 'long'"):
        load_config(write(tmp_path, '[schedule]\nwindow_minutes = "long"\n'))


def test_a_number_that_cannot_be_meant_is_said_by_its_name(tmp_path):
    text = "[curate]\nheld_out_share = 7\nreply_minutes = -1.5\n[gate]\nprobes = -5\nright = nan\n"
    with pytest.raises(ConfigError) as error:
        load_config(write(tmp_path, text))
    assert len(error.value.problems) == 4
    for words in ("held_out_share is a share", "reply_minutes must not be negative", "probes must"):
        assert words in str(error.value)


def test_a_file_that_is_not_toml_is_one_problem(tmp_path):
    with pytest.raises(ConfigError, match="not readable as TOML"):
        load_config(write(tmp_path, "schedule = = 3\n"))


def test_flags_beat_environment_beats_file(tmp_path, monkeypatch):
    write(tmp_path, '[schedule]\nat = "01:00"\nwindow_minutes = 10\n[base]\nname = "tiny"\n')
    monkeypatch.setenv("JUNIOR_SCHEDULE_AT", "02:00")
    monkeypatch.setenv("JUNIOR_SCHEDULE_WINDOW_MINUTES", "20")
    config = load_config(tmp_path, {"schedule.at": "03:00"})
    assert config.schedule.at == "03:00" and config.schedule.window_minutes == 20
    assert config.origins["schedule.at"] == "flag" and config.origins["base.name"] == "file"


def test_a_variable_that_names_no_key_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setenv("JUNIOR_SCHEDULE_ATT", "02:00")
    monkeypatch.setenv("JUNIOR_IMAP_PASSWORD", "of a source, no key")
    with pytest.raises(ConfigError, match="unknown JUNIOR_SCHEDULE_ATT") as error:
        load_config(tmp_path)
    assert len(error.value.problems) == 1


def test_what_is_written_is_read_back_with_every_key_in_it(tmp_path):
    source = SourceConfig(kind="journals", path=str(tmp_path))
    path = write_config(tmp_path, {"base": {"name": "tiny"}}, name_sources([source]))
    config = load_config(tmp_path)
    assert config.base.name == "tiny" and config.sources[0].name == "journals"
    for key in flatten(config):
        assert f"{key.split('.')[-1]} =" in path.read_text()


def test_sources_of_one_kind_get_numbers(tmp_path):
    named = name_sources([SourceConfig(kind="mbox", path=p) for p in "abc"])
    assert [source.name for source in named] == ["mbox", "mbox-2", "mbox-3"]


def test_a_frozen_configuration_is_read_as_it_was(tmp_path):
    write(tmp_path, '[schedule]\nat = "01:00"\n[[sources]]\nkind = "journals"\npath = "/x"\n')
    config = load_config(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(freeze(config)))
    write(tmp_path, '[schedule]\nat = "09:00"\n')
    frozen = load_config(tmp_path, frozen=tmp_path / "config.json")
    assert frozen.schedule == config.schedule and frozen.sources == config.sources
