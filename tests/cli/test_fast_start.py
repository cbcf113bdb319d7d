"""What a command imports before it answers: nothing large that the answer does not need."""

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT

HEAVY = ("open_clip", "timm", "torchvision", "scipy", "torch._dynamo", "transformers", "huggingface_hub")

_RUN = """
import importlib, io, json, sys, contextlib
lines = []
for module, arguments in json.loads(sys.argv[1]):
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            importlib.import_module("styleT2I." + module).main.main(args=arguments, prog_name=module)
    except SystemExit as end:
        status = end.code
    lines.append([status, said.getvalue(), "torch" in sys.modules])
print(json.dumps({"lines": lines, "modules": sorted(sys.modules)}))
"""


def run(*commands):
    """Each command's [status, stderr, whether torch is there then], and all modules of the process."""
    done = subprocess.run([sys.executable, "-c", _RUN, json.dumps(commands)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])  # after what the commands themselves print
    return result["lines"], result["modules"]


def test_a_cold_generate_imports_no_large_library_beside_torch(tmp_path):
    arguments = ["--text", "he is wearing lipstick", "--seeds", "0", "--device", "cpu", "--outdir", str(tmp_path)]
    ((status, said, _),), modules = run(("generate", arguments))
    assert (status, said) == (0, "") and (tmp_path / "seed0000.png").is_file()
    assert not [name for name in HEAVY if name in modules]


GENERATE = ["--outdir", "out", "--text"]
TRAIN = ["--outdir", "/dev/null/out"]  # a folder that cannot be made: none of these is to come that far
REFUSED = [
    ("generate", [*GENERATE, ""], "the text is empty"),
    ("generate", [*GENERATE, "?!"], "has no words"),
    ("generate", [*GENERATE, "qwerty zxcv"], "is understood"),
    ("generate", [*GENERATE, "he is waering a hat", "--strict"], "waering"),
    ("generate", [*GENERATE, "he smiles", "--adjust-method", "papr"], "papr"),
    ("generate", [*GENERATE, "he smiles", "--device", "gpu"], "gpu"),
    ("generate", [*GENERATE, "he smiles", "--model", "/nosuch"], "nosuch"),
    ("generate", [*GENERATE, "he smiles", "--t2d", "/nosuch.json"], "nosuch"),
    ("edit", ["--set", "lipstik=1", "--outdir", "out"], "lipstik"),
    ("train_t2d", [*TRAIN, "--preset", "celebahq", "--model", "minifaces"], "add --data"),
    ("train_t2d", [*TRAIN, "--batch", "1"], "at least 2"),
    ("train_a2d", [*TRAIN, "--glove", "vectors.txt"], "--text-features gru"),
    ("train_a2d", [*TRAIN, "--theta", "1", "--theta-rel", "1"], "not both"),
    ("train_clip", [*TRAIN, "--preset", "celebahq"], "add --data"),
    ("train_clip", [*TRAIN, "--tune", "paper"], "--clip"),
    ("train_clip", [*TRAIN, "--lr", "0"], "lr"),
    ("train_judge", [*TRAIN, "--preset", "gide"], "'guide'"),
    ("train_judge", [*TRAIN, "--lr", "-1"], "lr"),
    ("train_segmenter", [*TRAIN, "--lr", "0"], "lr"),
    ("train_landmarks", [*TRAIN, "--lr", "0"], "lr"),
    ("train_encoder", [*TRAIN, "--lr", "0"], "lr"),
    ("invert", ["face.png", "--aligned", "--face", "1", "--outdir", "out"], "--aligned"),
    ("edit", ["--set", "lipstick=1", "--aligned", "--outdir", "out"], "goes with --image"),
    ("generate", [*GENERATE, "he smiles", "--image", "a.jpg", "--seeds", "1"], "does not go with --image"),
    ("train_segmenter", [*TRAIN, "--config", "/nosuch.yaml"], "/nosuch.yaml"),
    ("train_stylegan2", [*TRAIN, "--preset", "stylegan2-config-f"], "add --data"),
    ("train_stylegan2", [*TRAIN, "--resolution", "96"], "power of two"),
    ("train_stylegan2", [*TRAIN, "--micro-batch", "5"], "does not divide"),
    ("train_stylegan2", [*TRAIN, "--init", "/nosuch"], "/nosuch"),
    ("fit_stylegan2", [*TRAIN, "--data", "portraits:biased/train"], "--preset portraits"),
    ("fit_stylegan2", [*TRAIN, "--preset", "portraits-finish"], "add --init DIR"),
    ("fit_stylegan2", [*TRAIN, "--num-latents", "9"], "add --preset portraits"),
    ("train_baseline", [*TRAIN, "--system", "attngan"], "--damsm"),
    ("train_baseline", [*TRAIN, "--system", "dfgan", "--preset", "paper"], "add --data"),
    ("train_baseline", [*TRAIN, "--system", "unclip", "--prior", "/nosuch"], "/nosuch"),
    ("train_baseline", [*TRAIN, "--system", "stackgan", "--lr", "1"], "does not go with"),
    ("build_model", [*TRAIN, "portrait"], "'portraits'"),
    ("recipe", [*TRAIN, "celeba"], "'celebahq'"),
    ("recipe", [*TRAIN, "celebahq"], "add --data DIR"),
    ("recipe", [*TRAIN, "minifaces", "--data", "x"], "makes its own"),
]


