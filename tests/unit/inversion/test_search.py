"""Latents and generators found for images that are known: what was drawn comes back, what must not count does not."""

import pytest
import torch

from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.generation.model import Model
from styleT2I.inversion.arguments import InversionConfig
from styleT2I.inversion.bending import bent, bent_to, changes
from styleT2I.inversion.distance import Distance, judge_distance, open_distance, pixel_distances
from styleT2I.inversion.inverter import Inverter
from styleT2I.inversion.latent_space import LatentSpace
from styleT2I.inversion.noise import noise_layers, noise_penalty, normalise
from styleT2I.inversion.optimisation import optimised
from styleT2I.inversion.result import Inversion, read_inversion, write_inversion
from styleT2I.networks.latent_encoder import LatentEncoder, LatentEncoderConfig
from styleT2I.torch_utils.images import from_uint8, to_uint8
from styleT2I.torch_utils.seeding import generator
from tests.tiny_model import tiny_generator, tiny_judge


def quiet_generator(**changes):
    """One whose noise changes nothing, so that its latent alone decides."""
    G = tiny_generator(**changes)
    for module in G.modules():
        if hasattr(module, "noise_strength"):
            module.noise_strength.zero_()
    return G


def known(G, num=1, seed=5):
    with torch.no_grad():
        w = G.mapping(torch.randn(num, G.z_dim, generator=generator("known", seed)))
        return w, G.synthesis(w)


@pytest.mark.parametrize("in_w", [True, False])
def test_a_known_latent_is_found_again(in_w):
    G = quiet_generator()
    w, image = known(G)
    space, distances = LatentSpace.of(G), Distance("", None).to(image)
    config = InversionConfig(near_mean=0, near_w=0)
    start = space.mean.expand(1, G.num_ws, -1)
    found = optimised(G, space, distances, start, config, 150, generator("search"), in_w=in_w)
    assert found.distance.item() < 0.02 * distances(G.synthesis(start)).item()
    assert (found.ws - found.ws[:, :1]).abs().max() == 0 if in_w else True
    if in_w:  # of so few pixels and layers many W+ draw the same
        assert (found.ws - w).norm() < 0.35 * (start - w).norm()


def test_the_start_is_kept_where_nothing_is_nearer():
    G = quiet_generator()
    w, image = known(G)
    distances = Distance("", None).to(image)
    config = InversionConfig(lr=50.0)  # every step leads astray
    found = optimised(G, LatentSpace.of(G), distances, w, config, 3, generator("x"), in_w=False, disturbed=False)
    assert torch.equal(found.ws, w) and found.distance.item() < 1e-10


def test_layers_are_held_near_w_and_near_the_mean():
    G = quiet_generator()
    _, image = known(G)
    space, distances = LatentSpace.of(G), Distance("", None).to(image)
    start = space.mean.expand(1, G.num_ws, -1)
    free, held = (
        optimised(G, space, distances, start, InversionConfig(near_mean=weight, near_w=weight), 80, generator("s"),
                  in_w=False).ws
        for weight in (0.0, 0.5)
    )  # fmt: skip
    assert space.from_w(held) < space.from_w(free) / 2 and space.from_mean(held) < space.from_mean(free)
    assert space.from_mean(start).item() == 0 and space.from_w(start).item() < 1e-10


def test_noise_maps_are_found_where_they_draw_and_stay_white():
    G = tiny_generator()
    assert noise_layers(G.synthesis) == {"b4.conv1": 4, "b8.conv0": 8, "b8.conv1": 8, "b16.conv0": 16, "b16.conv1": 16}
    assert noise_layers(quiet_generator().synthesis) == {}
    _, image = known(G)
    space, distances = LatentSpace.of(G), Distance("", None).to(image)
    start = space.mean.expand(1, G.num_ws, -1)
    found = optimised(G, space, distances, start, InversionConfig(noise=10.0), 60, generator("n"), in_w=False)
    assert set(found.noise) == set(noise_layers(G.synthesis))
    for noise in found.noise.values():
        assert abs(noise.mean()) < 1e-5 and noise.square().mean() == pytest.approx(1, abs=1e-4)
    one = Inversion(found.ws[0], {name: map[0, 0] for name, map in found.noise.items()})
    before = {name: buffer.clone() for name, buffer in G.named_buffers()}
    with torch.no_grad(), one.drawing(G):
        assert distances(G.synthesis(found.ws)).item() == pytest.approx(found.distance.item(), rel=1e-3)
    assert all(torch.equal(before[name], buffer) for name, buffer in G.named_buffers())


def test_the_regulariser_sees_what_white_noise_has_not():
    white = {"layer": torch.randn(2, 1, 32, 32, generator=generator("white"))}
    smooth = {"layer": torch.nn.functional.avg_pool2d(white["layer"], 5, stride=1, padding=2)}
    normalise(smooth)
    assert noise_penalty(smooth) > 10 * noise_penalty(white)


def test_what_must_not_count_changes_no_distance():
    image, weight = torch.rand(2, 3, 16, 16) * 2 - 1, torch.ones(2, 1, 16, 16)
    weight[:, :, :, :6] = 0
    other = image.clone()
    other[:, :, :, :6] = -other[:, :, :, :6]
    for distance in (Distance("", None), judge_distance(tiny_judge())):
        assert distance.to(image)(other).min() > 0 and distance.to(image, weight)(other).abs().max() < 1e-6
        shifted = (image + 0.3).clone()
        assert (distance.to(image, weight)(shifted) > 0).all()
    assert pixel_distances(image, image).tolist() == [0, 0]


