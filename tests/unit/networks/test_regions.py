"""Regions of attributes: what an attribute changes lies inside its region, however its parts are seen and named."""

import functools

import pytest
import torch
from torch.nn import functional as F

from styleT2I.attributes.vocabulary import BUILT_IN, load_vocabulary
from styleT2I.data.minifaces.renderer import REGIONS, render
from styleT2I.data.minifaces.scene import ATTRIBUTES, HAIR_COLOURS, Scenes, scenes_from_latents
from styleT2I.errors import ConfigError
from styleT2I.formats.model_folder import read_model_folder
from styleT2I.networks.faces.regions import REGION_RULES, RegionFinder, check_regions, region_masks, region_rule
from styleT2I.networks.registry import load_network_component
from styleT2I.torch_utils.seeding import generator

NUM = 24
REGION_OF = {a.name: a.region for a in load_vocabulary("minifaces").attributes if a.region}
LARGEST = {  # share of the image that a region may take
    "mouth": 0.04, "mouth_and_cheeks": 0.08, "around_eyes": 0.12, "lower_face": 0.13, "forehead": 0.09,
    "beside_jaw": 0.09, "top_of_head": 0.26, "skin": 0.20, "hair": 0.25,
}  # fmt: skip


@pytest.fixture(scope="module")
def segmenter():
    return load_network_component(read_model_folder("minifaces").files["segmenter"])


@functools.cache
def pictures(name):
    """Images that have and lack one attribute and are otherwise equal, a hair colour giving way to the next one.

    Returns the positive images, the masks of their parts, those of the negative ones, and the difference [N, H, W].
    """
    scenes = scenes_from_latents(torch.randn(NUM, 64, generator=generator("regions test", 0)), "balanced")
    column = ATTRIBUTES.index(name)
    positive, negative = scenes.logits.clone(), scenes.logits.clone()
    if name in HAIR_COLOURS:
        first = ATTRIBUTES.index(HAIR_COLOURS[0])
        positive[:, first:] = negative[:, first:] = -0.6
        negative[:, first + (column - first + 1) % len(HAIR_COLOURS)] = 0.6
    positive[:, column], negative[:, column] = 0.6, -0.6
    image, parts = render(Scenes(positive, scenes.nuisances), 64, with_masks=True)
    other, other_parts = render(Scenes(negative, scenes.nuisances), 64, with_masks=True)
    return image, parts, other_parts, (image - other).abs().sum(dim=1)


def inside(difference, mask):
    """Share of the difference [N, H, W] that each mask holds, [N]."""
    return (difference * mask).sum(dim=(1, 2)) / difference.sum(dim=(1, 2))


@pytest.mark.parametrize("name", REGION_OF)
def test_what_an_attribute_changes_lies_inside_its_region(name, segmenter):
    region = [REGION_OF[name]] * NUM
    image, parts, other_parts, difference = pictures(name)
    found, has_region = RegionFinder(segmenter)(image, region)
    assert has_region.all()
    absent = region_masks(other_parts, REGIONS, region)
    for kind, mask in (("true parts", region_masks(parts, REGIONS, region)), ("found", found), ("absent", absent)):
        shares = inside(difference, mask)
        print(f"{name}, {kind}: {shares.mean():.3f} inside, at least {shares.min():.2f}, area {mask.mean():.3f}")
        assert shares.mean() > 0.98 and shares.min() > 0.9
        assert mask.mean() < LARGEST[REGION_OF[name]]


@pytest.mark.parametrize("hidden", ["eyes", "mouth", "ears", "glasses", "skin", "hair"])
@pytest.mark.parametrize("name", ["lipstick", "smiling", "eyeglasses", "beard", "bangs", "hat", "earrings"])
def test_a_hidden_part_is_inferred_from_the_others(name, hidden):
    _, parts, _, difference = pictures(name)
    parts = parts.clone()
    parts[:, REGIONS.index(hidden)] = False
    mask = region_masks(parts, REGIONS, [REGION_OF[name]] * NUM)
    shares = inside(difference, mask)
    assert shares.mean() > 0.9 and shares.min() > 0.6
    assert mask.mean() < 1.5 * LARGEST[REGION_OF[name]]


@pytest.mark.parametrize("size", [32, 96])
def test_regions_keep_their_place_at_every_size(size):
    scenes = scenes_from_latents(torch.randn(8, 64, generator=generator("regions test", 1)), "balanced")
    (_, reference), (_, parts) = (render(scenes, s, with_masks=True) for s in (64, size))
    for name in LARGEST:
        expected = F.interpolate(region_masks(reference, REGIONS, [name] * 8)[:, None], size=size)[:, 0]
        mask = region_masks(parts, REGIONS, [name] * 8)
        overlap = (mask * expected).sum() / torch.maximum(mask, expected).sum()
        assert overlap > 0.75


