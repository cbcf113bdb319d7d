import hashlib

import pytest
import torch

from styleT2I.data.minifaces.dataset import MiniFaces, open_minifaces
from styleT2I.data.minifaces.renderer import REGIONS, render
from styleT2I.data.minifaces.scene import ATTRIBUTES, NUISANCES, Z_DIM, Scenes, scenes_from_latents
from styleT2I.data.worlds import WORLDS
from styleT2I.errors import ConfigError, DataError


def _scenes(distribution, num, wanted=None):
    z = torch.randn(num, Z_DIM, generator=torch.Generator().manual_seed(5))
    return scenes_from_latents(z, distribution, wanted)


def _holds(labels, attributes):
    return torch.stack([labels[:, ATTRIBUTES.index(name)] == value for name, value in attributes.items()]).all(dim=0)


def test_rare_pairs_are_drawn_in_two_to_four_percent_of_biased_images():
    labels = _scenes("biased", 40000).labels
    for pair in WORLDS["minifaces"].rare_pairs:
        share = _holds(labels, pair.attributes).float().mean().item()
        assert 0.018 <= share <= 0.042, (pair.name, share)
        twin = _holds(labels, pair.twin).float().mean().item()
        assert twin > 3 * share, (pair.name, twin)


def test_held_out_compositions_never_occur_in_biased_and_do_in_balanced():
    biased, balanced = _scenes("biased", 60000).labels, _scenes("balanced", 60000).labels
    for composition in WORLDS["minifaces"].held_out:
        assert len(composition.attributes) >= 3
        assert not _holds(biased, composition.attributes).any(), composition.name
        assert _holds(balanced, composition.attributes).float().mean() > 0.02, composition.name


def test_every_scene_has_exactly_one_hair_colour_and_logits_away_from_zero():
    for distribution in ("biased", "balanced"):
        scenes = _scenes(distribution, 5000)
        assert (scenes.labels[:, 10:].sum(dim=1) == 1).all()
        assert scenes.logits.abs().min() >= 0.29
        assert scenes.nuisances.shape == (5000, len(NUISANCES)) and len(NUISANCES) >= 30
        assert scenes.nuisances.abs().max() <= 1


def test_a_composition_forces_what_it_names_and_nothing_else_about_the_nuisances():
    free, forced = (
        _scenes("composition", 500),
        _scenes("composition", 500, {"he": True, "lipstick": True, "old": False}),
    )
    assert _holds(forced.labels, {"he": True, "lipstick": True, "old": False}).all()
    assert torch.equal(free.nuisances, forced.nuisances)


def test_the_scene_does_not_depend_on_the_length_of_z():
    z = torch.randn(64, Z_DIM, generator=torch.Generator().manual_seed(1))
    one, other = scenes_from_latents(z, "biased"), scenes_from_latents(3 * z, "biased")
    torch.testing.assert_close(one.vector(), other.vector(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [64, 128])
def test_each_attribute_changes_the_picture_inside_its_region(size):
    scenes = _scenes("balanced", 24)
    regions = {"lipstick": "mouth", "eyeglasses": "glasses", "beard": "beard", "hat": "hat", "earrings": "earrings"}
    for name, region in regions.items():
        logits_off, logits_on = scenes.logits.clone(), scenes.logits.clone()
        logits_off[:, ATTRIBUTES.index(name)] = -0.6
        logits_on[:, ATTRIBUTES.index(name)] = 0.6
        off, _ = render(Scenes(logits_off, scenes.nuisances), size)
        on, masks = render(Scenes(logits_on, scenes.nuisances), size, with_masks=True)
        changed = (on - off).abs().sum(dim=1)
        mask = masks[:, REGIONS.index(region)]
        assert mask.flatten(1).sum(dim=1).min() >= (size / 64) ** 2 * 10, name
        inside = (changed * mask).sum() / changed.sum()
        assert inside > 0.5, (name, inside)


def test_masks_cover_every_pixel_but_clothes_at_most_once():
    _, masks = render(_scenes("balanced", 8), 64, with_masks=True)
    assert masks.sum(dim=1).max() <= 1
    assert masks.any(dim=1).float().mean() > 0.85


def test_small_and_large_renders_show_the_same_picture():
    scenes = _scenes("balanced", 8)
    small, large = render(scenes, 64)[0], render(scenes, 128)[0]
    shrunk = torch.nn.functional.avg_pool2d(large, 2)
    assert (small - shrunk).abs().mean() < 0.02


def test_an_image_does_not_depend_on_its_neighbours_in_the_batch():
    world = MiniFaces("balanced", "test", 40)
    together = world.batch(range(40)).images_u8
    alone = MiniFaces("balanced", "test", 40).batch([37])
    assert torch.equal(alone.images_u8[0], together[37])


def test_same_seed_same_bytes_and_other_split_other_pictures():
    def digest(split, seed=0):
        batch = MiniFaces("biased", split, 8, seed=seed).batch(range(8))
        return hashlib.sha256(batch.images_u8.numpy().tobytes() + repr(batch.captions).encode()).hexdigest()

    assert digest("train") == digest("train")
    assert len({digest("train"), digest("test"), digest("judge-train"), digest("train", seed=1)}) == 4


def test_captions_of_the_biased_training_split_never_state_a_held_out_composition():
    from styleT2I.attributes.parsing.parser import parse
    from styleT2I.attributes.vocabulary import load_vocabulary

    world, vocabulary = MiniFaces("biased", "train", 400), load_vocabulary("minifaces")
    for index in range(400):
        for caption in world.captions_of(index):
            stated = parse(caption, vocabulary).attributes
            for composition in WORLDS["minifaces"].held_out:
                assert any(stated.get(name) != value for name, value in composition.attributes.items()), caption


@pytest.mark.parametrize(
    "spec", ["biased", "biased/nowhere", "unbiased/train", "balanced/test:0", "composition/test", "biased=he/train"]
)
def test_a_bad_specification_is_one_line(spec):
    with pytest.raises(DataError) as error:
        open_minifaces(spec)
    assert "\n" not in str(error.value)


def test_a_composition_in_a_specification_is_read_with_antonyms_and_contradictions_are_refused():
    world = open_minifaces("composition=she+no_beard+young/test:4")
    assert world.wanted == {"he": False, "beard": False, "old": False}
    assert not world.scenes(range(4)).labels[:, [0, 4, 8]].any()
    for wanted in ("he+she", "black_hair+gray_hair"):
        with pytest.raises(ConfigError):
            open_minifaces(f"composition={wanted}/test:4")
