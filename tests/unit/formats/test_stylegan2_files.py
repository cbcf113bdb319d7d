"""StyleGAN2 files of every layout and many shapes: the network that was written is the network that is read."""

import json

import pytest
import torch

import styleT2I
from styleT2I.config import to_dict
from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.formats.component import write_component
from styleT2I.formats.foreign.imported import filter_taps
from styleT2I.formats.foreign.registry import read_network
from styleT2I.networks.stylegan2.config import DiscriminatorConfig, GeneratorConfig
from styleT2I.networks.stylegan2.discriminator import Discriminator
from styleT2I.networks.stylegan2.generator import Generator
from styleT2I.networks.stylegan2.layers import MappingNetwork
from tests.foreign_files import rosinality_state, write_nvidia, write_rosinality, write_tensorflow
from tests.tiny_model import tiny_generator, write_tiny_model

ODD = {4: 7, 8: 5, 16: 9, 32: 3}
GENERATORS = {
    "plain": {"resolution": 32, "channel_base": 64, "channel_max": 8, "z_dim": 6, "w_dim": 6},
    "odd_channels": {"resolution": 32, "channels": ODD, "z_dim": 6, "w_dim": 10, "mapping_hidden_dim": 8},
    "labels": {"resolution": 16, "channel_max": 6, "c_dim": 3, "z_dim": 5, "w_dim": 7, "mapping_embed_dim": 4},
    "two_layers": {"resolution": 16, "channel_max": 6, "mapping_layers": 2, "mapping_lr_multiplier": 0.1},
    "clamped_half": {"resolution": 32, "channel_max": 6, "conv_clamp": 2.0, "num_fp16_res": 2, "w_avg_beta": 0.9},
    "residual": {"resolution": 16, "channel_max": 6, "architecture": "resnet"},
    "plain_stack": {"resolution": 16, "channel_max": 6, "architecture": "orig", "image_channels": 1},
    "smooth": {"resolution": 16, "channel_max": 6, "resample_filter": (1.0, 4.0, 6.0, 4.0, 1.0), "activation": "swish"},
    "small": {"resolution": 8, "channel_max": 4, "image_channels": 4},
}
DISCRIMINATORS = {
    "plain": {"resolution": 32, "channel_base": 64, "channel_max": 8},
    "odd_channels": {"resolution": 32, "channels": ODD, "image_channels": 1},
    "labels": {"resolution": 16, "channel_max": 6, "c_dim": 3, "mapping_layers": 2, "cmap_dim": 5},
    "clamped_half": {"resolution": 32, "channel_max": 6, "conv_clamp": 2.0, "num_fp16_res": 2, "mbstd_group_size": 2},
    "stacked": {"resolution": 16, "channel_max": 6, "architecture": "orig", "mbstd_num_channels": 2},
    "skips": {"resolution": 16, "channel_max": 6, "architecture": "skip"},
    "alone": {"resolution": 16, "channel_max": 6, "mbstd_num_channels": 0},
}
WRITERS = {"nvidia": write_nvidia, "tensorflow": write_tensorflow, "rosinality": write_rosinality}


def random_network(cls, config_class, settings):
    torch.manual_seed(0)
    network = cls(config_class(**{"z_dim": 6, "w_dim": 6, **settings} if cls is Generator else settings))
    for key, tensor in network.state_dict().items():
        if not key.startswith("mapping.fc"):
            tensor.normal_()
    return network.eval().requires_grad_(False)


def generator(name="plain", **changes):
    return random_network(Generator, GeneratorConfig, {**GENERATORS[name], **changes})


def discriminator(name="plain"):
    return random_network(Discriminator, DiscriminatorConfig, DISCRIMINATORS[name])


def outputs_of(network):
    random, config = torch.Generator().manual_seed(1), network.config
    c = torch.randn(3, config.c_dim, generator=random) if config.c_dim else None
    if isinstance(network, Generator):
        ws = network.mapping(torch.randn(3, config.z_dim, generator=random), c, truncation_psi=0.5)
        return [ws, network.synthesis(ws)]
    return [network(torch.randn(3, config.image_channels, config.resolution, config.resolution, generator=random), c)]


