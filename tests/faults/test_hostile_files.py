"""Hostile and broken files: nothing in them runs, memory stays bounded, each ends in one line with a remedy.

All are read in one process of its own, whose peak memory is taken for each file apart.
"""

import ast
import json
import os
import socket
import subprocess
import sys

import pytest
import torch

import styleT2I
from tests.conftest import ROOT
from tests.foreign_files import write_nvidia, write_rosinality, write_tensorflow
from tests.hostile_containers import archive, archives, legacy_files, other_files
from tests.hostile_pickles import bomb_pickles, executing_pickles, refused_pickles
from tests.tiny_model import tiny_generator

MAX_MEMORY = 1 << 30
READER = """
import json, resource, sys, time
from pathlib import Path
import torch, styleT2I
from styleT2I.errors import CheckpointError, UnsafeFileError
from styleT2I.networks.registry import network_class

def status(name):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024

torch.set_num_threads(1)
network_class("stylegan2-generator").example()
resource.setrlimit(resource.RLIMIT_AS, (status("VmSize") + (3 << 30),) * 2)  # a failing case must not take the machine
for path in json.load(sys.stdin):
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    start = time.process_time()
    try:
        result = ["loaded", type(styleT2I.load_network(path)).__name__]
    except UnsafeFileError as error:
        result = ["unsafe", str(error)]
    except CheckpointError as error:
        result = ["refused", str(error)]
    except BaseException as error:
        result = ["crashed", repr(error)]
    print(json.dumps([path, *result, status("VmHWM"), time.process_time() - start]), flush=True)
"""


def broken_networks(folder):
    """Well-formed files of networks that cannot be right, by name."""
    G = tiny_generator()
    made = {}

    def write(what, change, **kwargs):
        network = tiny_generator()
        change(network)
        made[what] = folder / f"{what}.pkl"
        write_nvidia(made[what], G_ema=network, **kwargs)

    write("nan_weights", lambda n: n.synthesis.b8.conv0.weight.data.fill_(float("nan")))
    write("infinite_mean", lambda n: n.mapping.w_avg.fill_(float("inf")))
    write("missing_layer", lambda n: delattr(n.synthesis.b8, "conv1"))
    write("missing_block", lambda n: delattr(n.synthesis, "b8"))
    write("extra_tensor", lambda n: n.synthesis.b8.register_buffer("extra", torch.zeros(3)))
    write(
        "other_width", lambda n: setattr(n.synthesis.b16.conv0, "weight", torch.nn.Parameter(torch.zeros(8, 5, 3, 3)))
    )
    write("other_w_dim", lambda n: setattr(n.mapping.fc1, "weight", torch.nn.Parameter(torch.zeros(9, 8))))
    write("unknown_activation", lambda n: [setattr(m, "act", "eval") for m in n.modules() if hasattr(m, "act")])
    write("clamp_of_text", lambda n: [setattr(m, "conv_clamp", "x") for m in n.modules() if hasattr(m, "conv_clamp")])
    write("two_clamps", lambda n: setattr(n.synthesis.b8.conv0, "conv_clamp", 3.0))
    write(
        "wide_claim", lambda n: setattr(n.synthesis.b8.conv1, "weight", torch.nn.Parameter(torch.zeros(10**6, 1, 1, 1)))
    )
    write("alias_free", lambda n: delattr(n.synthesis, "b4"))
    write("vast_filter", lambda n: setattr(n.synthesis.b16, "resample_filter", torch.ones(500, 500)))
    for what, change in {
        "nan_in_rosinality": lambda state: state["input.input"].fill_(float("nan")),
        "unknown_layer": lambda state: state.update({"encoder.weight": torch.zeros(3)}),
        "many_layers": lambda state: state.update({f"convs.{i}.conv.weight": torch.zeros(1) for i in range(10, 60)}),
        "vast_index": lambda state: state.update({"to_rgbs.99999999999.conv.weight": torch.zeros(1)}),
        "no_weights": lambda state: [state.pop(key) for key in list(state) if key.startswith("convs")],
        "scalar_weights": lambda state: state.update({"conv1.conv.weight": torch.zeros([])}),
        "wide_latent": lambda state: state.update({"style.1.weight": torch.zeros(1, 10**6)}),
    }.items():
        made[what] = folder / f"{what}.pt"
        write_rosinality(made[what], G_ema=G)
        content = torch.load(made[what])
        if what == "wide_latent":
            del content["latent_avg"]
        change(content["g_ema"])
        torch.save(content, made[what])
    return made


