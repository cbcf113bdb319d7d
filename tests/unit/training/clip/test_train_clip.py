"""CLIP training: resume to the bit, the paper's fine-tuning moves what it should, presets, crops, the export."""

import copy
import json
import math

import pytest
import torch
import torchvision
from click.testing import CliRunner
from torch.nn import functional as F

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.attributes.wording.word_list import grammar_words
from styleT2I.config import to_dict
from styleT2I.data.training.augment import random_resized_crop
from styleT2I.data.training.captioned import CaptionedData
from styleT2I.data.writer import write_folder_dataset
from styleT2I.errors import ConfigError
from styleT2I.evaluation.measures.clip import CLIPEvaluation
from styleT2I.formats.component import write_component
from styleT2I.generation.observers import ZeroShotLogits
from styleT2I.networks.clip.model import CLIP
from styleT2I.networks.registry import load_network_component
from styleT2I.recipes import read_recipe, recipe_names
from styleT2I.torch_utils.stats import read_stats
from styleT2I.train_clip import main
from styleT2I.training.checkpoints import flatten_state, newest_checkpoint
from styleT2I.training.clip import config as clip_config
from styleT2I.training.clip.config import CLIPTrainConfig, preset_config, scratch_model
from styleT2I.training.clip.task import MAX_LOGIT_SCALE, CLIPTask, load_clip, steps_of_epochs
from styleT2I.training.clip.tuning import tuned_names
from styleT2I.training.clip.word_list import word_list
from styleT2I.training.engine import RunConfig, run

DATA = "minifaces:balanced/train:16"
TEST = "minifaces:balanced/test:16"


TEXT = {"context_length": 40, "width": 16, "heads": 2, "layers": 1}
VISION = {
    "resnet": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8},
    "vit": {"image_size": 32, "patch_size": 8, "width": 16, "head_width": 8, "layers": 2},
    "strided": {"image_size": 32, "small": {"widths": [4, 8, 8], "pool": "stride"}},
    "pooled": {"image_size": 32, "small": {"widths": [4, 8, 8], "pool": "max"}},
}


@pytest.fixture(autouse=True)
def tiny_architectures(monkeypatch):
    """Image towers of all kinds at 32 px and small widths."""
    tiny = {name: {"embed_dim": 8, "vision_cfg": vision, "text_cfg": TEXT} for name, vision in VISION.items()}
    monkeypatch.setattr(clip_config, "ARCHITECTURES", tiny)


def train(outdir, steps, task_steps=None, seed=0, **changes):
    config = preset_config("minifaces", **{"data": (DATA,), "eval_data": TEST, "batch_size": 6, **changes})
    task = CLIPTask(config, task_steps or steps, seed)
    every = {"eval_every": 0, "snapshot_every": 0, "log_every": 3, "checkpoint_every": 3}
    run(task, RunConfig(str(outdir), steps, seed=seed, device="cpu", **every))
    return task


def final_tensors(outdir):
    return flatten_state(newest_checkpoint(outdir).state)[1]


@pytest.mark.parametrize("architecture", VISION)
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(tmp_path, architecture):
    train(tmp_path / "whole", 6, architecture=architecture)
    train(tmp_path / "parts", 3, task_steps=6, architecture=architecture)
    train(tmp_path / "parts", 6, architecture=architecture)
    whole, parts = final_tensors(tmp_path / "whole"), final_tensors(tmp_path / "parts")
    assert whole.keys() == parts.keys() and len(whole) > 50
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    component = "minifaces-clip.safetensors"
    assert (tmp_path / "whole" / component).read_bytes() == (tmp_path / "parts" / component).read_bytes()


def test_a_steps_losses_equal_sums_written_out_pair_by_pair(tmp_path):
    config = preset_config("minifaces", data=(DATA,), batch_size=6, augment="none", paraphrase=0.0)
    task = CLIPTask(config, 10)
    task.setup(torch.device("cpu"))
    before = copy.deepcopy(task.clip)
    batch = task.data.training_batch(0, 6, 0)
    picks = torch.rand(3, 6, generator=torch.Generator().manual_seed(4))[0]
    captions = [options[int(pick * len(options))] for options, pick in zip(batch.captions, picks.tolist(), strict=True)]
    said = [parse(caption, load_vocabulary("minifaces")).attributes for caption in captions]
    labels = [dict(zip(task.data.names, row, strict=True)) for row in batch.labels.tolist()]
    with torch.no_grad():
        image, text = before.encode_image(batch.image), before.encode_text(captions)
        cosine = [[float(image[i] @ text[j]) / 0.07 for j in range(6)] for i in range(6)]
    wrong = [[j for j in range(6) if not said[j].items() <= labels[i].items()] for i in range(6)]
    sums = []
    for i in range(6):
        row = [cosine[i][j] for j in range(6) if j == i or j in wrong[i]]
        column = [cosine[j][i] for j in range(6) if j == i or i in wrong[j]]
        sums += [math.log(sum(map(math.exp, terms))) - cosine[i][i] for terms in (row, column)]
    figures = task.step(0, torch.Generator().manual_seed(4))
    assert 0 < sum(map(len, wrong)) < 30  # some captions are masked, not all
    assert figures["loss_contrastive"] == pytest.approx(sum(sums) / 12, rel=1e-4)
    weighted = figures["loss_image_attributes"] + figures["loss_text_attributes"]
    assert figures["loss"] == pytest.approx(figures["loss_contrastive"] + config.attribute_weight * weighted, rel=1e-5)


