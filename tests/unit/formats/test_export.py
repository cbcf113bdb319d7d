"""Generators in the layouts of other code: the names are that code's own, and the way there and back changes no bit."""

import json

import numpy as np
import pytest
import torch

from styleT2I.config import to_dict
from styleT2I.errors import CheckpointError
from styleT2I.formats.foreign.registry import read_network
from styleT2I.formats.foreign.stylegan2.export import export_generator
from styleT2I.formats.foreign.written_config import KEY
from styleT2I.formats.pickles.torch_files import open_checkpoint
from styleT2I.networks.registry import load_network
from styleT2I.networks.stylegan2.config import GeneratorConfig
from styleT2I.networks.stylegan2.generator import Generator
from tests.tiny_model import tiny_generator, tiny_t2d

CHANGED = {
    "plain": {},
    "clamped": {"conv_clamp": 0.75, "num_fp16_res": 2},
    "unlike channels": {"channels": {4: 6, 8: 5, 16: 3}},
    "other filter": {"resample_filter": (1.0, 2.0, 1.0)},
}
ONLY_ADA = {
    "no mean of w": {"w_avg_beta": None},
    "labels": {"c_dim": 3, "mapping_embed_dim": 5},
    "resnet": {"architecture": "resnet"},
    "orig": {"architecture": "orig"},
    "no noise": {"use_noise": False},
    "z of another width": {"z_dim": 5},
    "mapping of another width": {"mapping_hidden_dim": 10},
    "unlike widths": {"z_dim": 4, "mapping_hidden_dim": 10, "channels": {4: 6, 8: 5, 16: 3}},
    "other activation": {"activation": "relu", "mapping_activation": "relu", "mapping_lr_multiplier": 0.1},
}


def varied(changes):
    """A tiny generator whose every tensor is random, biases, noise strengths and the mean of w too."""
    G = tiny_generator(**changes)
    rng = torch.Generator().manual_seed(5)
    for tensor in G.state_dict().values():
        tensor.copy_(torch.randn(tensor.shape, generator=rng))
    return G


def export(G, path, layout):
    return export_generator(path, layout, G.kind, to_dict(G.config), G.state_dict())


@pytest.mark.parametrize(
    "layout, changes",
    [("rosinality", changes) for changes in CHANGED.values()]
    + [("ada", changes) for changes in [*CHANGED.values(), *ONLY_ADA.values()]],
    ids=[f"rosinality: {name}" for name in CHANGED] + [f"ada: {name}" for name in [*CHANGED, *ONLY_ADA]],
)
def test_there_and_back_is_the_same_network_bit_for_bit(tmp_path, layout, changes):
    G = varied(changes)
    export(G, tmp_path / "g.pt", layout)
    back = load_network(tmp_path / "g.pt")
    assert back.config == G.config
    assert set(back.state_dict()) == set(G.state_dict())
    assert all(torch.equal(back.state_dict()[name], tensor) for name, tensor in G.state_dict().items())
    z, c = torch.randn(2, G.z_dim, generator=torch.Generator().manual_seed(1)), torch.eye(G.c_dim)[:2]
    assert torch.equal(G(z, c), back(z, c))


@pytest.mark.parametrize("layout", ["rosinality", "ada"])
def test_torch_reads_the_file_without_trust_and_finds_tensors_alone(tmp_path, layout):
    export(varied({}), tmp_path / "g.pt", layout)
    tree = torch.load(tmp_path / "g.pt", weights_only=True)
    key, others = ("g_ema", {"latent_avg", KEY}) if layout == "rosinality" else ("G_ema", {KEY})
    assert set(tree) == {key, *others}
    assert all(isinstance(tensor, torch.Tensor) for tensor in [*tree[key].values(), *(tree[name] for name in others)])
    assert json.loads(bytes(tree[KEY].tolist()))["config"]["resolution"] == 16


@pytest.mark.parametrize("layout", ["rosinality", "ada"])
def test_a_file_without_the_added_configuration_is_read_by_its_shapes(tmp_path, layout):
    G = varied({})
    export(G, tmp_path / "g.pt", layout)
    tree = torch.load(tmp_path / "g.pt", weights_only=True)
    del tree[KEY]
    torch.save(tree, tmp_path / "g.pt")
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(load_network(tmp_path / "g.pt")(z), G(z))


def test_the_same_network_gives_the_same_bytes(tmp_path):
    for name in ("a.pt", "b.pt"):
        export(varied({}), tmp_path / name, "rosinality")
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


@pytest.mark.parametrize("changes", ONLY_ADA.values(), ids=ONLY_ADA)
def test_what_a_layout_has_no_place_for_is_refused_and_nothing_is_written(tmp_path, changes):
    with pytest.raises(CheckpointError, match="no place for .*--to ada"):
        export(varied(changes), tmp_path / "g.pt", "rosinality")
    assert list(tmp_path.iterdir()) == []


def test_a_clamp_that_other_code_lacks_is_noted(tmp_path):
    notes = export(varied({"conv_clamp": 256.0}), tmp_path / "g.pt", "rosinality")
    assert any("has no clamp, this generator 256" in note for note in notes)


