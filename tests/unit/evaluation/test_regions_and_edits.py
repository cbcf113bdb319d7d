"""Suites "regions" and "edits": energy inside true regions, and what a single attribute's step moves."""

import pytest
import torch

from styleT2I.data.minifaces.renderer import REGIONS, render
from styleT2I.data.minifaces.scene import scenes_from_latents
from styleT2I.errors import ConfigError
from styleT2I.evaluation.suites import Request
from styleT2I.evaluation.suites.edits import evaluate_edits
from styleT2I.evaluation.suites.regions import evaluate_regions
from styleT2I.generation.model import Model
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.metrics.pairwise import energy_inside
from styleT2I.networks.faces.regions import region_masks
from styleT2I.torch_utils.seeding import latents_of_seeds
from tests.tiny_model import tiny_a2d, tiny_clip, tiny_generator, tiny_judge, write_tiny


def test_energy_inside_equals_a_loop_over_pixels():
    rng = torch.Generator().manual_seed(0)
    first, second = (torch.rand(2, 3, 4, 5, generator=rng) for _ in range(2))
    mask = (torch.rand(2, 4, 5, generator=rng) < 0.4).float()
    expected = []
    for n in range(2):
        inside = total = 0.0
        for y in range(4):
            for x in range(5):
                energy = sum((first[n, c, y, x].item() - second[n, c, y, x].item()) ** 2 for c in range(3))
                total += energy
                inside += energy * mask[n, y, x].item()
        expected.append(inside / total)
    assert energy_inside(first, second, mask).tolist() == pytest.approx(expected)
    assert energy_inside(first, first, mask).tolist() == [0, 0]


@pytest.fixture(scope="module")
def embedded():
    a2d = tiny_a2d(w_dim=128, num_ws=10, text_dim=64)
    return Model.from_pretrained("minifaces", device="cpu", a2d=a2d)


def test_shares_are_taken_in_the_true_regions_of_the_scene_that_the_latent_draws(embedded):
    figures = evaluate_regions(Request(embedded, num=3))
    assert figures["psnr"] > 24
    assert "lipstick" in figures["attributes"] and "he" not in figures["attributes"]
    z = latents_of_seeds(range(3), 64)
    _, parts = render(scenes_from_latents(z, "biased"), 64, with_masks=True)
    mask = region_masks(parts, REGIONS, ["mouth"] * 3)
    G = embedded.network("generator")
    with torch.no_grad():
        ws = G.mapping(z)
        a = StyleT2I(embedded).attribute_directions(ws[:, 0], ["lipstick"])[:, 0]
        energy = (G.synthesis(ws + a).clamp(-1, 1) - G.synthesis(ws - a).clamp(-1, 1)).square().sum(dim=1)
    share = ((energy * mask).sum(dim=(1, 2)) / energy.sum(dim=(1, 2))).mean().item()
    lipstick = figures["attributes"]["lipstick"]
    assert lipstick["inside"] == pytest.approx(share, rel=1e-4)
    assert lipstick["area"] == pytest.approx(mask.mean().item())
    assert lipstick["interval"][0] <= lipstick["inside"] <= lipstick["interval"][1]


@pytest.mark.parametrize("z_dim, named", [(8, "z has 8"), (64, "does not draw the scene of its z")])
def test_a_generator_that_draws_other_things_has_no_true_regions(z_dim, named):
    parts = {"generator": tiny_generator(z_dim=z_dim), "clip": tiny_clip(), "a2d": tiny_a2d()}
    with pytest.raises(ConfigError, match=named):
        evaluate_regions(Request(Model(parts, vocabulary="minifaces", device="cpu"), num=2))


def test_edits_step_by_the_calibrated_strength_along_the_unit_direction(tmp_path):
    strengths = {"smiling": {"true": 1.5, "false": 0.5}, "gray_hair": {"true": 2.0, "false": 1.0}}
    parts = {
        "generator": tiny_generator(),
        "clip": tiny_clip(),
        "a2d": write_tiny(tmp_path, "a2d", tiny_a2d(), clip_name="tiny-clip", strengths=strengths),
        "judges.heldout": write_tiny(tmp_path, "judge", tiny_judge(nuisances=("roll",)), measured={"nuisances": {}}),
    }
    model = Model(parts, vocabulary="minifaces", device="cpu")
    figures = evaluate_edits(Request(model, num=6))
    G, judge = model.network("generator"), model.network("judges.heldout")
    with torch.no_grad():
        ws = G.mapping(latents_of_seeds(range(6), 8), truncation_psi=0.7)
        a = StyleT2I(model).attribute_directions(ws[:, 0], ["smiling"])[:, 0]
        step = -0.5 * a / a.flatten(1).norm(dim=1)[:, None, None]
        before, after = (judge(G.synthesis(styles).clamp(-1, 1)) > 0 for styles in (ws, ws + step))
    own = figures["attributes"]["smiling"]["false"]
    column = judge.attribute_names.index
    assert own["turned"] == pytest.approx((~after[:, column("smiling")]).double().mean().item())
    assert own["drift"]["he"] == pytest.approx((before ^ after)[:, column("he")].double().mean().item())
    assert "smiling" not in own["drift"] and own["nuisances"] == {}
    hair = figures["attributes"]["gray_hair"]["true"]["drift"]
    assert "black_hair" not in hair and "smiling" in hair  # another colour has to give way
    without = Model({**parts, "a2d": tiny_a2d()}, vocabulary="minifaces", device="cpu")
    with pytest.raises(ConfigError, match="calibrated strengths"):
        evaluate_edits(Request(without, num=6))
