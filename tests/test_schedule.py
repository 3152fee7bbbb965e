"""Claims about which night is due, with the clock as an argument."""

import itertools
import os
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.conditions import hindrance
from agent.schedule import History, ScheduleConfig, due, next_start, period_of, start_of

BERLIN = ZoneInfo("Europe/Berlin")
CONFIG = ScheduleConfig(at="03:30", window_minutes=240, timezone="Europe/Berlin")


def berlin(*parts):
    return datetime(*parts, tzinfo=BERLIN).astimezone(UTC)


def test_due_inside_the_window_and_not_before():
    assert due(berlin(2026, 11, 20, 3, 31), CONFIG, History())[0]
    before = History(last_tick_at=berlin(2026, 11, 19, 4, 0))
    assert not due(berlin(2026, 11, 20, 3, 29), CONFIG, before)[0]


def test_a_period_is_the_local_date_of_at():
    assert str(period_of(berlin(2026, 11, 20, 3, 30), CONFIG)) == "2026-11-20"
    assert str(period_of(berlin(2026, 11, 20, 3, 29), CONFIG)) == "2026-11-19"


@pytest.mark.parametrize("verdict", ["released", "rejected", "unchanged"])
def test_one_finished_attempt_a_period(verdict):
    assert not due(berlin(2026, 11, 20, 4, 0), CONFIG, History(verdicts=(verdict,)))[0]


def test_failed_attempts_are_tried_three_times():
    now = berlin(2026, 11, 20, 4, 0)
    assert due(now, CONFIG, History(verdicts=("failed",), attempts=2))[0]
    assert not due(now, CONFIG, History(verdicts=("failed",), attempts=3))[0]


def test_a_night_cut_off_is_gone_on_with_after_the_window_too():
    now, up = berlin(2026, 11, 20, 9, 0), berlin(2026, 11, 20, 5, 0)
    cut = History(verdicts=("interrupted",), attempts=1, last_tick_at=up)
    assert due(now, CONFIG, cut)[0]
    assert not due(now, CONFIG, History(verdicts=("stopped",), attempts=1, last_tick_at=up))[0]


def test_a_machine_that_was_off_catches_up():
    now = berlin(2026, 11, 20, 9, 0)
    assert due(now, CONFIG, History(last_tick_at=berlin(2026, 11, 19, 22, 0)))[0]
    assert not due(now, CONFIG, History(last_tick_at=berlin(2026, 11, 20, 5, 0)))[0]
    off = ScheduleConfig(at="03:30", timezone="Europe/Berlin", catch_up=False)
    assert not due(now, off, History(last_tick_at=berlin(2026, 11, 19, 22, 0)))[0]


def test_a_new_home_waits_for_its_first_at():
    history = History(first_seen_at=berlin(2026, 11, 20, 4, 0))
    assert not due(berlin(2026, 11, 20, 4, 1), CONFIG, history)[0]
    assert due(berlin(2026, 11, 21, 3, 30), CONFIG, history)[0]


def test_paused_until_a_time():
    history = History(paused_until=berlin(2026, 11, 20, 4, 0))
    assert due(berlin(2026, 11, 20, 3, 45), CONFIG, history) == (False, "paused")
    assert due(berlin(2026, 11, 20, 4, 0), CONFIG, history)[0]


@pytest.mark.parametrize("day", [datetime(2026, 3, 29), datetime(2026, 10, 25)])
def test_daylight_saving_gives_each_date_one_period(day):
    """Every minute of both nights: the period changes exactly once a day, at one moment."""
    config = ScheduleConfig(at="02:30", timezone="Europe/Berlin")
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=4)
    keys = [period_of(begin + timedelta(minutes=m), config) for m in range(60 * 30)]
    changes = [b for a, b in itertools.pairwise(keys) if a != b]
    assert changes == sorted(set(changes)) and 1 <= len(changes) <= 2


def test_next_start_is_later_than_now():
    now = berlin(2026, 11, 20, 3, 30)
    assert next_start(now, CONFIG) == start_of(period_of(now, CONFIG), CONFIG) + timedelta(days=1)


@pytest.mark.parametrize(
    "values",
    [{"at": "25:00"}, {"at": "half past three"}, {"window_minutes": 0}, {"timezone": "Mars/Base"}],
)
def test_values_that_cannot_be_are_named(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        ScheduleConfig(**values)


def test_a_night_waits_for_its_conditions_and_is_not_lost_by_it():
    now = berlin(2026, 11, 20, 4, 0)
    waiting = History(hindrance="waiting for mains power")
    assert due(now, CONFIG, waiting) == (False, "waiting for mains power")
    later, on_battery = berlin(2026, 11, 20, 9, 0), berlin(2026, 11, 20, 7, 0)
    plugged_in = History(last_tick_at=on_battery, able_at=berlin(2026, 11, 19, 22, 0))
    assert due(later, CONFIG, plugged_in)[0]


@pytest.mark.parametrize(
    ("online", "battery", "waits"),
    [("1", True, False), ("0", True, True), ("0", False, False), (None, True, False)],
)
def test_only_a_machine_with_mains_that_are_out_is_on_battery(tmp_path, online, battery, waits):
    if online is not None:
        (tmp_path / "AC").mkdir()
        (tmp_path / "AC" / "type").write_text("Mains\n")
        (tmp_path / "AC" / "online").write_text(f"{online}\n")
    if battery:
        (tmp_path / "BAT0").mkdir()
        (tmp_path / "BAT0" / "type").write_text("Battery\n")
    assert bool(hindrance(ScheduleConfig(), tmp_path)) == waits
    assert hindrance(ScheduleConfig(on_battery=True), tmp_path) == ""


def test_a_busy_machine_is_waited_for_only_where_asked(tmp_path):
    assert hindrance(ScheduleConfig(max_load=1e9), tmp_path) == ""
    if os.getloadavg()[0] > 0:
        assert "quieter" in hindrance(ScheduleConfig(max_load=1e-9), tmp_path)
