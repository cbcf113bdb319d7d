"""unCLIP's settings and what it does with images: variations, interpolations, text diffs, components."""

import pytest
import torch
from torch.nn import functional as F

from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.generation.systems.interface import open_system
from styleT2I.generation.systems.unclip import UnclipSettings
from styleT2I.generation.systems.unclip_edits import ImageEdits, Latent
from styleT2I.torch_utils.seeding import SeedNoise
from tests.tiny_systems import write_system, write_unclip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_unclip(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def edits(folder):
    return ImageEdits.open(folder, "cpu", num_steps=8)


@pytest.fixture(scope="module")
def latent(edits):
    return edits.encode(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1)


def one(latent, row):
    return Latent(*(part[row : row + 1] for part in latent))


def opened(folder, **settings):
    return open_system(folder, device="cpu", unclip={"steps": 2, "prior_steps": 2, "upsampler_steps": 1, **settings})


def test_every_prior_draws_other_images_and_best_of_two_is_nearer_the_caption(folder):
    images = {}
    for prior in ("diffusion", "ar", "none", "text"):
        system = opened(folder, prior=prior)
        prompts = [system.understand(text) for text in ("she is smiling", "he is wearing a hat")]
        images[prior] = system.sample(prompts, [0, 1])
        assert images[prior].shape == (2, 3, 16, 16)
    pairs = [(a, b) for a in images for b in images if a < b]
    assert not any(torch.equal(images[a], images[b]) for a, b in pairs)
    caption = system.captions(["she is smiling", "he is wearing a hat"])
    dots = {}
    for num in (1, 2, 4):
        z = opened(folder, prior="diffusion", best_of=num).embeddings(caption, [0, 1])
        torch.testing.assert_close(z.norm(dim=1), torch.ones(2))
        dots[num] = (z * caption.embedding).sum(dim=1)
    assert (dots[2] >= dots[1]).all() and (dots[4] >= dots[2]).all() and (dots[4] > dots[1]).any()


def test_settings_change_the_image_and_wrong_ones_are_one_line(folder):
    prompt = opened(folder).understand("she is smiling")
    base = opened(folder).sample([prompt], [0])
    for change in ({"guidance": 1.0}, {"prior_guidance": 3.0}, {"eta": 0.0}, {"steps": 3}, {"best_of": 4}):
        assert not torch.equal(opened(folder, **change).sample([prompt], [0]), base)
    for wrong, line in (
        ({"prior": "difusion"}, "did you mean 'diffusion'"),
        ({"prior": "none", "best_of": 2}, "draws no embeddings to choose from"),
        ({"steps": 0}, "start at 1"),
        ({"eta": 1.5}, "eta is from 0 to 1"),
        ({"guidnce": 2.0}, "unknown key 'guidnce'"),
    ):
        with pytest.raises(ConfigError, match=line):
            opened(folder, **wrong)


def test_a_model_says_what_it_lacks_and_does_without_an_upsampler(tmp_path):
    lone = write_unclip(tmp_path / "lone", without=("unclip_prior", "unclip_ar_prior", "unclip_upsampler"))
    with pytest.raises(CheckpointError, match="has no prior; train one with .*unclip_prior"):
        open_system(lone, device="cpu")
    with pytest.raises(CheckpointError, match="has no unclip_ar_prior; train it with"):
        opened(lone, prior="ar")
    assert opened(lone, prior="none").resolution == 8
    with pytest.raises(CheckpointError, match="components are in the autoregressive prior, which it lacks"):
        edits = ImageEdits.open(lone, "cpu", 2)
        edits.reconstructions(edits.encode(torch.zeros(1, 3, 8, 8)), [1], 0)
    only_ar = write_unclip(tmp_path / "ar", without=("unclip_prior",))
    assert open_system(only_ar, device="cpu").settings == UnclipSettings(prior="ar")
    with pytest.raises(CheckpointError, match="upsampler enlarges 8 px, its decoder draws 16"):
        open_system(write_unclip(tmp_path / "sizes", resolution=16), device="cpu")
    with pytest.raises(ConfigError, match="is not an unCLIP, whose prior is asked for; leave it out"):
        open_system(write_system(tmp_path / "dfgan", "dfgan"), device="cpu", unclip={"prior": "ar"})


def test_the_embedding_is_clips_and_the_noise_is_of_the_decoders_side(edits, latent):
    assert latent.noise.shape == (2, 3, 8, 8)
    torch.testing.assert_close(latent.embedding.norm(dim=1), torch.ones(2))
    again = edits.encode(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1)
    assert torch.equal(again.noise, latent.noise)


def test_without_noise_seeds_differ_in_nothing_but_the_upsamplers_and_with_it_they_do(edits, latent):
    system = edits.system
    low = edits.decode(one(latent, 0), [0], 0.0)
    enlarged = edits.variations(one(latent, 0), [0.0, 1.0], [0, 1])
    assert enlarged.shape == (2, 2, 3, 16, 16) and torch.equal(enlarged[0, 0], low[0])
    without = ImageEdits(system, 8)
    without.system = type("System", (), {
        "network": system.network, "null": system.null, "abar": system.abar, "device": system.device,
        "enlarge": staticmethod(lambda image, seeds: image),
    })()  # fmt: skip
    still = without.variations(one(latent, 0), [0.0, 1.0], [0, 1])
    assert torch.equal(still[0, 0], still[0, 1]) and not torch.equal(still[1, 0], still[1, 1])


def test_an_interpolation_ends_in_both_images_or_holds_one_noise(edits, latent):
    first, second = one(latent, 0), one(latent, 1)
    way = edits.interpolation(first, second, [0.0, 0.5, 1.0], None)
    torch.testing.assert_close(way[0], edits.decode(first, [0])[0], rtol=0, atol=1e-3)
    torch.testing.assert_close(way[2], edits.decode(second, [0])[0], rtol=0, atol=1e-3)
    shared = edits.interpolation(first, second, [0.0, 1.0], 3)
    noise = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    expected = edits.decode(Latent(second.embedding, noise), [0])[0]
    torch.testing.assert_close(shared[1], expected, rtol=0, atol=1e-3)


def test_a_text_diff_starts_at_the_image_and_turns_towards_the_text(edits, latent):
    first = one(latent, 0)
    made = edits.text_diff(first, "she is smiling", "", [0.0, 0.5])
    torch.testing.assert_close(made[0], edits.decode(first, [0])[0], rtol=0, atol=1e-3)
    assert not torch.equal(made[0], made[1])
    assert not torch.equal(made, edits.text_diff(first, "she is smiling", "he is wearing a hat", [0.0, 0.5]))
    with pytest.raises(ConfigError, match="both texts are the same to CLIP"):
        edits.text_diff(first, "she is smiling", "she is smiling", [0.1])


def test_reconstructions_know_an_embeddings_first_components_alone(edits, latent):
    prior = edits.system.model.network("unclip_ar_prior")
    made = edits.reconstructions(latent, [1, 3], 0)
    assert made.shape == (2, 2, 3, 16, 16)
    beyond = torch.linalg.svd(prior.basis).Vh[-1]  # a direction that no component has
    moved = Latent(latent.embedding + 0.3 * beyond, latent.noise)
    torch.testing.assert_close(edits.reconstructions(moved, [3], 0), made[:, 1:], rtol=0, atol=1e-3)
    along = Latent(latent.embedding + 0.3 * prior.basis[2], latent.noise)
    changed = edits.reconstructions(along, [1, 3], 0)
    torch.testing.assert_close(changed[:, 0], made[:, 0], rtol=0, atol=1e-3)
    assert not torch.allclose(changed[:, 1], made[:, 1], atol=1e-3)
    with pytest.raises(ConfigError, match="keeps 3 principal components; ask for 1 to 3, not 4"):
        edits.reconstructions(latent, [4], 0)


def test_other_models_are_refused(tmp_path):
    with pytest.raises((CheckpointError, ConfigError), match="is not an unCLIP"):
        ImageEdits.open(write_system(tmp_path, "dfgan"), "cpu")


def test_noise_of_seeds_is_the_same_in_any_company_and_differs_by_use():
    both, alone = SeedNoise([3, 4], "a"), SeedNoise([4], "a")
    for shape in ((2, 2), (5,)):
        assert torch.equal(both(shape)[1:], alone(shape))
    first = SeedNoise([4], "b")((2, 2))
    assert not torch.equal(first, SeedNoise([4], "a")((2, 2))) and F.mse_loss(both((9,))[0], both((9,))[1]) > 0