def special_files(folder):
    """What is not a regular file, cannot be read or is not there, by name."""
    os.mkfifo(folder / "fifo")
    os.mkdir(folder / "folder")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "nowhere").symlink_to(folder / "absent")
    (folder / "device").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(folder / "socket"))
    manifest = {"format_version": 1, "kind": "stylegan2-generator", "config": {"resolution": 8}}
    (folder / "leads_out.json").write_text(json.dumps({**manifest, "files": {"../x.safetensors": "0"}}))
    (folder / "names_a_device.json").write_text(json.dumps({**manifest, "files": {"device": "0"}}))
    names = ("fifo", "folder", "loop", "nowhere", "device", "socket", "absent", "leads_out.json", "names_a_device.json")
    return {name.partition(".")[0]: folder / name for name in names} | {"nul_in_name": f"{folder}/a\0b"}


EXECUTING = sorted(executing_pickles("canary"))
PICKLES = {**refused_pickles(), **bomb_pickles()}
FILES = {**archives(), **legacy_files(), **other_files()}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """(name -> path of every file, the canary)."""
    folder = tmp_path_factory.mktemp("hostile")
    canary = folder / "canary"
    (folder / "canary_module.py").write_text(f"open({str(canary)!r}, 'w').close()\nanything = 0\n")
    paths = {}
    for what, content in executing_pickles(canary).items():
        body = content.removeprefix(b"\x80\x02")[:-1]
        for where, data in (("pickle", content), ("zip", archive(body))):
            paths[f"{what}_in_{where}"] = folder / f"{what}.{where}"
            paths[f"{what}_in_{where}"].write_bytes(data)
    for what, content in {**PICKLES, **FILES}.items():
        paths[what] = folder / what
        paths[what].write_bytes(content)
    previous = os.getcwd()
    os.chdir(folder)  # a socket's name is short
    try:
        paths |= broken_networks(folder) | special_files(folder)
    finally:
        os.chdir(previous)
    return paths, canary


@pytest.fixture(scope="module")
def outcomes(corpus):
    """name -> (outcome, message, peak memory, seconds) of reading each file of the corpus."""
    paths, canary = corpus
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{canary.parent}", "OMP_NUM_THREADS": "1"}
    names = [str(path) for path in paths.values()]
    result = subprocess.run([sys.executable, "-c", READER], input=json.dumps(names), cwd=canary.parent, text=True,
                            env=environment, capture_output=True, timeout=900)  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return {name: line[1:] for name, line in zip(paths, lines, strict=True)}


def test_the_corpus_is_dangerous(corpus, run_python):
    """Each of the pickles that run code does so under Python's own unpickler: a reader that ran them would be seen."""
    paths, canary = corpus
    code = "import pickle, sys; sys.path.insert(0, sys.argv[2]); pickle.load(open(sys.argv[1], 'rb'))"
    harmless = {"nested_torch_file"}  # torch's own loader, which newer versions keep from it
    tame = [
        what for what in EXECUTING if what not in harmless and not _makes_canary(paths, canary, code, what, run_python)
    ]
    assert tame == []


def _makes_canary(paths, canary, code, what, run_python):
    run_python("-c", code, paths[f"{what}_in_pickle"], canary.parent, cwd=canary.parent)
    is_there = canary.exists()
    canary.unlink(missing_ok=True)
    return is_there


def test_nothing_is_executed(corpus, outcomes):
    _, canary = corpus
    assert (
        not canary.exists() and not (canary.parent / "evil").exists() and not (canary.parent.parent / "evil").exists()
    )


@pytest.mark.parametrize("what", [f"{name}_in_{where}" for name in EXECUTING for where in ("pickle", "zip")])
def test_a_pickle_that_wants_to_run_code_is_called_unsafe(outcomes, what):
    outcome, message, _, _ = outcomes[what]
    assert outcome == "unsafe" and "\n" not in message, message


def test_every_file_ends_in_one_line_that_names_it_and_a_remedy(corpus, outcomes):
    paths, _ = corpus
    wrong = {}
    named = {**paths, "names_a_device": paths["device"]}  # the manifest is right, what it names is not
    for what, (outcome, message, _, _) in outcomes.items():
        is_one_line = "\n" not in message and message.startswith(str(named[what])) and len(message) < 700
        if outcome not in ("unsafe", "refused") or not is_one_line or "; " not in message:
            wrong[what] = (outcome, message)
    assert wrong == {}
    assert len(outcomes) > 150