def test_the_export_is_a_component_that_carries_its_words_and_figures(tmp_path):
    task = train(tmp_path, 2)
    manifest = json.loads((tmp_path / "minifaces-clip.json").read_text())
    assert manifest["kind"] == "clip" and manifest["step"] == 2
    assert set(manifest["info"]["measured"]["attributes"]) == set(task.data.names)
    loaded = load_network_component(tmp_path / "minifaces-clip.json")
    assert not any("head" in name for name in loaded.state_dict())
    assert loaded.config.name == "minifaces-clip" and loaded.unknown_words("a bearded man") == []
    image, texts = torch.zeros(1, 3, 64, 64), ["she wears a hat"]
    task.clip.eval()
    torch.testing.assert_close(loaded(image, texts), task.clip(image, texts), atol=0.05, rtol=0)  # stored as fp16
    again = load_clip(tmp_path / "minifaces-clip.safetensors")
    torch.testing.assert_close(again(image, texts), loaded(image, texts))


@pytest.mark.parametrize("tune", ["paper", "release"])
@pytest.mark.parametrize("architecture", ["resnet", "vit"])
def test_fine_tuning_moves_exactly_the_tuned_tensors(tmp_path, tune, architecture):
    torch.manual_seed(0)
    spec = {"kind": "words", "words": ["a", "man", "woman", "hat", "with", "wears", "he", "she"]}
    start = CLIP(CLIP.Config(model=scratch_model(architecture, 12), tokenizer=spec))
    write_component(tmp_path, "start", CLIP.kind, to_dict(start.config), start.state_dict())
    config = preset_config(
        "celebahq", clip=str(tmp_path / "start.json"), tune=tune, data=(DATA,), vocabulary=None, batch_size=4
    )
    task = CLIPTask(config, 2)
    run(task, RunConfig(str(tmp_path / "run"), 2, device="cpu"))
    after = task.clip.state_dict()
    moved = {name for name, tensor in start.state_dict().items() if not torch.equal(tensor, after[name])}
    # A key's bias cannot change any softmax; its gradient is rounding noise or zero.
    idle = {"model.visual.attnpool.k_proj.bias"}
    assert moved | idle == set(tuned_names(start, tune)) | idle
    assert set(task.optimizer.state_dict()["state"]) == set(range(len(tuned_names(start, tune))))
    group = task.optimizer.param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (5e-4, 0.01)


def test_an_image_tower_that_trains_alone_leaves_the_features_of_texts(tmp_path):
    train(tmp_path / "first", 1)
    path = str(tmp_path / "first" / "minifaces-clip.json")
    task = train(tmp_path / "second", 3, clip=path, tune="image", name="tuned")
    before, after = load_clip(path), load_clip(tmp_path / "second" / "tuned.json")
    texts, image = ["she wears a hat", "a bald man"], torch.zeros(1, 3, 64, 64)
    assert torch.equal(before.encode_text(texts), after.encode_text(texts))
    assert before.temperature_scale == after.temperature_scale
    assert not torch.equal(before.encode_image(image), after.encode_image(image)) and task.clip.training


def test_logit_scale_stays_between_0_and_ln_100(tmp_path):
    task = train(tmp_path, 1)
    for start, bound in ((9.0, MAX_LOGIT_SCALE), (-1.0, 0.0)):
        with torch.no_grad():
            task.clip.model.logit_scale.fill_(start)
        task.step(1, torch.Generator().manual_seed(0))
        assert task.clip.model.logit_scale.item() == pytest.approx(bound)


