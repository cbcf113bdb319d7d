"""The networks of one model, loaded on first use, checked against each other, saved as a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from styleT2I.attributes.vocabulary import BUILT_IN, Vocabulary, load_vocabulary
from styleT2I.config import suggestion, to_dict
from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.formats.component import Component, is_component, read_own, write_component
from styleT2I.formats.model_folder import (
    MANIFEST,
    ROLES,
    ModelFolder,
    check_agreement,
    facts_of,
    read_model_folder,
    told_where_from,
    write_model_manifest,
)
from styleT2I.networks.registry import load_network_component
from styleT2I.networks.stylegan2.config import check_draws_faces, check_precision, set_precision
from styleT2I.sources.resolve import MODEL, resolve
from styleT2I.torch_utils.files import write_bytes_atomic
from styleT2I.torch_utils.hardware.devices import resolve_device

STEERING_ROLES = ("t2d", "a2d", "encoder")  # networks that write into one generator's latent space


class Model:
    """Networks by role (formats.model_folder.ROLES) and the vocabulary their attributes are named in, on one device."""

    def __init__(
        self, sources: dict, *, vocabulary=None, device="auto", name: str = "custom", offline=None, precision="fp32"
    ):
        """sources: role -> network, component, or any source of one (sources.resolve); None leaves the role empty.

        vocabulary: a Vocabulary, an embedded one's name or the path of its file; None: attributes are not read.
        offline: True downloads nothing, None as the environment says. precision: of the generator's highest
        resolutions, on a CUDA device also "fp16" or "bf16" (networks.stylegan2.config).
        """
        for role in sources:
            if role not in ROLES:
                raise ConfigError(f"unknown component {role!r}; a model has {', '.join(ROLES)} and a vocabulary")
        self.name = name
        is_loaded = vocabulary is None or isinstance(vocabulary, Vocabulary)
        self.use_vocabulary(vocabulary if is_loaded else load_vocabulary(vocabulary), None if is_loaded else vocabulary)
        self.device = resolve_device(device)
        check_precision(precision, self.device)
        self.precision = precision
        self.offline = offline
        self.sources = {role: source for role, source in sources.items() if source is not None}
        self.left_out: dict[str, str] = {}  # role -> model, of direction networks left behind
        self._networks: dict[str, torch.nn.Module] = {}
        self._hashes: dict[str, str | None] = {}
        self._steps: dict[str, int | None] = {}
        self._infos: dict[str, dict] = {}

    @classmethod
    def from_pretrained(
        cls, model: str | Path, *, vocabulary=None, device="auto", offline=None, precision="fp32", **replacements
    ) -> Model:
        """Open a model: a folder, a name, an address or hf://owner/name; replacements take its components' places.

        A replaced generator leaves the model's direction networks behind, in `left_out`: they steer another latent
        space.
        """
        folder = read_model_folder(resolve(model, MODEL, offline=offline))
        settings = {"vocabulary": vocabulary, "device": device, "offline": offline, "precision": precision}
        return cls.from_folder(folder, str(model), **settings, **replacements)

    @classmethod
    def from_folder(
        cls,
        folder: ModelFolder,
        source: str,
        *,
        vocabulary=None,
        device="auto",
        offline=None,
        precision="fp32",
        **replacements,
    ) -> Model:
        """As `from_pretrained`, of a folder that has been read; source: how the user names it."""
        files = dict(folder.files)
        if replacements.get("generator") is not None:
            files = {role: file for role, file in files.items() if role not in STEERING_ROLES}
        given = {role: source for role, source in replacements.items() if source is not None}
        settings = {"device": device, "offline": offline, "precision": precision}
        opened = cls(files | given, vocabulary=vocabulary or _vocabulary_of(folder), name=folder.name, **settings)
        opened.left_out = {role: source for role in folder.files if role not in opened.sources}
        return opened

    def use_vocabulary(self, vocabulary: Vocabulary | None, source: str | Path | None = None) -> None:
        """Name attributes in a vocabulary, or in none; source: its name or file, which `save` and audits need."""
        self.vocabulary = vocabulary
        self.vocabulary_source = str(source) if source else vocabulary and vocabulary.name

    def network(self, role: str) -> Any:
        """The module of a role; CheckpointError when there is none, or it contradicts those loaded before."""
        if role not in self._networks:
            if role not in self.sources:
                raise CheckpointError(self._missing(role))
            network, self._hashes[role], self._steps[role], info = self._load(role, self.sources[role])
            if role in ("t2d", "a2d") and network.config.space == "w" and self.has("generator"):
                network.repeat_over(self.network("generator").num_ws)
            if role == "generator":
                check_draws_faces(network.config, self._where(role))
                set_precision(network, self.precision)
            facts = {self._where(r): facts_of(r, to_dict(n.config), self._infos[r]) for r, n in self._networks.items()}
            check_agreement({**facts, self._where(role): facts_of(role, to_dict(network.config), info)})
            self._networks[role], self._infos[role] = network, info
        return self._networks[role]

    def has(self, role: str) -> bool:
        """Whether the model has a network for this role."""
        return role in self.sources

    def info(self, role: str) -> dict:
        """What the component of a role says about its making; {} for one built in memory, errors as `network`."""
        self.network(role)
        return self._infos[role]

    def describe(self, *, unused: bool = False) -> dict:
        """Name of the model and, for every network in use, the hash of its component (None for one built in memory).

        unused: for those too that nothing has asked for yet, whose files must be there.
        """
        hashes = dict(self._hashes)
        if unused:
            hashes = {role: hashes[role] if role in hashes else self._hash(role) for role in self.sources}
        return {"name": self.name, "components": hashes}

    def machine(self) -> dict:
        """What images follow from beside the model: the device, torch's number of threads, the precision."""
        threads = torch.get_num_threads()
        return {"device": str(self.device), "threads": threads, "precision": self.precision}

    def save(self, folder: str | Path, name: str | None = None, *, half: bool = False, licence=None) -> Path:
        """Write every component, a model card and a model.json, which is returned; `from_pretrained` opens the folder.

        half stores the weights as fp16. licence: of the model, for its card; a README.md of another's hand is left as
        it is. Raises OutputError, or CheckpointError where components do not fit.
        """
        from styleT2I.formats.model_card import has_other_card, write_model_card
        from styleT2I.torch_utils.folders import staged_folder

        for role in self.sources:
            self.network(role)  # all must load and agree before the first is written
        with staged_folder(folder, MANIFEST) as staging:
            files = {}
            for role, network in self._networks.items():
                kind = str(network.kind)
                stem = role.replace(".", "_")
                config, state = to_dict(network.config), network.state_dict()
                made = {"step": self._steps[role], "info": self._infos[role]}
                write_component(staging, stem, kind, config, state, half=half, **made)
                files[role] = f"{stem}.json"
            name, vocabulary = name or self.name, self._saved_vocabulary(staging)
            if not has_other_card(Path(folder)):
                write_model_card(staging, name, files, vocabulary, licence)
            write_model_manifest(staging, name, files, vocabulary)
        return Path(folder) / MANIFEST

    def _load(self, role, source):
        if isinstance(source, torch.nn.Module):
            return _unwrapped(role, source).to(self.device).eval(), None, None, {}
        is_read = isinstance(source, Component)
        component = source if is_read else _read(resolve(source, role, offline=self.offline))
        if component.kind != ROLES[role]:
            raise CheckpointError(f"{component.path}: is a {component.kind!r}, but the {role} is a {ROLES[role]!r}")
        network = load_network_component(component, self.device)
        return network, component.sha256, component.step, _info(component)

    def _hash(self, role):
        source = self.sources[role]
        if isinstance(source, torch.nn.Module):
            return None
        if isinstance(source, Component):
            return source.sha256
        from styleT2I.formats.foreign.registry import network_sha256

        return network_sha256(resolve(source, role, offline=self.offline))

    def _where(self, role):
        source = self.sources.get(role, "FILE")
        if isinstance(source, Component):
            return str(source.path)
        return f"the {role} given" if isinstance(source, torch.nn.Module) else str(source)

    def _missing(self, role):
        if role not in STEERING_ROLES:
            return f"model {self.name!r} has no {role}; it has {', '.join(self.sources) or 'nothing'}"
        what, needs = {
            "t2d": ("Text-to-Direction", "--data DATA"),
            "a2d": ("Attribute-to-Direction", "--judge JUDGE --segmenter SEGMENTER"),
            "encoder": ("latent encoder", "--judge JUDGE"),
        }[role]
        command = f"python -m styleT2I.train_{role} --generator {self._where('generator')}"
        command += "" if role == "encoder" else f" --clip {self._where('clip')}"
        training = f"train one with: {command} {needs} --outdir DIR"
        if role not in self.left_out:
            return f"model {self.name!r} has no {what if role == 'encoder' else f'{what} network'}; {training}"
        return (
            f"the {role} of model {self.name!r} steers that model's own generator, which {self._where('generator')} "
            f"replaces; name another with --{role} FILE (--{role} {self.left_out[role]} takes it all the same), "
            f"or {training}"
        )

    def _saved_vocabulary(self, folder):
        """The manifest's entry: the name of an embedded vocabulary, or of the file copied into the folder."""
        if self.vocabulary is None or self.vocabulary.name in BUILT_IN:
            return self.vocabulary and self.vocabulary.name
        if self.vocabulary_source == self.vocabulary.name:
            raise ConfigError("a vocabulary built in memory cannot be saved; give the path of its JSON file instead")
        write_bytes_atomic(folder / "vocabulary.json", Path(self.vocabulary_source).read_bytes())
        return "vocabulary.json"


