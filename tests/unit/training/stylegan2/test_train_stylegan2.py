"""StyleGAN2 training: what a step does, resuming, starting from components, what a run leaves behind."""

import copy
import json
import os
import signal
from dataclasses import replace

import pytest
import torch

from styleT2I.config import to_dict
from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.formats.component import read_component, write_component
from styleT2I.networks.registry import load_network_component
from styleT2I.networks.stylegan2.config import DiscriminatorConfig, GeneratorConfig
from styleT2I.torch_utils.seeding import derive_seed, generator
from styleT2I.torch_utils.stats import read_stats
from styleT2I.training.checkpoints import flatten_state, newest_checkpoint
from styleT2I.training.engine import RunConfig, run
from styleT2I.training.stylegan2.config import StyleGAN2Config, stylegan2_config
from styleT2I.training.stylegan2.draws import Latents
from styleT2I.training.stylegan2.task import StyleGAN2Task
from tests.foreign_files import write_nvidia
from tests.tiny_model import tiny_judge, write_tiny

G_CONFIG = GeneratorConfig(16, z_dim=6, w_dim=6, mapping_layers=2, channel_base=64, channel_max=6)
D_CONFIG = DiscriminatorConfig(16, channel_base=64, channel_max=6)
CONFIG = StyleGAN2Config(
    "minifaces:biased/train:40", G_CONFIG, D_CONFIG, eval_data="minifaces:biased/val:12", batch_size=4, eval_num=12,
    r1_interval=2, pl_interval=2, ema_kimg=0.01,
)  # fmt: skip


def set_up(config=CONFIG):
    torch.manual_seed(derive_seed("setup", 1))  # as the engine does
    task = StyleGAN2Task(config, 8, seed=1)
    task.setup(torch.device("cpu"))
    return task


def steps(task, numbers):
    return [task.step(step, generator("step", 1, step)) for step in numbers]


def train(outdir, steps=6, task=None, **settings):
    config = RunConfig(str(outdir), steps, seed=1, device="cpu", checkpoint_every=2, eval_every=3, snapshot_every=6,
                       log_every=1, **settings)  # fmt: skip
    run(task or StyleGAN2Task(CONFIG, config.steps, seed=1), config)


def assert_same_state(first, second):
    (tree, tensors), (other_tree, others) = flatten_state(first), flatten_state(second)
    assert tree == other_tree and tensors.keys() == others.keys()
    assert [name for name, tensor in tensors.items() if not torch.equal(tensor, others[name])] == []


class KilledTask(StyleGAN2Task):
    """Kills its own process on entering step 3, one step after the checkpoint of step 2."""

    def step(self, step, rng):
        if step == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(step, rng)


def test_resume_after_kill_matches_uninterrupted_run(tmp_path):
    train(tmp_path / "whole")
    child = os.fork()
    if child == 0:
        train(tmp_path / "killed", task=KilledTask(CONFIG, 4, seed=1))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and newest_checkpoint(tmp_path / "killed").step == 2
    train(tmp_path / "killed")
    assert_same_state(newest_checkpoint(tmp_path / "whole").state, newest_checkpoint(tmp_path / "killed").state)
    for name in ("generator", "discriminator"):
        first, second = (read_component(tmp_path / folder / f"{name}.json") for folder in ("whole", "killed"))
        assert all(torch.equal(t, second.state_dict[key]) for key, t in first.state_dict.items())
    logs = [read_stats(tmp_path / folder / "stats.jsonl") for folder in ("whole", "killed")]
    assert [r["step"] for r in logs[1]] == [1, 2, 3, 4, 5, 6]
    assert all(a["loss_g"] == b["loss_g"] and a["loss_d"] == b["loss_d"] for a, b in zip(*logs, strict=True))


def test_run_leaves_components_pictures_figures_and_options(tmp_path):
    train(tmp_path, steps=3)
    task = set_up()
    steps(task, range(3))
    exported = load_network_component(tmp_path / "generator.json")
    z = torch.randn(2, 6)
    assert exported.config == G_CONFIG
    torch.testing.assert_close(exported(z), task.G_ema(z))
    assert load_network_component(tmp_path / "discriminator.json").config == D_CONFIG
    assert {p.name for p in tmp_path.glob("*.png")} == {"reals.png", "samples-0000003.png"}
    last = read_stats(tmp_path / "stats.jsonl")[-1]
    assert last["kimg"] == 0.012 and last["frechet_pixels8"] > 0 and 0 <= last["recall_pixels8"] <= 1
    settings = json.loads((tmp_path / "options.json").read_text())["settings"]
    assert settings["generator"]["channel_max"] == 6 and settings["r1_gamma"] == 10.0


