"""Sources: what a path, an address, a Hub address and a name stand for, and what is said when one cannot be had."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from styleT2I.errors import CheckpointError, DownloadError
from styleT2I.formats.foreign.registry import read_network
from styleT2I.formats.model_folder import ROLES, cache_dir, find_model
from styleT2I.sources.hub import HubSource
from styleT2I.sources.registry import Entry, registry
from styleT2I.sources.resolve import cached_path, resolve
from tests.conftest import ROOT
from tests.tiny_model import write_tiny_model
from tests.web_server import Answer, web_server


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "cache"))
    for name in ("STYLET2I_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def server(model):
    answers = {f"/models/tiny/{path.name}": Answer(path.read_bytes()) for path in model.iterdir()}
    with web_server(answers) as server:
        yield server


def error_of(source, kind=None, error=DownloadError, **options):
    with pytest.raises(error) as caught:
        resolve(source, kind, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def asked(server):
    return sorted(path.rpartition("/")[2] for path, _ in server.requests)


# paths and names


def test_a_path_stands_for_itself(tmp_path):
    (tmp_path / "g.pkl").write_bytes(b"x")
    assert resolve(tmp_path / "g.pkl", "generator") == tmp_path / "g.pkl"


def test_a_path_comes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip-vit-b-32").write_bytes(b"x")
    assert str(resolve("clip-vit-b-32", "clip", offline=True)) == "clip-vit-b-32"


def test_a_model_stands_for_its_component_of_the_role_asked_for(model):
    assert resolve(model, "model") == model
    assert resolve(model, "t2d") == model / "t2d.json"
    assert resolve(model / "model.json", "judges.guide") == model / "judges_guide.json"
    assert resolve("minifaces", "generator") == find_model("minifaces") / "generator.json"
    assert "has no segmenter" in error_of(model, "segmenter", CheckpointError)


def test_an_unknown_name_is_answered_with_the_nearest_of_the_kind():
    assert "did you mean 'clip-vit-b-32'?" in error_of("clip-vit-b32", "clip", CheckpointError)
    assert "no such file" in error_of("runs/generator.json", "generator", CheckpointError)
    assert "is a checkpoint of a clip, not of a generator" in error_of("clip-rn50", "generator", CheckpointError)


@pytest.mark.parametrize("source", ["x" * 5000, "a\0b", "nul\0/../x"], ids=["long", "nul", "nul in folder"])
def test_a_name_that_no_file_can_have_is_one_line(source):
    assert len(error_of(source, "generator", CheckpointError)) < 6000


# addresses


def test_a_file_of_an_address_lands_in_the_cache_and_is_fetched_once(server, cache):
    server.answers["/a/ffhq.pkl"] = Answer(b"weights")
    path = resolve(f"{server.url}/a/ffhq.pkl", "generator")
    assert path.read_bytes() == b"weights" and path == cached_path(f"{server.url}/a/ffhq.pkl")
    assert path.is_relative_to(cache / "downloads") and path.name == "ffhq.pkl"
    assert resolve(f"{server.url}/a/ffhq.pkl", "generator") == path
    assert asked(server) == ["ffhq.pkl"]


def test_a_hash_in_the_address_is_held_to(server):
    server.answers["/ffhq.pkl"] = Answer(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    assert "SHA-256" in error_of(f"{server.url}/ffhq.pkl#sha256={'0' * 64}")
    assert resolve(f"{server.url}/ffhq.pkl#sha256={digest}").read_bytes() == b"weights"
    assert "sha256=" in error_of(f"{server.url}/ffhq.pkl#md5=0")


def test_a_model_comes_with_everything_it_names(server, model):
    folder = resolve(f"{server.url}/models/tiny", "model")
    files = {path.name for path in model.iterdir()}
    assert {path.name for path in folder.iterdir() if path.suffix != ".lock"} == files
    assert resolve(folder, "t2d") == folder / "t2d.json"


def test_a_component_comes_with_its_weights_and_no_more(server):
    assert resolve(f"{server.url}/models/tiny/t2d.json", "t2d").name == "t2d.json"
    assert asked(server) == ["t2d.json", "t2d.safetensors"]


def test_a_models_address_stands_for_its_component_too(server):
    assert resolve(f"{server.url}/models/tiny/model.json", "clip").name == "clip.json"
    assert asked(server) == ["clip.json", "clip.safetensors", "model.json"]


def test_a_changed_component_does_not_arrive(server):
    answer = server.answers["/models/tiny/t2d.safetensors"]
    answer.body = answer.body[:-1] + bytes([answer.body[-1] ^ 1])
    assert "SHA-256" in error_of(f"{server.url}/models/tiny/t2d.json", "t2d")


@pytest.mark.parametrize("file", ["../t2d.json", "/etc/t2d.json", "sub/t2d.json"])
def test_a_manifest_cannot_reach_out_of_its_folder(server, model, file, cache):
    manifest = json.loads((model / "model.json").read_text())
    manifest["components"]["t2d"]["file"] = file
    server.answers["/models/tiny/model.json"] = Answer(json.dumps(manifest).encode())
    assert "not a plain name" in error_of(f"{server.url}/models/tiny", "model", CheckpointError)


@pytest.mark.parametrize("file", ["../../../evil.safetensors", "/tmp/evil.safetensors"])
def test_a_component_cannot_reach_out_of_its_folder(server, model, file):
    manifest = json.loads((model / "t2d.json").read_text())
    manifest["files"] = {file: "0" * 64}
    server.answers["/models/tiny/t2d.json"] = Answer(json.dumps(manifest).encode())
    assert "leads out of the folder" in error_of(f"{server.url}/models/tiny/t2d.json", "t2d", CheckpointError)


@pytest.mark.parametrize(
    "url",
    [
        "https://h/a/../../../etc/passwd",
        "https://h/%2e%2e/%2e%2e/x",
        "https://h/a%2f..%2f..%2fx",
        "https://h/..\\..\\x",
        "https://h",
        "https://h/.hidden",
        "https://h/" + "n" * 500,
    ],
)
def test_no_address_leads_out_of_the_cache(url, cache):
    path = cached_path(url)
    assert path.resolve().is_relative_to(cache / "downloads") and ".." not in path.parts
    assert all(len(part) <= 140 and not part.startswith(".") for part in path.relative_to(cache).parts)


SAME_TO_THE_EYE = [
    "https://h/m.pkl", "https://h//m.pkl", "https://h/m.pkl/", "https://h/m.pkl?", "https://h/M.pkl",
    "https://h/%E6%A8%A1%E5%9E%8B%E4%B8%80.pkl", "https://h/%E6%A8%A1%E5%9E%8B%E4%BA%8C.pkl", "https://h/___.pkl",
    "https://h/a%20b.pkl", "https://h/a_b.pkl", "https://h/a:b.pkl", "https://h/a%2Fb.pkl", "https://h/a/b.pkl",
    "https://h/a%20b/c.pkl", "https://h/a_b/c.pkl", "https://h/.a.pkl", "https://h/_.a.pkl",
    f"https://h/{'n' * 130}1.pkl", f"https://h/{'n' * 130}2.pkl", f"https://h/{'n' * 120}",
    "https://h:1/m.pkl", "https://h_1/m.pkl", "https://h/get", "https://h/get?id=1", "https://h/get?id=2",
    "https://h/x", "https://h/x/y", "https://h/x/y/z", "https://h/x.pkl", "https://h/x.pkl/y.pkl", "https://h/",
]  # fmt: skip


def test_no_two_addresses_share_a_place_and_none_is_in_the_others_way():
    paths = [cached_path(url) for url in SAME_TO_THE_EYE if not url.endswith("?")]
    assert len({str(path) for path in paths}) == len(paths)
    assert not [path for path in paths for other in paths if other in path.parents]


def test_an_ordinary_address_is_found_under_its_own_names(cache):
    assert cached_path("https://host/a/b-1/ffhq.pkl") == cache / "downloads/host/a/b-1/ffhq.pkl"


def test_addresses_whose_names_look_alike_on_the_disk_are_fetched_apart(server):
    for name, body in (("%E4%B8%80.pkl", b"one"), ("%E4%BA%8C.pkl", b"two"), ("_.pkl", b"three")):
        server.answers[f"/{name}"] = Answer(body)
    found = [resolve(f"{server.url}/{name}").read_bytes() for name in ("%E4%B8%80.pkl", "%E4%BA%8C.pkl", "_.pkl")]
    assert found == [b"one", b"two", b"three"]


def test_a_file_and_a_folder_of_one_name_are_both_fetched(server):
    server.answers |= {"/x": Answer(b"file"), "/x/y": Answer(b"in a folder")}
    assert resolve(f"{server.url}/x").read_bytes() == b"file"
    assert resolve(f"{server.url}/x/y").read_bytes() == b"in a folder"


@pytest.mark.parametrize("address", ["models/tiny/model.json?token=a", "models/tiny?token=a"])
def test_a_models_address_may_have_a_query_which_its_files_get_too(server, model, address):
    folder = resolve(f"{server.url}/{address}", "model")
    assert {path.name for path in folder.iterdir() if path.suffix != ".lock"} == {p.name for p in model.iterdir()}
    assert all(path.endswith("?token=a") for path, _ in server.requests)


def test_a_kept_download_that_is_no_network_says_so_and_what_to_delete(server):
    server.answers["/ffhq.pkl"] = Answer(b"\x80\x04 no pickle of a network")
    path = resolve(f"{server.url}/ffhq.pkl", "generator")
    with pytest.raises(CheckpointError) as caught:
        read_network(path)
    assert str(caught.value).endswith(f"(a cached download: delete {path} to fetch it again)")


def test_a_kept_download_that_is_no_manifest_says_so_too(server):
    server.answers["/t2d.json"] = Answer(b'{"format_version": 1}')
    line = error_of(f"{server.url}/t2d.json", "t2d", CheckpointError)
    assert line.endswith(f"delete {cached_path(f'{server.url}/t2d.json')} to fetch it again)")


@pytest.mark.parametrize("source", ["s3://bucket/g.pkl", "http://example.org/g.pkl", "file:///etc/passwd"])
def test_other_schemes_are_refused_in_one_line(source):
    assert source in error_of(source, "generator")


# offline


@pytest.mark.parametrize("variable", [None, "STYLET2I_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_uses_the_cache_and_else_says_what_to_put_where(server, monkeypatch, variable):
    server.answers["/ffhq.pkl"] = Answer(b"weights")
    url = f"{server.url}/ffhq.pkl"
    options = {"offline": True} if variable is None else {}
    if variable:
        monkeypatch.setenv(variable, "1")
    line = error_of(url, "generator", **options)
    assert "--offline" in line and line.endswith(f"save it as {cached_path(url)}")
    cached_path(url).parent.mkdir(parents=True)
    cached_path(url).write_bytes(b"by hand")
    assert resolve(url, "generator", **options).read_bytes() == b"by hand"
    assert server.requests == []


# the registry


def test_a_name_fetches_what_the_registry_says_and_verifies_it(server, monkeypatch):
    body = b"weights"
    entry = Entry("tiny-clip", "clip", f"{server.url}/t.pt", 7, hashlib.sha256(body).hexdigest(), 32, "MIT", "", True)
    monkeypatch.setattr("styleT2I.sources.registry.registry", lambda: {"tiny-clip": entry})
    server.answers["/t.pt"] = Answer(b"another")
    assert "SHA-256" in error_of("tiny-clip", "clip")
    server.answers["/t.pt"] = Answer(body)
    path = resolve("tiny-clip", "clip")
    assert path.read_bytes() == body
    path.write_bytes(b"changed")
    assert "delete it" in error_of("tiny-clip", "clip", offline=True)


def test_a_checkpoint_without_an_address_says_which_file_to_put_where():
    line = error_of("stylet2i-cub-256", "generator")
    target = cache_dir() / "downloads/stylet2i-cub-256/cub.pt"
    assert "https://github.com/" in line and line.endswith(f"save it as {target}")
    target.parent.mkdir(parents=True)
    target.write_bytes(b"weights")
    assert resolve("stylet2i-cub-256", "generator") == target


def test_the_registry_claims_only_what_it_can_know():
    for name, entry in registry().items():
        assert name == name.lower() and entry.kind in (*ROLES, "detector") and entry.licence and entry.preprocessing
        assert (entry.url is None) == (entry.page is not None) == (entry.file is not None)
        assert entry.url is None or urlsplit(entry.url).scheme == "https"
        is_told = entry.sha256 is not None and (entry.sha256 in entry.url or name == "yunet")  # pinned alike by many
        assert entry.sha256 is None or (is_told and len(entry.sha256) == 64)
        assert entry.size is None or entry.sha256 is not None
    assert len({entry.url or name for name, entry in registry().items()}) == len(registry())
    assert {"clip-vit-b-32", "stylegan2-ffhq-1024", "stylegan2-ada-celebahq-256"} <= set(registry())


# the Hub


@pytest.mark.parametrize(
    "text, expected",
    [
        ("hf://me/faces", ("me/faces", None, None)),
        ("hf://me/faces@v1.0", ("me/faces", None, "v1.0")),
        ("hf://me/faces/sub/g.pkl", ("me/faces", "sub/g.pkl", None)),
        ("hf://me/faces/g.pkl@refs/pr/1", ("me/faces", "g.pkl", "refs/pr/1")),
    ],
)
def test_a_hub_address_is_read(text, expected):
    source = HubSource.parse(text)
    assert (source.repo_id, source.file, source.revision) == expected


@pytest.mark.parametrize("text", ["hf://", "hf://me", "hf://me/faces/../x", "hf://me/faces@", "hf:///faces"])
def test_a_wrong_hub_address_shows_the_form(text):
    assert "hf://owner/name" in error_of(text, "generator")


HUB_SCRIPT = """
import sys, warnings
from styleT2I.errors import StyleT2IError
from styleT2I.sources.resolve import resolve
for line in sys.stdin:
    source, kind, *options = line.split()
    try:
        print(resolve(source, kind, offline="offline" in options))
    except StyleT2IError as error:
        print("error:", error)
