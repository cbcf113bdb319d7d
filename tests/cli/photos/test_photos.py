"""`invert`, `edit --image`, `generate --image`: files, records, resuming, the cache, and one line for what is wrong."""

import json

import numpy as np
import PIL.Image
import pytest
import torch
from click.testing import CliRunner

from styleT2I import edit, generate, invert
from styleT2I.inversion.result import read_inversion
from styleT2I.torch_utils.images import load_image
from tests.tiny_model import tiny_segmenter, write_tiny, write_tiny_model

PARTS = ("skin", "nose", "eyes", "brows", "ears", "mouth", "u_lip", "l_lip", "hair", "hat", "beard", "glasses",
         "earrings", "neck", "necklace", "cloth")  # fmt: skip
FAST = ["--inversion-steps", "3", "--tune-steps", "3", "--device", "cpu"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    onlookers = {"segmenter": tiny_segmenter(PARTS)}
    return str(write_tiny_model(tmp_path_factory.mktemp("tiny"), onlookers=onlookers))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        small = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        PIL.Image.fromarray(small).resize((60, 60), PIL.Image.BICUBIC).save(tmp_path / f"{name}.png")
    (tmp_path / "points.json").write_text("[[22, 24], [38, 24], [30, 32], [24, 42], [36, 42]]")
    (tmp_path / "text.jpg").write_text("no photo")
    return tmp_path


def call(command, *arguments):
    return CliRunner().invoke(command.main, [str(argument) for argument in arguments])


def test_invert_writes_a_folder_per_photo_and_goes_on_where_it_was_killed(folder, model, monkeypatch):
    photos = [folder / "one.png", folder / "two.png"]
    arguments = [*photos, "--aligned", "--model", model, "--method", "w+", "--method", "pivotal", *FAST]
    assert call(invert, *arguments, "--outdir", folder / "out").exit_code == 0
    for name in ("one", "two"):
        record = json.loads((folder / f"out/{name}/inversion.json").read_text())
        assert set(record["found"]) == {"w+", "pivotal"} and record["photo"]["aligned"]
        assert record["found"]["w+"]["distance_by"].startswith("the guide judge's features")
        found = read_inversion(folder / f"out/{name}/pivotal.json", record["model"]["components"]["generator"])
        assert found.change and found.ws.shape == (6, 8)
        page = (folder / f"out/{name}/report.html").read_text()
        assert page.count("<img") == 5 and "http" not in page.replace("http-equiv", "") and "pivotal" in page
    from styleT2I.inversion.inverter import Inverter

    (folder / "out/two/inversion.json").unlink()  # as if killed before it
    for path in (folder / "out/two").iterdir():
        path.unlink()
    inverted = []
    by_inverter = Inverter.invert
    monkeypatch.setattr(Inverter, "invert", lambda self, images, *more: inverted.append(len(images))
                        or by_inverter(self, images, *more))  # fmt: skip
    result = call(invert, *arguments, "--outdir", folder / "out")
    assert result.exit_code == 0 and "2 faces" in result.output and inverted == [1]
    other = call(invert, *arguments, "--restarts", "2", "--outdir", folder / "out")
    assert other.exit_code == 2 and "another result" in other.output


def test_a_photo_among_others_that_is_none_is_a_warning(folder, model):
    photos = [folder / "one.png", folder / "text.jpg"]
    result = call(invert, *photos, "--aligned", "--model", model, *FAST, "--outdir", folder / "out")
    assert result.exit_code == 0 and "1 face " in result.output
    assert (folder / "out/one/w+.png").is_file() and not (folder / "out/text").exists()


def test_edit_puts_the_face_back_and_finds_the_inversion_in_the_cache(folder, model, monkeypatch):
    arguments = ["--image", folder / "one.png", "--landmarks", folder / "points.json", "--set", "eyeglasses=1",
                 "--model", model, "--strip-steps", "2", *FAST]  # fmt: skip
    result = call(edit, *arguments, "--outdir", folder / "out")
    assert result.exit_code == 0, result.output
    record = json.loads((folder / "out/edit.json").read_text())
    files = {"edited.png", "face.png", "grid.png", "inverted.png", "mask.png", "photo.png", "strip.png"}
    assert set(record["files"]) == files and record["photo"]["landmarks"] and record["inversion"]["method"] == "w+"
    assert record["strengths"] == {"eyeglasses": 1.0} and record["regions"] == ["around_eyes"]
    photo, edited = load_image(folder / "one.png"), load_image(folder / "out/photo.png")
    corners = np.array(record["photo"]["corners"])
    assert photo.shape == edited.shape
    (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
    outside = torch.ones(60, 60, dtype=torch.bool)
    outside[max(int(y0), 0) : int(np.ceil(y1)), max(int(x0), 0) : int(np.ceil(x1))] = False
    assert torch.equal(photo[:, outside], edited[:, outside])
    from styleT2I.inversion.inverter import Inverter

    def refused(*_):
        raise AssertionError("the inversion is in the cache")

    monkeypatch.setattr(Inverter, "invert", refused)
    assert call(edit, *arguments, "--outdir", folder / "again").exit_code == 0
    assert torch.equal(load_image(folder / "again/photo.png"), edited)


def test_generate_moves_a_photo_by_a_sentence(folder, model):
    arguments = ["--image", folder / "one.png", "--aligned", "--text", "he is wearing lipstick", "--model", model]
    result = call(generate, *arguments, "--inversion", "pivotal", *FAST, "--outdir", folder / "out")
    assert result.exit_code == 0, result.output
    record = json.loads((folder / "out/generate.json").read_text())
    assert record["text"] == "he is wearing lipstick" and record["inversion"]["method"] == "pivotal"
    assert record["regions"] is None  # "he" shows everywhere
    assert load_image(folder / "out/photo.png").shape == (3, 60, 60)


WRONG = [
    (edit, ["--image", "{}/nosuch.jpg", "--aligned", "--set", "lipstick=1"], "nosuch.jpg"),
    (edit, ["--image", "{}/text.jpg", "--aligned", "--set", "lipstick=1"], "not an image"),
    (edit, ["--image", "{}/one.png", "--set", "lipstick=1"], "no face was found.*--landmarks FILE"),
    (edit, ["--image", "{}/one.png", "--aligned", "--face", "0", "--set", "lipstick=1"], "--aligned says"),
    (edit, ["--image", "{}/one.png", "--aligned", "--seeds", "1", "--set", "lipstick=1"], "--seeds says"),
    (edit, ["--aligned", "--set", "lipstick=1"], "goes with --image"),
    (edit, ["--image", "{}/one.png", "--aligned", "--inversion", "encoder", "--set", "lipstick=1"], "train_encoder"),
    (edit, ["--image", "{}/one.png", "--aligned", "--mask", "{}/text.jpg", "--set", "lipstick=1"], "text.jpg"),
    (generate, ["--image", "{}/one.png", "--aligned", "--text", "he smiles", "--explain"], "--explain"),
    (generate, ["--image", "{}/one.png", "--aligned", "--text-file", "{}/text.jpg"], "one --text"),
    (generate, ["--image", "{}/one.png", "--text", "he smiles", "--landmarks", "{}/one.png"], "one.png"),
    (invert, ["{}/text.jpg", "--aligned"], "not an image"),
    (invert, ["{}/one.png", "{}/one.png", "--aligned"], "same name"),
    (invert, ["{}/one.png", "--aligned", "--method", "encoder+"], "train_encoder"),
    (invert, ["{}/one.png", "--aligned", "--distance", "lpips"], "lpips|LPIPS|weights"),
    (invert, ["{}/one.png", "--aligned", "--encoder", "{}/one.png"], "one.png"),
]


@pytest.mark.parametrize(("command", "arguments", "text"), WRONG)
def test_what_is_wrong_is_one_line_and_leaves_nothing(folder, model, command, arguments, text, monkeypatch):
    import re

    monkeypatch.setenv("TORCH_HOME", str(folder / "torch"))
    given = [argument.replace("{}", str(folder)) for argument in arguments]
    result = call(command, *given, "--model", model, *FAST, "--outdir", folder / "new")
    last = result.output.strip().splitlines()[-1]
    assert result.exit_code == 2 and last.startswith("error: ") and re.search(text, last), result.output
    assert not (folder / "new").exists() or not list((folder / "new").rglob("*.*"))


def test_an_encoder_of_another_generator_is_refused(folder, model):
    from styleT2I.networks.latent_encoder import LatentEncoder, LatentEncoderConfig

    other = LatentEncoder(LatentEncoderConfig(w_dim=8, num_ws=10, resolution=32, widths=(4, 4, 4, 4)))
    path = write_tiny(folder, "encoder", other)
    result = call(invert, folder / "one.png", "--aligned", "--model", model, "--encoder", path, *FAST, "--outdir",
                  folder / "new")  # fmt: skip
    assert result.exit_code == 2 and "num_ws" in result.output and not (folder / "new").exists()