def test_the_text_head_learns_from_mentioned_attributes_only(tmp_path):
    task = train(tmp_path, 1)
    features = F.normalize(torch.randn(2, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    labels = torch.zeros(2, 14, dtype=torch.bool)
    mentions = task.reader(["a man", "a woman wearing a hat"])
    _, text_loss = task._attribute_losses(features, features, labels, mentions)
    (gradient,) = torch.autograd.grad(text_loss, task.heads["text"].weight, retain_graph=True)
    touched = gradient.abs().sum(dim=1) > 0
    assert [name for name, is_touched in zip(task.data.names, touched, strict=True) if is_touched] == ["he", "hat"]
    logits = task.heads["text"](features * 8**0.5)
    he, hat = task.data.names.index("he"), task.data.names.index("hat")
    said = torch.stack([logits[0, he], -logits[1, he], logits[1, hat]])
    torch.testing.assert_close(text_loss, F.softplus(-said).mean())


def test_the_phrase_loss_is_that_of_zero_shot_verdicts_and_a_step_counts_it(tmp_path):
    config = preset_config("minifaces", data=(DATA,), batch_size=6, augment="none", paraphrase=0.0, phrase_weight=2.0)
    task = CLIPTask(config, 10)
    task.setup(torch.device("cpu"))
    batch = task.data.training_batch(0, 6, 0)
    with torch.no_grad():
        verdicts = ZeroShotLogits(task.clip, load_vocabulary("minifaces"), task.data.names)
        logits = verdicts(task.clip.encode_image(batch.image))
        expected = F.binary_cross_entropy_with_logits(logits, batch.labels.float())
    figures = task.step(0, torch.Generator().manual_seed(4))
    assert figures["loss_phrases"] == pytest.approx(expected.item(), rel=1e-4)
    weighted = config.attribute_weight * (figures["loss_image_attributes"] + figures["loss_text_attributes"])
    contrasted = figures["loss_contrastive"] + 2 * figures["loss_phrases"]
    assert figures["loss"] == pytest.approx(contrasted + weighted, rel=1e-5)


def test_the_phrase_loss_teaches_zero_shot_verdicts_without_heads(tmp_path):
    config = preset_config("minifaces", data=(DATA,), batch_size=16, phrase_weight=8.0, attribute_weight=0.0)
    task = CLIPTask(config, 40)
    task.setup(torch.device("cpu"))
    losses = [task.step(step, torch.Generator().manual_seed(step))["loss_phrases"] for step in range(40)]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_measuring_agrees_with_prompts_compared_one_by_one(tmp_path):
    task = train(tmp_path, 2)
    clip, evaluation = task.clip.eval(), CLIPEvaluation(DATA, "minifaces", 32)
    figures = evaluation.measure(clip)
    batch = evaluation.data.batch(range(16))
    image = clip.encode_image(batch.image)
    column = batch.labels[:, batch_index := evaluation.names.index("hat")]
    assert batch_index == 6 and figures["num"] == 16 and "r_precision" not in figures  # too few for 100 candidates
    texts = [["wearing a hat", "a person who wears a hat"], ["without a hat", "a person who wears no hat"]]
    yes, no = (image @ F.normalize(clip.encode_text(side).mean(dim=0), dim=0) for side in texts)
    right = (yes > no) == column
    expected = (right[column].float().mean() + right[~column].float().mean()) / 2
    assert figures["attributes"]["hat"] == pytest.approx(expected.item())


def test_the_export_names_the_weights_it_began_with_without_their_folder(tmp_path):
    train(tmp_path / "first", 1)
    train(tmp_path / "second", 1, clip=str(tmp_path / "first" / "minifaces-clip.json"), name="tuned")
    manifest = json.loads((tmp_path / "second" / "tuned.json").read_text())
    assert manifest["info"]["training"]["clip"] == "minifaces-clip.json"


@pytest.mark.parametrize("shape", [(40, 40), (40, 30), (60, 15)])
def test_crops_are_drawn_like_torchvisions(shape):
    """Same law of sizes and places: area share in range, means of the four numbers within 4 standard errors."""
    from styleT2I.data.training.augment import _rectangle

    rng, scale, ratio = torch.Generator().manual_seed(0), (0.5, 1.0), (3 / 4, 4 / 3)
    ours = torch.tensor([_rectangle(*shape, rng, scale, ratio) for _ in range(800)], dtype=torch.float64)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        draw = torchvision.transforms.RandomResizedCrop.get_params
        theirs = [draw(torch.zeros(3, *shape), list(scale), list(ratio)) for _ in range(800)]
    theirs = torch.tensor(theirs, dtype=torch.float64)
    error = ((ours.var(dim=0) + theirs.var(dim=0)) / 800).sqrt()
    assert ((ours.mean(dim=0) - theirs.mean(dim=0)).abs() <= 4 * error + 1e-9).all()


def test_crops_have_the_asked_size_and_follow_the_generator():
    image = torch.rand(3, 3, 40, 30, generator=torch.Generator().manual_seed(2)) * 2 - 1
    crops = [random_resized_crop(image, torch.Generator().manual_seed(5), 24, (0.9, 1.0)) for _ in range(2)]
    assert crops[0].shape == (3, 3, 24, 24) and torch.equal(*crops) and crops[0].abs().max() <= 1


def test_presets_hold_the_papers_numbers():
    for name, batch_size, epochs in (("celebahq", 192, 1000), ("cub", 256, 100)):
        config = preset_config(name, clip="ViT-B-32.pt", data=(DATA,))
        assert (config.batch_size, config.epochs, config.lr, config.tune) == (batch_size, epochs, 5e-4, "paper")
        assert (config.weight_decay, config.schedule, config.augment) == (0.01, "constant", "crop")
    for name in recipe_names("clip"):
        steps, settings = read_recipe("clip", name, CLIPTrainConfig)
        assert (steps is None) == ("epochs" in settings)
    assert steps_of_epochs(preset_config("cub", clip="x.pt", data=(DATA,), batch_size=6)) == 267  # 1600 / 6 rounded up


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"tune": "papre"}, "did you mean 'paper'"),
        ({"tune": "paper"}, "add --clip FILE"),
        ({"batch_size": 1}, "batch_size starts at 2"),
        ({"architecture": "vitt"}, "did you mean 'vit'"),
        ({"temperature": 1.0}, "unknown key 'temperature'"),
    ],
)
def test_wrong_settings_are_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        preset_config("minifaces", **changes)


