"""FFHQ, tar shards, Parquet files and the Hub's data sets: read in place, and refused in one line."""

import io
import json
import sys
import tarfile
import types

import numpy as np
import pytest
import torch

from styleT2I.data.dataset import open_dataset
from styleT2I.data.releases.checking import damaged_images, parts_of
from styleT2I.errors import DataError, DependencyError
from styleT2I.torch_utils.images import encode_png


def png(value, side=16):
    return encode_png(np.full((side, side, 3), value, np.uint8))


def write_shards(folder, *shards):
    """Tar files of {member: bytes}."""
    folder.mkdir(exist_ok=True)
    for number, members in enumerate(shards):
        with tarfile.open(folder / f"{number:05d}.tar", "w") as archive:
            for name, data in members.items():
                about = tarfile.TarInfo(name)
                about.size = len(data)
                archive.addfile(about, io.BytesIO(data))
    return folder


@pytest.fixture
def shards(tmp_path):
    return write_shards(
        tmp_path / "shards",
        {
            "000.png": png(10),
            "000.txt": b"a man\nhe smiles\n",
            "../001.png": png(20),
            "../001.json": b'{"caption": "b"}',
        },
        {"002.png": png(30), "002.json": json.dumps({"captions": ["c", "d"]}).encode(), "._003.png": b"x"},
    )


def test_samples_of_shards_are_read_by_their_place(shards):
    data = open_dataset(f"webdataset:{shards}")
    assert len(data) == 3 and data.resolution == 16
    assert data.batch([2, 0]).images_u8.float().mean(dim=(1, 2, 3)).tolist() == [30, 10]
    assert [data.captions_of(i) for i in range(3)] == [("a man", "he smiles"), ("b",), ("c", "d")]
    assert len(open_dataset(f"webdataset:{shards / '00000.tar'}")) == 2
    assert not (shards.parent / "001.png").exists()


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"a.png": png(1), "b/../a.png": png(1), "a.jpg": b""}, None),
        ({"a.txt": b"no image"}, "no images in its shards"),
        ({"a.png": png(1), "a.json": b"[1]"}, "not a JSON object"),
        ({"a.png": png(1), "a.json": b'{"caption": 3}'}, "not a text or a list"),
        ({"a.png": png(1), "a.txt": b"\xff"}, "a.txt is not UTF-8"),
    ],
)
def test_odd_shards_are_refused_in_one_line(tmp_path, members, told):
    folder = write_shards(tmp_path / "s", members)
    if told is None:
        assert len(open_dataset(f"webdataset:{folder}")) == 2
        return
    with pytest.raises(DataError) as error:
        open_dataset(f"webdataset:{folder}").captions_of(0)
    assert told in str(error.value) and "\n" not in str(error.value)


def test_cut_twice_named_and_packed_shards_are_refused(tmp_path, shards):
    first = shards / "00000.tar"
    first.write_bytes(first.read_bytes()[:700])
    with pytest.raises(DataError, match=r"00000\.tar: .*cut off"):
        open_dataset(f"webdataset:{shards}")
    with pytest.raises(DataError, match="there twice; keys are unique"):
        open_dataset(f"webdataset:{write_shards(tmp_path / 'two', {'a.png': png(1)}, {'a.png': png(1)})}")
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "0.tar.gz").write_bytes(b"")
    with pytest.raises(DataError, match=r"unpack 0\.tar\.gz, only plain \.tar"):
        open_dataset(f"webdataset:{tmp_path / 'packed'}")


def test_a_sample_without_an_image_or_a_caption_is_told(tmp_path):
    folder = write_shards(tmp_path / "s", {"a.png": png(1), "b.txt": b"x"})
    lines = [part.line() for part in parts_of(f"webdataset:{folder}")]
    assert "samples without an image: b" in lines[0] and lines[1].startswith("captions: missing; images without a .txt")


@pytest.fixture
def parquet(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    for number, values in enumerate(((10, 20, 30), (40,))):
        cells = [{"bytes": png(value), "path": None} for value in values]
        captions = [[f"face {value}", " "] for value in values]
        pq.write_table(
            pa.table({"image": cells, "captions": captions}), tmp_path / f"{number}.parquet", row_group_size=2
        )
    return tmp_path


def test_rows_of_parquet_files_are_read_over_groups_and_files(parquet):
    data = open_dataset(f"parquet:{parquet}")
    assert len(data) == 4 and data.resolution == 16
    assert data.batch([3, 2, 0, 1]).images_u8.float().mean(dim=(1, 2, 3)).tolist() == [40, 30, 10, 20]
    assert [data.captions_of(i) for i in (3, 0)] == [("face 40",), ("face 10",)]
    assert not damaged_images(f"parquet:{parquet}")
    assert [part.state for part in parts_of(f"parquet:{parquet}")] == ["complete", "complete"]


def test_parquet_without_images_damaged_or_without_its_library_is_refused(parquet, monkeypatch):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"url": ["https://example.org"], "text": ["a"]}), parquet / "2.parquet")
    with pytest.raises(DataError, match="no column of images .* download those first"):
        open_dataset(f"parquet:{parquet / '2.parquet'}")
    (parquet / "0.parquet").write_bytes((parquet / "0.parquet").read_bytes()[:-30])
    with pytest.raises(DataError, match=r"0\.parquet: .*not a Parquet file, or cut off"):
        open_dataset(f"parquet:{parquet}")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(DependencyError, match="pip install 'styleT2I"):
        open_dataset(f"parquet:{parquet / '1.parquet'}")


def test_a_data_set_of_the_hub_is_opened_by_its_package(monkeypatch):
    asked = []

    class Table:
        column_names = ("image", "text")

        def __len__(self):
            return 2

        def cast_column(self, name, kind):
            assert (name, kind) == ("image", "bytes")
            return self

        def __getitem__(self, row):
            return {"image": {"bytes": png(10 * row), "path": None}, "text": f"row {row}"}

    stub = types.ModuleType("datasets")
    stub.load_dataset = lambda name, split: asked.append((name, split)) or Table()
    stub.Image = lambda decode: "bytes" if not decode else "pixels"
    monkeypatch.setitem(sys.modules, "datasets", stub)
    data = open_dataset("hub:owner/faces:validation")
    assert asked == [("owner/faces", "validation")] and len(data) == 2 and data.captions_of(1) == ("row 1",)
    assert torch.equal(data.batch([1]).images_u8, torch.full((1, 3, 16, 16), 10, dtype=torch.uint8))
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DependencyError, match="pip install 'styleT2I"):
        open_dataset("hub:owner/faces")


def test_ffhq_is_divided_by_number_and_its_holes_are_told(tmp_path):
    for number in (0, 1, 59999, 60000):
        path = tmp_path / "images1024x1024" / f"{number // 1000 * 1000:05d}" / f"{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number % 200))
    data = open_dataset(f"ffhq:{tmp_path}:train", 16)
    assert [data.name_of(i) for i in range(len(data))] == ["00000", "00001", "59999"]
    assert len(open_dataset(f"ffhq:{tmp_path}:val", 16)) == 1
    (part,) = parts_of(f"ffhq:{tmp_path}")
    assert "numbers without an image: 2, 3, 4 and 59,994 more" in part.line() and "70,000" in part.line()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images 00000.png"):
        open_dataset(f"ffhq:{tmp_path / 'empty'}:train")
