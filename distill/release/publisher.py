"""One generation at an Ollama: created under its own tag, and verified there."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unicodedata import normalize

from distill.ollama import Ollama, Say
from distill.release.modelfile import write_modelfile
from distill.release.prompts import (
    Render,
    composes,
    difference,
    expected_prompts,
    go_templates,
    read_chat_template,
    same_prompt,
    stops,
)
from memory.errors import ModelFileError, PublishError
from memory.files import sha256_file, write_atomic

PROBE_NATS = 0.05  # what quantised kernels of two llama.cpp versions may differ by


@dataclass(frozen=True)
class Recipe:
    """All a server must be told to serve a generation again: `nights/<id>/release.json`.

    `files`: [{"name", "sha256", "bytes"}]; `prompts`: [{"messages", "prompt"}] as the GGUF's own
    template renders them; `templates`: Go templates to try where the server guesses another frame;
    `probes`: [{"prompt", "token", "log_probability"}] as the gate measured them on the file;
    `rewrite`: the system text of the name that rewrites, with its prompts; "" where there is none.
    """

    night: str
    name: str
    files: list[dict[str, Any]]
    card: str
    parameters: dict[str, Any]
    prompts: list[dict[str, Any]]
    templates: list[str]
    template: str | None = None
    probes: list[dict[str, Any]] | None = None
    rewrite: str = ""
    rewrite_prompts: list[dict[str, Any]] | None = None


def make_recipe(
    folder: Path,
    *,
    night: str,
    name: str,
    card: str,
    parameters: dict[str, Any],
    render: Render | None = None,
    probes: list[dict[str, Any]] | None = None,
) -> Recipe:
    """The recipe for the files in `folder`/export.json, each checked against its sha256.

    `render` is the GGUF's own chat template; read from the first file where none is given.
    Raises ModelFileError for a missing or damaged file.
    """
    files = read_export(folder)
    check_files(folder, files)
    first = folder / files[0]["name"]
    render = render or read_chat_template(first).render
    card = normalize("NFC", card) if composes(first) else card
    if found := stops(render):
        parameters = parameters | {"stop": list(found)}
    return Recipe(
        night=night,
        name=name,
        files=files,
        card=card.strip(),
        parameters=parameters,
        prompts=expected_prompts(render, card.strip()),
        templates=go_templates(render),
        probes=probes,
    )


def measure_probes(
    runner: Any, conversations: Iterable[Sequence[dict[str, str]]]
) -> list[dict[str, Any]]:
    """What a server's first tokens are compared with: [{"prompt", "token", "log_probability"}].

    `runner` is an `embedded.Embedded` of the very file; half a character says nothing and is left
    out.
    """
    probes = []
    for messages in conversations:
        token = "".join(runner.stream(messages, max_tokens=1, temperature=0.0))
        if token and "\ufffd" not in token:
            value = runner.log_probability(messages, "", [token])[0]
            prompt = runner.render(messages)
            probes.append({"prompt": prompt, "token": token, "log_probability": value})
    return probes


def save_recipe(folder: Path, recipe: Recipe) -> None:
    """Write the Modelfile, one more for the name that rewrites, then release.json."""
    texts = {"Modelfile": (recipe.name, recipe.card)}
    if recipe.rewrite:
        texts["Modelfile-rewrite"] = (f"{recipe.name}-rewrite", recipe.rewrite)
    for file_name, (name, card) in texts.items():
        write_modelfile(
            folder,
            [file["name"] for file in recipe.files],
            name=name,
            night=recipe.night,
            card=card,
            parameters=recipe.parameters,
            template=recipe.template,
            file_name=file_name,
        )
    write_atomic(folder / "release.json", json.dumps(asdict(recipe), indent=1, ensure_ascii=False))


def load_recipe(folder: Path) -> Recipe:
    """The recipe kept with a generation; ModelFileError where it is missing or damaged."""
    path = folder / "release.json"
    try:
        return Recipe(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ModelFileError(f"{path}: cannot be used ({error}); run a night") from error


def read_export(folder: Path) -> list[dict[str, Any]]:
    """The files `export` says it wrote; ModelFileError where it did not finish."""
    path = folder / "export.json"
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
        wanted = ("name", "sha256", "bytes")
        return [{key: file[key] for key in wanted} for file in files]
    except (OSError, ValueError, KeyError, TypeError) as error:
        again = "run the night's export stage again"
        raise ModelFileError(f"{path}: cannot be used ({error}); {again}") from error


def check_files(folder: Path, files: list[dict[str, Any]]) -> list[Path]:
    """Paths of `files` in `folder`, every byte checked; ModelFileError names the first bad one."""
    paths = [folder / file["name"] for file in files]
    for path, file in zip(paths, files, strict=True):
        try:
            size, digest = path.stat().st_size, sha256_file(path)
        except OSError as error:
            gone = "it is not served; restore it from a backup, or go back with `junior rollback`"
            raise ModelFileError(f"{path}: cannot be read ({error.strerror}); {gone}") from error
        if size != file["bytes"] or digest != file["sha256"]:
            raise ModelFileError(
                f"{path}: is damaged (sha256 {digest[:12]}..., written as {file['sha256'][:12]}...)"
                "; it is not served; restore it from a backup, or go back with `junior rollback`"
            )
    if not paths:
        raise ModelFileError(f"{folder}: holds no model file; run the night's export stage again")
    return paths


def publish_tag(
    server: Ollama, folder: Path, recipe: Recipe, tag: str, say: Say | None = None
) -> tuple[str, Recipe]:
    """Create `tag` and verify it; gives its digest and the recipe with the template that holds.

    The template the server guesses is tried first, then those of the recipe. Raises PublishError,
    with the tag removed, where the server does not serve what was measured.
    """
    check_files(folder, recipe.files)
    for file in recipe.files:
        sent = server.upload_blob(folder / file["name"], file["sha256"])
        if say:
            say(f"{file['name']}: {'sent' if sent else 'is there already'}")
    tries = [recipe.template] if recipe.template else [None, *recipe.templates]
    problem = ""
    try:
        for template in tries:
            told = replace(recipe, template=template)
            create_tag(server, told, tag, say)
            verify_served(server, told, tag)
            problem = wrong_prompt(server, told, tag)
            if not problem:
                verify_speech(server, told, tag)
                return server.tags()[tag].digest, told
        raise PublishError(
            f"Ollama at {server.url}: frames prompts otherwise than the model learnt, with every "
            f"template known: {problem}; nothing was published"
        )
    except (PublishError, KeyError) as error:
        remove_tag(server, tag)
        if isinstance(error, KeyError):
            lost = f"Ollama at {server.url}: lost {tag} right after it was made; look at its log"
            raise PublishError(lost) from error
        raise


def create_tag(server: Ollama, recipe: Recipe, tag: str, say: Say | None = None) -> None:
    """Make `tag` of blobs that are there already; what it serves is not looked at here."""
    shas = [file["sha256"] for file in recipe.files]
    names = ["model.gguf"]  # a constant key: one file's own name means nothing to the server
    if len(shas) > 1:
        names = [f"model-{part:05}-of-{len(shas):05}.gguf" for part in range(1, len(shas) + 1)]
    files = {name: f"sha256:{sha}" for name, sha in zip(names, shas, strict=True)}
    server.create(
        tag,
        files,
        system=recipe.card,
        parameters=recipe.parameters,
        template=recipe.template,
        say=say,
    )


def remove_tag(server: Ollama, tag: str) -> None:
    """Take a tag that failed away; where the server is gone, `prune` does it later."""
    try:
        server.delete(tag)
    except PublishError:
        return


def verify_served(server: Ollama, recipe: Recipe, tag: str) -> None:
    """What `/api/show` says must be what was sent: file, parameters, card, and on this machine."""
    shown, where = server.show(tag), f"Ollama at {server.url}: {tag}"
    if shown.remote_host:
        raise PublishError(f"{where} would be run at {shown.remote_host}; refused")
    wanted = tuple(file["sha256"] for file in recipe.files)
    if not set(shown.layers) or not set(shown.layers) <= set(wanted):
        served = ", ".join(layer[:12] for layer in shown.layers) or "nothing known"
        raise PublishError(f"{where} serves {served} and not our file {wanted[0][:12]}")
    if shown.system.strip() != recipe.card:
        raise PublishError(f"{where} was not given the system card")
    for name, value in recipe.parameters.items():
        seen = shown.parameters.get(name)
        if not _same_parameter(value, seen):
            raise PublishError(f"{where} has {name} {seen!r} where {value!r} was sent")


def _same_parameter(sent: Any, seen: Any) -> bool:
    if isinstance(sent, list):
        return isinstance(seen, list) and set(sent) <= set(seen)
    return seen == sent


def wrong_prompt(server: Ollama, recipe: Recipe, tag: str) -> str:
    """The first difference between prompts as the server renders and as expected; "" for none."""
    for expected in recipe.prompts:
        seen = server.render(tag, expected["messages"])
        if not same_prompt(expected["prompt"], seen):
            return difference(expected["prompt"], seen)
    return ""


def verify_speech(server: Ollama, recipe: Recipe, tag: str) -> None:
    """It answers, hears its card, and gives the probes the probabilities the gate measured."""
    where, question = f"Ollama at {server.url}: {tag}", recipe.prompts[0]["messages"]
    if not server.chat(tag, question, max_tokens=16, temperature=0.0).tokens:
        raise PublishError(f"{where} says nothing when asked {question[0]['content']!r}")
    if recipe.card:
        other = [{"role": "system", "content": "Count sheep in French."}, *question]
        heard = server.first_answer_tokens(tag, question)
        if heard and heard == server.first_answer_tokens(tag, other):
            raise PublishError(f"{where} does not hear its system card")
    for probe in recipe.probes or []:
        seen = server.first_tokens(tag, probe["prompt"]).get(probe["token"], float("-inf"))
        if abs(seen - probe["log_probability"]) > PROBE_NATS:
            raise PublishError(
                f"{where} answers otherwise than the file that was measured: log-probability "
                f"{seen:.3f} of {probe['token']!r} where the gate saw "
                f"{probe['log_probability']:.3f}"
            )