def test_other_networks_are_not_exported(tmp_path):
    t2d = tiny_t2d()
    with pytest.raises(CheckpointError, match="'t2d'"):
        export_generator(tmp_path / "g.pt", "ada", t2d.kind, to_dict(t2d.config), t2d.state_dict())


@pytest.mark.parametrize(
    "config, call",
    [
        ({"resolution": 256}, "Generator(256, 512, 8, channel_multiplier=2)"),
        ({"resolution": 1024}, "Generator(1024, 512, 8, channel_multiplier=2)"),
        ({"resolution": 256, "channel_base": 16384}, "Generator(256, 512, 8, channel_multiplier=1)"),
        ({"resolution": 32, "mapping_layers": 2}, "Generator(32, 512, 2, channel_multiplier=2)"),
        ({"resolution": 64, "channel_max": 64}, "change its table of channels"),
    ],
)
def test_the_call_that_loads_a_file_elsewhere_is_told(config, call):
    from styleT2I.formats.foreign.stylegan2.export import lay_out_rosinality

    notes = lay_out_rosinality(to_dict(GeneratorConfig(**config)), {})[1]
    assert call in notes[0]


@pytest.mark.parametrize(
    "taps, said", [((1, 3, 3, 1), False), ((1, 2, 1), True), ((1, 4, 6, 4, 1), True)], ids=["usual", "3", "5"]
)
def test_the_call_for_the_ada_layout_has_another_resampling_filter_in_it(taps, said):
    from styleT2I.formats.foreign.stylegan2.export import lay_out_ada

    note = lay_out_ada(to_dict(GeneratorConfig(resolution=64, resample_filter=taps)), {})[1][0]
    assert (f"'resample_filter': {list(taps)}" in note) == said


@pytest.mark.parametrize("written", [b"{}", b"no json", b"[" * 40_000, b'{"kind": "clip"}', b"x" * 100_000])
def test_a_damaged_configuration_is_refused_in_one_line(tmp_path, written):
    export(varied({}), tmp_path / "g.pt", "ada")
    tree = torch.load(tmp_path / "g.pt", weights_only=True)
    tree[KEY] = torch.frombuffer(bytearray(written), dtype=torch.uint8)
    torch.save(tree, tmp_path / "g.pt")
    with pytest.raises(CheckpointError, match=f"g.pt: damaged: its {KEY}") as caught:
        read_network(tmp_path / "g.pt")
    assert "\n" not in str(caught.value)


def test_names_and_shapes_are_those_of_the_authors_files(shared_dir, tmp_path):
    """The golden checkpoint of each layout, read and written again, has the same tensors, bit for bit."""
    golden = shared_dir / "golden/rosinality64/converted.pt"
    theirs = torch.load(golden, weights_only=True)
    export(load_network(golden), tmp_path / "r.pt", "rosinality")
    ours = torch.load(tmp_path / "r.pt", weights_only=True)
    assert set(ours["g_ema"]) == set(theirs["g_ema"])
    assert all(torch.equal(ours["g_ema"][name], tensor) for name, tensor in theirs["g_ema"].items())
    assert torch.equal(ours["latent_avg"], theirs["latent_avg"])


@pytest.mark.parametrize("name", ["ada_uncond", "ada_cond_fp16", "sg3repo_stylegan2"])
def test_ada_names_and_images_are_those_of_the_authors_files(shared_dir, tmp_path, name):
    golden = shared_dir / f"golden/nvidia64/{name}.pkl"
    export(load_network(golden), tmp_path / "a.pt", "ada")
    ours = torch.load(tmp_path / "a.pt", weights_only=True)["G_ema"]
    assert {key: tuple(tensor.shape) for key, tensor in ours.items()} == tensor_shapes(golden)
    with np.load(golden.with_suffix(".npz"), allow_pickle=False) as arrays:
        w_trunc, image = (torch.from_numpy(arrays[key]) for key in ("w_trunc", "image"))
    with torch.no_grad():
        torch.testing.assert_close(load_network(tmp_path / "a.pt").synthesis(w_trunc), image, atol=1e-4, rtol=0)


def tensor_shapes(path):
    """The shapes of all tensors of the G_ema in a pickle of NVIDIA's, by dotted name."""

    def walk(record, prefix=""):
        state = record.state["state"]
        for name, tensor in {**state["_parameters"], **state["_buffers"]}.items():
            if tensor is not None:
                yield prefix + name, tuple(tensor.shape)
        for name, child in state["_modules"].items():
            yield from walk(child, f"{prefix}{name}.")

    with open_checkpoint(path) as content:
        return dict(walk(content.tree["G_ema"]))


def test_a_resnet_generator_keeps_its_shortcuts_filter(tmp_path):
    export(varied({"architecture": "resnet"}), tmp_path / "a.pt", "ada")
    names = set(torch.load(tmp_path / "a.pt", weights_only=True)["G_ema"])
    assert {"synthesis.b8.skip.resample_filter", "synthesis.b16.skip.weight"} <= names
    assert isinstance(load_network(tmp_path / "a.pt"), Generator)
