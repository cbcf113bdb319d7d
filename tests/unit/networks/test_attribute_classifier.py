"""The judge network: sizes, units of the nuisances, both architectures, budgets of the presets."""

import pytest
import torch
from torch.nn import functional as F

from styleT2I.errors import ConfigError
from styleT2I.networks.faces.attribute_classifier import ARCHITECTURES, AttributeClassifier, ClassifierConfig
from styleT2I.networks.small import ConvNorm
from styleT2I.recipes import recipe_names
from styleT2I.training.judges.config import judge_config


def tiny(architecture, **changes):
    settings = {"attribute_names": ("he", "hat", "old"), "resolution": 16, "widths": (4, 6), "feature_dim": 5}
    nuisances = {"nuisance_names": ("yaw", "light"), "nuisance_mean": (2.0, -1.0), "nuisance_std": (0.5, 3.0)}
    torch.manual_seed(0)
    return AttributeClassifier(
        ClassifierConfig(**{**settings, **nuisances, "architecture": architecture, **changes})
    ).eval()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("mirrored", [False, True])
def test_one_observation_gives_what_three_calls_give(architecture, mirrored):
    network = tiny(architecture, mirrored=mirrored)
    image = torch.rand(3, 3, 16, 16) * 2 - 1
    features, nuisances = network.observe(image)
    assert features.shape == (3, 5) and network(image).shape == (3, 3) and nuisances.shape == (3, 2)
    assert torch.equal(network.features(image), features) and torch.equal(network.nuisances(image), nuisances)
    assert torch.equal(network.logits_of(features), network(image))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_mirrored_judge_is_the_mean_of_both_views_and_pose_is_of_one(architecture):
    network, mirrored = tiny(architecture), tiny(architecture, mirrored=True)
    image = torch.rand(3, 3, 20, 20) * 2 - 1
    torch.testing.assert_close(mirrored(image), (network(image) + network(image.flip(3))) / 2)
    torch.testing.assert_close(mirrored(image), mirrored(image.flip(3)))
    assert torch.equal(mirrored.nuisances(image), network.nuisances(image))
    assert not torch.allclose(network(image), network(image.flip(3)))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nuisances_come_in_the_datas_units(architecture):
    network = tiny(architecture)
    image = torch.rand(4, 3, 16, 16) * 2 - 1
    standardised = network.nuisances(image, standardised=True)
    assert torch.allclose(network.nuisances(image), standardised * torch.tensor([0.5, 3.0]) + torch.tensor([2.0, -1.0]))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_other_sizes_are_resized_antialiased(architecture):
    network = tiny(architecture)
    large = torch.rand(2, 3, 48, 48) * 2 - 1
    small = F.interpolate(large, size=(16, 16), mode="bilinear", antialias=True)
    assert torch.allclose(network(large), network(small), atol=1e-6)
    assert not torch.allclose(network(large), network(F.interpolate(large, size=(16, 16), mode="nearest")), atol=1e-3)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_weight_of_both_heads_is_trained(architecture):
    network = tiny(architecture).train()
    features = network.features(torch.rand(4, 3, 16, 16))
    (network.logits_of(features).square().sum() + network.nuisances_of(features).square().sum()).backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_image_is_judged_the_same_in_any_company(architecture):
    network = tiny(architecture)
    image = torch.rand(5, 3, 16, 16) * 2 - 1
    assert torch.allclose(network(image)[2:3], network(image[2:3]), atol=1e-5)


@pytest.mark.parametrize("preset", [name for name in recipe_names("judge") if not name.startswith("photos")])
def test_presets_of_models_that_ship_stay_small_in_half_precision(preset):
    """The models that ship hold two of them: 8 MB in all for MiniFaces, 20 MB for Portraits."""
    _, config = judge_config(preset)
    names = tuple(f"a{k}" for k in range(14)), tuple(f"n{k}" for k in range(50))
    network = AttributeClassifier(
        ClassifierConfig(*names, (0.0,) * 50, (1.0,) * 50, config.architecture, 64, config.widths, config.feature_dim)
    )
    limit = 2e6 if preset.startswith("portraits") else 1.5e6  # bytes
    assert 2 * sum(parameter.numel() for parameter in network.parameters()) < limit


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"architecture": "resnt"}, "unknown judge architecture 'resnt'; did you mean 'resnet'"),
        ({"attribute_names": ()}, "attribute_names is empty"),
        ({"nuisance_std": (1.0,)}, "differ in length"),
        ({"nuisance_std": (1.0, 0.0)}, "nuisance_std holds a value <= 0"),
        ({"resolution": 18}, "resolution 18 is not divisible by 4"),
    ],
)
def test_wrong_settings_are_one_line(changes, message):
    with pytest.raises(ConfigError, match=message):
        tiny(**{"architecture": "resnet", **changes})


@pytest.mark.parametrize("stride", [1, 2])
def test_in_evaluation_mode_a_batch_norm_is_part_of_its_convolution(stride):
    torch.manual_seed(0)
    layer = ConvNorm(5, 6, stride=stride).double()
    layer[1].weight.data.uniform_(-2, 2), layer[1].bias.data.normal_()
    x = torch.randn(3, 5, 8, 8, dtype=torch.float64)
    for _ in range(3):
        layer(x)  # moves the running statistics
    layer.eval()
    assert torch.allclose(layer(x), layer[1](layer[0](x)), rtol=0, atol=1e-12)
    layer.train()
    assert torch.equal(layer(x), layer[1](layer[0](x)))
