"""Portraits as files: rendering that survives kills, reading from the cache, the command line, captions."""

import functools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import filelock
import numpy as np
import pytest
import torch

from styleT2I.attributes import portrait_captions as grammar
from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.wording.caption_words import Dice
from styleT2I.attributes.wording.paraphrase import load_paraphraser
from styleT2I.data.dataset import open_dataset
from styleT2I.data.folder import FolderDataset
from styleT2I.data.portraits.__main__ import main
from styleT2I.data.portraits.dataset import open_portraits
from styleT2I.data.portraits.parts import PARTS
from styleT2I.data.portraits.scenes.distributions import draw_attributes
from styleT2I.data.portraits.scenes.recipe import Recipe, read_spec
from styleT2I.data.portraits.scenes.streams import Streams
from styleT2I.data.portraits.scenes.vector import NUISANCE_NAMES, NUISANCE_START, VECTOR_SIZE, scene_vector
from styleT2I.data.portraits.sets import rendering
from styleT2I.data.portraits.sets.records import read_records
from styleT2I.data.portraits.sets.rendering import render_set
from styleT2I.data.portraits.sets.tables import write_tables
from styleT2I.errors import ConfigError, DataError, OutputError
from tests.stub_portraits import stub_renderer

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _render(recipe, indices, folder=None, renderer=stub_renderer, **options):
    return list(render_set(folder or recipe.cache_folder(), recipe, indices, renderer=renderer, **options))


