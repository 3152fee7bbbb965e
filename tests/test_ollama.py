"""The protocol, against the fake in both contracts and every real server that is named."""

import time

import pytest

from distill.ollama import Ollama, server_address
from memory.errors import NoServerError, PublishError
from memory.files import sha256_file
from tests.fake_ollama import CUTS
from tests.tiny_gguf import write_gguf

QUESTION = [{"role": "user", "content": "Who are you?"}]
PARAMETERS = {"num_ctx": 2048, "temperature": 0.5, "stop": ["<|im_end|>", "<|im_start|>"]}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def put(server, model, tag="junior:1", card="You are Wren.", **told):
    """Upload and create; gives the file's sha256."""
    sha = sha256_file(model)
    server.upload_blob(model, sha)
    files = {"model.gguf": f"sha256:{sha}"}
    server.create(tag, files, system=card, parameters=PARAMETERS, **told)
    return sha


def test_a_blob_is_sent_once(any_ollama, model):
    server, sha = Ollama(any_ollama.url), sha256_file(model)
    assert server.upload_blob(model, sha) is True
    assert server.upload_blob(model, sha) is False


def test_a_file_that_is_not_its_digest_is_refused(any_ollama, model, tmp_path):
    damaged = tmp_path / "damaged.gguf"
    whole = bytearray(model.read_bytes())
    whole[-100] ^= 1
    damaged.write_bytes(whole)
    with pytest.raises(PublishError, match="digest mismatch"):
        Ollama(any_ollama.url).upload_blob(damaged, sha256_file(model))


def test_create_serves_our_file_with_card_and_parameters(any_ollama, model):
    server = Ollama(any_ollama.url)
    sha = put(server, model)
    shown = server.show("junior:1")
    assert shown.layers == (sha,)
    assert shown.system == "You are Wren."
    assert shown.remote_host == ""
    assert shown.parameters["num_ctx"] == 2048
    assert shown.parameters["temperature"] == 0.5
    assert set(PARAMETERS["stop"]) <= set(shown.parameters["stop"])


def test_a_system_text_cannot_pass_as_a_layer(any_ollama, model):
    server = Ollama(any_ollama.url)
    sha = put(server, model, card="Hear this.\nFROM /x/sha256-" + "0" * 64)
    assert server.show("junior:1").layers == (sha,)


def test_an_unknown_blob_is_an_error(any_ollama):
    server, absent = Ollama(any_ollama.url), {"model.gguf": "sha256:" + "1" * 64}
    with pytest.raises(PublishError):
        server.create("junior:1", absent, system="", parameters={})
    assert "junior:1" not in server.tags()