"""


def hub_answers(model):
    """What the Hub answers for me/tiny, a model, and me/clips, a repository of loose files."""
    commit, answers = "c" * 40, {}
    files = {f"me/tiny/{path.name}": path.read_bytes() for path in model.iterdir()}
    files |= {"me/clips/open_clip_model.safetensors": b"open", "me/clips/model.safetensors": b"other"}
    files |= {"me/clips/open_clip_config.json": b"{}"}
    for name, body in files.items():
        owner, repo, file = name.split("/")
        headers = {"X-Repo-Commit": commit}
        for revision in ("main", commit):
            etag = f'"{hashlib.sha1(body).hexdigest()}"'
            answers[f"/{owner}/{repo}/resolve/{revision}/{file}"] = Answer(body, etag=etag, headers=headers)
    for repo in ("tiny", "clips"):
        names = [name.rpartition("/")[2] for name in files if f"/{repo}/" in name]
        tree = [{"type": "file", "path": name, "size": 1, "oid": "0" * 40} for name in names]
        for revision in ("main", commit):
            body = json.dumps(tree).encode()
            answers[f"/api/models/me/{repo}/tree/{revision}"] = Answer(body, content_type="application/json")
    return answers


def test_the_hub_gives_models_components_and_files_and_a_cache_without_network(model, tmp_path):
    questions = [
        "hf://me/tiny model", "hf://me/tiny t2d", "hf://me/tiny/clip.json clip", "hf://me/clips clip",
        "hf://me/clips generator", "hf://me/tiny model offline", "hf://me/other/g.pkl generator offline",
        "hf://me/tiny/missing.pkl generator", "hf://me/clips clip offline", "hf://me/other clip offline",
    ]  # fmt: skip
    with web_server(hub_answers(model)) as server:
        server.missing = {"X-Error-Code": "EntryNotFound"}
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_ENDPOINT": server.url}
        environment |= {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
        result = subprocess.run(
            [sys.executable, "-c", HUB_SCRIPT], input="\n".join(questions), env=environment, capture_output=True,
            text=True, timeout=200,
        )  # fmt: skip
    whole, t2d, clip, loose, vague, cached, absent, missing, kept, unknown = result.stdout.splitlines()
    assert whole.startswith(str(tmp_path / "hf")) and whole == cached, result.stderr
    assert t2d == f"{whole}/t2d.json" and clip == f"{whole}/clip.json"
    assert loose.endswith("/open_clip_model.safetensors") and loose == kept
    assert Path(loose).with_name("open_clip_config.json").read_bytes() == b"{}"
    assert "name one as hf://me/clips/FILE" in vague
    assert "not in the cache, and --offline is set" in absent and "--offline is set" in unknown
    assert missing == "error: hf://me/tiny/missing.pkl: the repository has no such file"


def test_offline_the_hub_library_asks_nothing_for_its_own_purposes(tmp_path):
    questions = ["hf://me/tiny model offline", "hf://me/other clip offline", "hf://me/tiny/g.pkl generator offline"]
    with web_server({}) as server:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
        environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_ENDPOINT": server.url}
        environment |= {"HF_HOME": str(tmp_path / "hf"), "AI_AGENT": "tester"}
        result = subprocess.run(
            [sys.executable, "-c", HUB_SCRIPT], input="\n".join(questions), env=environment, capture_output=True,
            text=True, timeout=200,
        )  # fmt: skip
        assert len(result.stdout.splitlines()) == 3 and server.requests == [], result.stderr
