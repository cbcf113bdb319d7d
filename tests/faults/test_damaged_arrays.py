"""numpy's files as users give them, damaged or made to do harm: right numbers or one line, and bounded memory."""

import io
import random
import struct
import zipfile

import numpy as np
import pytest
import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.numpy_files import read_arrays, read_latents
from styleT2I.formats.texts.embeddings import read_embeddings

VALUES = np.arange(24, dtype=np.float32).reshape(6, 4)
TEXTS = np.array([f"a bird of kind {n}" for n in range(6)])


def npz_bytes(save=np.savez, **arrays):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def npy_bytes(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npy_claiming(shape, kind="<f4", body=b"", version=b"\1\0"):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + body


def error_of(path, read=read_embeddings):
    with pytest.raises(CheckpointError) as caught:
        read(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_saves_is_read(tmp_path, save):
    (tmp_path / "e.npz").write_bytes(npz_bytes(save, embeddings=VALUES, texts=TEXTS))
    read = read_embeddings(tmp_path / "e.npz")
    assert torch.equal(torch.cat(read.values), torch.from_numpy(VALUES)) and read.texts == tuple(TEXTS)


@pytest.mark.parametrize("array", [np.asfortranarray(VALUES), VALUES.astype(">f8"), VALUES[::2], VALUES.astype(int)])
def test_every_order_and_kind_of_number_is_read(tmp_path, array):
    (tmp_path / "e.npy").write_bytes(npy_bytes(array))
    assert np.array_equal(read_arrays(tmp_path / "e.npy")[""], array)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_no_flipped_bit_of_an_archive_is_a_traceback_or_another_number(tmp_path, save):
    whole, path, rng = npz_bytes(save, embeddings=VALUES, texts=TEXTS), tmp_path / "e.npz", random.Random(0)
    for place in rng.sample(range(8 * len(whole)), 400):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            read = read_embeddings(path)
        except CheckpointError as error:
            assert str(error).startswith(str(path)) and "\n" not in str(error)
        else:
            assert torch.equal(torch.cat(read.values), torch.from_numpy(VALUES)) and read.texts == tuple(TEXTS), place


@pytest.mark.parametrize(
    "content",
    [
        npy_claiming((10**12, 8)),
        npy_claiming((-6, -4), body=VALUES.tobytes()),
        npy_claiming((2**62, 2**62)),
        npy_claiming("(", body=b""),
        npy_claiming((6, 4), body=VALUES.tobytes()[:-1]),
        npy_claiming((6, 4), body=VALUES.tobytes() + b"\0"),
        npy_claiming((6, 4), version=b"\7\0", body=VALUES.tobytes()),
        npy_claiming((6, 4), "<c8", VALUES.astype(np.complex64).tobytes()),
        npy_claiming((6,), "|S4", b"abcd" * 6),
        npy_bytes(np.array([{}, []], dtype=object)),
        b"\x93NUMPY",
        b"PK\x03\x04" + bytes(100),
    ],
)
def test_a_file_that_lies_about_its_array_is_one_line(tmp_path, content):
    (tmp_path / "e.npy").write_bytes(content)
    error_of(tmp_path / "e.npy")
    error_of(tmp_path / "e.npy", read_latents)


def test_an_archive_that_unfolds_into_far_more_than_it_is_is_refused_unread(tmp_path):
    array = npy_claiming((1 << 28,), body=b"")
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("embeddings.npy", "w") as entry:
            entry.write(array)
            for _ in range(256):
                entry.write(bytes(1 << 20))
    assert (tmp_path / "bomb.npz").stat().st_size < 1 << 20
    assert "far more memory than the file has bytes" in error_of(tmp_path / "bomb.npz")


def test_an_archive_with_an_entry_dropped_from_its_directory_is_damaged(tmp_path):
    whole = npz_bytes(embeddings=VALUES, texts=TEXTS)
    second, end = whole.rindex(b"PK\x01\x02"), whole.rindex(b"PK\x05\x06")
    size = struct.unpack_from("<L", whole, end + 12)[0] - (end - second)
    made = bytearray(whole[:second] + whole[end:])
    struct.pack_into("<2HL", made, second + 8, 1, 1, size)
    (tmp_path / "e.npz").write_bytes(made)
    with zipfile.ZipFile(tmp_path / "e.npz") as archive:
        assert archive.namelist() == ["embeddings.npy"]
    assert "do not follow each other" in error_of(tmp_path / "e.npz")


def test_texts_that_are_no_texts_and_a_missing_array_are_said(tmp_path):
    (tmp_path / "a.npz").write_bytes(npz_bytes(embeddings=VALUES, texts=VALUES))
    assert "not a list of sentences" in error_of(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(npz_bytes(values=VALUES))
    assert "lacks the array 'embeddings'" in error_of(tmp_path / "b.npz")
    (tmp_path / "c.npz").write_bytes(npz_bytes(embeddings=VALUES[:, None] > 3))
    assert "not of numbers" in error_of(tmp_path / "c.npz")
