"""The promises that every registered network keeps."""

import dataclasses

import pytest
import torch

from styleT2I.config import from_dict, to_dict
from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.formats.component import read_component, write_component
from styleT2I.networks.registry import KINDS, build_network, load_network_component, network_class

PRESENT = list(KINDS)


def tensors_of(output):
    """Every tensor in nested tuples, lists and dicts, in order."""
    if isinstance(output, torch.Tensor):
        return [output]
    values = output.values() if isinstance(output, dict) else output if isinstance(output, (tuple, list)) else ()
    return [tensor for value in values for tensor in tensors_of(value)]


def example_of(kind):
    torch.manual_seed(0)
    network, args = network_class(kind).example()
    assert isinstance(network, network_class(kind))
    return network.eval().requires_grad_(False), args


def outputs_of(network, args):
    with torch.no_grad():
        return tensors_of(network(*args))


def test_importing_the_registry_imports_no_network(run_python):
    code = (
        "import sys, styleT2I.networks.registry; print([m for m in sys.modules if m.startswith('styleT2I.networks.')])"
    )
    assert run_python("-c", code).stdout.strip() == "['styleT2I.networks.registry']"


@pytest.mark.parametrize("kind", PRESENT)
def test_forward_is_finite_and_repeatable(kind):
    network, args = example_of(kind)
    first, second = outputs_of(network, args), outputs_of(network, args)
    assert first and all(torch.isfinite(t).all() for t in first if t.is_floating_point())
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("kind", PRESENT)
def test_every_parameter_gets_a_finite_gradient(kind):
    network, args = example_of(kind)
    network.train().requires_grad_(True)
    weights = torch.Generator().manual_seed(1)
    outputs = [t for t in tensors_of(network(*args)) if t.is_floating_point() and t.requires_grad]
    sum((t * torch.randn(t.shape, generator=weights)).sum() for t in outputs).backward()
    missing = [name for name, p in network.named_parameters() if p.grad is None]
    assert not missing
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize("kind", PRESENT)
def test_the_class_names_its_kind_and_its_configuration_survives_json(kind):
    network, _ = example_of(kind)
    assert network.kind == kind
    assert dataclasses.is_dataclass(network.config) and type(network.config).__dataclass_params__.frozen
    assert isinstance(network.config, type(network).Config)
    assert from_dict(type(network).Config, to_dict(network.config)) == network.config


@pytest.mark.parametrize("kind", PRESENT)
def test_a_saved_network_comes_back_the_same_frozen_and_in_eval_mode(kind, tmp_path):
    network, args = example_of(kind)
    path = write_component(tmp_path, "net", kind, to_dict(network.config), network.state_dict())
    loaded = load_network_component(path)
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    assert loaded.config == network.config
    for expected, found in zip(outputs_of(network, args), outputs_of(loaded, args), strict=True):
        assert torch.equal(expected, found)


@pytest.mark.parametrize("kind", PRESENT)
def test_weights_that_do_not_fit_are_listed(kind, tmp_path):
    network, _ = example_of(kind)
    state = {f"module.{key}": tensor for key, tensor in network.state_dict().items()}
    path = write_component(tmp_path, "net", kind, to_dict(network.config), state)
    with pytest.raises(
        CheckpointError, match=rf"net.json: .*missing: {next(iter(network.state_dict()))}.*unexpected: module\."
    ):
        load_network_component(path)


def test_unknown_kinds_and_settings_are_one_line(tmp_path):
    with pytest.raises(
        CheckpointError, match="unknown network kind 'stylegan2-genrator'; did you mean 'stylegan2-generator'"
    ):
        build_network("stylegan2-genrator", {})
    for kind in PRESENT[:1]:
        with pytest.raises(ConfigError, match="unknown key 'resoluton'"):
            build_network(kind, {"resoluton": 8})
    path = write_component(tmp_path, "net", "nothing", {}, {})
    with pytest.raises(CheckpointError, match="unknown network kind 'nothing'"):
        load_network_component(read_component(path))
