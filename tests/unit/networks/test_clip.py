"""The CLIP adapter against open_clip's own functions, Pillow's resizing and numeric gradients."""

import numpy as np
import open_clip
import PIL.Image
import pytest
import torch
from torch.nn import functional as F

from styleT2I.config import from_dict, to_dict
from styleT2I.errors import ConfigError
from styleT2I.formats.component import write_component
from styleT2I.networks.clip.model import CLIP, CLIPConfig, open_clip_config
from styleT2I.networks.clip.tokenizers import WordTokenizer
from styleT2I.networks.registry import load_network_component

TEXT = {"context_length": 8, "vocab_size": 20, "width": 16, "heads": 2, "layers": 2}
VISION = {
    "vit": {"image_size": 32, "patch_size": 8, "width": 16, "head_width": 8, "layers": 2},
    "resnet": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8},
}
SMALL = {
    "strided": {"image_size": 32, "small": {"widths": [4, 8, 8], "pool": "stride"}},
    "pooled": {"image_size": 32, "small": {"widths": [4, 8, 8], "pool": "max"}},
}
WORDS = {"kind": "words", "words": ["a", "beard", "hat", "he", "is", "man", "wears", "with"]}


def tiny_clip(tower="vit", **changes):
    vocab_size = len(WORDS["words"]) + 4
    model = {"embed_dim": 8, "vision_cfg": {**VISION, **SMALL}[tower], "text_cfg": {**TEXT, "vocab_size": vocab_size}}
    torch.manual_seed(0)
    return CLIP(CLIPConfig(**{"model": model, "tokenizer": WORDS, **changes})).eval()


def photo(size, num=2):
    torch.manual_seed(1)
    return F.interpolate(torch.rand(num, 3, 7, 7), size=size, mode="bicubic").clamp(0, 1) * 2 - 1


@pytest.mark.parametrize("tower", VISION)
def test_features_are_open_clips_own_normalised(tower):
    clip = tiny_clip(tower)
    own = open_clip.CLIP(8, clip.config.model["vision_cfg"], clip.config.model["text_cfg"]).eval()
    own.load_state_dict(clip.model.state_dict())
    image, ids = photo((32, 32)), WordTokenizer(WORDS["words"], 8)(["he wears a hat", "a man with a beard"])
    mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN).view(3, 1, 1)
    std = torch.tensor(open_clip.OPENAI_DATASET_STD).view(3, 1, 1)
    with torch.no_grad():
        image_features = own.encode_image(((image + 1) / 2 - mean) / std, normalize=True)
        text_features = own.encode_text(ids, normalize=True)
        torch.testing.assert_close(clip.encode_image(image), image_features, atol=1e-5, rtol=0)
        torch.testing.assert_close(clip.encode_text(["he wears a hat", "a man with a beard"]), text_features)
        torch.testing.assert_close(clip.encode_text(ids), text_features)
        logits = own.logit_scale.exp() * image_features @ text_features.t()
        torch.testing.assert_close(clip(image, ids), logits, atol=1e-4, rtol=0)


def test_padding_is_not_computed_and_changes_nothing():
    clip, ids = tiny_clip(), WordTokenizer(WORDS["words"], 8)(["a hat", "he wears a hat", "a"])
    lengths = []
    clip.model.transformer.register_forward_hook(lambda module, given, states: lengths.append(given[0].shape[1]))
    with torch.no_grad():
        whole = F.normalize(clip.model.encode_text(ids), dim=-1)
        torch.testing.assert_close(clip.encode_text(ids), whole)
        torch.testing.assert_close(clip.encode_text(ids[2:]), whole[2:])
        torch.testing.assert_close(clip.encode_ids(clip.short_ids(ids[2:], 4)), whole[2:])
    assert lengths == [8, 6, 3, 4]
    assert clip.short_ids(ids, 4).shape == (3, 8) and clip.short_ids(ids[:0]).shape == (0, 8)