def celebamask_parts(parts):
    """MiniFaces' parts as CelebAMask-HQ cuts and names them; a beard is skin there."""
    plane = {name: parts[:, k] for k, name in enumerate(REGIONS)}
    left = (torch.arange(parts.shape[3]) < parts.shape[3] // 2).expand_as(plane["eyes"])
    upper = (torch.arange(parts.shape[2]) < round(0.68 * parts.shape[2]))[:, None].expand_as(plane["eyes"])
    cut = {"skin": plane["skin"] | plane["beard"], "hair": plane["hair"], "hat": plane["hat"]}
    cut |= {"eye_g": plane["glasses"], "ear_r": plane["earrings"]}
    for name, part, side in (("eye", "eyes", left), ("ear", "ears", left)):
        cut |= {f"l_{name}": plane[part] & side, f"r_{name}": plane[part] & ~side}
    cut |= {"u_lip": plane["mouth"] & upper, "l_lip": plane["mouth"] & ~upper}
    return torch.stack(list(cut.values()), dim=1), tuple(cut)


@pytest.mark.parametrize("name", sorted(LARGEST))
def test_the_names_and_cuts_of_celebamask_give_the_same_regions(name):
    scenes = scenes_from_latents(torch.randn(8, 64, generator=generator("regions test", 2)), "composition",
                                 {"beard": False})  # fmt: skip
    _, parts = render(scenes, 64, with_masks=True)
    expected = region_masks(parts, REGIONS, [name] * 8)
    assert torch.equal(region_masks(*celebamask_parts(parts), [name] * 8), expected)


def test_every_region_of_every_vocabulary_has_a_rule():
    for vocabulary in BUILT_IN:
        check_regions([attribute.region for attribute in load_vocabulary(vocabulary).attributes])


@pytest.mark.parametrize("name", REGION_RULES)
def test_where_no_part_is_seen_a_mean_face_is_taken(name):
    mask = region_masks(torch.zeros(1, len(REGIONS), 64, 64), REGIONS, [name])
    assert 0.005 < mask.mean() < 0.3
    assert torch.equal(mask, mask.flip(2))  # a mean face looks straight ahead


@pytest.mark.parametrize("name", REGION_RULES)
def test_a_region_moves_with_its_face(name):
    parts = pictures("hat")[1].float()
    moved = parts.roll((3, -4), dims=(2, 3))
    mask, moved_mask = (region_masks(p, REGIONS, [name] * NUM) for p in (parts, moved))
    assert torch.equal(moved_mask[:, 8:-8, 8:-8], mask.roll((3, -4), dims=(1, 2))[:, 8:-8, 8:-8])


def test_each_image_has_its_own_region_whatever_its_company():
    parts = pictures("hat")[1][:4].float() * 0.9  # probabilities do as well
    mask = region_masks(parts, REGIONS, ["hair", None, "mouth", "hair"])
    assert not mask[1].any()
    for row, name in ((0, "hair"), (2, "mouth"), (3, "hair")):
        assert torch.equal(mask[row], region_masks(parts[row : row + 1], REGIONS, [name])[0])


def test_an_attribute_without_region_has_none_and_nothing_is_differentiated(segmenter):
    image = pictures("hat")[0][:2].clone().requires_grad_()
    mask, has_region = RegionFinder(segmenter)(image, [None, "mouth"])
    assert has_region.tolist() == [False, True] and not mask[0].any() and not mask.requires_grad
    assert set(mask.unique().tolist()) == {0.0, 1.0}


def test_an_unknown_region_is_an_error_that_names_the_nearest():
    with pytest.raises(ConfigError, match="unknown region 'mouht'.*did you mean 'mouth'"):
        region_masks(torch.zeros(1, 1, 8, 8), ["hair"], ["mouht"])


def test_a_part_may_serve_as_a_region():
    parts = torch.zeros(1, 1, 32, 32)
    parts[0, 0, 10:20, 10:20] = 1
    grown = region_masks(parts, ["wing"], ["wing"])
    assert grown[0, 9:21, 9:21].all() and grown.sum() == 144


def test_new_rules_can_be_added(monkeypatch):
    monkeypatch.setitem(REGION_RULES, "left_half", None)
    region_rule("left_half")(lambda face: (face.x < 0).expand_as(face.part("skin")))
    assert region_masks(torch.zeros(1, 1, 8, 8), ["skin"], ["left_half"]).mean() == 0.5


def test_regions_by_number_are_those_by_name(segmenter):
    image, *_ = pictures("lipstick")
    names, numbers = ("mouth", None, "hair", "around_eyes"), torch.arange(NUM) % 4
    finder = RegionFinder(segmenter)
    by_name = finder(image, [names[number] for number in numbers])
    by_number = finder.by_number(image, numbers, names)
    assert all(torch.equal(a, b) for a, b in zip(by_name, by_number, strict=True)) and by_name[0].any()
