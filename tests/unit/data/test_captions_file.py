"""Captions without images: a text file, and what writes one of scenes that nobody renders."""

import pytest
from click.testing import CliRunner

from styleT2I.data.portraits.__main__ import main
from styleT2I.data.portraits.dataset import captions_of
from styleT2I.data.portraits.scenes.attributes import ATTRIBUTES
from styleT2I.data.portraits.scenes.recipe import Recipe
from styleT2I.data.training.captions_file import CaptionsFile, open_captions
from styleT2I.errors import DataError


def test_a_text_file_holds_a_caption_a_line(tmp_path):
    path = tmp_path / "sentences.TXT"
    path.write_bytes("she has a hat\r\n  \n un homme âgé \n".encode())
    captions = open_captions(str(path), 64)
    assert [captions.captions_of(i) for i in range(len(captions))] == [("she has a hat",), ("un homme âgé",)]


def test_other_specifications_are_data_sets():
    assert len(open_captions("minifaces:biased/test:5", 64).captions_of(4)) > 0


@pytest.mark.parametrize(
    ("content", "words"), [(b" \n\n", "no caption; write one"), (b"\xff\xfe\xfd", "no UTF-8 text")]
)
def test_a_file_without_captions_is_one_clear_line(tmp_path, content, words):
    path = tmp_path / "captions.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as found:
        CaptionsFile(path)
    assert str(path) in str(found.value)
    with pytest.raises(DataError, match="No such file"):
        CaptionsFile(tmp_path / "missing.txt")


def test_captions_of_scenes_are_written_without_rendering_and_are_those_of_what_is_asked_for(tmp_path):
    path = tmp_path / "captions.txt"
    result = CliRunner().invoke(main, ["biased/train:3", "balanced/test:2", "--captions-only", str(path)])
    assert result.exit_code == 0 and "30 captions" in result.output
    assert list(tmp_path.iterdir()) == [path]
    lines, recipe = path.read_text().splitlines(), Recipe("biased", "train")
    asked = {name: recipe.attributes(2)[name] for name in ATTRIBUTES}
    assert tuple(lines[12:18]) == captions_of(recipe, 2, asked)


def test_what_a_scene_asks_for_is_what_it_shows_where_nothing_hides_it():
    recipe = Recipe("biased", "train")
    for index in range(40):
        asked, scene = recipe.attributes(index), recipe.scene(index)
        assert (asked["Male"], asked["Young"], asked["Bald"]) == (scene.is_male, scene.is_young, scene.is_bald)
        assert asked["Eyeglasses"] == (scene.glasses != "none") and asked["Bangs"] == scene.bangs
        assert asked["Smiling"] == scene.is_smiling and asked["Pale_Skin"] == scene.is_pale
