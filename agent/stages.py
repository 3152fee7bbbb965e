"""What each stage of a night calls, with the one greppable line it ends in."""

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from agent.config import Config
from distill.base import resolve_base
from distill.identity import Identity, load_identity
from memory.db import open_database
from memory.errors import ModelFileError, PublishError
from memory.files import write_atomic

if TYPE_CHECKING:
    from distill.curate.requests_by_base import RequestByBase
    from distill.release import Generation
    from distill.rewrite.plain_by_base import PlainByBase

Tell = Callable[[dict], None]


def ingest(config: Config, folder: Path, tell: Tell) -> str:
    """Every configured source into memory; only files that changed since they were last read."""
    from memory.ingest import ingest_source

    total = {"messages": 0, "updated": 0, "rejects": 0}
    with open_database(config.database_path) as db:
        for number, source in enumerate(config.sources, 1):
            counts = ingest_source(db, source, only_changed=True).as_json()
            total = {key: total[key] + counts[key] for key in total}
            tell({"step": number, "steps": len(config.sources)})
        known = db["messages"].count
    return (
        f"ingest: {total['messages']} new, {total['updated']} updated, "
        f"{total['rejects']} rejects, {known} messages in memory"
    )


def curate(config: Config, folder: Path, tell: Tell) -> str:
    """Messages -> train.jsonl, held_out.jsonl, manifest.json."""
    from distill.base.replay import read_replay
    from distill.curate import curate as build
    from distill.curate import for_tiny

    base = resolve_base(config.base.name, config.base.revision)
    settings = for_tiny(config.curate) if base.tiny else config.curate
    identity = load_identity(folder / "identity.toml")
    plain, request = ask_base(config, folder, identity)
    with open_database(config.database_path) as db, plain as plain_by, request as request_by:
        summary = build(
            db,
            identity,
            settings,
            folder,
            sources=config.sources,
            seed=config.train.seed,
            now=datetime.now(UTC),
            replay=read_replay(base),
            plain_by=plain_by,
            request_by=request_by,
        )
    return str(summary)


def ask_base(
    config: Config, folder: Path, identity: Identity
) -> tuple["PlainByBase", "RequestByBase"]:
    """What says own words plainly and, on a GPU, words the requests that own documents answer: one
    base, loaded when it is first asked."""
    from distill.curate.requests_by_base import RequestByBase, asked_before
    from distill.embedded import Embedded
    from distill.embedded.llama import on_gpu
    from distill.evaluate.judge import known_names
    from distill.gguf import base_gguf
    from distill.rewrite.plain_by_base import PlainByBase, said_before

    @cache
    def load() -> Embedded:
        base = resolve_base(config.base.name, config.base.revision)
        return Embedded(base_gguf(base, config.export), n_ctx=2048)

    def minutes(most: float) -> float:
        return min(most, config.schedule.window_minutes / 10)

    nights, names = config.nights_path, known_names(identity)
    named = (*names.own, *names.others)
    asking = minutes(config.curate.request_minutes) if on_gpu() else 0.0
    return (
        PlainByBase(load, minutes=minutes(config.curate.plain_minutes), names=named,
                    known=said_before(nights, besides=folder.name)),
        RequestByBase(load, minutes=asking, names=named,
                      known=asked_before(nights, besides=folder.name)),
    )  # fmt: skip


def train(config: Config, folder: Path, tell: Tell) -> str:
    """Rows -> adapter/; resumes from the newest whole checkpoint."""
    from distill.train import launch
    from distill.train import train as fit

    base = resolve_base(config.base.name, config.base.revision)
    settings, window = config.train, config.schedule.window_minutes
    if launch.is_launched():
        fit = launch.recorded(fit)
    elif (count := launch.processes_for(settings, base)) > 1:
        launch.run(count, "agent.child", ["train", str(config.home), folder.name], folder)
    return str(
        fit(folder, base, settings, seed=settings.seed, progress=tell, window_minutes=window)
    )


def export(config: Config, folder: Path, tell: Tell) -> str:
    """Base + adapter -> one quantised GGUF in the night's folder."""
    from distill.gguf import export as write
    from distill.release import wants_split

    base = resolve_base(config.base.name, config.base.revision)
    manifest = json.loads((folder / "manifest.json").read_text())
    with open_database(config.database_path) as db:
        split = wants_split(db, config.publish)
    files = write(
        base,
        folder / "adapter",
        folder,
        name=f"{config.publish.name}-{folder.name}",
        config=config.export,
        provenance={
            "night": folder.name,
            "dataset": manifest["dataset_hash"],
            "recipe": json.loads((folder / "train.json").read_text())["recipe_hash"],
        },
        split=split,
        progress=tell,
    )
    return f"export: {files[-1].name}, {sum(f.bytes for f in files) / 1e6:.1f} MB"


def evaluate(config: Config, folder: Path, tell: Tell) -> str:
    """The very file that ships, against its base and the current junior -> report.json, .html."""
    from distill.evaluate import evaluate as judge
    from distill.evaluate.others import read_others
    from distill.gguf import base_gguf
    from distill.release import current_generation

    base = resolve_base(config.base.name, config.base.revision)
    exported = json.loads((folder / "export.json").read_text())
    with open_database(config.database_path) as db:
        current = current_generation(db)
        same_line = current is not None and current.lineage == base.lineage
        now_served = current_file(config, current) if same_line else None
        identity = load_identity(folder / "identity.toml")
        others = read_others(db, identity, seed=config.train.seed)
    report = judge(
        folder,
        base=base,
        base_gguf=base_gguf(base, config.export),
        candidate=[folder / file["name"] for file in exported["files"]],
        current=now_served,
        identity=identity,
        config=config.gate,
        seed=config.train.seed,
        others=others,
        progress=tell,
    )
    return str(report)


