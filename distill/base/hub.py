"""A base's files from the model hub, resumed where they stopped, checked against its hashes."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from distill.base.files import is_kept
from memory.errors import ModelFileError, UserError
from memory.files import sha256_file


def repository_files(
    name: str, revision: str, endpoint: str | None
) -> tuple[str, dict[str, tuple[int, str]]]:
    """(commit, {file: (bytes, hash)}) of the files to keep.

    The hash is "sha256:..." of a large file and "git:..." (SHA-1 of the blob) of a small one.
    Raises UserError in plain words: unknown, no access, no network.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError

    try:
        info = HfApi(endpoint=endpoint).model_info(name, revision=revision, files_metadata=True)
    except (HTTPError, OSError, ValueError) as error:
        raise in_plain_words(error, name, revision) from error
    files = {}
    for file in info.siblings or ():
        if is_kept(file.rfilename):
            known = f"sha256:{file.lfs.sha256}" if file.lfs else f"git:{file.blob_id}"
            files[file.rfilename] = (file.size or 0, known)
    if not any(file.endswith(".safetensors") for file in files):
        raise UserError(f"{name}: it has no weights as safetensors, and Junior loads no others.")
    return info.sha or revision, files


def download(
    name: str,
    commit: str,
    files: dict[str, tuple[int, str]],
    folder: Path,
    progress: Callable[[dict], None],
    endpoint: str | None,
) -> None:
    """The files into `folder`; what an earlier try left there is kept and continued.

    Raises UserError (no network, no space) and ModelFileError (a file that differs from the hub's
    hash; it is deleted, so that the next fetch brings it anew).
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HTTPError

    check_space(folder, files)
    total = sum(size for size, _ in files.values())
    try:
        snapshot_download(
            name,
            revision=commit,
            local_dir=folder,
            allow_patterns=list(files),
            endpoint=endpoint,
            tqdm_class=reporting(progress, total),
            max_workers=4,
        )
    except (HTTPError, OSError, ValueError, RuntimeError) as error:
        raise in_plain_words(error, name, commit) from error
    for file, (size, known) in files.items():
        if not is_whole(folder / file, size, known):
            (folder / file).unlink(missing_ok=True)
            raise ModelFileError(
                f"{name}: {file} arrived damaged (size or hash differ). Run the fetch again."
            )


def check_space(folder: Path, files: dict[str, tuple[int, str]]) -> None:
    """Raise UserError when what is missing of the files does not fit on the disk."""
    there = {file: folder / file for file in files}
    missing = sum(size for file, (size, _) in files.items() if not there[file].is_file())
    free = shutil.disk_usage(folder).free
    if missing > free - 200_000_000:
        raise UserError(
            f"{folder.parent}: the base needs {missing / 1e9:.1f} GB and {free / 1e9:.1f} GB are "
            "free. Make room, or set XDG_CACHE_HOME to a larger disk."
        )


def is_whole(file: Path, size: int, known: str) -> bool:
    """Whether a file has the size and the hash that the hub names."""
    if not file.is_file() or file.stat().st_size != size:
        return False
    kind, _, wanted = known.partition(":")
    if kind == "sha256":
        return sha256_file(file) == wanted
    blob = b"blob %d\0" % size + file.read_bytes()
    return wanted in ("", "None", hashlib.sha1(blob, usedforsecurity=False).hexdigest())


def reporting(progress: Callable[[dict], None], total: int) -> type:
    """A tqdm class that draws nothing and reports the bytes on disk to `progress`."""
    from huggingface_hub.utils import tqdm

    class Reporting(tqdm):
        def __init__(self, *args, **kwargs) -> None:
            self.counts = kwargs.get("name") == "huggingface_hub.snapshot_download"
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0  # tqdm itself counts nothing when it draws nothing
            if self.counts:
                progress({"bytes": min(int(self.n), total), "total_bytes": total})

    return Reporting


def in_plain_words(error: Exception, name: str, revision: str) -> UserError:
    """What went wrong at the hub, and what to do about it."""
    from huggingface_hub import errors as hub

    if isinstance(error, UserError):
        return error
    if isinstance(error, hub.GatedRepoError):
        return UserError(
            f"{name}: accept its licence on its page, then set HF_TOKEN and fetch again."
        )
    if isinstance(error, hub.RepositoryNotFoundError):
        return UserError(
            f"{name}: the hub knows no such model, or it is private (then set HF_TOKEN). "
            "A folder on this disk is named by its path."
        )
    if isinstance(error, hub.RevisionNotFoundError):
        return UserError(f"{name}: it has no revision {revision}.")
    if isinstance(error, hub.HFValidationError):
        return UserError(f"{name}: no name of a model; it should look like OWNER/NAME.")
    if isinstance(error, hub.OfflineModeIsEnabled) or os.environ.get("HF_HUB_OFFLINE") == "1":
        return UserError(f"{name}: HF_HUB_OFFLINE is set, so nothing was fetched. Unset it.")
    if isinstance(error, hub.HfHubHTTPError) and error.response is not None:
        code = error.response.status_code
        advice = "check HF_TOKEN" if code in (401, 403) else "try again later"
        return UserError(f"{name}: the hub answered {code}; {advice}.")
    if isinstance(error, OSError) and error.errno == 28:
        return UserError(
            f"{name}: the disk is full. Make room or set XDG_CACHE_HOME; then fetch again."
        )
    return UserError(
        f"{name}: the hub cannot be reached ({first_line(error)}). What has arrived is kept: check "
        "the network and run the fetch again."
    )


def first_line(error: Exception) -> str:
    """The first line of an error's text, its kind where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
