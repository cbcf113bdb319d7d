"""Training checkpoints that were changed since they were written: refused in one line, never resumed otherwise."""

import copy
import json
import random
import warnings

import pytest

from styleT2I.errors import CheckpointError
from styleT2I.formats.check_file import SEAL, sealed
from styleT2I.training import checkpoints
from styleT2I.training.checkpoints import read_checkpoint
from tests.toy_training import ToyTask, toy_run

NUM_MUTANTS = 400
STRANGE = (None, True, -1, 1.5, float("nan"), "x", "", [], {}, [1], {"a": 1}, 10**30, [[]], {"tensor": "no"}, "../x")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    toy_run(folder, steps=4, log_every=3)
    return folder


@pytest.fixture
def manifest(folder):
    path = folder / "ckpt-00000004.json"
    before = path.read_bytes()
    yield path
    path.write_bytes(before)


def places(value, path=()):
    """Every place in nested JSON."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def replaced(value, path, new):
    """A copy with what stands at a place replaced, or taken out where new is ...."""
    value = copy.deepcopy(value)
    if not path:
        return new
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    if new is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return value


def test_a_changed_bit_is_refused_or_changes_nothing(manifest):
    data, draw, num_refused = manifest.read_bytes(), random.Random(7), 0
    whole = json.loads(data)
    for _ in range(NUM_MUTANTS):
        mutant = bytearray(data)
        mutant[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        manifest.write_bytes(mutant)
        try:
            read_checkpoint(manifest)
            assert json.loads(mutant) == whole, "a change was not seen"  # of spaces between the entries
        except CheckpointError as error:
            num_refused += 1
            assert "\n" not in str(error)
    assert num_refused > NUM_MUTANTS / 2


def test_another_learning_rate_does_not_resume(manifest, folder):
    text = manifest.read_text()
    assert '"lr",\n' in text or '"lr"' in text
    manifest.write_text(text.replace("0.01", "0.03"))
    with pytest.raises(CheckpointError, match="its SHA-256 is not the one it names"):
        read_checkpoint(manifest)


def test_a_manifest_of_anything_is_one_line(manifest, folder):
    """The hash fits: whoever changed the file knew how."""
    whole, draw = json.loads(manifest.read_text()), random.Random(11)
    whole.pop(SEAL)
    every = [path for path in places(whole) if path]
    for _ in range(NUM_MUTANTS):
        new = draw.choice((*STRANGE, ...))
        changed = replaced(whole, draw.choice(every), new)
        manifest.write_text(json.dumps(sealed(changed) if isinstance(changed, dict) else changed))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                toy_run(folder, steps=4, log_every=3, resume=str(manifest), task=Reader())
        except (CheckpointError, Loaded) as error:
            assert "\n" not in str(error)


class Loaded(Exception):
    """The state was taken over."""


class Reader(ToyTask):
    """A task that ends once it has its state."""

    def load_state_dict(self, state):
        super().load_state_dict(state)
        raise Loaded

    def export(self, outdir, step):
        raise Loaded


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"7", b"null", b'{"format_version": 1, "kind": "training-state"}', b"[" * 200_000]
)
def test_what_is_no_checkpoint_is_one_line(manifest, content):
    manifest.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(manifest)
    assert "\n" not in str(caught.value)


def test_a_large_state_is_kept_once_and_only_after_it_was_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "LARGE", 100)
    toy_run(tmp_path / "sound", steps=12)
    assert [path.name for path in (tmp_path / "sound").glob("ckpt-*.json")] == ["ckpt-00000012.json"]
    monkeypatch.setattr(checkpoints, "sha256_file", lambda path: "0" * 64)
    with pytest.warns(UserWarning, match="reads back otherwise than it was written, so the one before it is kept"):
        toy_run(tmp_path / "failing", steps=12)
    assert len(list((tmp_path / "failing").glob("ckpt-*.json"))) == 2
