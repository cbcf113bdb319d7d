"""Sources of regions: a trained segmenter, a face-parsing model of transformers, masks from files."""

import json
import os
import sys
import types

import pytest
import torch
from torch import nn

from styleT2I.errors import CheckpointError, ConfigError, DataError, DependencyError
from styleT2I.formats.model_folder import read_model_folder
from styleT2I.networks.faces.face_parsing import FaceParser
from styleT2I.networks.faces.region_sources import FixedRegions, open_segmenter, read_fixed_regions
from styleT2I.networks.faces.regions import RegionFinder
from styleT2I.torch_utils.images import save_png

LABELS = ["background", "skin", "nose", "eye_g", "l_eye", "r_eye", "mouth", "u_lip", "l_lip", "hair"]


class Colours(nn.Module):
    """Segments by colour channels: what a parser is given comes out, at a quarter of the size."""

    def forward(self, pixel_values):
        return types.SimpleNamespace(logits=nn.functional.avg_pool2d(pixel_values, 4))


def squares(num=2, size=32):
    """Pictures whose left half is red and whose right half is blue."""
    image = -torch.ones(num, 3, size, size)
    image[:, 0, :, : size // 2] = 1
    image[:, 2, :, size // 2 :] = 1
    return image


def save_mask(path, rows):
    mask = torch.zeros(3, 16, 16, dtype=torch.uint8)
    mask[:, rows] = 255
    path.parent.mkdir(exist_ok=True)
    save_png(path, mask)


def test_a_parser_gives_every_pixel_the_label_that_scores_highest():
    parser = FaceParser(Colours(), ("skin", "nose", "hair"), size=(64, 64), mean=(0, 0, 0), std=(1, 1, 1))
    inside = parser(squares()) > 0
    assert inside.shape == (2, 3, 32, 32)
    assert inside[:, 0, :, :14].all() and inside[:, 2, :, 18:].all() and not inside[:, 1].any()
    assert (inside.sum(dim=1) == 1).all()


def test_a_parser_normalises_as_its_model_was_trained():
    seen = []
    model = Colours()
    model.register_forward_pre_hook(lambda module, args, kwargs: seen.append(kwargs["pixel_values"]), with_kwargs=True)
    FaceParser(model, ("a", "b", "c"), size=(32, 32), mean=(0.5, 0.4, 0.3), std=(0.5, 0.2, 0.1))(squares())
    assert torch.allclose(seen[0][:, :, 0, 0], torch.tensor([1.0, -2.0, -3.0]).expand(2, 3), atol=1e-6)


def test_without_transformers_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "transformers", None)
    (tmp_path / "config.json").write_text('{"model_type": "segformer"}')
    for source in (tmp_path, "hf://owner/name"):
        with pytest.raises(DependencyError, match=r"pip install 'styleT2I\[parsing\]'"):
            open_segmenter(source)


def fake_transformers(id2label, calls):
    """What is used of transformers, with a model that has the given labels."""

    def from_pretrained(name, **options):
        calls.append((name, options))
        if "missing" in name:
            raise OSError(f"{name} is not a local folder\nand more lines")
        model = Colours()
        model.config = types.SimpleNamespace(id2label=id2label)
        return model

    def get_image_processor_dict(name, **options):
        return {"size": {"height": 24, "width": 32}, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}, {}

    logging = types.SimpleNamespace(disable_progress_bar=lambda: None)
    return types.SimpleNamespace(
        AutoModelForSemanticSegmentation=types.SimpleNamespace(from_pretrained=from_pretrained),
        ImageProcessingMixin=types.SimpleNamespace(get_image_processor_dict=get_image_processor_dict),
        utils=types.SimpleNamespace(logging=logging),
    )


def test_a_model_of_the_hub_is_opened_at_its_revision_without_pickles(monkeypatch):
    calls = []
    labels = {0: "Skin", 2: "Left Eye", 1: "upper-lip"}
    monkeypatch.setitem(sys.modules, "transformers", fake_transformers(labels, calls))
    finder = open_segmenter("hf://owner/name@v1")
    assert calls == [("owner/name", {"use_safetensors": True, "revision": "v1"})]
    assert finder.segmenter.region_names == ("skin", "upper_lip", "left_eye") and finder.segmenter.size == (24, 32)
    assert finder(squares(), ["mouth", "skin"])[1].all()


def test_labels_that_name_no_part_of_a_face_are_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", fake_transformers({0: "LABEL_0", 1: "LABEL_1"}, []))
    with pytest.raises(ConfigError, match="LABEL_0.*name no eyes, mouth or skin"):
        open_segmenter("hf://owner/name")


def test_a_model_that_cannot_be_loaded_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", fake_transformers({}, []))
    with pytest.raises(CheckpointError, match="^hf://owner/missing: not a segmentation model.*local folder$"):
        open_segmenter("hf://owner/missing")


def test_a_segformer_is_read_from_a_folder_and_agrees_with_its_own_processor(tmp_path):
    transformers = pytest.importorskip("transformers", reason="the extra parsing is not installed")
    torch.manual_seed(0)
    config = transformers.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16], patch_sizes=[3, 3], strides=[4, 2],
        num_attention_heads=[1, 2], mlp_ratios=[2, 2], decoder_hidden_size=16, id2label=dict(enumerate(LABELS)),
        label2id={label: k for k, label in enumerate(LABELS)},
    )  # fmt: skip
    model = transformers.SegformerForSemanticSegmentation(config).eval()
    model.save_pretrained(tmp_path)
    processor = transformers.SegformerImageProcessor(size={"height": 48, "width": 48})
    processor.save_pretrained(tmp_path)
    finder = open_segmenter(tmp_path)
    assert finder.segmenter.region_names == tuple(LABELS)
    image = torch.randint(0, 256, (2, 3, 48, 48), dtype=torch.uint8)
    with torch.no_grad():
        logits = model(**processor(list(image), return_tensors="pt")).logits
        expected = nn.functional.interpolate(logits, size=(48, 48), mode="bilinear").argmax(dim=1)
        found = finder.segmenter(image / 127.5 - 1).argmax(dim=1)
    assert (found == expected).float().mean() > 0.99 and len(found.unique()) > 1