def test_regularisers_come_at_their_intervals():
    figures = steps(set_up(replace(CONFIG, r1_interval=3, pl_interval=2)), range(5))
    assert ["loss_r1" in f for f in figures] == [True, False, False, True, False]
    assert ["loss_pl" in f for f in figures] == [True, False, True, False, True]
    figures = steps(set_up(replace(CONFIG, r1_gamma=0.0, pl_weight=0.0)), range(2))
    assert all(f.keys() == {"loss_g", "fake_logit", "loss_d", "real_logit"} for f in figures)


def test_lazy_regularisation_corrects_adam():
    task = set_up(replace(CONFIG, g_lr=0.01, d_lr=0.02, pl_interval=4, r1_interval=16))
    (group,) = task.G_optimizer.param_groups
    assert group["lr"] == pytest.approx(0.01 * 4 / 5) and group["betas"] == (0, pytest.approx(0.99 ** (4 / 5)))
    (group,) = task.D_optimizer.param_groups
    assert group["lr"] == pytest.approx(0.02 * 16 / 17) and group["betas"] == (0, pytest.approx(0.99 ** (16 / 17)))
    task = set_up(replace(CONFIG, g_lr=0.01, pl_weight=0.0))
    assert task.G_optimizer.param_groups[0]["lr"] == 0.01 and task.G_optimizer.param_groups[0]["betas"] == (0, 0.99)


def test_averaged_generator_halves_old_weights_every_half_life():
    task = set_up(replace(CONFIG, ema_kimg=0.008))  # 8 images: two steps
    average = copy.deepcopy(task.G_ema)
    steps(task, [0])
    wanted = [a * 0.5**0.5 + p * (1 - 0.5**0.5) for a, p in zip(average.parameters(), task.G.parameters(), strict=True)]
    torch.testing.assert_close(list(task.G_ema.parameters()), wanted)
    assert torch.equal(task.G_ema.mapping.w_avg, task.G.mapping.w_avg) and task.G.mapping.w_avg.abs().max() > 0
    task = set_up(replace(CONFIG, ema_rampup=0.05))
    average = copy.deepcopy(task.G_ema)
    steps(task, [0])  # the half-life is at most 5 % of 4 images, so nothing of the start is left
    beta = 0.5 ** (4 / 0.2)
    wanted = [a * beta + p * (1 - beta) for a, p in zip(average.parameters(), task.G.parameters(), strict=True)]
    torch.testing.assert_close(list(task.G_ema.parameters()), wanted)


def test_micro_batches_sum_to_the_whole_batch():
    """Without minibatch statistics, noise and mixing the only difference is the order of sums."""
    settings = {"style_mixing": 0.0, "pl_weight": 0.0}
    plain = replace(CONFIG, discriminator=replace(D_CONFIG, mbstd_num_channels=0),
                    generator=replace(G_CONFIG, use_noise=False), **settings)  # fmt: skip
    whole, parts = set_up(plain), set_up(replace(plain, micro_batch=2))
    torch.manual_seed(1)
    latents = torch.randn(4, 6)

    for task, size in ((whole, 4), (parts, 2)):
        drawn = []

        def draw(num, c, rng, drawn=drawn):
            start = sum(drawn) % 4
            drawn.append(num)
            return Latents(latents[start : start + num], None, None, None, None)

        task.draws.latents = draw
        figures = steps(task, [0])
        assert set(drawn) == {size}
        task.figures = figures[0]
    for name, value in whole.figures.items():
        assert parts.figures[name] == pytest.approx(value, rel=1e-4), name