def assert_same(found, expected, rtol=0.0, atol=0.0):
    own, other = expected.state_dict(), found.state_dict()
    assert own.keys() == other.keys()
    for key, tensor in own.items():
        torch.testing.assert_close(other[key], tensor, rtol=rtol, atol=atol, msg=key)
    for a, b in zip(outputs_of(found), outputs_of(expected), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("layout", ["nvidia", "tensorflow"])
def test_generators_come_back(tmp_path, layout, name):
    G = generator(name)
    WRITERS[layout](tmp_path / "a", G_ema=G)
    found = styleT2I.load_network(tmp_path / "a")
    assert_same(found, G, atol=5e-7 if layout == "tensorflow" else 0.0)  # TensorFlow's layout stores biases less 1
    if layout == "nvidia":
        told = {
            key: value
            for key, value in to_dict(G.config).items()
            if value is not None and not key.startswith("channel")
        }
        assert {key: to_dict(found.config)[key] for key in told} == told
    assert not found.training and not any(p.requires_grad for p in found.parameters())


@pytest.mark.parametrize("name", DISCRIMINATORS)
@pytest.mark.parametrize("layout", ["nvidia", "tensorflow"])
def test_discriminators_come_back(tmp_path, layout, name):
    D = discriminator(name)
    WRITERS[layout](tmp_path / "a", G_ema=tiny_generator(), D=D)
    assert_same(styleT2I.load_network(tmp_path / "a", which="D"), D)


@pytest.mark.parametrize("resolution", [8, 32, 64, 256, 1024])
@pytest.mark.parametrize("mapping_layers", [2, 8])
def test_rosinality_files_tell_depth_width_and_size(tmp_path, resolution, mapping_layers):
    channels = {4 << i: (5, 3, 4, 2, 3, 2, 2, 1, 1)[i] for i in range(resolution.bit_length() - 2)}
    G = generator(
        resolution=resolution, channels=channels, mapping_layers=mapping_layers, w_dim=7, mapping_hidden_dim=7
    )
    write_rosinality(tmp_path / "a.pt", G_ema=G)
    found = read_network(tmp_path / "a.pt")
    config = {**found.config, "channels": {int(r): n for r, n in found.config["channels"].items()}}
    assert (config["resolution"], config["mapping_layers"], config["channels"]) == (
        resolution,
        mapping_layers,
        channels,
    )
    for key, tensor in G.state_dict().items():
        assert torch.equal(found.state_dict[key], tensor), key


@pytest.mark.parametrize("kind", [{}, {"legacy": True}, {"training": True}, {"prefix": "module."}])
def test_rosinality_containers_and_prefixes(tmp_path, kind):
    G, D = generator(), discriminator()
    write_rosinality(tmp_path / "a.pt", G_ema=G, G=generator("plain", z_dim=6), D=D, **kind)
    found = styleT2I.load_network(tmp_path / "a.pt")
    if "training" in kind:
        assert "mean of w" in read_network(tmp_path / "a.pt").info["notes"][0]
        z = torch.randn(20_000, 6, generator=torch.Generator().manual_seed(5))
        w = G.mapping(z)[:, 0]
        assert ((found.mapping.w_avg - w.mean(dim=0)).abs() < 6 * w.std(dim=0) / 4096**0.5).all()
        found.mapping.w_avg.copy_(G.mapping.w_avg)
    assert_same(found, G)
    assert_same(styleT2I.load_network(tmp_path / "a.pt", which="D"), D)


def test_missing_noise_is_drawn_the_same_each_time_and_said_so(tmp_path):
    G = generator()
    state = {key: value for key, value in rosinality_state(G).items() if not key.startswith("noises.")}
    torch.save({"g_ema": state, "latent_avg": G.mapping.w_avg}, tmp_path / "a.pt")
    first, second = read_network(tmp_path / "a.pt"), read_network(tmp_path / "a.pt")
    noise = [key for key in first.state_dict if key.endswith("noise_const")]
    assert len(noise) == 7 and "noise" in first.info["notes"][0]
    for key in noise:
        assert torch.equal(first.state_dict[key], second.state_dict[key]) and first.state_dict[key].std() > 0.5
    network = styleT2I.load_network(tmp_path / "a.pt")
    ws = outputs_of(G)[0]
    torch.testing.assert_close(network.synthesis(ws, noise_mode="none"), G.synthesis(ws, noise_mode="none"))


def test_half_weights_and_bare_state_dicts(tmp_path):
    G = generator()
    torch.save({key: value.half() for key, value in rosinality_state(G).items()}, tmp_path / "half.pt")
    found = styleT2I.load_network(tmp_path / "half.pt")
    assert all(tensor.dtype == torch.float32 for tensor in found.state_dict().values())
    torch.testing.assert_close(found.synthesis.b32.conv1.weight, G.synthesis.b32.conv1.weight, atol=1e-2, rtol=1e-3)
    torch.save(G.state_dict(), tmp_path / "ours.pt")
    found = styleT2I.load_network(tmp_path / "ours.pt")
    assert_same(found, G)
    assert "bare state dict" in read_network(tmp_path / "ours.pt").info["notes"][0]


@pytest.mark.parametrize("layout", WRITERS)
def test_the_named_network_is_taken(tmp_path, layout):
    G_ema, G = generator(), generator()
    G.synthesis.b8.conv0.weight.add_(1)
    WRITERS[layout](tmp_path / "a", G_ema=G_ema, G=G, D=discriminator())
    assert_same(styleT2I.load_network(tmp_path / "a"), G_ema, atol=5e-7)
    found = styleT2I.load_network(tmp_path / "a", which="G")
    if layout == "rosinality":  # which keeps the mean of w for the averaged network alone
        found.mapping.w_avg.copy_(G.mapping.w_avg)
    assert_same(found, G, atol=5e-7)
    with pytest.raises(CheckpointError, match=r"holds no network 'Gs'; it has .*G_ema"):
        styleT2I.load_network(tmp_path / "a", which="Gs")


def test_the_extension_of_a_file_says_nothing(tmp_path):
    G = generator()
    for layout, name in (("nvidia", "a.pt"), ("rosinality", "a.pkl"), ("tensorflow", "a.safetensors")):
        WRITERS[layout](tmp_path / name, G_ema=G)
        assert_same(styleT2I.load_network(tmp_path / name), G, atol=5e-7)


def test_frozen_layers_of_a_discriminator_are_read(tmp_path):
    """Freeze-D keeps the weights of frozen layers as buffers."""
    D = discriminator()
    frozen = discriminator()
    weight = frozen.b32.conv0._parameters.pop("weight")
    frozen.b32.conv0.register_buffer("weight", weight.data)
    write_nvidia(tmp_path / "a.pkl", D=frozen)
    assert_same(styleT2I.load_network(tmp_path / "a.pkl", which="D"), D)


def test_a_module_pickled_alone_or_by_torch_is_read(tmp_path):
    from tests.foreign_files import foreign_modules, nvidia_module

    G = generator()
    with foreign_modules():
        torch.save(nvidia_module(G, G.config), tmp_path / "a.pt")
    assert_same(styleT2I.load_network(tmp_path / "a.pt"), G)


def test_components_and_model_folders_are_read(tmp_path):
    G = generator()
    (tmp_path / "own").mkdir()
    manifest = write_component(tmp_path / "own", "generator", G.kind, to_dict(G.config), G.state_dict())
    for path in (manifest, manifest.with_suffix(".safetensors"), manifest.parent, str(manifest)):
        assert_same(styleT2I.load_network(path), G)
    folder = write_tiny_model(tmp_path / "model")
    assert_same(styleT2I.load_network(folder), tiny_generator())


def test_a_network_larger_than_its_weights_is_not_built(tmp_path):
    config = {"resolution": 1024, "channel_base": 10**9, "channel_max": 10**6}
    path = write_component(tmp_path, "a", "stylegan2-generator", config, {"synthesis.b4.const": torch.zeros(8, 4, 4)})
    with pytest.raises(CheckpointError, match="describes a far larger network than its weights are"):
        styleT2I.load_network(path)


def test_wrong_settings_in_a_manifest_name_the_file(tmp_path):
    G = generator()
    path = write_component(tmp_path, "a", G.kind, to_dict(G.config), G.state_dict())
    manifest = json.loads(path.read_text())
    del manifest["manifest_sha256"]
    manifest["config"]["resoluton"] = 3
    path.write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=r"a\.json: its configuration is wrong: unknown key 'resoluton'"):
        styleT2I.load_network(path)