def _content(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_rendered_set_opens_from_the_cache_with_everything_the_scene_knows():
    recipe, indices = read_spec("balanced/val:12")
    _render(recipe, indices)
    data = open_dataset("portraits:balanced/val:12")
    batch = data.batch([3, 0, 7])
    assert len(data) == 12 and batch.images_u8.shape == (3, 3, 128, 128) and batch.images_u8.dtype == torch.uint8
    assert batch.masks.shape == (3, len(PARTS), 128, 128) and (batch.masks.sum(dim=1) == 1).all()
    assert data.nuisance_names == NUISANCE_NAMES and torch.equal(batch.attributes, data.labels_of([3, 0, 7]))
    record = read_records(recipe.cache_folder())[3]
    vector = scene_vector(recipe.scene(3, record.attempt))
    np.testing.assert_array_equal(batch.nuisances[0], vector[NUISANCE_START:])
    np.testing.assert_array_equal(data.vectors([0, 3])[1], vector)
    truth = stub_renderer(recipe.scene(3, record.attempt), 128)
    np.testing.assert_array_equal(batch.masks[0].int().argmax(0), truth.parts)
    assert np.abs(batch.images_u8[0].permute(1, 2, 0).float().numpy() - truth.image).mean() < 8  # a JPEG
    np.testing.assert_allclose(data.landmarks([3])[0], truth.landmarks, atol=0.01)
    assert batch.captions[0] == data.captions_of(3) and len(set(batch.captions[0])) > 2


def test_a_smaller_resolution_is_made_by_area_and_a_part_is_what_most_of_a_pixel_is():
    recipe, _ = read_spec("biased/test:2")
    _render(recipe, range(2), image_format="png")
    small, full = open_portraits("biased/test:2", 64), open_portraits("biased/test:2")
    averaged = torch.nn.functional.avg_pool2d(full.batch([1]).images_u8.float(), 2)
    assert (small.batch([1]).images_u8.float() - averaged).abs().max() <= 1
    shares = torch.nn.functional.avg_pool2d(full.batch([1]).masks.float(), 2)
    chosen = small.batch([1]).masks.float()
    assert (chosen.sum(dim=1) == 1).all() and ((shares * chosen).sum(dim=1) >= shares.max(dim=1).values - 1e-6).all()
    torch.testing.assert_close(small.landmarks([1]) * 2, full.landmarks([1]))
    assert open_portraits("biased/test:2", with_masks=False).batch([0]).masks is None


def test_what_is_not_rendered_is_named_with_the_command_that_renders_it():
    recipe, _ = read_spec("biased/train")
    _render(recipe, range(3))
    with pytest.raises(DataError) as caught:
        open_dataset("portraits:biased/train:20")
    assert "\n" not in str(caught.value) and "3 of 20 images" in str(caught.value)
    assert "python -m styleT2I.data.portraits 'biased/train:20'" in str(caught.value)
    with pytest.raises(DataError, match="0 of 3 images .*biased/train:20-22"):
        open_portraits("biased/train:20-22")
    with pytest.raises(DataError, match="--resolution 256"):
        open_portraits("biased/train:2", 200)


@pytest.mark.parametrize(("spec", "error", "words"), [
    ("biased", DataError, "not of the form"), ("odd/train:3", DataError, "unknown Portraits distribution 'odd'"),
    ("biased/all:3", DataError, "unknown Portraits split 'all'"), ("biased/train:0", DataError, "asks for no image"),
    ("biased/train:9-8", DataError, "asks for no image"), ("biased/train:-8", DataError, "not of the form"),
    ("composition/test:3", DataError, "takes attributes"), ("biased=Male/test:3", DataError, "takes attributes"),
    ("composition=Malle/test", ConfigError, "did you mean"),
    ("composition=Bald+Bangs/test", ConfigError, "drop one of them"),
    ("composition=Bangs+hair that is not straight+hair that is not wavy/test", ConfigError, "no portrait shows"),
])  # fmt: skip
def test_a_wrong_specification_is_one_clear_line(spec, error, words):
    with pytest.raises(error, match=words) as caught:
        open_dataset(f"portraits:{spec}")
    assert "\n" not in str(caught.value)


def test_an_interrupted_run_goes_on_without_changing_or_losing_anything(tmp_path):
    recipe = Recipe("balanced", "train")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    _render(recipe, range(9), whole)
    calls = []

    def failing(scene, resolution):
        if len(calls) == 4:
            raise KeyboardInterrupt
        calls.append(scene)
        return stub_renderer(scene, resolution)

    with pytest.raises(KeyboardInterrupt):
        _render(recipe, range(9), broken, failing)
    with open(broken / "records.jsonl", "a") as f:
        f.write('{"index":4,"attempt":0,"fi')  # a kill in the middle of a line
    (broken / "images" / "000004.jpg").write_bytes(b"cut off")
    (broken / "masks" / "tmp.77.000004.png").write_bytes(b"cut off")
    assert len(read_records(broken)) == 4
    seen = []
    _render(recipe, range(9), broken, lambda scene, r: seen.append(scene) or stub_renderer(scene, r))
    assert len(seen) == 5  # what was there is not rendered again
    for folder in (whole, broken):
        write_tables(folder, recipe, read_records(folder))
    assert _content(whole) == _content(broken)


def test_a_folder_of_another_set_or_of_other_files_is_refused_and_left_alone(tmp_path):
    _render(Recipe("balanced", "train"), range(2), tmp_path / "set")
    before = _content(tmp_path / "set")
    with pytest.raises(OutputError, match="holds another set .split 'train', not 'val'."):
        _render(Recipe("balanced", "val"), range(2), tmp_path / "set")
    assert _content(tmp_path / "set") == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(OutputError, match="holds other files"):
        _render(Recipe("balanced", "val"), range(2), tmp_path / "mine")
    assert os.listdir(tmp_path / "mine") == ["notes.txt"]


def test_two_processes_do_not_render_into_one_folder(tmp_path):
    with filelock.FileLock(tmp_path / "set.lock"), pytest.raises(OutputError, match="another process renders"):
        _render(Recipe("balanced", "train"), range(2), tmp_path / "set")


def test_several_processes_write_the_same_bytes_as_one(tmp_path):
    recipe = Recipe("biased", "train")
    _render(recipe, range(6), tmp_path / "one")
    _render(recipe, range(6), tmp_path / "two", workers=2)
    one, two = (_content(tmp_path / name) for name in ("one", "two"))
    assert one.keys() == two.keys()
    lines = [sorted(content.pop(Path("records.jsonl")).splitlines()) for content in (one, two)]
    assert one == two and lines[0] == lines[1]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_workers_end_when_their_parent_is_killed(tmp_path):
    script = (
        "import time, os, sys\n"
        "from styleT2I.data.portraits.sets.rendering import _start_worker\n"
        "_start_worker(os.getppid())\n"
        "print(os.getpid(), flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    process = subprocess.Popen([sys.executable, "-c", parent, script], stdout=subprocess.PIPE, cwd=ROOT)
    worker = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 20
    while _is_alive(worker) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _is_alive(worker)


def _is_alive(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_scene_that_does_not_show_what_it_must_is_replaced_and_in_the_end_refused(tmp_path):
    recipe = Recipe("composition", "test", wanted={"Wearing_Earrings": True})

    def hiding(scene, resolution):
        portrait = stub_renderer(scene, resolution)
        is_hidden = scene.earrings == "hoop"
        return portrait._replace(parts=np.where(is_hidden & (portrait.parts == PARTS.index("ear_r")), 13,
                                                   portrait.parts).astype(np.uint8))  # fmt: skip

    records = _render(recipe, range(12), tmp_path / "set", hiding)
    assert all(record.labels()["Wearing_Earrings"] for record in records)
    assert {record.attempt for record in records} > {0}
    assert all(recipe.scene(r.index, r.attempt).earrings == "drop" for r in records)
    bare = lambda scene, r: stub_renderer(scene, r)._replace(parts=np.zeros((r, r), np.uint8))  # noqa: E731
    with pytest.raises(DataError, match="image 0 .* does not show what it must"):
        _render(recipe, range(2), tmp_path / "none", bare)


def test_compositions_of_equal_index_share_what_they_leave_free():
    one = Recipe("composition", "test", wanted={"Eyeglasses": True}).scene(4)
    other = Recipe("composition", "test", wanted={"Eyeglasses": False, "Smiling": True}).scene(4)
    assert one.shape == other.shape and one.background_colour == other.background_colour and one.yaw == other.yaw


def test_the_folder_reads_as_an_ordinary_data_set(tmp_path):
    recipe = Recipe("balanced", "train", 64)
    _render(recipe, range(5), tmp_path / "set", image_format="png")
    write_tables(tmp_path / "set", recipe, read_records(tmp_path / "set"))
    data = FolderDataset(tmp_path / "set")
    assert not data.skipped and len(data) == 5 and data.resolution == 64 and data.region_names == PARTS
    record = read_records(tmp_path / "set")[2]
    assert data.labels_of([2])[0].tolist() == list(record.labels().values())
    parts = cv2.imread(str(tmp_path / "set" / "masks" / "000002.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(data.batch([2]).masks[0].int().argmax(0), parts)
    with np.load(tmp_path / "set" / "scenes.npz") as scenes:
        assert scenes["names"].tolist() == [f"{k:06d}" for k in range(5)]
        np.testing.assert_array_equal(scenes["vectors"][2], scene_vector(recipe.scene(2, record.attempt)))
        assert scenes["landmarks"].shape == (5, 68, 2) and len(scenes["vector_names"]) == VECTOR_SIZE
    assert json.loads((tmp_path / "set" / "dataset.json").read_text())["num"] == 5


def test_biased_pictures_never_show_a_held_out_composition_and_labels_follow_visibility():
    from styleT2I.data.worlds import WORLDS

    recipe = Recipe("biased", "train")
    for index in range(300):
        labels = dict.fromkeys(draw_attributes(Streams(0)), False) | rendering.labels_of(
            (scene := recipe.scene(index)), *stub_renderer(scene, 128)[1:]
        )
        for composition in WORLDS["portraits"].held_out:
            assert any(labels[name] != value for name, value in composition.attributes.items())


@pytest.mark.parametrize(("arguments", "words"), [
    (["biased/train:3", "--outdir", "x"], "goes to the user's cache"),
    (["--split", "all", "--outdir", "x"], "unknown Portraits split"),
    (["--distribution", "Male+Beerd", "--outdir", "x"], "unknown attribute"),
])  # fmt: skip
def test_the_command_refuses_wrong_options_in_one_line(arguments, words, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    said = capsys.readouterr().err
    assert end.value.code == 2 and words in said and said.count("\n") == 1


def test_the_command_renders_sets_one_after_the_other_with_tables_and_a_sheet(cache, monkeypatch, capsys):
    monkeypatch.setattr(rendering, "render_one", functools.partial(_stubbed, rendering.render_one))
    for _ in range(2):  # the second time there is nothing to do
        with pytest.raises(SystemExit) as end:
            main(["balanced/val:3", "biased/train:2"])
        assert end.value.code == 0
    said = capsys.readouterr().out
    assert "3 images in" in said and "2 images in" in said
    for name, num in (("balanced-val", 3), ("biased-train", 2)):
        folder = cache / "portraits" / "v1-128" / name
        assert {p.name for p in folder.iterdir()} == {
            "images", "masks", "attributes.csv", "captions.json", "scenes.npz", "records.jsonl", "dataset.json",
            "contact-sheet.png"}  # fmt: skip
        assert len(FolderDataset(folder)) == num
    assert len(open_portraits("balanced/val:3")) == 3


def _stubbed(render_one, recipe, index, image_format, _):
    return render_one(recipe, index, image_format, stub_renderer)


# ---- captions


def _faces(num):
    for seed in range(num):
        drawn = draw_attributes(Streams(seed), "balanced" if seed % 2 else "biased")
        yield seed, {name: drawn[name] for name in sorted(drawn)}


def test_the_parser_reads_back_exactly_what_each_caption_set_out_to_mention(monkeypatch):
    mentioned, draw = [], grammar._subset
    monkeypatch.setattr(grammar, "_subset", lambda *arguments: mentioned.append(draw(*arguments)) or mentioned[-1])
    for seed, labels in _faces(500):
        mentioned.clear()
        for text, said in zip(grammar.captions(labels, seed, 6), mentioned, strict=True):
            parsed = parse(text, "portraits")
            assert parsed.attributes == said and not parsed.unknown and not parsed.contradictions, text


@pytest.mark.parametrize("form", grammar.FORMS)
def test_each_form_is_truthful_and_says_something(form):
    for seed, labels in _faces(60):
        stated = parse(grammar.captions(labels, seed, 1, form)[0], "portraits").attributes
        assert stated and stated.items() <= labels.items()


def test_release_captions_read_the_same_with_celebas_vocabulary():
    for seed, labels in _faces(150):
        text = grammar.captions(labels, seed, 1, "release")[0]
        ours, celeba = parse(text, "portraits").attributes, parse(text, "celeba").attributes
        ours = {name: value for name, value in ours.items() if name not in ("Dark_Skin", "Long_Hair")}
        celeba.pop("Pale_Skin", None), ours.pop("Pale_Skin", None)  # there dark skin is pale skin denied
        assert celeba == ours, text


def test_captions_vary_and_mention_every_attribute():
    texts = [text for seed, labels in _faces(300) for text in grammar.captions(labels, seed, 4)]
    assert len(set(texts)) > 0.85 * len(texts)
    stated = [parse(text, "portraits").attributes for text in texts]
    assert {name for said in stated for name in said} == set(draw_attributes(Streams(0)))
    assert {len(said) for said in stated} >= {1, 2, 3, 4, 5, 6, 7, 8}
    with pytest.raises(ConfigError, match="unknown caption form"):
        grammar.captions(next(_faces(1))[1], 0, 1, "poem")


def test_paraphrases_stay_true():
    paraphraser, changed = load_paraphraser("portraits"), 0
    for seed, labels in _faces(60):
        text = grammar.captions(labels, seed, 1)[0]
        other = paraphraser(text, labels, Dice(seed))
        changed += other != text
        assert parse(other, "portraits").attributes.items() <= labels.items(), other
    assert changed > 40


def test_other_images_than_the_first_are_a_set_too():
    recipe, indices = read_spec("balanced/val:3-5")
    _render(recipe, range(6))
    whole, part = open_dataset("portraits:balanced/val:6"), open_dataset("portraits:balanced/val:3-5")
    assert (indices, len(part)) == (range(3, 6), 3)
    assert torch.equal(part.batch([2, 0]).images_u8, whole.batch([5, 3]).images_u8)
    assert torch.equal(part.vectors([1]), whole.vectors([4])) and torch.equal(part.latents([1]), whole.latents([4]))
    assert part.captions_of(1) == whole.captions_of(4) and part.scenes([1]) == whole.scenes([4])