@pytest.mark.parametrize("quick_gelu", [False, True])
def test_the_small_clip_reads_sentences_as_open_clips_text_tower(quick_gelu):
    clip = tiny_clip("strided", quick_gelu=quick_gelu)
    own = open_clip.CLIP(8, VISION["vit"], clip.config.model["text_cfg"], quick_gelu=quick_gelu).eval()
    weights = {name: t for name, t in clip.model.state_dict().items() if not name.startswith("visual.")}
    unused = own.load_state_dict(weights, strict=False)
    assert not unused.unexpected_keys and all(name.startswith("visual.") for name in unused.missing_keys)
    texts = ["he wears a hat", "a man with a beard"]
    with torch.no_grad():
        expected = own.encode_text(WordTokenizer(WORDS["words"], 8)(texts), normalize=True)
        torch.testing.assert_close(clip.encode_text(texts), expected)


def test_a_small_clip_names_the_setting_that_it_has_not():
    model = {"embed_dim": 8, "vision_cfg": SMALL["strided"], "text_cfg": {**TEXT, "pad_id": 1}}
    with pytest.raises(ConfigError, match="'pad_id'"):
        CLIP(CLIPConfig(model=model, tokenizer=WORDS))


def test_loading_a_network_draws_no_weights(tmp_path):
    clip = tiny_clip("strided")
    path = write_component(tmp_path, "clip", CLIP.kind, to_dict(clip.config), clip.state_dict())
    before = torch.get_rng_state()
    loaded = load_network_component(path)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(t, loaded.state_dict()[name]) for name, t in clip.state_dict().items())


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [(96, 96), (75, 75), (90, 60)])
def test_preprocessing_resizes_and_crops_like_pillow(interpolation, size):
    """Pillow's resampling always low-passes; antialias=True is to give the same picture."""
    clip = tiny_clip(interpolation=interpolation, image_mean=(0, 0, 0), image_std=(1, 1, 1))
    image = photo(size, num=1)
    scale = 32 / min(size)
    height, width = round(size[0] * scale), round(size[1] * scale)
    method = PIL.Image.Resampling[interpolation.upper()]
    top, left = (height - 32) // 2, (width - 32) // 2
    for channel in range(3):
        plane = PIL.Image.fromarray((image[0, channel].numpy() + 1) / 2).resize((width, height), method)
        expected = np.asarray(plane)[top : top + 32, left : left + 32]
        np.testing.assert_allclose(clip.preprocess(image)[0, channel], expected, atol=2e-5)


def test_antialiasing_can_be_turned_off_and_is_recorded():
    image = photo((96, 96))
    pixels = {"image_mean": (0, 0, 0), "image_std": (1, 1, 1)}
    plain = tiny_clip(antialias=False, **pixels)
    assert to_dict(plain.config)["antialias"] is False
    expected = F.interpolate((image + 1) / 2, size=(32, 32), mode="bicubic", align_corners=False, antialias=False)
    torch.testing.assert_close(plain.preprocess(image), expected, atol=1e-6, rtol=0)
    assert (plain.preprocess(image) - tiny_clip(**pixels).preprocess(image)).abs().max() > 0.01


@pytest.mark.parametrize("tower, size", [("resnet", 32), ("resnet", 48), ("strided", 32), ("pooled", 40)])
def test_gradient_of_a_frozen_clip_reaches_the_image(tower, size):
    clip = tiny_clip(tower).freeze().double()
    target = torch.randn(1, 8, dtype=torch.float64)
    image = torch.rand(1, 3, size, size, dtype=torch.float64).mul(2).sub(1).requires_grad_(True)  # no ties
    score = (clip.encode_image(image) * target).sum()
    (gradient,) = torch.autograd.grad(score, image)
    direction = torch.randn_like(gradient)
    step = 1e-7  # so short that no activation turns on the way
    with torch.no_grad():
        ends = [(clip.encode_image(image + sign * step * direction) * target).sum() for sign in (1, -1)]
    numeric = (ends[0] - ends[1]) / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), numeric, rtol=1e-4, atol=1e-9)
    assert not any(parameter.requires_grad for parameter in clip.parameters()) and not clip.training


def test_temperature_scale_is_the_exponentiated_logit_scale():
    clip = tiny_clip()
    with torch.no_grad():
        clip.model.logit_scale.fill_(4.6052)
    assert clip.temperature_scale.item() == pytest.approx(100, rel=1e-3)