def current_file(config: Config, current: "Generation") -> Path | None:
    """The current junior's first file; None where it is damaged: a good one may take its place."""
    from distill.release import generation_files

    try:
        return generation_files(config.home, current)[0]
    except ModelFileError:
        return None


def prepare_base(config: Config, folder: Path, tell: Tell) -> str:
    """Once a base: the tiny one is made on this machine; every one answers its replay requests."""
    from distill.base import make_tiny_base
    from distill.base.replay import make_replay
    from distill.gguf import base_gguf

    if config.base.name == "tiny":
        base = make_tiny_base(tell)
    else:
        base = resolve_base(config.base.name, config.base.revision)
    replay = make_replay(base, base_gguf(base, config.export), tell)
    return f"base: {base.name} at {base.path}, {len(replay.read_bytes().splitlines())} replay rows"


def canaries(config: Config, folder: Path, tell: Tell) -> str:
    """Once a week: a second, short training with planted sentences -> canaries.json."""
    from agent.study import canaries as plant

    found = plant(config, folder, tell)
    write_atomic(folder / "canaries.json", json.dumps(found, indent=1))
    bits = ", ".join(f"{one['value']:.1f} at {n}" for n, one in found["exposure"].items())
    return (
        f"canaries: {found['n']} planted, mean exposure {found['mean']['value']:.1f} bits "
        f"({bits} repeats), AUC {found['auc']:.2f}"
    )


RUN: dict[str, Callable[[Config, Path, Tell], str]] = {
    "base": prepare_base,
    "ingest": ingest,
    "curate": curate,
    "train": train,
    "export": export,
    "evaluate": evaluate,
    "canaries": canaries,
}


def release(config: Config, night_id: str, folder: Path) -> str:
    """In the parent, since only it speaks to Ollama: publish, switch, verify, prune."""
    from distill.release import connect, publish

    base = resolve_base(config.base.name, config.base.revision)
    server = connect(config.publish)
    with open_database(config.database_path) as db:
        generation = publish(
            db,
            config.home,
            night_id,
            base=base,
            card=read_card(folder),
            config=config.publish,
            server=server,
        )
    where = f"Ollama as {generation.tag}" if generation.tag else "the embedded runner"
    return f"release: {generation.id} is current, served by {where}"


def read_card(folder: Path) -> str:
    """The system card this night's rows were built with: the one it is judged and served with."""
    try:
        return json.loads((folder / "manifest.json").read_text())["system_card"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelFileError(
            f"{folder / 'manifest.json'}: not a whole manifest: {error}"
        ) from error


def card_for(stage: str, config: Config) -> AbstractContextManager[None]:
    """The GPU for the stage that trains; what the others need of it they take."""
    from agent.gpu import the_card

    return the_card(config) if stage in ("train", "canaries") else nullcontext()


def check_disk(config: Config) -> None:
    """Before a night: another generation fits under `publish.max_gb`. Raises UserError."""
    from distill.release import check_room

    with open_database(config.database_path) as db:
        check_room(db, config.home, config.publish)


def warm_again(config: Config) -> str:
    """After a night: the current junior is loaded as it was before; gives its tag, or ""."""
    from distill.release import connect, warm

    try:
        server = connect(config.publish)
        with open_database(config.database_path) as db:
            return warm(db, server, config.publish)
    except PublishError as error:
        return f"not warm: {error}"


def fingerprint(config: Config) -> str:
    """What tonight's dataset and recipe would be made of, cheap enough for every tick."""
    from distill.curate import dataset_fingerprint

    with open_database(config.database_path) as db:
        recipe = (config.base, config.train, config.export)
        return dataset_fingerprint(
            db, load_identity(config.identity_path), config.curate, extra=repr(recipe)
        )


def is_unchanged(config: Config) -> bool:
    """Whether the last finished night was made of exactly what there is now."""
    with open_database(config.database_path) as db:
        row = db.execute(
            "select dataset_hash from nights where verdict in ('released', 'rejected', 'unchanged')"
            " and dataset_hash is not null order by started_at desc, id desc limit 1"
        ).fetchone()
    return bool(row) and row[0] == fingerprint(config)


def read_verdict(folder: Path) -> tuple[str, str]:
    """The gate's verdict and the plain sentence of its report."""
    try:
        report = json.loads((folder / "report.json").read_text())
        return report["verdict"], report["sentence"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelFileError(f"{folder / 'report.json'}: not a whole report: {error}") from error


def drop_rejected_models(config: Config, keep: int = 2) -> list[Path]:
    """The model files of all but the newest rejected candidates go; adapters and reports stay."""
    with open_database(config.database_path) as db:
        rows = db.query(
            "select id from nights where verdict = 'rejected'"
            " and id not in (select id from generations) order by started_at desc, id desc"
        )
        old = [row["id"] for row in rows][keep:]
    gone = [path for night in old for path in (config.nights_path / night).glob("*.gguf")]
    for path in gone:
        path.unlink()
    return gone


def remove_folder(folder: Path) -> None:
    """A night with nothing new leaves no folder."""
    shutil.rmtree(folder, ignore_errors=True)