def test_what_can_be_refused_without_torch_is():
    lines, modules = run(*(command[:2] for command in REFUSED))
    for (_, _, expected), (status, said, has_torch) in zip(REFUSED, lines, strict=True):
        assert status == 2 and expected in said and said.count("\n") == 1, said
        assert not has_torch, said
    assert "numpy" not in modules


def test_help_imports_neither_torch_nor_numpy():
    package = ROOT / "styleT2I"
    files = [path for path in package.rglob("*.py") if '__name__ == "__main__"' in path.read_text(encoding="utf-8")]
    commands = sorted(".".join(path.relative_to(package).with_suffix("").parts) for path in files)
    assert {"train_clip", "data.minifaces.__main__", "audit"} <= set(commands)
    lines, modules = run(*((command, ["--help"]) for command in commands))
    assert [(status, said) for status, said, _ in lines] == [(0, "")] * len(commands)
    assert [command for command, (*_, has_torch) in zip(commands, lines, strict=True) if has_torch] == []
    assert "numpy" not in modules


def test_every_training_command_has_a_refusal_above():
    trainings = {path.stem for path in (ROOT / "styleT2I").glob("*.py") if path.stem.startswith(("train_", "fit_"))}
    assert trainings <= {command for command, *_ in REFUSED}


@pytest.mark.parametrize("strict", [False, True])
def test_words_told_by_a_folder_are_those_of_its_networks(tmp_path, strict):
    from styleT2I.attributes.prompt import known_words, understand
    from styleT2I.attributes.vocabulary import load_vocabulary
    from styleT2I.errors import PromptError
    from styleT2I.formats.model_folder import local_folder
    from styleT2I.generation.pipeline import StyleT2I
    from tests.tiny_model import write_tiny_model

    folder = local_folder(write_tiny_model(tmp_path))
    pipeline, vocabulary = StyleT2I.from_pretrained(tmp_path, device="cpu"), load_vocabulary("minifaces")

    def answer(function):
        try:
            return function()
        except PromptError as error:
            return str(error)

    for text in ("he smiles", "he is waering a hat", "zxcv", "a man " * 20):
        early = answer(lambda text=text: understand(text, known_words(folder), vocabulary, strict=strict))
        assert early == answer(lambda text=text: pipeline.understand(text, strict=strict))


def test_a_folder_that_does_not_tell_its_words_is_left_to_the_networks(tmp_path):
    from styleT2I.attributes.prompt import known_words
    from styleT2I.formats.model_folder import local_folder
    from tests.tiny_model import write_tiny_model

    assert known_words(local_folder(write_tiny_model(tmp_path, without=("t2d",)))) is None
    assert local_folder(tmp_path / "t2d.json") is None
