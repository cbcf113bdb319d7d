"""What the fuzzer damages: sample files, and what a user does with them, as a value that damage must not change.

A target whose files have checksums is `verified`: a damaged file either ends in one line (or a warning) or gives the
very value of the whole one. The others are formats without checksums, and files that users write by hand, in which a
changed byte is another valid file: docs say so of each. There, nothing but what happens is checked.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import torch

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.attributes.wording.sentences import sentence
from styleT2I.config import to_dict
from styleT2I.data.dataset import open_dataset
from styleT2I.errors import StyleT2IError
from styleT2I.fairness.plan import load_plan, plan_hash
from styleT2I.fairness.subjects.images import ImagesSubject
from styleT2I.formats.check_file import SEAL
from styleT2I.formats.model_folder import MANIFEST
from styleT2I.formats.numpy_files import read_latents
from styleT2I.formats.texts.embeddings import read_embeddings
from styleT2I.generation.model import Model
from styleT2I.networks.registry import load_network, load_network_component
from styleT2I.torch_utils.files import save_safetensors_atomic, sha256_file
from styleT2I.torch_utils.images import load_image
from styleT2I.training.checkpoints import read_checkpoint, write_checkpoint
from styleT2I.training.interval import Interval
from tests.faults.fuzzing import mutators
from tests.foreign_files import write_nvidia, write_rosinality, write_tensorflow
from tests.tiny_model import tiny_a2d, tiny_generator, tiny_judge, tiny_strengths, tiny_t2d, write_tiny


@dataclass(frozen=True)
class Target:
    """`make(folder)` writes the sample and returns the files to damage; `read(folder)` uses it and returns a value.

    after: run on a damaged sample, before it is read. weight: its share of the mutants.
    """

    name: str
    make: Callable[[Path], dict[str, tuple]]  # file -> mutators
    read: Callable[[Path], object]
    is_verified: bool = False
    weight: int = 1
    after: Callable[[Path], None] | None = None


def digest(value) -> str:
    """SHA-256 of a tree of tensors, arrays and plain values."""
    state = hashlib.sha256()
    _feed(state, value)
    return state.hexdigest()


def _feed(state, value):
    if isinstance(value, torch.Tensor):
        state.update(f"{value.dtype}{list(value.shape)}".encode())
        value = value.detach().contiguous()
        state.update(value.view(torch.uint8).numpy().tobytes() if value.ndim else str(value.item()).encode())
    elif isinstance(value, dict):
        for key in sorted(value, key=repr):
            state.update(repr(key).encode())
            _feed(state, value[key])
    elif isinstance(value, (list, tuple)):
        state.update(f"{len(value)}[".encode())
        for one in value:
            _feed(state, one)
    else:
        state.update(repr(value).encode())


def _network(network):
    return {"config": to_dict(network.config), "state": network.state_dict()}


# Foreign checkpoints.


def _foreign(write, name, kinds, **options):
    def make(folder):
        write(folder / name, G_ema=tiny_generator(resolution=8, channel_max=4), **options)
        return {name: kinds}

    return make, lambda folder: _network(load_network(folder / name))


# Components and model folders of ours.


def _make_component(folder):
    write_tiny(folder, "t2d", tiny_t2d(), clip_name="tiny-clip")
    return {"t2d.json": mutators.JSON, "t2d.safetensors": mutators.BINARY}


def _read_component(folder):
    return _network(load_network_component(folder / "t2d.json"))


def _refit_component(folder):
    _unseal(folder / "t2d.json", lambda m: m.update(files={"t2d.safetensors": sha256_file(folder / "t2d.safetensors")}))


def _make_model(folder):
    from styleT2I.formats.model_folder import write_model_manifest

    parts = {"generator": tiny_generator(), "a2d": tiny_a2d(), "t2d": tiny_t2d(), "judges.guide": tiny_judge()}
    info = {role: {"clip_name": "tiny-clip"} for role in ("a2d", "t2d")}
    info["a2d"]["strengths"] = tiny_strengths()
    files = {
        role: write_tiny(folder, role.replace(".", "_"), net, **info.get(role, {})).name for role, net in parts.items()
    }
    shutil.copy(
        Path(load_vocabulary.__code__.co_filename).parent / "vocabularies/minifaces.json", folder / "words.json"
    )
    write_model_manifest(folder, "tiny", files, "words.json")
    kinds = {file: mutators.JSON for file in [MANIFEST, "words.json", *files.values()]}
    return kinds | {file.replace(".json", ".safetensors"): mutators.BINARY for file in files.values()}


def _read_model(folder):
    model = Model.from_pretrained(folder, device="cpu")
    roles = ("generator", "t2d", "a2d", "judges.guide", "judges.heldout")
    networks = {role: _network(model.network(role)) for role in roles if model.has(role)}
    strengths = model.info("a2d").get("strengths") if model.has("a2d") else None
    return networks, strengths, model.vocabulary.names if model.vocabulary else None


def _refit_model(folder):
    """Let every hash be that of the damaged file, as whoever wants to do harm would."""
    for path in folder.glob("*.json"):
        weights = path.with_suffix(".safetensors")
        if path.name not in (MANIFEST, "words.json"):
            _unseal(path, lambda m, weights=weights: m.update(files={weights.name: sha256_file(weights)}))

    def rehash(manifest):
        for entry in _entries(manifest.get("components")):
            if isinstance(entry.get("file"), str) and "\0" not in entry["file"] and (folder / entry["file"]).is_file():
                entry["sha256"] = sha256_file(folder / entry["file"])

    _unseal(folder / MANIFEST, rehash)


def _entries(tree):
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _entries(value)


def _unseal(path, change):
    """Change a manifest that can still be read as one; one that cannot stays as it is."""
    try:
        manifest = json.loads(path.read_bytes())
        manifest.pop(SEAL, None)
        change(manifest)
        path.write_text(json.dumps(manifest))
    except (ValueError, AttributeError, TypeError, OSError, RecursionError):
        pass


# Arrays, training states.


def _make_npz(folder):
    values = np.random.RandomState(0).randn(12, 8).astype(np.float32)
    np.savez(folder / "said.npz", embeddings=values, texts=np.array([f"a bird of kind {n}" for n in range(12)]))
    np.savez_compressed(folder / "packed.npz", embeddings=values)
    return {
        "said.npz": (*mutators.ANY, *(mutators.edit_zip,) * 6),
        "packed.npz": (*mutators.ANY, *(mutators.edit_zip,) * 6),
    }


def _read_npz(folder):
    found = [read_embeddings(folder / name) for name in ("said.npz", "packed.npz")]
    return [(one.values, one.texts) for one in found]


def _make_arrays(folder):
    ws = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0))
    np.save(folder / "ws.npy", ws.numpy())
    save_safetensors_atomic(folder / "ws.safetensors", {"ws": ws})
    return {"ws.npy": (*mutators.ANY, mutators.edit_number, mutators.edit_text), "ws.safetensors": mutators.BINARY}


def _read_arrays(folder):
    return read_latents(folder / "ws.npy"), read_latents(folder / "ws.safetensors")


def _make_checkpoint(folder):
    generator = torch.Generator().manual_seed(0)
    state = {
        "network": {"weight": torch.randn(4, 3, generator=generator), "bias": torch.randn(4, generator=generator)},
        "optimizer": {"state": {0: {"step": 3, "exp_avg": torch.zeros(4)}}, "param_groups": [{"betas": (0, 0.9)}]},
        "run": {"best": 0.5, "skipped": 2},
    }  # fmt: skip
    options = {"task": "judge", "settings": {"lr": 0.01, "data": "minifaces:biased/train"}, "run": {"seed": 3}}
    write_checkpoint(folder, 6, state, options, keep=2, interval=Interval().state())
    return {"ckpt-00000006.json": mutators.JSON, "ckpt-00000006.safetensors": mutators.BINARY}


def _read_checkpoint(folder):
    found = read_checkpoint(folder / "ckpt-00000006.json")
    return found.step, found.state, found.options, found.interval


# Files that users write.

PLAN = """name: lipstick
num: 50
first_seed: 3
compositions: [he+lipstick, lipstick+she, "he+no beard"]
grid: {axes: [[he, she], [hat, eyeglasses]], exclude: [she+hat]}
comparisons:
- {name: lipstick, first: she+lipstick, second: he+lipstick}
thresholds:
- {comparison: lipstick, max_gap: 0.1}
sentences: {he+lipstick: "a man who wears lipstick"}
unprompted:
- {prompt: lipstick, attribute: he, training_share: 0.2}
training_shares: {he+lipstick: 0.01}
truncation: [0.7, 0.5]
adjustment: [hold, none]
alpha: 0.05
"""


def _make_plan(folder):
    (folder / "plan.yaml").write_text(PLAN)
    return {"plan.yaml": mutators.TEXT}


def _read_plan(folder):
    plan, vocabulary = load_plan(folder / "plan.yaml")
    return plan_hash(plan), plan.settings, plan.sentences_of(vocabulary)


def _make_table(folder):
    (folder / "plan.yaml").write_text("name: x\ncompositions: [he+lipstick, she+lipstick]\n")
    (folder / "pictures").mkdir()
    rows = [("file", "prompt", "composition", "seed")]
    for i in range(6):
        PIL.Image.new("RGB", (8, 8), (40 * i, 90, 10)).save(folder / f"pictures/{i}.png")
        rows.append((f"{i}.png", "he, wearing lipstick" if i % 2 else "", ("he", "she")[i % 2] + "+lipstick", i // 2))
    with open(folder / "table.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return {"table.csv": mutators.TEXT}


def _read_table(folder):
    subject = ImagesSubject(folder / "pictures", folder / "table.csv")
    subject.prepare(*load_plan(folder / "plan.yaml"))
    return subject.describe(), subject.is_paired


VOCABULARY = {
    "format_version": 1, "name": "mine", "subject": {"noun": "bird", "pronoun": "it"}, "lexicon": "bird",
    "lists": {"red": ["red", "scarlet"], "hues": {"blue": ["blue"], "green": ["green", "emerald"]}},
    "parts": {"wing": {"nouns": ["wing", "wings"], "ed": ["winged"]}}, "degree": ["very"],
    "attributes": [
        {"name": "tall", "antonym": "short", "region": None, "visibility": "x",
         "true": {"phrase": "tall", "verb": "adjective", "synonyms": ["high"]},
         "false": {"phrase": "short", "verb": "adjective", "scalar": True}},
        {"name": "crest", "region": "hair", "true": {"phrase": "a crest", "things": ["crest"], "nouns": ["dandy"]},
         "false": {"phrase": "no crest", "lacks": ["crest"], "adjectives": {"wing": ["@red"]}}},
    ],
    "families": [
        {"name": "colour", "parts": ["wing"], "values": "@hues", "phrase": "{} wings", "nouns": {"blue": ["jay"]}},
    ],
    "exclusive": [{"name": "g", "attributes": ["tall", "crest"], "exactly_one": True}],
}  # fmt: skip


def _make_vocabulary(folder):
    (folder / "mine.json").write_text(json.dumps(VOCABULARY))
    return {"mine.json": mutators.JSON}


def _read_vocabulary(folder):
    vocabulary = load_vocabulary(folder / "mine.json")
    load_vocabulary.__globals__["_load"].cache_clear()
    said = [sentence({name: value}, vocabulary) for name in vocabulary.names for value in (True, False)]
    return [parse(text, vocabulary).attributes for text in [*said, "a tall bird with blue wings and no crest"]]


# Pictures and data sets.


def _picture(kind, **options):
    name = f"picture.{kind.lower()}"

    def make(folder):
        y, x = np.mgrid[0:24, 0:32]
        array = np.stack([8 * x, 10 * y, 90 + 0 * x], axis=2).astype(np.uint8)
        PIL.Image.fromarray(array).save(folder / name, kind, **options)
        return {name: mutators.BINARY}

    return make, lambda folder: load_image(folder / name)


def _write_data(folder):
    (folder / "masks").mkdir(parents=True)
    (folder / "images").mkdir()
    rows, nuisances, captions = ["file,he,smiling"], ["file,yaw"], {}
    for i in range(3):
        PIL.Image.new("RGB", (8, 8), (80 * i, 20, 70)).save(folder / f"images/{i}.png")
        PIL.Image.fromarray(np.full((8, 8), 1 + i, np.uint16)).save(folder / f"masks/{i}.png")
        rows.append(f"{i},{i % 2},1")
        nuisances.append(f"{i}.png,{i / 3}")
        captions[str(i)] = [f"face {i}", "a face"] if i else "the first face"
    (folder / "attributes.csv").write_text("\n".join(rows) + "\n")
    (folder / "nuisances.csv").write_text("\n".join(nuisances) + "\n")
    (folder / "captions.json").write_text(json.dumps(captions))
    (folder / "dataset.json").write_text(json.dumps({"resolution": 8, "name": "x"}))
    (folder / "masks/regions.json").write_text(json.dumps({"encoding": "bits", "regions": ["hair", "skin"]}))


def _make_data(folder):
    _write_data(folder / "set")
    tables = {
        "set/captions.json": mutators.JSON,
        "set/dataset.json": mutators.JSON,
        "set/masks/regions.json": mutators.JSON,
    }
    return tables | {
        "set/attributes.csv": mutators.TEXT,
        "set/nuisances.csv": mutators.TEXT,
        "set/masks/1.png": mutators.BINARY,
    }


def _read_data(folder):
    data = open_dataset(folder / "set")
    batch = data.batch(range(len(data)))
    return batch.images_u8, batch.captions, batch.attributes, batch.masks, batch.nuisances, data.attribute_names


def _make_zip(folder):
    _write_data(folder / "set")
    with zipfile.ZipFile(folder / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted((folder / "set").rglob("*.*")):
            archive.write(file, file.relative_to(folder / "set").as_posix())
    shutil.rmtree(folder / "set")
    return {"set.zip": (*mutators.ANY, *(mutators.edit_zip,) * 6)}


def _read_zip(folder):
    data = open_dataset(folder / "set.zip")
    batch = data.batch(range(len(data)))
    return batch.images_u8, batch.captions, batch.attributes, batch.masks, batch.nuisances


TARGETS = {
    target.name: target
    for target in (
        Target("torch zip", *_foreign(write_rosinality, "g.pt", mutators.ZIP), is_verified=True, weight=3),
        Target("torch before 1.6", *_foreign(write_rosinality, "g.pt", mutators.PICKLE, legacy=True)),
        Target("nvidia pickle", *_foreign(write_nvidia, "g.pkl", mutators.PICKLE), weight=2),
        Target("tensorflow pickle", *_foreign(write_tensorflow, "g.pkl", mutators.PICKLE), weight=2),
        Target("component", _make_component, _read_component, is_verified=True, weight=3),
        Target("component, hashes made to fit", _make_component, _read_component, weight=3, after=_refit_component),
        Target("model folder", _make_model, _read_model, is_verified=True, weight=3),
        Target("model folder, hashes made to fit", _make_model, _read_model, weight=3, after=_refit_model),
        Target("npz", _make_npz, _read_npz, is_verified=True, weight=2),
        Target("npy and safetensors latents", _make_arrays, _read_arrays),
        Target("training checkpoint", _make_checkpoint, _read_checkpoint, is_verified=True, weight=2),
        Target("plan", _make_plan, _read_plan, weight=3),
        Target("table of an audit", _make_table, _read_table, weight=2),
        Target("vocabulary", _make_vocabulary, _read_vocabulary, weight=3),
        Target("png", *_picture("PNG"), is_verified=True, weight=2),
        *(Target(kind.lower(), *_picture(kind)) for kind in ("JPEG", "BMP", "GIF", "WEBP", "TIFF")),
        Target("data folder", _make_data, _read_data, weight=2),
        Target("data zip", _make_zip, _read_zip, weight=2),
    )
}


def outcome(target: Target, folder: Path) -> tuple[str, str]:
    """("loaded", digest of the value), ("refused", the line), or ("crashed", the error)."""
    try:
        return "loaded", digest(target.read(folder))
    except StyleT2IError as error:
        return "refused", str(error)
    except BaseException as error:
        return "crashed", f"{type(error).__name__}: {error}"[:500]
