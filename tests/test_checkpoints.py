"""checkpoints: only a whole one of this run is resumed from."""

import pytest

from distill.train.checkpoints import clear_after, keep_newest, list_checkpoints, newest_whole, seal


def make(folder, step, *, sealed=True, fingerprint="run"):
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    (checkpoint / "optimizer.pt").write_bytes(b"moments" * step)
    (checkpoint / "trainer_state.json").write_text("{}")
    if sealed:
        seal(checkpoint, {"fingerprint": fingerprint, "step": step})
    return checkpoint


def test_newest_whole_is_found_by_step_and_not_by_name(tmp_path):
    make(tmp_path, 9), make(tmp_path, 100)
    checkpoint, facts = newest_whole(tmp_path, "run")
    assert (checkpoint.name, facts["step"]) == ("checkpoint-100", 100)


def test_unsealed_is_ignored(tmp_path):
    make(tmp_path, 9), make(tmp_path, 10, sealed=False)
    assert newest_whole(tmp_path, "run")[0].name == "checkpoint-9"


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: (c / "optimizer.pt").write_bytes(b"torn"),
        lambda c: (c / "optimizer.pt").unlink(),  # the trainer would resume in silence
        lambda c: (c / "sealed.json").write_text('{"files": {'),
        lambda c: (c / "sealed.json").write_text("[]"),
        lambda c: (c / "sealed.json").write_text('{"files": {}}'),
    ],
)
def test_damaged_is_ignored(tmp_path, damage):
    make(tmp_path, 9)
    damage(make(tmp_path, 10))
    assert newest_whole(tmp_path, "run")[0].name == "checkpoint-9"


def test_checkpoint_of_another_run_is_ignored(tmp_path):
    make(tmp_path, 9, fingerprint="other data")
    assert newest_whole(tmp_path, "run") is None
    assert newest_whole(tmp_path / "missing", "run") is None


def test_clear_after_removes_what_would_be_written_again(tmp_path):
    kept = make(tmp_path, 5)
    make(tmp_path, 6, sealed=False), make(tmp_path, 4)
    clear_after(tmp_path, kept)
    assert [c.name for c in list_checkpoints(tmp_path)] == ["checkpoint-4", "checkpoint-5"]
    clear_after(tmp_path, None)
    assert list_checkpoints(tmp_path) == []


def test_keep_newest_keeps_the_newest(tmp_path):
    for step in (2, 30, 4):
        make(tmp_path, step)
    keep_newest(tmp_path, 2)
    assert [c.name for c in list_checkpoints(tmp_path)] == ["checkpoint-4", "checkpoint-30"]
