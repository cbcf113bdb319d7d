"""A tiny model for the rivals: random weights, so that nothing is learnt, but everything runs."""

import pytest
import torch

from styleT2I import StyleT2I
from styleT2I.rivals.samples import FIRST_SEED, PSI
from styleT2I.torch_utils.seeding import latents_of_seeds
from tests.tiny_model import tiny_generator, tiny_judge, write_tiny_model


def undecided_judge():
    """A random judge that sees every attribute in about half of the tiny generator's faces."""
    judge, G = tiny_judge(), tiny_generator()
    with torch.no_grad():
        for parameter in judge.parameters():  # its fresh ones say the same of every face
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
        z = latents_of_seeds(range(FIRST_SEED, FIRST_SEED + 60), G.z_dim)
        image = G.synthesis(G.mapping(z, truncation_psi=PSI)).clamp(-1, 1)
        judge.attribute_head.bias -= judge(image).median(dim=0).values
    return judge


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    onlookers = {"judges.guide": undecided_judge(), "judges.heldout": undecided_judge()}
    return write_tiny_model(tmp_path_factory.mktemp("rivals"), onlookers=onlookers)


@pytest.fixture
def pipeline(model_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "cache"))
    return StyleT2I.from_pretrained(model_folder, device="cpu")
