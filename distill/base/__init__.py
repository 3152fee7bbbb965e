"""Base models by pinned revision: checked hashes, cached, offline after `junior base fetch`."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from distill.base.files import check_base_folder, copy_base_folder
from memory.errors import BaseMissingError, ModelFileError, UserError
from memory.files import cache_path, make_private_dir, sha256_file, sync_dir, write_atomic
from memory.settings import key

TINY = "tiny"
DEFAULT_BASE = "Qwen/Qwen2.5-3B-Instruct"
APACHE_BASE = "Qwen/Qwen3-4B-Instruct-2507"  # Apache-2.0, for those whom the default's bars
SMALL_BASE = "Qwen/Qwen2.5-1.5B-Instruct"  # Apache-2.0, for cards under 8 GB

# A branch moves, a commit does not: what Junior names itself is pinned here.
PINNED = {
    DEFAULT_BASE: "aa8e72537993ba99e69dfaafa59ed015b17504d1",
    APACHE_BASE: "cdbee75f17c01a7cc42f958dc650907174af0554",
    SMALL_BASE: "989aa7980e4cf806f80c7fef2b1adb7bc71aa306",
}

LICENCE_NOTES = {
    DEFAULT_BASE: (
        f"{DEFAULT_BASE} may be used for non-commercial research only (Qwen Research Licence). "
        f"{APACHE_BASE} and {SMALL_BASE} are Apache-2.0."
    ),
    APACHE_BASE: f"{APACHE_BASE} is Apache-2.0.",
    SMALL_BASE: f"{SMALL_BASE} is Apache-2.0.",
    TINY: "The tiny base is made on this machine from text that Junior and Python carry.",
}

Progress = Callable[[dict], None]


@dataclass(frozen=True)
class BaseConfig:
    """[base]: which model is taught."""

    name: str = key(DEFAULT_BASE, "a repository (OWNER/NAME), a folder that was fetched, or tiny")
    revision: str = key("", "commit of the repository; empty: Junior's pin, else what was fetched")


@dataclass(frozen=True)
class Base:
    """A base model in the cache, whole and checked.

    `files` maps names in `path` to their sha256; `lineage` (16 hex digits) stands for name,
    revision and files: generations are compared only within one lineage.
    """

    name: str
    path: Path
    revision: str
    files: dict[str, str]
    tiny: bool
    lineage: str
    family: str = "qwen2"
    bytes: int = 0


def bases_path() -> Path:
    """The folder of all bases, made if needed."""
    return make_private_dir(cache_path() / "bases")


def base_licence(name: str) -> str:
    """What the operator should know about the licence, in one or two sentences."""
    return LICENCE_NOTES.get(name, f"Read the licence of {name} before you publish a junior of it.")


def resolve_base(name: str, revision: str = "", *, verify: bool = False) -> Base:
    """The base in the cache; opens no socket.

    Every file's size and modification is compared with the last time it was hashed, and hashed
    again where they differ (always, with `verify`).
    Raises BaseMissingError when it was never fetched, ModelFileError when a file is damaged.
    """
    name = known_name(name)
    wanted = "" if name == TINY else revision or PINNED.get(name, "")
    found = [m for m in manifests() if m["name"] == name and is_revision(m, wanted)]
    if not found:
        at = f" at revision {wanted}" if wanted else ""
        raise BaseMissingError(
            f"{bases_path()}: the base {name}{at} is not here. Run `junior base fetch {name}`."
        )
    manifest = max(found, key=lambda m: m["made_at"])
    check_files(manifest, verify)
    return base_of(manifest)


def list_bases() -> list[Base]:
    """Every base in the cache, by name; sizes and hashes as recorded, not checked."""
    return sorted((base_of(m) for m in manifests()), key=lambda base: (base.name, base.revision))


def remove_base(name: str) -> list[Base]:
    """Delete the base (all its revisions) and give what was deleted; BaseMissingError if none."""
    name = known_name(name)
    found = [base for base in list_bases() if base.name == name]
    if not found:
        raise BaseMissingError(
            f"{bases_path()}: there is no base {name}. `junior base list` shows all."
        )
    for base in found:
        gone = base.path.with_name(f".gone-{base.path.name}-{os.getpid()}")
        base.path.rename(gone)  # it is gone at once, however long the deletion takes
        shutil.rmtree(gone)
    return found


def fetch_base(
    name: str,
    revision: str = "",
    progress: Progress | None = None,
    *,
    endpoint: str | None = None,
) -> Base:
    """Bring a base into the cache and give it; does nothing where it is there and whole.

    `name` is a repository (downloaded, resuming what an interrupted fetch left), a folder on disk
    (copied), or "tiny" (made). `progress` gets {"bytes", "total_bytes"}, for tiny what
    make_tiny_base says. `endpoint` is another hub than the usual one.
    Raises UserError (no network, unknown, no access, no space, of a kind that cannot be used).
    """
    progress = progress or (lambda _: None)
    name = known_name(name)
    if name == TINY:
        return make_tiny_base(progress)
    with locked(name):
        try:
            if Path(name).is_absolute():
                return fetch_folder(name, progress)
            return fetch_repository(name, revision or PINNED.get(name, "main"), progress, endpoint)
        except OSError as error:
            raise UserError(f"{bases_path()}: {name} could not be stored: {error}.") from error


def fetch_repository(name: str, revision: str, progress: Progress, endpoint: str | None) -> Base:
    """Download one commit of a repository, check every file against the hub's hashes, seal it."""
    from distill.base.hub import download, repository_files

    for manifest in manifests():
        if manifest["name"] == name and manifest["revision"] == revision:
            return checked_or_gone(manifest) or fetch_repository(name, revision, progress, endpoint)
    commit, files = repository_files(name, revision, endpoint)
    folder = bases_path() / f"{name.replace('/', '--')}@{commit[:12]}"
    partial = make_private_dir(folder.with_name(f".partial-{folder.name}"))
    download(name, commit, files, partial, progress, endpoint)
    family = check_base_folder(partial, name)
    return seal(partial, folder, name=name, revision=commit, asked=revision, family=family)