def test_whose_features_compare_is_said_and_a_missing_network_is_one_line():
    G, judge = quiet_generator(), tiny_judge()
    model = Model({"generator": G, "judges.guide": judge}, device="cpu")
    assert open_distance(model, "judge").name == "the guide judge's features and a pyramid of pixels"
    bare = Model({"generator": G}, device="cpu")
    assert open_distance(bare, "pixels").name == "a pyramid of pixels"
    with pytest.raises(CheckpointError, match="judges.guide"):
        open_distance(bare, "judge")
    with pytest.raises(ConfigError, match="'pixels'"):
        open_distance(bare, "pixel")


def test_a_bent_generator_draws_its_image_again_and_is_straight_afterwards(tmp_path):
    G = quiet_generator()
    target = torch.rand(1, 3, 16, 16, generator=generator("target")) - 0.5
    ws, distances = known(G)[0], Distance("", None).to(target)
    plain = G.synthesis(ws)
    change = bent_to(G.synthesis, ws, distances, steps=40, lr=0.02, rank=2)
    assert all(factor.dtype == torch.float16 for factor in change.values())
    found = Inversion(ws[0], {}, change, {"generator_sha256": "a"})
    with torch.no_grad(), found.drawing(G):
        drawn = G.synthesis(ws)
    assert distances(drawn).item() < 0.7 * distances(plain).item()
    assert torch.equal(G.synthesis(ws), plain)
    read = read_inversion(write_inversion(tmp_path / "face.json", found), "a")
    with torch.no_grad(), read.drawing(G):
        assert torch.equal(G.synthesis(read.ws.unsqueeze(0)), drawn)
    own = dict(G.synthesis.named_parameters())
    weight = changes(change, own)["b16.conv1.weight"]
    assert torch.linalg.matrix_rank(weight.flatten(1)) <= 2
    with pytest.raises(CheckpointError, match="another generator"):
        read_inversion(tmp_path / "face.json", "b")
    with (
        pytest.raises(CheckpointError, match="another generator"),
        bent(quiet_generator(resolution=8).synthesis, change, {}),
    ):
        pass
    (tmp_path / "face.safetensors").write_bytes(b"0" * 99)
    with pytest.raises(CheckpointError, match="face.safetensors"):
        read_inversion(tmp_path / "face.json")


class Perfect(LatentEncoder):
    """An encoder that has learnt one latent by heart."""

    def forward(self, image, num_deltas=None):
        return self.answer.expand(len(image), -1, -1)


def perfect_encoder(ws):
    encoder = Perfect(
        LatentEncoderConfig(w_dim=8, num_ws=6, resolution=32, widths=(4, 4, 4, 4), pyramid_dim=4, hidden_dim=4)
    )
    encoder.answer = ws
    return encoder.eval()


def test_methods_share_what_they_found_and_each_is_nearer_than_the_one_it_begins_at():
    G = quiet_generator()
    w, image = known(G)
    model = Model({"generator": G, "encoder": perfect_encoder(w + 0.2)}, device="cpu")
    inverter = Inverter(model, InversionConfig(steps=20, tune_steps=20, distance="pixels"))
    assert inverter.method == "encoder+"
    (found,) = inverter.invert(to_uint8(image), ["encoder", "encoder+", "pivotal"])
    records = [found[method].record for method in ("encoder", "encoder+", "pivotal")]
    assert torch.equal(found["encoder"].ws, (w + 0.2)[0])
    assert records[0]["distance"] > records[1]["distance"] > records[2]["distance"]
    assert records[0]["psnr"] < records[1]["psnr"] and records[2]["pivot"] == "encoder+"
    assert torch.equal(found["pivotal"].ws, found["encoder+"].ws) and found["pivotal"].num_bytes > 0
    with torch.no_grad(), found["pivotal"].drawing(G):
        drawn = G.synthesis(found["pivotal"].ws.unsqueeze(0))
    seen = from_uint8(to_uint8(image))
    assert inverter.distance.to(seen)(drawn).item() == pytest.approx(records[2]["distance"], rel=0.01)


def test_an_image_of_a_cpu_does_not_depend_on_the_others():
    G = quiet_generator()
    image = to_uint8(known(G, 2)[1])
    inverter = Inverter(Model({"generator": G}, device="cpu"), InversionConfig(steps=5, distance="pixels"))
    both, (alone,) = inverter.invert(image, ["w+"]), inverter.invert(image[1:], ["w+"])
    assert torch.equal(both[1]["w+"].ws, alone["w+"].ws)


def test_what_an_inverter_is_not_able_to_is_one_line():
    G = quiet_generator()
    inverter = Inverter(Model({"generator": G}, device="cpu"), InversionConfig(distance="pixels"))
    with pytest.raises(CheckpointError, match="train_encoder"):
        inverter.invert(torch.zeros(1, 3, 16, 16, dtype=torch.uint8), ["encoder"])
    with pytest.raises(ConfigError, match="16, 16"):
        inverter.invert(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    for wrong in ({"method": "w++"}, {"steps": 0}, {"tune_steps": 0}, {"lr": 0.0}, {"distance": "l2"}, {"restarts": 0}):
        with pytest.raises(ConfigError):
            InversionConfig(**wrong)


def test_the_best_of_several_starts_is_taken():
    G = quiet_generator()
    image = to_uint8(known(G)[1])
    records = [
        Inverter(Model({"generator": G}, device="cpu"), InversionConfig(steps=8, restarts=num, distance="pixels"))
        .invert(image, ["w"])[0]["w"].record["distance"]
        for num in (1, 3)
    ]  # fmt: skip
    assert records[1] <= records[0]