def test_masks_drawn_by_a_user_hold_for_every_image_of_every_size(tmp_path):
    save_mask(tmp_path / "masks" / "mouth.png", slice(8, 12))
    save_mask(tmp_path / "masks" / "hair.png", slice(0, 4))
    source = open_segmenter(tmp_path / "masks")
    mask, has_region = source(torch.rand(4, 3, 64, 64), ["mouth", "hair", None, "neck"])
    assert has_region.tolist() == [True, True, False, False]
    assert mask[0, 32:48].all() and mask[0].sum() == 16 * 64 and mask[1, :16].all() and mask[1].sum() == 16 * 64
    assert not mask[2:].any()


def test_regions_without_a_mask_are_warned_of_and_misnamed_masks_refused():
    source = FixedRegions({"mouth": torch.ones(4, 4)}, "masks")
    with pytest.warns(UserWarning, match="masks: no mask of hair, skin;"):
        source.check(["mouth", "skin", None, "hair"])
    FixedRegions({"wing": torch.ones(4, 4)}).check(["wing"])  # a vocabulary of one's own
    with pytest.raises(ConfigError, match="unknown region 'mouht'; did you mean 'mouth'"):
        FixedRegions({"mouht": torch.ones(4, 4)}).check(["mouth"])


def test_black_masks_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(DataError, match="no masks; name them by region"):
        read_fixed_regions(tmp_path)
    save_mask(tmp_path / "mouth.png", slice(0, 0))
    with pytest.raises(DataError, match="mouth.png: the mask is black everywhere"):
        open_segmenter(tmp_path)


def test_a_component_is_opened_and_another_kind_of_network_refused(tmp_path):
    files = read_model_folder("minifaces").files
    finder = open_segmenter(files["segmenter"])
    assert isinstance(finder, RegionFinder) and "mouth" in finder.segmenter.region_names
    with pytest.raises(CheckpointError, match="is a 'judge', not a segmenter"):
        open_segmenter(files["judges.guide"])
    with pytest.raises(CheckpointError, match="cannot be read"):
        open_segmenter(tmp_path / "nothing.json")


def test_a_folder_with_another_config_json_is_no_model_of_transformers(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"kind": "segmenter"}))
    with pytest.raises(CheckpointError, match="should hold one component, found none"):
        open_segmenter(tmp_path)


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", "{", None])
def test_a_folder_with_a_damaged_configuration_is_none_of_transformers(tmp_path, content):
    """None: a pipe, which is not waited for."""
    if content is None:
        os.mkfifo(tmp_path / "config.json")
    else:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match="the folder should hold one component|no manifest|damaged"):
        open_segmenter(tmp_path)


def test_fixed_regions_by_number_are_those_by_name():
    left, top = torch.zeros(4, 4), torch.zeros(4, 4)
    left[:, :2], top[:2] = 1, 1
    source, image = FixedRegions({"mouth": left, "hair": top}), torch.zeros(4, 3, 8, 8)
    by_name = source(image, ["hair", None, "mouth", "nose"])
    by_number = source.by_number(image, torch.tensor([2, 0, 1, 3]), (None, "mouth", "hair", "nose"))
    assert all(torch.equal(a, b) for a, b in zip(by_name, by_number, strict=True))
    assert by_number[1].tolist() == [True, False, True, False]