def test_discriminator_learns_alone_during_its_warmup():
    task = set_up(replace(CONFIG, d_warmup_kimg=0.008))
    before = copy.deepcopy(task.G.state_dict()), copy.deepcopy(task.D.state_dict())
    steps(task, range(2))
    assert all(torch.equal(t, before[0][key]) for key, t in task.G.state_dict().items())
    assert any(not torch.equal(t, before[1][key]) for key, t in task.D.state_dict().items())
    assert "loss_g" in steps(task, [2])[0]
    assert any(not torch.equal(t, before[0][key]) for key, t in task.G.state_dict().items())


def test_each_network_learns_only_in_its_own_phase():
    task = set_up(replace(CONFIG, pl_weight=0.0, r1_gamma=0.0))
    before = copy.deepcopy(task.D.state_dict())
    rng = torch.Generator().manual_seed(0)
    task._update_generator((task.draws.fakes(4, None, 1.0, 0.0, rng),))
    assert all(torch.equal(t, before[key]) for key, t in task.D.state_dict().items())
    assert all(p.grad is None for p in task.D.parameters())
    before = copy.deepcopy(task.G.state_dict())
    task._update_discriminator((task.draws.pairs(torch.zeros(4, 3, 16, 16), None, 1.0, 0.0, rng),))
    assert all(torch.equal(t, before[key]) for key, t in task.G.state_dict().items())


def test_a_discriminator_update_tells_reals_from_fakes():
    task = set_up(replace(CONFIG, pl_weight=0.0, r1_gamma=0.0, d_lr=0.01))
    real = task._real_batch(0, torch.Generator())[0]
    pairs = [(task.draws.pairs(real, None, 1.0, 0.0, torch.Generator().manual_seed(i)),) for i in range(30)]
    losses = [task._update_discriminator(pair)["loss_d"] for pair in pairs]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


def test_labels_mirror_and_augmentation_run_together():
    config = replace(CONFIG, use_labels=True, mirror=True, jitter=0.1, translate=0.1)
    task = set_up(config)
    assert task.G.c_dim == task.D.c_dim == 14
    figures = steps(task, range(2))
    assert all(torch.isfinite(torch.tensor(list(f.values()))).all() for f in figures)
    assert task.evaluate(2)["frechet_pixels8"] > 0
    assert_same_state_after_repeat(config, task)


def assert_same_state_after_repeat(config, task):
    again = set_up(config)
    steps(again, range(2))
    assert_same_state(task.state_dict(), again.state_dict())


def test_distances_in_a_judges_features(tmp_path):
    judge = write_tiny(tmp_path, "judge", tiny_judge())
    task = set_up(replace(CONFIG, judge=str(judge)))
    before = copy.deepcopy(task.state_dict())
    figures = task.evaluate(0)
    assert figures.keys() == {"kimg", "frechet_judge", "precision_judge", "recall_judge", "attribute_gap"}
    assert 0 <= figures["attribute_gap"] <= 1 and figures == task.evaluate(0)
    assert_same_state(before, task.state_dict())


def test_init_starts_from_components(tmp_path):
    first = set_up()
    steps(first, range(2))
    first.export(tmp_path, 2)
    settings = {"data": CONFIG.data, "eval_data": CONFIG.data, "eval_num": 12, "batch_size": 4}
    _, config = stylegan2_config("minifaces64", init=str(tmp_path), **settings)
    task = set_up(config)
    for ours, theirs in [(task.G, first.G_ema), (task.G_ema, first.G_ema), (task.D, first.D)]:
        assert all(torch.equal(t, theirs.state_dict()[key]) for key, t in ours.state_dict().items())
    steps(task, [0])
    assert any(not torch.equal(t, first.G_ema.state_dict()[key]) for key, t in task.G.state_dict().items())
    (tmp_path / "discriminator.json").unlink()
    (tmp_path / "discriminator.safetensors").unlink()
    _, config = stylegan2_config("stylegan2-config-f", init=str(tmp_path / "generator.json"), data=CONFIG.data)
    assert config.generator == G_CONFIG and config.init_discriminator is None
    assert config.discriminator == DiscriminatorConfig(16)