def _read(path):
    """The network of any file; the formats of other projects are imported when one of theirs is read."""
    if is_component(path):
        with told_where_from(path):
            return read_own(path)
    from styleT2I.formats.foreign.registry import read_network

    return read_network(path)


def _info(component):
    """What a component says of its making, and of a foreign file also where that came from."""
    if is_component(component.path):
        return component.info
    from styleT2I.sources.registry import info_with_origin

    return info_with_origin(component)


def _unwrapped(role, network):
    """The network itself, or of a CLIP the one that another package's object stands for."""
    if ROLES[role] != "clip":
        return network
    from styleT2I.networks.clip.loading import clip_of_object

    return clip_of_object(network)


def _vocabulary_of(folder):
    """What a model folder names: an embedded vocabulary, or its own file, read already so that its faults are named."""
    if folder.vocabulary is None or folder.vocabulary in BUILT_IN:
        return folder.vocabulary
    path = Path(folder.vocabulary)
    if path.parent != folder.path:  # a name: it must not be looked for on this disk
        hint = suggestion(folder.vocabulary, BUILT_IN)
        raise CheckpointError(f"{folder.path / MANIFEST}: unknown vocabulary {folder.vocabulary!r}{hint}")
    try:
        load_vocabulary(path)
    except ConfigError as error:
        raise CheckpointError(str(error)) from error
    return path
