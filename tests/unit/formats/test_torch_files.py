"""Pickles and torch files read as data: the same values as Python's and torch's own readers give."""

import argparse
import math
import pickle
from collections import OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch

from styleT2I.errors import CheckpointError, UnsafeFileError
from styleT2I.formats.pickles.blobs import Blob
from styleT2I.formats.pickles.limits import Limits
from styleT2I.formats.pickles.machine import read_pickle
from styleT2I.formats.pickles.records import Names, Record
from styleT2I.formats.pickles.tensors import TensorRef
from styleT2I.formats.pickles.torch_files import open_checkpoint, read_torch_file

TYPES = (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8,
         torch.bool)  # fmt: skip
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def plain_values():
    shared = [1, 2]
    return {"none": None, "bools": [True, False], "ints": [0, -1, 255, 256, 65535, 65536, -(2**31), -(2**63), 2**90],
            "floats": [0.0, -1.5, 1e300, math.inf], "texts": ["", "ä", "日本", "a\nb\\c'\"", "x" * 300, "y" * 70000],
            "bytes": [b"", b"\x00\xff", b"z" * 2000], "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
            "nested": {"a": {"b": [{"c": (1, [2])}]}}, 3: "key", "shared": [shared, shared],
            "sets": [{1, 2}, frozenset({"a"}), set()], "ordered": OrderedDict([("b", 1), ("a", 2)]),
            "long": list(range(3000))}  # fmt: skip


def write(path, value, protocol=4):
    path.write_bytes(pickle.dumps(value, protocol))
    return path


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values_of_every_protocol_come_back(tmp_path, protocol):
    found = read_torch_file(write(tmp_path / "a.pkl", plain_values(), protocol))
    assert found == plain_values()
    assert list(found["ordered"]) == ["b", "a"] and type(found["ordered"]) is dict


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpy_arrays_and_numbers_come_back(tmp_path, protocol):
    random = np.random.RandomState(0)
    arrays = {"c": random.randn(3, 4, 5).astype("f4"), "fortran": np.asfortranarray(random.randn(30, 40)),
              "scalar": np.array(2.5, "f4"), "empty": np.zeros((0, 3), "f4"), "half": random.randn(7).astype("f2"),
              "int": np.arange(-3, 5, dtype="i8"), "bool": np.array([True, False]), "byte": np.arange(9, dtype="u1"),
              "big_endian": random.randn(6).astype(">f4"), "strided": random.randn(8, 8)[::2, 1:5]}  # fmt: skip
    values = {"f4": np.float32(0.1), "f8": np.float64(0.1), "i8": np.int64(-5), "bool": np.bool_(True)}
    found, numbers = read_torch_file(write(tmp_path / "a.pkl", (arrays, values), protocol))
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name].numpy(), array, err_msg=name)
        assert found[name].numpy().dtype == array.dtype.newbyteorder("="), name
    assert numbers == values and all(type(value) in (int, float, bool) for value in numbers.values())


@pytest.mark.parametrize("legacy", [False, True])
def test_torch_files_come_back_as_torch_itself_reads_them(tmp_path, legacy):
    whole = torch.arange(60.0).reshape(3, 4, 5)
    content = {"views": [whole, whole[1], whole.transpose(0, 2), whole[:, ::2, 1:]], "scalar": torch.tensor(3.0),
               "empty": torch.zeros(0, 4), "parameter": torch.nn.Parameter(torch.ones(3)),
               "types": [torch.ones(3, dtype=dtype) for dtype in TYPES],
               "model": torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).state_dict(),
               "size": torch.Size([1, 2]), "device": torch.device("cuda:1"), "number": 3}  # fmt: skip
    torch.save(content, tmp_path / "a.pt", _use_new_zipfile_serialization=not legacy)
    found = read_torch_file(tmp_path / "a.pt")

    def compare(a, b, where):
        if isinstance(b, torch.Tensor):
            assert a.dtype == b.dtype and torch.equal(a, b) and a.is_contiguous(), where
        elif isinstance(b, (dict, OrderedDict)):
            assert list(a) == list(b), where
            for key in b:
                compare(a[key], b[key], f"{where}/{key}")
        elif isinstance(b, list):
            for index, pair in enumerate(zip(a, b, strict=True)):
                compare(*pair, f"{where}/{index}")
        else:
            assert a == (str(b) if isinstance(b, torch.device) else b), where

    compare(found, content, "")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tensors_in_bare_pickles_come_back(tmp_path, protocol):
    tied = torch.randn(300, generator=torch.Generator().manual_seed(0))
    path = write(tmp_path / "a.pkl", {"a": tied, "again": tied, "p": torch.nn.Parameter(tied[:5])}, protocol)
    found = read_torch_file(path)
    assert torch.equal(found["a"], tied) and found["again"] is found["a"] and torch.equal(found["p"], tied[:5])


def test_a_namespace_is_a_record_of_its_attributes(tmp_path):
    args = argparse.Namespace(size=256, path=Path("a/b"), counts=defaultdict(int, a=1))
    torch.save({"args": args}, tmp_path / "a.pt")
    found = read_torch_file(tmp_path / "a.pt")["args"]
    assert isinstance(found, Record) and found.name == "argparse.Namespace"
    assert found.state == {"size": 256, "path": "a/b", "counts": {"a": 1}}


def test_only_what_is_loaded_is_read(tmp_path):
    torch.save({"wanted": torch.ones(2000), "other": torch.zeros(2000)}, tmp_path / "a.pt")
    whole = bytearray((tmp_path / "a.pt").read_bytes())
    whole[whole.index(bytes(8000))] = 1  # damages a tensor that is never asked for
    (tmp_path / "a.pt").write_bytes(whole)
    with open_checkpoint(tmp_path / "a.pt") as content:
        assert isinstance(content.tree["wanted"], TensorRef) and content.tree["other"].shape == (2000,)
        assert torch.equal(content.tree["wanted"].load(), torch.ones(2000))
        with pytest.raises(CheckpointError, match="checksum"):
            content.tree["other"].load()


def read(value, names=None, limits=None, **kwargs):
    blob = Blob.of_bytes(pickle.dumps(value), "here")
    return read_pickle(blob, names or Names(), **({"limits": limits} if limits else {}), **kwargs)[0]


def test_without_names_only_plain_values_are_read():
    assert read({"a": [1, (2.5, None)]}) == {"a": [1, (2.5, None)]}
    with pytest.raises(UnsafeFileError, match="here: the pickle in it asks for 'collections.OrderedDict'"):
        read(OrderedDict())


@pytest.mark.parametrize("limits, value", [
    (Limits(opcodes=20), list(range(100))),
    (Limits(containers=5), [[], [], [], [], [], []]),
    (Limits(depth=5), [[[[[[[]]]]]]]),
    (Limits(nodes=20), list(range(100))),
])  # fmt: skip
def test_limits_are_kept(limits, value):
    assert read(value) == value
    with pytest.raises(UnsafeFileError):
        read(value, limits=limits)


def test_shared_parts_count_at_each_of_their_places():
    value = "leaf"
    for _ in range(12):
        value = [value, value]
    read(value, limits=Limits(nodes=10_000))
    with pytest.raises(UnsafeFileError, match="unfolds"):
        read([value, value, value], limits=Limits(nodes=10_000))
