"""Files of the baselines' authors against outputs of their own code: the random checkpoints of STYLET2I_SHARED."""

import numpy as np
import pytest
import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.registry import read_network
from styleT2I.networks.registry import load_network

TOLERANCE = {"atol": 1e-4, "rtol": 0}


def reference(shared_dir, system):
    folder = shared_dir / "golden" / system
    arrays = np.load(folder / "reference.npz")
    return folder, {name: torch.from_numpy(arrays[name]) for name in arrays.files}


@pytest.fixture
def stackgan(shared_dir):
    return reference(shared_dir, "stackgan")


@pytest.fixture
def dfgan(shared_dir):
    return reference(shared_dir, "dfgan")


@torch.no_grad()
def test_stackgans_first_stage_draws_the_authors_image(stackgan):
    folder, wanted = stackgan
    G = load_network(folder / "stage1_netG.pth")
    made = G.draw(torch.cat([wanted["noise"], wanted["eps1"]], dim=1), wanted["text_embedding"])
    for name, found in (("image64", made.image), ("mu1", made.mu), ("logvar1", made.logvar)):
        torch.testing.assert_close(found, wanted[name].float(), **TOLERANCE)


@torch.no_grad()
def test_stackgans_second_stage_draws_the_authors_image(stackgan):
    folder, wanted = stackgan
    G = load_network(folder / "stage2_netG.pth")
    noise = torch.cat([wanted["noise"], wanted["eps1"], wanted["eps2"]], dim=1)
    made = G.draw(noise, wanted["text_embedding"])
    for name, found in (("image256", made.image), ("mu2", made.mu), ("logvar2", made.logvar)):
        torch.testing.assert_close(found, wanted[name].float(), **TOLERANCE)
    assert G.resolution == 256 and G.noise_dim == noise.shape[1]


@torch.no_grad()
def test_stackgans_discriminators_give_the_authors_probabilities(stackgan):
    folder, wanted = stackgan
    D1, D2 = (load_network(folder / f"stage{stage}_netD.pth", "D") for stage in (1, 2))
    (cond1,) = D1(wanted["image64"].float(), wanted["mu1"].float())
    cond2, uncond2 = D2(wanted["image256"].float(), wanted["mu2"].float())
    for name, logits in (("d1_prob", cond1), ("d2_cond_prob", cond2), ("d2_uncond_prob", uncond2)):
        torch.testing.assert_close(logits.sigmoid(), wanted[name].float(), **TOLERANCE)


@torch.no_grad()
@pytest.mark.parametrize("name", ["state_epoch_007.pth", "netG_module_prefix.pth"])
def test_dfgan_draws_the_authors_image(dfgan, name):
    folder, wanted = dfgan
    image = load_network(folder / name)(wanted["noise"].float(), wanted["sent_emb"].float())
    torch.testing.assert_close(image, wanted["image"].float(), **TOLERANCE)


@torch.no_grad()
def test_dfgans_discriminator_gives_the_authors_features_and_logits(dfgan):
    folder, wanted = dfgan
    D = load_network(folder / "state_epoch_007.pth", "D")
    features = D.features(wanted["image"].float())
    torch.testing.assert_close(features, wanted["d_features"].float(), **TOLERANCE)
    logits = D.matching(features, wanted["sent_emb"].float())
    torch.testing.assert_close(logits, wanted["c_logits"].float().flatten(), **TOLERANCE)


def test_a_network_that_a_file_lacks_is_one_line(stackgan, dfgan):
    with pytest.raises(CheckpointError, match="stage1_netD.pth: holds no network 'G_ema'; it has D"):
        read_network(stackgan[0] / "stage1_netD.pth")
    with pytest.raises(CheckpointError, match="netG_module_prefix.pth: holds no network 'D'; it has G_ema, G"):
        read_network(dfgan[0] / "netG_module_prefix.pth", "D")