def test_a_truncated_gguf_is_an_error(any_ollama, model, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(b"GGU" + model.read_bytes()[4:400])
    with pytest.raises(PublishError):
        put(Ollama(any_ollama.url), cut)


def test_copy_gives_the_same_digest_and_delete_leaves_the_copy(any_ollama, model):
    server = Ollama(any_ollama.url)
    put(server, model)
    server.copy("junior:1", "junior:latest")
    tags = server.tags()
    assert tags["junior:1"].digest == tags["junior:latest"].digest
    assert server.delete("junior:1") is True
    assert server.delete("junior:1") is False
    assert server.chat("junior:latest", QUESTION, max_tokens=4).tokens


def test_the_prompt_is_rendered_with_the_card(any_ollama, model):
    server = Ollama(any_ollama.url)
    put(server, model)
    assert server.render("junior:1", QUESTION) == (
        "<|im_start|>system\nYou are Wren.<|im_end|>\n"
        "<|im_start|>user\nWho are you?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_it_answers_whole_and_in_pieces(any_ollama, model):
    server = Ollama(any_ollama.url)
    put(server, model)
    whole = server.chat("junior:1", QUESTION, max_tokens=8, temperature=0.0)
    pieces = "".join(server.stream("junior:1", QUESTION, max_tokens=8, temperature=0.0))
    assert whole.tokens
    assert pieces == whole.text


def test_first_tokens_have_log_probabilities(any_ollama, model):
    server = Ollama(any_ollama.url)
    put(server, model)
    prompt = server.render("junior:1", QUESTION)
    asked = server.first_tokens("junior:1", prompt)
    chatted = server.first_answer_tokens("junior:1", QUESTION)
    assert asked and all(value <= 0 for value in asked.values())
    assert max(asked, key=asked.get) == max(chatted, key=chatted.get)


def test_unload_all_leaves_nothing_loaded(any_ollama, model):
    server = Ollama(any_ollama.url)
    put(server, model)
    server.chat("junior:1", QUESTION, max_tokens=2)
    assert list(server.running()) == ["junior:1"]
    assert server.unload_all(timeout_seconds=20) == ["junior:1"]
    assert server.running() == {}


def test_unload_all_says_who_stays(fake_ollama):
    fake_ollama.loaded, fake_ollama.stubborn = {"other:latest": 7}, True
    with pytest.raises(PublishError, match=r"still holds other:latest .* try again later"):
        Ollama(fake_ollama.url).unload_all(timeout_seconds=0.1, every_seconds=0.02)


def test_the_new_contract_refuses_what_the_old_took(fake_ollama):
    fake_ollama.contract = "new"
    assert fake_ollama.create({"model": "x", "adapters": {"a": "b"}})[0] == 400
    assert fake_ollama.create({"model": "x", "files": {}, "quantize": "q4_K_M"})[0] == 400


@pytest.mark.parametrize("fault", ["500", *CUTS, "error line", "no success", "disk full"])
def test_a_fault_in_create_is_a_plain_error(fake_ollama, model, fault):
    fake_ollama.faults["/api/create"] = fault
    with pytest.raises(PublishError, match=f"Ollama at {fake_ollama.url}: .*created junior:1"):
        put(Ollama(fake_ollama.url), model)


@pytest.mark.parametrize("fault", ["500", *CUTS])
@pytest.mark.parametrize("call", ["tags", "show", "ps", "chat", "copy"])
def test_a_fault_in_any_call_is_a_plain_error(fake_ollama, model, call, fault):
    server = Ollama(fake_ollama.url)
    put(server, model)
    fake_ollama.faults[f"/api/{call}"] = fault
    calls = {
        "tags": server.tags,
        "show": lambda: server.show("junior:1"),
        "ps": server.running,
        "chat": lambda: server.chat("junior:1", QUESTION),
        "copy": lambda: server.copy("junior:1", "junior:2"),
    }
    with pytest.raises(PublishError, match=f"Ollama at {fake_ollama.url}: "):
        calls[call]()


def test_a_slow_server_is_given_up(fake_ollama):
    fake_ollama.faults["/api/tags"] = "slow"
    server, started = Ollama(fake_ollama.url, call_seconds=0.2), time.monotonic()
    with pytest.raises(PublishError, match="too slow while it asked for its models"):
        server.tags()
    assert time.monotonic() - started < 2


def test_a_full_disk_is_named(fake_ollama, model):
    fake_ollama.faults["/api/blobs"] = "disk full"
    with pytest.raises(PublishError, match="its disk is full"):
        put(Ollama(fake_ollama.url), model)


def test_an_answer_cut_in_the_middle_of_speech_is_an_error(fake_ollama, model):
    server = Ollama(fake_ollama.url)
    put(server, model)
    fake_ollama.faults["/api/chat"] = "no success"
    with pytest.raises(PublishError, match="in the middle of an answer"):
        list(server.stream("junior:1", QUESTION))


def test_no_server_is_told_apart(fake_ollama):
    fake_ollama.stop()
    with pytest.raises(NoServerError, match="does not answer; start it"):
        Ollama(fake_ollama.url).version()


@pytest.mark.parametrize(
    ("named", "address"),
    [
        ("", "http://127.0.0.1:11434"),
        ("localhost", "http://localhost:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("[::1]:99", "http://[::1]:99"),
        (":5000", "http://127.0.0.1:5000"),
        ("https://127.0.0.1", "https://127.0.0.1:443"),
    ],
)
def test_ollama_host_on_this_machine_is_honoured(monkeypatch, named, address):
    monkeypatch.setenv("OLLAMA_HOST", named)
    assert server_address() == address


@pytest.mark.parametrize("named", ["192.0.2.7", "ollama.example", "localhost.example:11434"])
def test_another_machine_is_refused_unless_configured(monkeypatch, named):
    monkeypatch.setenv("OLLAMA_HOST", named)
    with pytest.raises(PublishError, match=r"another machine.*publish\.host"):
        server_address()
    assert named.partition(":")[0] in server_address(named)


@pytest.mark.parametrize("named", ["ftp://127.0.0.1", "127.0.0.1:port", "http://[::1"])
def test_what_is_no_address_is_refused(named):
    with pytest.raises(PublishError, match=r"publish\.host.*no address"):
        server_address(named)
