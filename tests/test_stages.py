"""Claims about what stays on disk after nights."""

import pytest

from agent.config import load_config
from agent.stages import drop_rejected_models, read_card, read_verdict
from memory.db import open_database
from memory.errors import ModelFileError


def test_only_the_newest_rejected_candidates_keep_their_model(tmp_path):
    config = load_config(tmp_path)
    with open_database(config.database_path) as db:
        for day in ("01", "02", "03", "04"):
            folder = config.nights_path / f"2026-03-{day}"
            folder.mkdir(parents=True)
            (folder / "junior.gguf").write_bytes(b"GGUF")
            (folder / "report.html").write_text("")
            verdict = "released" if day == "01" else "rejected"
            row = {"id": folder.name, "verdict": verdict, "started_at": folder.name}
            db["nights"].insert(row)
    drop_rejected_models(config)
    left = sorted(path.parent.name for path in config.nights_path.glob("*/junior.gguf"))
    assert left == ["2026-03-01", "2026-03-03", "2026-03-04"]
    assert len(list(config.nights_path.glob("*/report.html"))) == 4


def test_a_half_written_report_or_manifest_is_said(tmp_path):
    (tmp_path / "report.json").write_text('{"verdict": "rel')
    with pytest.raises(ModelFileError, match="not a whole report"):
        read_verdict(tmp_path)
    with pytest.raises(ModelFileError, match="not a whole manifest"):
        read_card(tmp_path)