@pytest.mark.parametrize("taps", [[1, 3, 3, 1], [1, 2, 1], [1, 4, 6, 4, 1], [1, 1], [0.1, 0.5, 0.4], [-1, 3, 3, -1]])
@pytest.mark.parametrize("scale", [1.0, 4.0, 1 / 64])
def test_taps_of_a_filter_are_found_again(taps, scale):
    expected = torch.tensor(taps, dtype=torch.float64) / sum(taps)
    for kernel in (expected * scale, torch.outer(expected, expected) * scale):
        found = torch.tensor(filter_taps(kernel.float()), dtype=torch.float64)
        torch.testing.assert_close(found / found.sum(), expected, rtol=1e-6, atol=1e-7)
    assert filter_taps(torch.outer(expected, expected).float()) == taps or 0.1 in taps


def test_a_filter_of_two_dimensions_is_kept(tmp_path):
    kernel = torch.tensor([[0.0, 1, 0], [1, 2, 1], [0, 1, 1]])
    taps = tuple(tuple(row) for row in (kernel / kernel.sum()).tolist())
    G = generator("small", resample_filter=taps)
    write_nvidia(tmp_path / "a.pkl", G_ema=G)
    assert_same(styleT2I.load_network(tmp_path / "a.pkl"), G)


def test_labels_without_mapping_layers_are_only_embedded():
    torch.manual_seed(0)
    mapping = MappingNetwork(0, 3, 5, None, num_layers=0, embed_dim=5)
    w = mapping(None, torch.eye(3))
    embedded = mapping.embed(torch.eye(3))
    torch.testing.assert_close(w, embedded / embedded.square().mean(dim=1, keepdim=True).sqrt(), atol=1e-6, rtol=1e-5)
    with pytest.raises(ConfigError, match="no layers"):
        MappingNetwork(0, 3, 5, None, num_layers=0, embed_dim=4)


@pytest.mark.parametrize("content", [{"epoch": 3, "weights": torch.zeros(3)}, [1, 2], "text", None, torch.zeros(3)])
def test_files_of_no_known_layout_say_what_they_hold(tmp_path, content):
    torch.save(content, tmp_path / "a.pt")
    held = "a dict with 'epoch', 'weights'" if isinstance(content, dict) else "but a "
    with pytest.raises(
        CheckpointError, match=f"a.pt: holds no network of a known format, .*{held}.*; known are: NVIDIA"
    ):
        styleT2I.load_network(tmp_path / "a.pt")
