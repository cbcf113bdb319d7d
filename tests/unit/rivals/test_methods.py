"""Methods that find directions: on toys whose right direction is known, and on a whole tiny model."""

import warnings

import pytest
import torch

from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.generation.arguments import DIRECTION_METHODS, FOUND
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.rivals.interfacegan import interfacegan
from styleT2I.rivals.methods import METHODS, Finder, find_directions, open_pipeline
from styleT2I.rivals.samples import Samples
from styleT2I.rivals.styleclip import channel_relevance
from styleT2I.rivals.stylespace import stylespace
from styleT2I.rivals.unlabelled import ganspace, sefa
from tests.tiny_model import tiny_clip, tiny_generator

NAMES = ("lipstick", "eyeglasses", "hat")


class LinearFaces(Samples):
    """Faces of which an attribute's margin is linear in w, or in the styles: the right direction is known.

    truth: [A, w_dim]; channels: attribute -> (layer, channel). Everything else is that of a tiny generator.
    """

    def __init__(self, pipeline, names, num, truth=None, channels=None):
        super().__init__(pipeline.model, names, num)
        self.truth, self.channels = truth, channels

    def observed(self, ws, shifts=None):
        if self.truth is not None:
            return ((ws.mean(dim=1) - self.w.mean(dim=0)) @ self.truth.t()).double()
        from styleT2I.networks.stylegan2.styles import styles_of

        styles, columns = styles_of(self.generator.synthesis, ws), []
        for name in self.names:
            layer, channel = self.channels[name]
            push = 0 if not shifts or layer not in shifts else shifts[layer][channel]
            columns.append(styles[layer][:, channel] - self.styles[layer][:, channel].mean() + push)
        return torch.stack(columns, dim=1).double()


def cosine(way, truth):
    return torch.cosine_similarity(way.ws.mean(dim=0), truth, dim=0).item()


def test_interfacegan_finds_the_boundary_of_a_linear_toy(pipeline):
    truth = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(0)))[0][:3]
    samples = LinearFaces(pipeline, NAMES, 600, truth)
    ways = interfacegan(samples, NAMES)
    for name, axis in zip(NAMES, truth, strict=True):
        along = torch.stack([samples.w @ ways[name].ws[0], samples.w @ axis])  # an axis that hardly varies tells little
        assert torch.corrcoef(along)[0, 1] > 0.97
        assert ways[name].ws.norm().item() == pytest.approx(1)


def test_a_conditional_boundary_leaves_the_other_attributes_margin_alone(pipeline):
    generator = torch.Generator().manual_seed(1)
    first, second = torch.linalg.qr(torch.randn(8, 2, generator=generator))[0].t()
    truth = torch.stack([(first + 0.8 * second) / 1.64**0.5, second])
    samples = LinearFaces(pipeline, NAMES[:2], 600, truth)
    plain, conditional = (interfacegan(samples, NAMES[:1], how)["lipstick"] for how in (False, True))
    assert abs(cosine(plain, second)) > 0.4
    assert abs(cosine(conditional, second)) < 0.1
    assert cosine(conditional, first) > 0.95


def test_ganspace_names_the_component_that_an_attribute_lies_along(pipeline):
    samples = LinearFaces(pipeline, NAMES, 300, torch.zeros(3, 8))
    _, _, axes = torch.linalg.svd(samples.w - samples.w.mean(dim=0), full_matrices=False)
    samples.truth = torch.stack([axes[1], -axes[4], axes[0]])
    ways = ganspace(samples, NAMES)
    assert [cosine(ways[name], axis) > 0.999 for name, axis in zip(NAMES, samples.truth, strict=True)] == [True] * 3
    assert [ways[name].note for name in NAMES] == [f"component {k}, all layers" for k in (1, 4, 0)]


def test_sefa_names_the_eigenvector_that_an_attribute_lies_along(pipeline):
    samples = LinearFaces(pipeline, NAMES, 50, torch.zeros(3, 8))
    weights = torch.cat([module.affine.weight for name, module in samples.generator.synthesis.named_modules()
                         if name.endswith(("conv0", "conv1"))])  # fmt: skip
    _, axes = torch.linalg.eigh(weights.t().double() @ weights.double())
    samples.truth = torch.stack([axes[:, -1], -axes[:, -3], axes[:, 0]]).float()
    ways = sefa(samples, NAMES)
    assert all(cosine(ways[name], axis) > 0.999 for name, axis in zip(NAMES, samples.truth, strict=True))


def test_stylespace_finds_the_channel_that_is_the_attribute(pipeline):
    channels = {"lipstick": ("b8.conv0", 3), "eyeglasses": ("b16.conv1", 6), "hat": ("b4.conv1", 0)}
    samples = LinearFaces(pipeline, NAMES, 400, channels=channels)
    for name, way in stylespace(samples, NAMES).items():
        layer, channel = channels[name]
        pushes = {(one, k): value.item() / samples.style_spread[one][k].item()
                  for one, shift in way.styles.items() for k, value in enumerate(shift)}  # fmt: skip
        strongest = max(pushes, key=lambda key: abs(pushes[key]))
        assert strongest == (layer, channel) and pushes[strongest] > 0


