"""What the names in the samples stand for, in small: STAND_INS has a function for each that writes it.

A file is told by its content, so a tiny checkpoint also serves under the name of a well-known one.
"""

import re
import zipfile
from pathlib import Path

import numpy as np
import torch
import yaml

from styleT2I.baselines.attngan import AttnGANConfig, AttnGANGenerator
from styleT2I.baselines.dfgan import DFGANConfig, DFGANGenerator
from styleT2I.data.minifaces.dataset import MiniFaces
from styleT2I.data.portraits.scenes.recipe import read_spec
from styleT2I.data.portraits.sets.rendering import render_set
from styleT2I.data.writer import write_folder_dataset
from styleT2I.torch_utils.images import save_png
from tests.celebahq_release import write_release
from tests.clip_containers import write_container
from tests.conftest import ROOT
from tests.foreign_files import save_damsm_text, write_nvidia, write_rosinality
from tests.plain_clip import random_state
from tests.real_scale import write_vectors
from tests.stub_portraits import stub_renderer
from tests.tiny_model import tiny_clip, tiny_generator, tiny_judge, tiny_t2d, write_tiny, write_tiny_model
from tests.tiny_systems import write_system

BIRD = "<end> a red bird this is with white and has very short beak".split()
PLAN = {
    "name": "lipstick",
    "num": 4,
    "compositions": ["she+lipstick", "he+lipstick"],
    "comparisons": [{"name": "lipstick", "first": "she+lipstick", "second": "he+lipstick"}],
}


def _component(network):
    """Writes the network as the component NAME.json."""
    return lambda path: write_tiny(path.parent, path.stem, network())


def _system(role, reader=None):
    return lambda path: write_system(path, role, reader)


def _nvidia(path):
    write_nvidia(path, G_ema=tiny_generator())


def _openai_clip(path):
    """A tiny CLIP of OpenAI's vocabulary, as OpenAI's archives hold one."""
    state = random_state(context=77, vocab=49408, embed=8)
    scalars = {"input_resolution": 24, "context_length": 77, "vocab_size": 49408}
    write_container(path, "torchscript", {**state, **{name: torch.tensor(n) for name, n in scalars.items()}})


def _faces(path):
    """A data set of captioned faces."""
    batch = MiniFaces("biased", "train", 24, 64, seed=0).batch(range(24))
    write_folder_dataset(path, ((f"{i:04d}", batch.images_u8[i], batch.captions[i], (), None, ()) for i in range(24)))


def _glove(path):
    _faces(path.parent / "captioned")
    write_vectors(path, path.parent / "captioned", dim=300)


def _image(path):
    batch = MiniFaces("biased", "test", 2, 64, seed=0).batch([int(path.stem == "b")])
    save_png(path, batch.images_u8[0])


def _images(path):
    path.mkdir()
    for i, image in enumerate(MiniFaces("biased", "test", 24, 64, seed=0).batch(range(24)).images_u8):
        save_png(path / f"{i:04d}.png", image)


def _zip(path):
    _faces(path.with_suffix(""))
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(path.with_suffix("").rglob("*.*")):
            archive.write(file, file.relative_to(path.with_suffix("")))


def _embeddings(path):
    values = np.random.RandomState(0).randn(13, 6)
    if path.suffix == ".npy":
        np.save(path, values)
    else:
        np.savez(path, embeddings=values, texts=np.array([f"bird {i}" for i in range(12)] + ["a red bird"]))


def _damsm_text(path):
    save_damsm_text(path.parent, BIRD).rename(path)


def _attngan():
    return AttnGANGenerator(AttnGANConfig(text_dim=6, z_dim=3, cond_dim=2, width=2, num_stages=2, first_resolution=8))


def _dfgan():
    return DFGANGenerator(DFGANConfig(6, 3, (6, 4)))


def _model(path):
    """A model with everything that the suites ask."""
    observers = {"judges.heldout": tiny_judge(seed=7, nuisances=("roll",)), "clip_eval": tiny_clip("other")}
    write_tiny_model(path, onlookers=observers)


def _function(path):
    path.write_text("from tests.fake_faces import draw\n", encoding="utf-8")


def _plan(path):
    judge = {"kind": "python", "source": "tests.fake_faces:look"}
    path.write_text(yaml.safe_dump({**PLAN, "judge": judge}), encoding="utf-8")


def _published_plan(path):
    path.write_bytes((ROOT / "docs" / "audit" / path.name).read_bytes())


def _rendered(_):
    """A few flat portraits in the user's cache."""
    recipe, _ = read_spec("biased/train")
    for _ in render_set(recipe.cache_folder(), recipe, range(8), renderer=stub_renderer):
        pass


STAND_INS = {
    "ffhq.pkl": _nvidia,
    "stylegan2-ada-ffhq-1024": _nvidia,
    "FILES/ffhq256.pkl": _nvidia,
    '"ffhq.pt"': lambda path: write_rosinality(path, G_ema=tiny_generator()),
    "ViT-B-32.pt": _openai_clip,
    "clip-vit-b-32": _openai_clip,
    "FILES/ViT-B-32.pt": _openai_clip,
    "G.json": _component(tiny_generator),
    "C.json": _component(tiny_clip),
    "runs/generator/generator.json": _component(tiny_generator),
    "runs/clip/clip.json": _component(tiny_clip),
    "runs/t2d/t2d.json": _component(tiny_t2d),
    "runs/judge/judge-guide.json": _component(tiny_judge),
    "glove.6B.300d.txt": _glove,
    "FILES/vectors.txt": _glove,
    "MODEL": _model,
    "DIR": _model,
    "JUDGES": _model,
    "runs/portraits/guide/judge-guide.json": _component(tiny_judge),
    "runs/portraits/heldout/judge-heldout.json": _component(tiny_judge),
    "FOLDER": _faces,
    "CELEBAHQ": _faces,
    "FILES/faces": _faces,
    "faces.zip": _zip,
    "photos": _images,
    "a.png": _image,
    "face.png": _image,
    "b.png": _image,
    "CelebAMask-HQ": write_release,
    "runs/gan_int_cls": _system("gan_int_cls"),
    "runs/attngan": _system("attngan"),
    "runs/dfgan": _system("dfgan", reader="clip"),
    "runs/dfgan-shuffled": _system("dfgan", reader="clip"),
    "runs/unclip": _system("unclip"),
    "bird_AttnGAN2.json": _component(_attngan),
    "state_epoch_1220.json": _component(_dfgan),
    "netG_epoch_90.json": _component(_dfgan),
    "text_encoder200.pth": _damsm_text,
    "sentences.npz": _embeddings,
    "sentences.npy": _embeddings,
    "my_pipeline": lambda path: _function(path.with_suffix(".py")),
    "plan.yaml": _plan,
    "docs/audit/minifaces.yaml": _published_plan,
    "portraits:biased/train": _rendered,
}


def put_stand_ins(code):
    """Write into the working folder what the code names and no earlier sample has made."""
    for name, write in STAND_INS.items():
        path = Path(name.strip('"'))
        if re.search(rf"(?<![\w/.-])(?<!--outdir )(?<!--out ){re.escape(name)}(?![\w-])", code) and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path)