def test_word_tokenizer_names_unknown_and_surplus_words():
    clip = tiny_clip()
    assert clip.unknown_words("he wears a beart") == [("beart", "beard")]
    assert clip.overlong("he wears a hat") == 0
    assert clip.overlong("he is a man with a beard with a hat") == 4  # ten words and two marks into eight places


def test_any_object_with_the_tokenizers_methods_can_be_plugged_in():
    class Lengths:
        def __call__(self, texts):
            return torch.tensor([[1, len(text), 11, 0, 0, 0, 0, 0] for text in texts])

    clip = tiny_clip()
    ids = Lengths()(["abc", "abcd"])
    expected = clip.encode_text(ids)
    plugged = CLIP(clip.config, tokenizer=Lengths())
    plugged.load_state_dict(clip.state_dict())
    torch.testing.assert_close(plugged.eval().encode_text(["abc", "abcd"]), expected)


def test_openai_bpe_is_open_clips_except_for_the_marks_own_spelling():
    config = CLIPConfig(model={"embed_dim": 8, "vision_cfg": VISION["vit"], "text_cfg": {**TEXT, "context_length": 77}})
    clip = CLIP(config)
    texts = ["A man, with a beard.", "caf\u00e9 &amp; \u773c\u93e1", ""]
    torch.testing.assert_close(clip.tokenize(texts), open_clip.get_tokenizer("ViT-B-32")(texts))
    assert clip.tokenize(["<|endoftext|> hat"])[0, 1] == 49407
    assert clip.unknown_words("xyzzy") == []
    assert clip.overlong("hat " * 80) == 5


def test_named_architectures_take_quick_gelu_and_pixels_from_the_pretrained_tag():
    assert open_clip_config("ViT-B-32", "openai").quick_gelu
    assert not open_clip_config("ViT-B-32", "laion2b_s34b_b79k").quick_gelu
    assert open_clip_config("ViT-B-32-quickgelu").quick_gelu
    siglip = open_clip_config("ViT-B-16-SigLIP", "webli")
    assert siglip.image_mean == (0.5, 0.5, 0.5) and siglip.tokenizer["kind"] == "open_clip"
    assert open_clip_config("RN50", "openai").image_size == 224


def test_quick_gelu_of_the_config_reaches_both_towers():
    modules = [type(module).__name__ for module in tiny_clip(quick_gelu=True).model.modules()]
    assert modules.count("QuickGELU") == 4 and "GELU" not in modules  # two blocks in each tower


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda: open_clip_config("ViT-B-23"), "did you mean 'ViT-B-32'"),
        (lambda: open_clip_config("ViT-B-32", "openay"), "did you mean 'openai'"),
        (lambda: CLIPConfig(model={"embed_dim": 8}), "lacks text_cfg, vision_cfg"),
        (lambda: tiny_clip(interpolation="cubic"), "did you mean 'bicubic'"),
        (lambda: tiny_clip(tokenizer={"kind": "word"}), "did you mean 'words'"),
        (lambda: tiny_clip(tokenizer={"kind": "words"}), "wrong settings"),
        (lambda: tiny_clip(model={"embed_dim": 8, "vision_cfg": {"sizes": 3}, "text_cfg": TEXT}), "cannot build"),
    ],
)
def test_wrong_settings_are_named(wrong, message):
    with pytest.raises(ConfigError, match=message):
        wrong()


@pytest.mark.parametrize("tower", ["resnet", *SMALL])
def test_component_round_trip_keeps_tokenizer_and_features(tmp_path, tower):
    clip = tiny_clip(tower, name="tiny")
    path = write_component(tmp_path, "clip", CLIP.kind, to_dict(clip.config), clip.state_dict())
    loaded = load_network_component(path)
    assert loaded.config == from_dict(CLIPConfig, to_dict(clip.config))
    texts, image = ["he wears a hat"], photo((32, 32))
    torch.testing.assert_close(loaded(image, texts), clip(image, texts), atol=1e-5, rtol=0)
