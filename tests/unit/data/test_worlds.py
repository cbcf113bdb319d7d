"""Worlds: what each offers is true of its own data sets, and a model's vocabulary says which world it is of."""

import dataclasses

import pytest
import torch

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.attributes.wording.sentences import sentence
from styleT2I.data.dataset import open_dataset
from styleT2I.data.minifaces.scene import NUISANCES
from styleT2I.data.portraits.scenes.vector import NUISANCE_NAMES
from styleT2I.data.worlds import WORLDS, world_of
from styleT2I.errors import DataError
from styleT2I.torch_utils.images import from_uint8
from tests.stub_portraits import fill_cache


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STYLET2I_CACHE", str(tmp_path_factory.mktemp("cache")))
        fill_cache("biased/test:5", "compositions/test:2")
        yield


@pytest.fixture(params=WORLDS)
def world(request):
    return WORLDS[request.param]


def test_the_vocabulary_says_which_world_a_model_is_of(world):
    assert world_of(load_vocabulary(world.name)) is world
    assert world_of(load_vocabulary("celeba")) is None and world_of(None) is None
    others = dataclasses.replace(world.vocabulary, attributes=world.vocabulary.attributes[:-1])
    assert world_of(others) is None  # of the same name with other attributes


def test_every_composition_and_twin_is_shown_by_the_data_that_are_named_after_it(world):
    pairs = [len(pair.attributes) for pair in world.rare_pairs]
    triples = [len(held.attributes) for held in world.held_out]
    assert set(pairs) == {2} and set(triples) == {3} and len(world.compositions) == len(pairs) + len(triples)
    for composition in world.compositions:
        for attributes in (composition.attributes, composition.twin):
            data = open_dataset(world.composition_spec(attributes, 2), with_masks=False)
            columns = [data.attribute_names.index(name) for name in attributes]
            assert (data.labels_of([0, 1])[:, columns] == torch.tensor(list(attributes.values()))).all()
            assert parse(sentence(attributes, world.vocabulary), world.vocabulary).attributes == dict(attributes)
    assert set(world.shown) <= {composition.name for composition in world.compositions}


def test_nuisance_groups_are_of_the_worlds_own_nuisances(world):
    known = {"minifaces": NUISANCES, "portraits": NUISANCE_NAMES}[world.name]
    whole = {name.partition("[")[0].partition("=")[0] for name in known}
    members = [name for group in world.nuisance_groups.values() for name in group]
    assert set(members) <= whole and len(set(members)) == len(members)
    assert {"pose", "background", "clothes"} <= set(world.nuisance_groups)


def test_known_scenes_come_with_the_latents_images_and_parts_that_belong_together(world):
    batches = list(world.known_scenes(5, 32, 2))
    assert [len(batch.z) for batch in batches] == [2, 2, 1]
    z, images, parts = (torch.cat([getattr(batch, name) for batch in batches]) for name in ("z", "images", "parts"))
    assert images.shape == (5, 3, 32, 32) and parts.shape == (5, len(batches[0].part_names), 32, 32)
    assert {"skin", "hair", "hat"} <= set(batches[0].part_names) and parts.dtype == torch.bool
    if world.is_drawn:
        from styleT2I.data.minifaces.renderer import render
        from styleT2I.data.minifaces.scene import scenes_from_latents

        expected, _ = render(scenes_from_latents(z, "biased"), 32)
    else:
        data = open_dataset("portraits:biased/test:5", 32)
        assert torch.equal(z, data.latents(range(5)))
        expected = from_uint8(data.batch(range(5)).images_u8)
    assert torch.equal(images, expected)


def test_a_rendered_world_names_no_more_images_than_it_has_and_says_what_is_missing():
    drawn, rendered = WORLDS["minifaces"], WORLDS["portraits"]
    assert drawn.spec("biased/test", 6000) == "minifaces:biased/test:6000" and drawn.most(6000) == 6000
    assert rendered.spec("biased/test", 6000) == "portraits:biased/test:1000" and rendered.most(30) == 30
    assert (
        drawn.why_missing("minifaces:balanced/test:4000") == ""
        and rendered.why_missing("portraits:biased/test:5") == ""
    )
    reason = rendered.why_missing("portraits:biased/test:6")
    assert "5 of 6 images" in reason and "python -m styleT2I.data.portraits 'biased/test:6'" in reason
    with pytest.raises(DataError, match="5 of 6 images"):
        next(rendered.known_scenes(6, 32, 4))