def fetch_folder(name: str, progress: Progress) -> Base:
    """Copy a folder in Hugging Face layout; its revision is the hash of its files."""
    source = Path(name)
    family = check_base_folder(source, name)
    short = hashlib.sha256(name.encode()).hexdigest()[:12]
    folder = bases_path() / f"folder--{source.name}@{short}"
    partial = folder.with_name(f".partial-{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    copy_base_folder(source, make_private_dir(partial), progress)
    check_base_folder(partial, name)
    return seal(partial, folder, name=name, revision="", asked="", family=family)


def make_tiny_base(progress: Progress | None = None, *, config: object | None = None) -> Base:
    """The tiny base, made now (minutes) unless it is in the cache; two who ask make it once.

    `config` is a tiny_base.TinyConfig, for tests with few steps. `progress` gets
    {"step", "steps", "loss", "tokens_per_second"}.
    """
    from distill.base.tiny import TinyConfig, write_tiny_base

    folder = bases_path() / TINY
    with locked(TINY):
        for manifest in manifests():
            if manifest["name"] == TINY and (base := checked_or_gone(manifest)):
                return base
        partial = folder.with_name(".partial-tiny")
        shutil.rmtree(partial, ignore_errors=True)
        make_private_dir(partial)
        try:
            facts = write_tiny_base(partial, config or TinyConfig(), progress or (lambda _: None))
            return seal(partial, folder, name=TINY, revision="", family="qwen2", tiny=facts)
        except OSError as error:
            raise UserError(f"{folder}: the tiny base could not be written: {error}.") from error


def seal(partial: Path, folder: Path, *, name: str, revision: str, family: str, **facts) -> Base:
    """Hash and sync every file, write base.json last, rename `partial` to `folder`.

    Without a revision the hash of the files is it. A base already at `folder` is replaced.
    """
    shutil.rmtree(partial / ".cache", ignore_errors=True)  # the downloader's notes
    files = {}
    for file in sorted(p for p in partial.iterdir() if p.is_file()):
        file.chmod(0o600)
        sync_dir(file)
        files[file.name] = {"sha256": sha256_file(file), "bytes": file.stat().st_size}
    manifest = {
        "name": name,
        "revision": revision or digest(files)[:40],
        "family": family,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": files,
        **facts,
    }
    write_atomic(partial / "base.json", json.dumps(manifest, indent=2) + "\n")
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)
    sync_dir(folder.parent)
    write_stamps(folder, manifest)
    return base_of({**manifest, "path": folder})