def test_memory_and_time_stay_bounded(outcomes):
    assert {what: peak for what, (_, _, peak, _) in outcomes.items() if peak > MAX_MEMORY} == {}
    assert {what: seconds for what, (*_, seconds) in outcomes.items() if seconds > 20} == {}


@pytest.mark.parametrize("what, words", [
    ("os_system_in_pickle", "'os.system'"),
    ("html", "web page"),
    ("html_in_capitals", "web page"),
    ("lfs_pointer", "git lfs pull"),
    ("empty", "is empty"),
    ("fifo", "a pipe or a device"),
    ("device", "a pipe or a device"),
    ("absent", "No such file"),
    ("loop", "symbolic links"),
    ("zip_deflated", "compressed"),
    ("zip_parent_folder", "leads out of the archive"),
    ("zip_flipped_pickle", "the checksum of 'archive/data.pkl' is not the stored one"),
    ("zip_flipped_byteorder", "the checksum of 'archive/byteorder' is not the stored one"),
    ("zip_renamed_entry", "damaged archive"),
    ("zip_overlap_with_slack", "overlap"),
    ("colliding_set", "number too large as a key"),
    ("colliding_memos", "an index that is not allowed"),
    ("nan_weights", "synthesis.b8.conv0.weight"),
    ("missing_layer", "synthesis.b8.conv1"),
    ("extra_tensor", "synthesis.b8.extra"),
    ("two_clamps", "differ in clamp"),
    ("alias_free", "StyleGAN3"),
    ("tar", "tar archive"),
    ("jpeg", "a JPEG image"),
    ("text", "a text file"),
    ("noise", "not network weights"),
])  # fmt: skip
def test_the_line_says_what_the_matter_is(outcomes, what, words):
    assert words in outcomes[what][1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_named(tmp_path):
    (tmp_path / "locked.pkl").write_bytes(b"x")
    (tmp_path / "locked.pkl").chmod(0)
    with pytest.raises(styleT2I.StyleT2IError, match="locked.pkl: cannot be read: Permission denied"):
        styleT2I.load_network(tmp_path / "locked.pkl")


def good_files(folder):
    """One small file in each container."""
    G = tiny_generator(resolution=8)
    write_nvidia(folder / "ada.pkl", G_ema=G)
    write_tensorflow(folder / "tf.pkl", G_ema=G)
    write_rosinality(folder / "zip.pt", G_ema=G)
    write_rosinality(folder / "legacy.pt", legacy=True, G_ema=G)
    return [folder / name for name in ("ada.pkl", "tf.pkl", "zip.pt", "legacy.pt")]


@pytest.mark.parametrize("index", range(4))
def test_cut_files_are_refused_and_flipped_ones_load_or_are_refused(tmp_path, index):
    path = good_files(tmp_path)[index]
    whole = path.read_bytes()
    styleT2I.load_network(path)
    for share in (0.0005, 0.01, 0.1, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(styleT2I.StyleT2IError, match=path.name):
            styleT2I.load_network(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(styleT2I.StyleT2IError, match=path.name):
        styleT2I.load_network(path)
    places = torch.randint(8 * len(whole), (60,), generator=torch.Generator().manual_seed(index)).tolist()
    num_refused = 0
    for place in places:
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            styleT2I.load_network(path)
        except styleT2I.StyleT2IError as error:
            num_refused += 1
            assert str(error).startswith(str(path)) and "\n" not in str(error)
    assert num_refused > 0


def test_a_flipped_bit_in_a_tensor_of_an_archive_shows_in_its_checksum(tmp_path):
    write_rosinality(tmp_path / "a.pt", G_ema=tiny_generator())
    whole = bytearray((tmp_path / "a.pt").read_bytes())
    numbers = tiny_generator().synthesis.b16.conv1.weight.numpy().tobytes()
    whole[whole.index(numbers) + 100] ^= 1
    (tmp_path / "a.pt").write_bytes(whole)
    with pytest.raises(styleT2I.StyleT2IError, match=r"a\.pt: damaged, a tensor's checksum is not the stored one"):
        styleT2I.load_network(tmp_path / "a.pt")


def test_no_loader_that_runs_pickles_is_called_anywhere():
    banned = {
        "pickle.load",
        "pickle.loads",
        "torch.load",
        "torch.jit.load",
        "joblib.load",
        "dill.load",
        "pickle.Unpickler",
    }
    found = []
    for path in [path for folder in ("styleT2I", "torch_utils", "ops") for path in (ROOT / folder).rglob("*.py")]:
        calls = [node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
        found += [(path.name, ast.unparse(call)) for call in calls if ast.unparse(call) in banned]
    assert found == []