def test_init_starts_from_another_codes_file(tmp_path):
    first = set_up()
    write_nvidia(tmp_path / "both.pkl", G_ema=first.G_ema, D=first.D)
    _, config = stylegan2_config("minifaces64", init=str(tmp_path / "both.pkl"), data=CONFIG.data)
    task = set_up(replace(config, eval_data=CONFIG.data, eval_num=12, batch_size=4))
    for ours, theirs in [(task.G, first.G_ema), (task.D, first.D)]:
        assert all(torch.equal(t, theirs.state_dict()[key]) for key, t in ours.state_dict().items())
        assert all(p.requires_grad for p in ours.parameters())
    write_nvidia(tmp_path / "alone.pkl", G_ema=first.G_ema)
    with pytest.warns(UserWarning, match="no network 'D'.*; the discriminator starts from random weights"):
        _, config = stylegan2_config("minifaces64", init=str(tmp_path / "alone.pkl"), data=CONFIG.data)
    assert config.init_discriminator is None


def test_init_that_does_not_fit_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="holds no generator.json"):
        stylegan2_config("minifaces64", init=str(tmp_path))
    first = set_up()
    write_component(tmp_path, "d", first.D.kind, to_dict(D_CONFIG), first.D.state_dict())
    with pytest.raises(CheckpointError, match="is a stylegan2-discriminator, not a stylegan2-generator"):
        stylegan2_config("minifaces64", init=str(tmp_path / "d.json"))
    first.export(tmp_path, 0)
    with pytest.raises(ConfigError, match="draws 16 px, not 32"):
        stylegan2_config("minifaces64", init=str(tmp_path), resolution=32)
    with pytest.raises(ConfigError, match="takes 0 labels, this run gives 14"):
        set_up(replace(CONFIG, use_labels=True, init_generator=str(tmp_path / "generator.json")))


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_trains_and_its_networks_say_so(tmp_path, precision):
    set_up().export(tmp_path, 0)
    for init in (None, str(tmp_path)):
        settings = {"data": CONFIG.data, "eval_data": CONFIG.data, "eval_num": 8, "batch_size": 4, "init": init}
        _, config = stylegan2_config("minifaces64", resolution=16, precision=precision, **settings)
        assert config.generator.num_fp16_res == config.discriminator.num_fp16_res == 4
        assert config.generator.conv_clamp == config.discriminator.conv_clamp == 256
    task = set_up(replace(config, r1_interval=2, pl_interval=2))
    assert task.G.config == config.generator and task.D.config == config.discriminator
    halves = [network.b16.half_dtype for network in (task.G.synthesis, task.G_ema.synthesis, task.D)]
    assert halves == [{"fp16": torch.float16, "bf16": torch.bfloat16}[precision]] * 3
    before = copy.deepcopy(task.G.state_dict())
    figures = steps(task, range(3))
    assert all(torch.isfinite(torch.tensor(list(f.values()))).all() for f in figures)
    assert any(not torch.equal(t, before[key]) for key, t in task.G.state_dict().items())


def test_gradients_that_overflowed_in_half_precision_change_no_weight():
    task = set_up(replace(CONFIG, precision="bf16"))
    before = copy.deepcopy(task.G.state_dict())

    def overflow():
        for parameter in task.G.parameters():
            parameter.grad = torch.full_like(parameter, float("inf"))

    task._descend(task.G_optimizer, overflow)
    assert all(torch.equal(t, before[key]) for key, t in task.G.state_dict().items())
    assert all(parameter.grad is None for parameter in task.G.parameters())


def test_presets_are_the_published_and_the_small_networks():
    kimg, config = stylegan2_config("stylegan2-config-f", resolution=1024, data="folder")
    assert kimg == 25_000 and config.batch_size == 32 and config.r1_gamma == 10 and config.g_lr == 0.002
    assert config.generator == GeneratorConfig(1024) and config.discriminator == DiscriminatorConfig(1024)
    for name, resolution in (("minifaces64", 64), ("minifaces128", 128), ("portraits128", 128)):
        _, config = stylegan2_config(name)
        world = name.rstrip("0123456789")
        assert config.generator.resolution == resolution and config.data == f"{world}:biased/train"
    with pytest.raises(ConfigError, match="did you mean 'minifaces64'"):
        stylegan2_config("minifaces-64")
    with pytest.raises(ConfigError, match="has no data of its own"):
        stylegan2_config("stylegan2-config-f", resolution=256)
    with pytest.raises(ConfigError, match="micro_batch 3 does not divide"):
        stylegan2_config("minifaces64", micro_batch=3)