def test_styleclips_relevance_is_the_cosine_that_all_slopes_give(pipeline):
    """Against the whole Jacobian of the embedding, one row after another."""
    samples = Samples(pipeline.model, NAMES, 3)
    clip = pipeline.model.network("clip")
    target = torch.nn.functional.normalize(torch.randn(1, 8, generator=torch.Generator().manual_seed(5)), dim=1)
    (found,) = channel_relevance(samples, clip, target)
    from styleT2I.networks.stylegan2.styles import differentiable_styles

    with torch.enable_grad(), differentiable_styles(samples.generator.synthesis) as styles:
        embedding = clip.encode_image(samples.generator.synthesis(samples.ws))
    layer = "b8.conv1"
    rows = [torch.autograd.grad(embedding[:, k].sum(), styles[layer], retain_graph=True)[0] for k in range(8)]
    jacobian = torch.stack(rows)  # [D, faces, channels]
    exact = torch.einsum("d,dnc->c", target[0], jacobian) / (3 * jacobian.square().sum(dim=(0, 1))).sqrt()
    assert torch.corrcoef(torch.stack([found[layer], exact]))[0, 1] > 0.95
    torch.testing.assert_close(found[layer], exact, rtol=0.6, atol=0.02)  # lengths are estimated


def test_the_table_has_the_methods_that_commands_name():
    assert tuple(METHODS) == FOUND and DIRECTION_METHODS == ("a2d", *FOUND)


@pytest.mark.parametrize("method", DIRECTION_METHODS)
def test_every_method_edits_a_face_and_says_so(pipeline, method):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a random judge sees too few of something
        directions = find_directions(pipeline, method, ["lipstick", "young"], num_samples=60)
    assert directions.method == method and set(directions.strengths) == {"lipstick", "old"}
    result = pipeline.edit([0, 1], {"lipstick": 1.0, "young": 0.5}, directions=directions)
    assert result.settings["method"] == method
    assert result.steps["lipstick"] == directions.strengths["lipstick"]["true"]
    assert result.steps["old"] == -0.5 * directions.strengths["old"]["false"]
    assert (result.images_u8 != result.unedited_u8).any()
    assert torch.equal(result.unedited_u8, pipeline.images_u8(pipeline.latents([0, 1]), [0, 1]))  # nothing stays behind
    alone = pipeline.edit([1], {"lipstick": 1.0, "young": 0.5}, directions=directions)
    assert torch.equal(alone.images_u8[0], result.images_u8[1])


def test_found_directions_are_kept_for_the_same_files_and_read_again(pipeline, model_folder):
    first = find_directions(pipeline, "stylespace", ["lipstick"], num_samples=60)
    again = Finder(StyleT2I.from_pretrained(model_folder, device="cpu"), "stylespace", num_samples=60)
    assert list(again.found.ways) == ["lipstick"]
    again.samples.generator = None  # nothing is drawn for what is kept
    kept = again.of(["lipstick"])
    assert kept.strengths == first.strengths and kept.seconds == first.seconds
    assert {k: v.tolist() for k, v in kept.ways["lipstick"].styles.items()} == {
        k: v.tolist() for k, v in first.ways["lipstick"].styles.items()
    }
    assert not Finder(pipeline, "stylespace", num_samples=61).found.ways  # other faces, other directions


def test_a_damaged_file_is_found_again(pipeline):
    first = Finder(pipeline, "sefa", num_samples=20)
    strengths = first.of(["hat"]).strengths
    path = first.stored.path
    data = bytearray(path.read_bytes())
    data[-3] ^= 1  # in the tensors
    path.write_bytes(bytes(data))
    again = Finder(pipeline, "sefa", num_samples=20)
    assert not again.found.ways and again.of(["hat"]).strengths == strengths


def test_what_cannot_be_found_is_refused_in_one_line(pipeline):
    for call, named in (
        (lambda: find_directions(pipeline, "sfa", ["hat"]), "did you mean.*sefa"),
        (lambda: find_directions(pipeline, "sefa", ["scarf"], num_samples=4), "scarf"),
        (lambda: find_directions(pipeline, "interfacegan", ["hat"], num_samples=4), "add --samples"),
        (lambda: find_directions(pipeline, "sefa", ["hat"], num_samples=1), "2 or more"),
    ):
        with pytest.raises(ConfigError, match=named) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_any_generator_is_steered_with_a_clip_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path))
    pipeline = open_pipeline("no model", generator=tiny_generator(), clip=tiny_clip(), vocabulary="minifaces",
                             device="cpu")  # fmt: skip
    directions = find_directions(pipeline, "styleclip", ["hat"], num_samples=10)
    result = pipeline.edit([0], {"hat": 1}, directions=directions)
    assert (result.images_u8 != result.unedited_u8).any()
    assert not list(tmp_path.rglob("*.safetensors"))  # of networks made in memory nothing is kept


def test_a_generator_alone_or_without_names_is_refused():
    with pytest.raises(ConfigError, match="--clip"):
        open_pipeline("no model", generator=tiny_generator(), device="cpu")
    pipeline = open_pipeline("no model", generator=tiny_generator(), clip=tiny_clip(), device="cpu")
    with pytest.raises(ConfigError, match="--vocabulary"):
        find_directions(pipeline, "sefa", ["hat"])


def test_an_a2d_that_is_not_there_names_its_training(tmp_path):
    pipeline = open_pipeline("none", generator=tiny_generator(), clip=tiny_clip(), vocabulary="minifaces", device="cpu")
    with pytest.raises(CheckpointError):
        find_directions(pipeline, "a2d", ["hat"])
