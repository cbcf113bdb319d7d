"""AttnGAN's files with tensors missing, added or misshapen: one line that names the file, never another error."""

import pytest
import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.pickles.torch_files import read_torch_file
from styleT2I.networks.registry import load_network

FILES = {"netG_epoch_600.pth": "G_ema", "netD1.pth": "D", "text_encoder200.pth": "G_ema"}


def damaged(state):
    """Yield (what was done, a state dict with it done)."""
    keys = sorted(state)
    for key in keys[:: max(len(keys) // 4, 1)]:
        yield f"without {key}", {name: tensor for name, tensor in state.items() if name != key}
        yield f"{key} flat", {**state, key: state[key].reshape(-1)[:-1].clone()}
        yield f"{key} deep", {**state, key: state[key].reshape(1, 1, 1, 1, -1).clone()}
    yield "a stranger", {**state, "stranger.weight": torch.zeros(2)}
    yield "not finite", {**state, keys[0]: torch.full_like(state[keys[0]], float("nan"))}


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_one_line(shared_dir, tmp_path, name):
    state = read_torch_file(shared_dir / "golden" / "attngan" / name)
    path = tmp_path / name
    for what, broken in damaged(state):
        torch.save(broken, path)
        if what.endswith("num_batches_tracked"):
            continue  # files older than torch 1.0 lack these
        with pytest.raises(CheckpointError) as caught:
            load_network(path, FILES[name])
        assert name in str(caught.value) and "\n" not in str(caught.value), what


def test_the_other_networks_of_its_code_are_named(tmp_path):
    """AttnDCGAN and the GRU, which its code has too: sound files, which fetching again would not mend."""
    dcgan = {name: torch.zeros(2, 2) for name in ("ca_net.fc.weight", "h_net1.fc.0.weight", "img_net.img.0.weight")}
    gru = {f"rnn.{key}": value for key, value in torch.nn.GRU(4, 3, bidirectional=True).state_dict().items()}
    for state, named in ((dcgan, "AttnDCGAN"), ({"encoder.weight": torch.zeros(5, 4), **gru}, "GRU")):
        torch.save(state, tmp_path / "file.pth")
        with pytest.raises(CheckpointError, match=f"{named}.*not supported") as caught:
            load_network(tmp_path / "file.pth")
        assert "\n" not in str(caught.value) and "fetch" not in str(caught.value)