def test_attribute_losses_without_a_vocabulary_are_refused(tmp_path):
    train(tmp_path, 1)
    start = str(tmp_path / "minifaces-clip.json")
    config = preset_config("minifaces", clip=start, data=(DATA,), vocabulary=None, paraphrase=0.0)
    with pytest.raises(ConfigError, match="--attribute-weight 0"):
        CLIPTask(config, 1).setup(torch.device("cpu"))
    with pytest.raises(ConfigError, match="--vocabulary NAME"):
        CLIPTask(preset_config("minifaces", data=(DATA,), vocabulary=None), 1).setup(torch.device("cpu"))


def test_the_command_trains_and_writes_log_pictures_and_component(tmp_path):
    data = ["--data", DATA, "--eval-data", TEST]
    options = ["--steps", "2", "--batch", "4", "--eval-every", "1", "--device", "cpu"]
    result = CliRunner().invoke(main, ["--outdir", str(tmp_path / "run"), *data, *options])
    assert result.exit_code == 0, result.output
    log = read_stats(tmp_path / "run" / "stats.jsonl")
    assert [line["step"] for line in log] == [1, 2] and "zero_shot/lipstick" in log[0] and "worst_pair" in log[0]
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"minifaces-clip.json", "minifaces-clip.safetensors", "options.json", "nearest-000002.png"} <= names


@pytest.mark.parametrize(
    "options, message",
    [
        (["--data", "nowhere"], "no data set 'nowhere'"),
        (["--preset", "cub", "--clip", "absent.pt", "--data", DATA], "absent.pt: no such file"),
        (["--preset", "celebahq", "--data", DATA], "add --clip FILE"),
        (["--tune", "paper", "--data", DATA], "add --clip FILE"),
    ],
)
def test_mistakes_are_one_line_and_exit_status_2(tmp_path, options, message):
    result = CliRunner().invoke(main, ["--outdir", str(tmp_path / "run"), "--steps", "1", *options])
    assert result.exit_code == 2 and message in result.output
    assert len(result.output.strip().splitlines()) == 1


def berlin(folder):
    """Pictures whose captions are in words of their own."""
    captions = ["a quiet street in Berlin", "a street in Berlin at dusk", "dusk over a canal", "a red tram"]
    samples = [(f"{i}", torch.full((3, 32, 32), 40 * i, dtype=torch.uint8), [text], [i > 1], None, None)
               for i, text in enumerate(captions)]  # fmt: skip
    return write_folder_dataset(folder, samples, attribute_names=("smiling",))


def test_a_clip_from_scratch_knows_the_words_of_its_own_captions(tmp_path):
    data = str(berlin(tmp_path / "data"))
    options = ["--data", data, "--eval-data", data, "--vocabulary", "none", "--attribute-weight", "0", "--steps", "1",
               "--batch", "2", "--device", "cpu"]  # fmt: skip
    result = CliRunner().invoke(main, ["--outdir", str(tmp_path / "run"), *options])
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "run/clip.json").read_text())  # and not called minifaces-clip
    words = "a at berlin canal dusk in over quiet red street tram".split()
    assert written["config"]["tokenizer"]["words"] == words
    origin = f"11 words of the captions of {data}"
    assert written["info"]["word_list"] == origin and f"word list: {origin}\n" in result.stdout


def test_a_vocabulary_adds_its_words_and_minifaces_keeps_its_own_list(tmp_path):
    data = (str(berlin(tmp_path / "data")),)
    parts = CaptionedData(data, None).parts
    words, origin = word_list(data, parts, "minifaces")
    assert {"berlin", "lipstick", "wearing"} <= set(words) and "more of the vocabulary minifaces" in origin
    own = (DATA,)
    assert word_list(own, CaptionedData(own, None).parts, "minifaces").words == grammar_words("minifaces")
