"""`evaluate --suite quality` on a tiny model and on folders: every figure with what it rests on; bad input one line."""

import json

import pytest
import torch
from click.testing import CliRunner

from styleT2I.evaluate import main
from styleT2I.torch_utils.images import save_png
from tests.tiny_model import tiny_clip, tiny_judge, write_tiny_model

BASIS = {"network", "network_sha256", "resize", "fake", "num_fake", "seeds", "versions", "settings", "standard_error"}
DISTANCES = {"frechet", "kernel_distance", "precision", "recall", "density", "coverage"}
OF_ONE_SET = {"inception_score", "feature_diversity"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny model with a held-out judge and a second CLIP."""
    observers = {"judges.heldout": tiny_judge(seed=7, nuisances=("roll",)), "clip_eval": tiny_clip("tiny-eval")}
    return write_tiny_model(tmp_path_factory.mktemp("tiny"), onlookers=observers)


@pytest.fixture(autouse=True)
def torch_home(tmp_path, monkeypatch):
    """No weights in torch's cache, whatever the machine has there."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def folder_of(path, num, seed=0, text=None):
    path.mkdir()
    draw = torch.Generator().manual_seed(seed)
    colours = torch.randint(100 * seed, 100 * seed + 120, (num, 3, 1, 1), generator=draw)
    images = colours + torch.randint(30, (num, 3, 20, 20), generator=draw)
    for i, image in enumerate(images.to(torch.uint8)):
        save_png(path / f"{i:03d}.png", image)
    if text is not None:
        (path / "generate.json").write_text(json.dumps({"text": text}))
    return path


def run(*arguments):
    return CliRunner().invoke(main, ["--suite", "quality", "--device", "cpu", *map(str, arguments)])


def test_a_model_against_a_split_has_every_figure_with_what_it_rests_on(model, tmp_path):
    path = tmp_path / "quality.json"
    result = run("--model", model, "--data", "minifaces:biased/test:24", "--num", "24", "--out", path)
    assert result.exit_code == 0, result.output
    figures = json.loads(path.read_text())["suites"]["quality"]
    sets = figures["sets"]
    assert set(sets["unprompted"]) == DISTANCES | OF_ONE_SET | {"attributes_all"}
    texts = {"clip_score", "clip_score_shuffled"}
    of_edits = {"identity", "identity_of_strangers", "attributes_all", "attributes_each", "drift"}
    assert set(sets["captioned"]) == DISTANCES | OF_ONE_SET | texts | of_edits
    assert set(sets["real"]) == OF_ONE_SET | texts | {"attributes_all"}
    for name, found in sets.items():
        for figure in found.values():
            assert BASIS <= set(figure) and len(figure["network_sha256"]) == 64
            assert figure["num_fake"] == 24 and "bicubic" in figure["resize"] and "torch" in figure["versions"]
            is_real = name == "real" or figure["fake"].startswith("minifaces")
            assert figure["seeds"] == (None if is_real else "0-23")
    assert all(sets["captioned"][name]["real"] == "minifaces:biased/test:24" for name in DISTANCES)
    assert "not Inception" in sets["captioned"]["frechet"]["network"]
    assert {"Inception's features", "lpips", "r_precision"} <= set(figures["left_out"])
    assert "| frechet |" in result.output and "alexnet-owt-7be5be79.pth" in result.output


def test_two_folders_are_compared_and_equal_ones_are_at_zero(model, tmp_path):
    first, second = folder_of(tmp_path / "a", 30), folder_of(tmp_path / "b", 26, 1, "he is smiling")
    path = tmp_path / "quality.json"

    def sets(real, fake):
        result = run("--model", model, "--real", real, "--fake", fake, "--out", path)
        assert result.exit_code == 0, result.output
        return json.loads(path.read_text())["suites"]["quality"]["sets"]

    found = sets(first, second)
    assert set(found["fake"]) == DISTANCES | OF_ONE_SET | {"clip_score", "clip_score_shuffled"}
    assert set(found["real"]) == OF_ONE_SET
    frechet = found["fake"]["frechet"]
    assert (frechet["real"], frechet["num_real"]) == (str(first), 30)
    assert (frechet["fake"], frechet["num_fake"]) == (str(second), 26)
    same = sets(first, first)["fake"]
    assert frechet["value"] > 100 * same["frechet"]["value"]
    assert same["precision"]["value"] == same["coverage"]["value"] == 1 > found["fake"]["coverage"]["value"]
    again = sets(first, second)
    assert again == found


def test_bad_input_is_one_line(model, tmp_path):
    folder, few = folder_of(tmp_path / "a", 30), folder_of(tmp_path / "few", 5)
    (tmp_path / "empty").mkdir()
    damaged = folder_of(tmp_path / "damaged", 30)
    (damaged / "004.png").write_bytes(b"no picture")
    for arguments, text in (
        (["--real", folder, "--fake", tmp_path / "missing"], "no such folder"),
        (["--real", tmp_path / "empty", "--fake", folder], "no images in it"),
        (["--real", folder, "--fake", few], "5 images are too few"),
        (["--real", folder, "--fake", damaged], "004.png"),
        (["--real", folder], "has no captions"),
        (["--real", "minifaces:biased/nowhere", "--fake", folder], "nowhere"),
        (["--real", folder, "--fake", folder, "--features", "inseption"], "inception"),
        (["--real", folder, "--fake", folder, "--features", "inception"], "weights-inception-2015-12-05-6726825d.pth"),
        (["--real", folder, "--fake", folder, "--lpips", "vgg"], "vgg16-397923af.pth"),
        (["--real", folder, "--fake", folder, "--embedder", tmp_path / "none.onnx"], "none.onnx"),
        (["--suite", "edits", "--real", folder, "--model", model / "nothing"], "nothing"),
    ):
        result = run("--model", model, *arguments)
        assert result.exit_code == 2, (arguments, result.output)
        assert "Traceback" not in result.output and result.output.count("error:") == 1
        assert text in result.output, (text, result.output)
    stray = CliRunner().invoke(main, ["--suite", "edits", "--fake", str(folder)])
    assert stray.exit_code == 2 and "--fake goes with --suite quality" in stray.output
