"""AttnGAN's files against outputs of its authors' code, on the small random checkpoints of STYLET2I_SHARED."""

import dataclasses
import itertools
import pickle

import numpy as np
import pytest
import torch

from styleT2I.errors import ConfigError
from styleT2I.formats.foreign.registry import read_network
from styleT2I.generation.systems.interface import open_system
from styleT2I.networks.registry import load_network, load_network_component
from styleT2I.torch_utils.seeding import latents_of_seeds

STAGES = (64, 128, 256)


@pytest.fixture(scope="module")
def folder(shared_dir):
    return shared_dir / "golden" / "attngan"


@pytest.fixture(scope="module")
def expected(folder):
    return {name: torch.from_numpy(array) for name, array in np.load(folder / "reference.npz").items()}


@pytest.fixture(scope="module")
def generator(folder):
    return load_network(folder / "netG_epoch_600.pth")


def with_legacy_mask(generator):
    twin = type(generator)(dataclasses.replace(generator.config, legacy_mask=True)).eval().requires_grad_(False)
    twin.load_state_dict(generator.state_dict())
    return twin


def inputs(expected, rows=slice(None)):
    noise = torch.cat([expected["noise"], expected["eps"]], dim=1)
    return tuple(t[rows] for t in (noise, expected["sent_emb"], expected["words_emb"], expected["mask"]))


def largest_difference(a, b):
    return (a - b).abs().max().item()


def test_word_and_sentence_features_are_those_of_the_authors(folder, expected):
    encoder = load_network(folder / "text_encoder200.pth")
    features = encoder(expected["captions"])
    assert largest_difference(features.words, expected["words_emb"]) < 1e-5
    assert largest_difference(features.sentence, expected["sent_emb"]) < 1e-5
    assert torch.equal(features.mask, expected["mask"])


def test_a_batch_with_the_legacy_mask_is_the_authors_batch(generator, expected):
    made = with_legacy_mask(generator)(*inputs(expected))
    for resolution, image in zip(STAGES, made.images, strict=True):
        assert largest_difference(image, expected[f"image{resolution}"]) < 1e-4
    for attention, name in zip(made.attention, ("att1", "att2"), strict=True):
        assert largest_difference(attention, expected[name]) < 1e-4
    assert largest_difference(made.mu, expected["mu"]) < 1e-5
    assert largest_difference(made.logvar, expected["logvar"]) < 1e-5


def test_single_captions_and_correctly_masked_batches_are_the_authors_single_runs(generator, expected):
    together = generator(*inputs(expected))
    for row, length in enumerate((~expected["mask"]).sum(dim=1).tolist()):
        noise, sentence, words, mask = inputs(expected, slice(row, row + 1))
        alone = generator(noise, sentence, words[:, :, :length], mask[:, :length])
        for stage, resolution in enumerate(STAGES):
            single = expected[f"single_image{resolution}"][row]
            assert largest_difference(alone.images[stage][0], single) < 1e-4
            assert largest_difference(together.images[stage][row], single) < 1e-4


def test_the_legacy_mask_changes_batches_of_mixed_lengths_only(generator, expected):
    legacy = with_legacy_mask(generator)
    mixed, single = inputs(expected), inputs(expected, slice(1, 2))
    assert largest_difference(legacy(*mixed).images[2], generator(*mixed).images[2]) > 1e-3
    assert largest_difference(legacy(*single).images[2], generator(*single).images[2]) == 0


@pytest.mark.parametrize("stage", range(3))
def test_both_heads_of_each_discriminator_are_the_authors(folder, expected, stage):
    discriminator = load_network(folder / f"netD{stage}.pth", "D")
    image = expected[f"image{STAGES[stage]}"]
    features = discriminator.encode(image)
    conditional, unconditional = discriminator(image, expected["sent_emb"])
    assert largest_difference(features, expected[f"d{stage}_features"]) < 1e-4
    assert largest_difference(conditional.sigmoid(), expected[f"d{stage}_cond"]) < 1e-5
    assert largest_difference(unconditional.sigmoid(), expected[f"d{stage}_uncond"]) < 1e-5


def test_without_its_dictionary_the_text_encoder_says_where_to_put_it(folder):
    component = read_network(folder / "text_encoder200.pth")
    assert "captions.pickle" in component.info["notes"][0]
    with pytest.raises(ConfigError, match="captions.pickle"):
        load_network_component(component).encode(["a red bird"])


def test_generate_draws_a_sentence_with_the_authors_files_as_their_networks_do(folder, generator, tmp_path):
    words = ["<end>", *map("".join, itertools.product("abcdefg", "hijklmn"))]
    (tmp_path / "words.pickle").write_bytes(pickle.dumps([[], [], dict(enumerate(words)), {}]))
    gan = open_system(
        folder / "netG_epoch_600.pth", device="cpu", text_encoder=folder / "text_encoder200.pth",
        captions=tmp_path / "words.pickle",
    )  # fmt: skip
    image = gan.sample([gan.understand(f"{words[3]} {words[49]} {words[7]}")], [5])
    features = load_network(folder / "text_encoder200.pth")(torch.tensor([[3, 49, 7]]))
    alone = generator(latents_of_seeds([5], generator.noise_dim), *features).images[2]
    assert image.shape == (1, 3, 256, 256) and largest_difference(image, alone) < 1e-4
    assert gan.model.info("text_encoder")["converted_from"]["file"] == "text_encoder200.pth"