def manifests() -> Iterator[dict]:
    """base.json of every base in the cache, with "path"; a folder without one is no base."""
    root = cache_path() / "bases"
    for file in sorted(root.glob("[!.]*/base.json")):
        try:
            manifest = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(manifest, dict) and {"name", "revision", "files", "made_at"} <= set(manifest):
            yield {**manifest, "path": file.parent}


def base_of(manifest: dict) -> Base:
    """The Base of a manifest with "path"."""
    files = {name: entry["sha256"] for name, entry in manifest["files"].items()}
    return Base(
        name=manifest["name"],
        path=manifest["path"],
        revision=manifest["revision"],
        files=files,
        tiny=bool(manifest.get("tiny")),
        lineage=digest([manifest["name"], manifest["revision"], files])[:16],
        family=manifest.get("family", ""),
        bytes=sum(entry["bytes"] for entry in manifest["files"].values()),
    )


def is_revision(manifest: dict, wanted: str) -> bool:
    """Whether a manifest is of that commit (or its beginning), or was fetched by that branch."""
    if not wanted or wanted == manifest.get("asked"):
        return True
    return len(wanted) >= 7 and manifest["revision"].startswith(wanted)


def known_name(name: str) -> str:
    """The name as manifests hold it: a folder by its absolute path, everything else as it is."""
    name = name.strip()
    if name.startswith(("/", "~", ".")) or (name.count("/") != 1 and Path(name).is_dir()):
        return str(Path(name).expanduser().resolve())
    return name


def check_files(manifest: dict, verify: bool = False) -> None:
    """Raise ModelFileError naming the first file that is missing or not as it was sealed."""
    folder, name = manifest["path"], manifest["name"]
    mend = f"Run `junior base remove {name}`, then `junior base fetch {name}`."
    stamps = read_stamps(folder)
    for file, entry in manifest["files"].items():
        path = folder / file
        if not path.is_file():
            raise ModelFileError(f"{path}: this file of the base is missing. {mend}")
        if path.stat().st_size != entry["bytes"]:
            found = f"{path.stat().st_size:,} bytes instead of {entry['bytes']:,}"
            raise ModelFileError(f"{path}: damaged, {found}. {mend}")
        if not verify and stamps.get(file) == stamp(path):
            continue
        if sha256_file(path) != entry["sha256"]:
            raise ModelFileError(f"{path}: damaged, its content has changed. {mend}")
    write_stamps(folder, manifest)


def checked_or_gone(manifest: dict) -> Base | None:
    """The base of a manifest if its files are whole; else its folder is removed."""
    try:
        check_files(manifest)
    except ModelFileError:
        shutil.rmtree(manifest["path"])
        return None
    return base_of(manifest)


def stamp(path: Path) -> list[int]:
    """What changes when a file does: inode, modification and change time (ns)."""
    found = path.stat()
    return [found.st_ino, found.st_mtime_ns, found.st_ctime_ns]


def read_stamps(folder: Path) -> dict[str, list[int]]:
    """The stamps of the last time the files were hashed; empty if there are none."""
    try:
        return json.loads((folder / "hashed.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def write_stamps(folder: Path, manifest: dict) -> None:
    """Remember that the files were whole as they are now, so that 6 GB are not hashed each time."""
    stamps = {file: stamp(folder / file) for file in manifest["files"]}
    if stamps != read_stamps(folder):
        write_atomic(folder / "hashed.json", json.dumps(stamps))


def digest(value: object) -> str:
    """sha256 (hex) of a value as canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One process at a time makes or fetches a base; others wait for it."""
    slug = name.strip("/").replace("/", "--")
    with open(bases_path() / f".{slug}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
