"""Data set folders: written and read back, foreign layouts, damaged ones."""

import json
import re
import warnings
import zipfile

import numpy as np
import PIL.Image
import pytest
import torch

from styleT2I.data.dataset import index_order, open_dataset
from styleT2I.data.folder import FolderDataset
from styleT2I.data.writer import pack_masks, write_folder_dataset
from styleT2I.errors import DataError, OutputError

NUM, SIZE = 12, 16
REGIONS = ("hair", "skin", "hat")


def samples(num=NUM):
    rng = np.random.default_rng(0)
    for i in range(num):
        image = torch.from_numpy(rng.integers(0, 256, (3, SIZE, SIZE), dtype=np.uint8))
        masks = torch.from_numpy(rng.random((3, SIZE, SIZE)) < 0.4)
        captions = [f"face {i}", 'with "quotes", commas']
        yield f"{i:04d}", image, captions, [i % 2 == 0, i % 3 == 0], pack_masks(masks), [i / 7, -1e-5 * i]


def write(folder, **changes):
    names = {"attribute_names": ["he", "smiling"], "region_names": REGIONS, "nuisance_names": ["yaw", "pitch"]}
    return write_folder_dataset(folder, samples(), **{**names, "info": {"source": "test"}, **changes})


def test_a_written_data_set_reads_back_the_same(tmp_path):
    data = open_dataset(str(write(tmp_path / "set")))
    assert (len(data), data.resolution) == (NUM, SIZE) and data.skipped == {}
    assert data.attribute_names == ("he", "smiling") and data.region_names == REGIONS
    order = [3, 0, 11, 3]
    batch = data.batch(order)
    expected = list(samples())
    for row, i in enumerate(order):
        name, image, captions, attributes, bits, nuisances = expected[i]
        assert data.name_of(i) == name
        assert torch.equal(batch.images_u8[row], image)
        assert batch.captions[row] == tuple(captions) == data.captions_of(i)
        assert batch.attributes[row].tolist() == attributes
        assert torch.allclose(batch.nuisances[row], torch.tensor(nuisances), rtol=1e-5)
        planes = np.unpackbits(bits.view(np.uint8).reshape(SIZE, SIZE, 2), axis=2, bitorder="little")[:, :, :3]
        assert np.array_equal(batch.masks[row].permute(1, 2, 0).numpy(), planes.astype(bool))
    assert batch.images_u8.dtype == torch.uint8 and batch.attributes.dtype == batch.masks.dtype == torch.bool


def test_the_same_samples_give_the_same_bytes(tmp_path):
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    files = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file())
    assert len(files) == 2 * NUM + 5
    assert all((first / f).read_bytes() == (second / f).read_bytes() for f in files)


def test_pictures_and_masks_are_resized_alike(tmp_path):
    data = FolderDataset(write(tmp_path / "set"), resolution=8)
    full = FolderDataset(tmp_path / "set").batch([5])
    small = data.batch([5])
    assert small.images_u8.shape == (1, 3, 8, 8) and small.masks.shape == (1, 3, 8, 8)
    means = torch.nn.functional.avg_pool2d(full.images_u8.float(), 2)
    assert (small.images_u8.float() - means).abs().max() <= 1
    shares = torch.nn.functional.avg_pool2d(full.masks.float(), 2)
    assert torch.equal(small.masks, shares >= 0.5)


def test_without_room_in_the_cache_the_pictures_are_the_same(tmp_path):
    folder = write(tmp_path / "set")
    none, some = FolderDataset(folder, cache_bytes=0), FolderDataset(folder)
    for _ in range(2):
        assert torch.equal(none.batch([1, 2]).images_u8, some.batch([1, 2]).images_u8)


def foreign(tmp_path, num=20):
    """A set as CelebA and CUB are released: JPEG, text files, -1/1 in a table of files, sub-folders, index maps."""
    (tmp_path / "masks/a").mkdir(parents=True)
    rows = ["file,Smiling,Male"]
    for i in range(num):
        name = f"a/{i:06d}"
        for kind in ("images", "text"):
            (tmp_path / kind / "a").mkdir(parents=True, exist_ok=True)
        PIL.Image.new("RGB", (30, 24), (10 * i, 100, 50)).save(tmp_path / f"images/{name}.jpg", quality=95)
        (tmp_path / f"text/{name}.txt").write_text(f"first {i}\n\nsecond {i}\n")
        mask = PIL.Image.fromarray(np.full((24, 30), i % 2, np.uint8)).convert("P")
        mask.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
        mask.save(tmp_path / f"masks/{name}.png")
        rows.append(f"{name}.jpg,{1 if i % 2 else -1},{-1 if i % 2 else 1}")
    (tmp_path / "attributes.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "masks/regions.json").write_text(json.dumps({"encoding": "index", "regions": ["rest", "face"]}))
    return tmp_path


def test_a_foreign_layout_is_read(tmp_path):
    data = open_dataset(str(foreign(tmp_path)), resolution=12)
    batch = data.batch([0, 1, 5])
    assert batch.captions[2] == ("first 5", "second 5") and batch.nuisances is None
    assert batch.attributes.tolist() == [[False, True], [True, False], [True, False]]
    assert (batch.images_u8[2, 0].float() - 50).abs().max() <= 4
    assert batch.masks[0, 0].all() and not batch.masks[0, 1].any() and batch.masks[1, 1].all()


def test_pictures_alone_are_a_data_set(tmp_path):
    (tmp_path / "images").mkdir()
    PIL.Image.new("RGB", (9, 9)).save(tmp_path / "images/x.png")
    batch = open_dataset(str(tmp_path), resolution=8).batch([0])
    assert batch.captions == [()] and batch.attributes is None and batch.masks is None
    with pytest.raises(DataError, match="no dataset.json names the resolution; give one"):
        open_dataset(str(tmp_path))


def test_unusable_samples_are_counted_named_and_skipped_up_to_a_limit(tmp_path):
    folder = foreign(tmp_path)
    images = folder / "images/a"
    (images / "000000.jpg").write_bytes(b"")
    data = (images / "000001.jpg").read_bytes()
    (images / "000001.jpg").write_bytes(data[: len(data) // 2])
    (images / "Thumbs.db").write_bytes(b"junk")
    (images / "000002.png").write_bytes((images / "000002.jpg").read_bytes())
    (folder / "text/a/000003.txt").write_text("\n")
    (folder / "text/a/000004.txt").unlink()
    (folder / "masks/a/000005.png").unlink()
    table = (folder / "attributes.csv").read_text().splitlines()
    (folder / "attributes.csv").write_text("\n".join(line for line in table if "000006" not in line))
    with pytest.warns(UserWarning, match="8 of 22 images cannot be used, the first: .*000000.jpg: the file is empty"):
        read = FolderDataset(folder, 12)
    reasons = {name.removeprefix("a/"): text for name, text in read.skipped.items()}
    expected = {
        "000000.jpg": "the file is empty",
        "000001.jpg": "cut off",
        "Thumbs.db": "not an image",
        "000002.png": "another image has the same name",
        "000003.jpg": "no caption",
        "000004.jpg": "no caption",
        "000005.jpg": "no mask",
        "000006.jpg": "no row in .*attributes.csv",
    }
    assert reasons.keys() == expected.keys() and len(read) == 14
    for name, text in expected.items():
        assert re.search(text, reasons[name]), (name, reasons[name])
    read.batch(range(len(read)))
    with pytest.raises(DataError, match="8 of 22 .*at most 7 are skipped"):
        FolderDataset(folder, 12, max_skipped=7)


def test_an_empty_or_missing_data_set_is_named(tmp_path):
    with pytest.raises(DataError, match="no data set 'gone'; name a folder"):
        open_dataset("gone")
    with pytest.raises(DataError, match="no images; put them into images/"):
        open_dataset(str(tmp_path), 8)


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("captions.json", "{", "captions.json: damaged, not valid JSON"),
        ("captions.json", "[" * 100_000, "captions.json: damaged, not valid JSON"),
        ("captions.json", "[]", "captions.json: damaged, holds a list, not a dict"),
        ("attributes.csv", "file,a\nx,yes\n", "attributes.csv: not a table of numbers"),
        ("attributes.csv", "file,a\nx,1,1\n", "attributes.csv: not a table of numbers: line 2 has 3 values"),
        ("attributes.csv", "file,a,a\n0001,1,0\n", "the header has the column 'a' twice"),
        ("attributes.csv", "file,a\n0001,1\n0001,0\n", "line 3 has '0001' again"),
        ("nuisances.csv", "file,yaw\n0001,inf\n", "line 2 holds NaN or an infinite number"),
        ("nuisances.csv", "file,yaw\n0001,nan\n", "line 2 holds NaN or an infinite number"),
        ("nuisances.csv", "file,yaw\n0001,1e400\n", "line 2 holds NaN or an infinite number"),
        ("masks/regions.json", '{"encoding": "rle"}', "regions.json: needs"),
        ("masks/regions.json", '{"encoding": "bits", "regions": ["hair", "hair"]}', "regions.json: needs"),
        ("masks/regions.json", '{"encoding": "bits", "regions": [[]]}', "regions.json: needs"),
        ("masks/regions.json", "[" * 100_000, "regions.json: damaged, not valid JSON"),
        ("dataset.json", "[" * 100_000, "dataset.json: damaged, not valid JSON"),
        ("dataset.json", '{"resolution": 1000000}', "resolution 1000000; it is an integer from 1 to 8192"),
        ("dataset.json", '{"resolution": true}', "resolution True; it is an integer"),
        ("dataset.json", '{"resolution": "16"}', "resolution '16'; it is an integer"),
        ("dataset.json", '{"resolution": -1}', "resolution -1; it is an integer"),
    ],
)
def test_broken_tables_are_named(tmp_path, name, text, message):
    folder = write(tmp_path / "set")
    (folder / name).write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        open_dataset(str(folder))
    assert "\n" not in str(caught.value)


def test_a_picture_with_two_rows_by_its_two_names_is_not_used(tmp_path):
    folder = write(tmp_path / "set")
    (folder / "attributes.csv").write_text((folder / "attributes.csv").read_text() + "0001.png,1,1\n")
    with pytest.warns(UserWarning, match="0001.png: two rows in .*attributes.csv"):
        assert len(open_dataset(str(folder))) == NUM - 1


def test_a_caption_may_be_a_text_or_a_list_of_texts(tmp_path):
    folder = write(tmp_path / "set")
    captions = {f"{i:04d}": f"one {i}" for i in range(NUM)} | {"0001": ["a", "b"]}
    (folder / "captions.json").write_text(json.dumps(captions))
    data = open_dataset(str(folder))
    assert data.captions_of(0) == ("one 0",) and data.captions_of(1) == ("a", "b")
    (folder / "captions.json").write_text(json.dumps(captions | {"0002": 7}))
    with pytest.warns(UserWarning, match="0002.png: its captions are not a text or a list of texts"):
        assert len(open_dataset(str(folder))) == NUM - 1


def flat(folder, size=16):
    """Pictures as people have them: in one folder, some in a sub-folder, with captions beside them."""
    (folder / "more").mkdir(parents=True)
    for i in range(4):
        picture = PIL.Image.new("RGB", (size, size), (50 * i, 100, 50))
        picture.save(folder / (f"{i}.png" if i < 3 else f"more/{i}.jpg"))
    (folder / "notes.txt").write_text("not an image")
    (folder / "captions.json").write_text(json.dumps({"0": "a", "1": "b", "2.png": "c", "more/3": "d"}))
    return folder


def zipped(folder, path, top=""):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"{top}{file.relative_to(folder).as_posix()}")
    return path


def test_a_flat_folder_of_pictures_is_a_data_set(tmp_path):
    data = open_dataset(str(flat(tmp_path / "flat")))
    assert [data.name_of(i) for i in range(len(data))] == ["0", "1", "2", "more/3"] and data.resolution == 16
    assert [data.captions_of(i) for i in range(4)] == [("a",), ("b",), ("c",), ("d",)]
    assert data.batch([2]).images_u8[0, :, 0, 0].tolist() == [100, 100, 50]
    assert open_dataset(str(tmp_path / "flat"), 8).batch([0]).images_u8.shape == (1, 3, 8, 8)


def test_sheets_and_masks_beside_pictures_are_no_pictures_of_a_flat_folder(tmp_path):
    folder = flat(tmp_path / "flat")
    for name in ("grid.png", "explain.png"):
        (folder / name).write_bytes((folder / "0.png").read_bytes())
    (folder / "generate.json").write_text("{}")
    (folder / "masks").mkdir()
    (folder / "masks/0.png").write_bytes((folder / "0.png").read_bytes())
    assert len(open_dataset(str(folder))) == 4


def test_the_side_of_the_first_picture_serves_only_where_a_generator_can_have_it(tmp_path):
    with pytest.raises(DataError, match="no dataset.json names the resolution; give one"):
        open_dataset(str(flat(tmp_path / "odd", size=18)))


@pytest.mark.parametrize("top", ["", "faces/", "images/"])
def test_a_zip_of_pictures_is_read_as_its_folder(tmp_path, top):
    folder = flat(tmp_path / "flat")
    for name in ("captions.json", "notes.txt"):
        (folder / name).unlink()
    read, unpacked = open_dataset(zipped(folder, tmp_path / "set.zip", top)), open_dataset(folder)
    assert len(read) == 4 and torch.equal(read.batch(range(4)).images_u8, unpacked.batch(range(4)).images_u8)


@pytest.mark.parametrize("top", ["", "set/"])
def test_a_zip_of_a_whole_data_set_is_read_as_its_folder(tmp_path, top):
    folder = write(tmp_path / "set")
    read, unpacked = open_dataset(zipped(folder, tmp_path / "set.zip", top)), open_dataset(folder)
    first, second = read.batch(range(NUM)), unpacked.batch(range(NUM))
    for name in ("images_u8", "attributes", "masks", "nuisances"):
        assert torch.equal(getattr(first, name), getattr(second, name))
    assert first.captions == second.captions and read.region_names == REGIONS


def test_a_damaged_zip_is_named_and_so_is_a_damaged_picture_in_one(tmp_path):
    path = zipped(write(tmp_path / "set"), tmp_path / "set.zip")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"PK\x01\x02", b"PK\x01\x03"))
    with pytest.raises(DataError, match="set.zip: a damaged zip archive"):
        open_dataset(path)
    place = whole.index(b"images/0003.png") + 60
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.warns(UserWarning, match="images/0003.png: damaged in the archive"):
        assert len(open_dataset(path)) == NUM - 1


@pytest.mark.parametrize("kind", ["nothing", "text"])
def test_what_is_neither_a_folder_nor_a_zip_is_named(tmp_path, kind):
    (tmp_path / "text").write_text("PK")
    with pytest.raises(DataError, match="no data set|neither a folder nor a zip"):
        open_dataset(str(tmp_path / kind))


def test_attributes_other_than_yes_and_no_are_refused(tmp_path):
    folder = write(tmp_path / "set")
    text = (folder / "attributes.csv").read_text().replace("0001,0,0", "0001,0,2")
    (folder / "attributes.csv").write_text(text)
    with pytest.warns(UserWarning, match="0001.png: its row in attributes.csv holds other values"):
        assert len(open_dataset(str(folder))) == NUM - 1


def test_a_failing_writer_leaves_nothing(tmp_path):
    def failing():
        yield from samples(3)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_folder_dataset(tmp_path / "set", failing())
    assert list(tmp_path.iterdir()) == []


def test_only_our_own_data_sets_are_replaced(tmp_path):
    write(tmp_path / "set")
    write(tmp_path / "set", info={"source": "again"})
    assert json.loads((tmp_path / "set/dataset.json").read_text())["source"] == "again"
    (tmp_path / "other").mkdir()
    write(tmp_path / "other")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="mine holds other files; choose an empty folder"):
        write(tmp_path / "mine")
    with pytest.raises(OutputError, match="thesis.txt is a file; choose a folder"):
        write(tmp_path / "mine/thesis.txt")
    assert (tmp_path / "mine/thesis.txt").read_text() == "years of work"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine", "other", "set"]


def test_epochs_visit_every_sample_once_in_an_order_of_their_own():
    steps = [index_order(3, 10, 4, step) for step in range(15)]
    seen = [i for step in steps for i in step]
    epochs = [seen[start : start + 10] for start in range(0, 60, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 6
    assert index_order(3, 10, 4, 7) == steps[7] and index_order(4, 10, 4, 7) != steps[7]
    assert len(index_order(0, 3, 8, 0)) == 8


def test_a_whole_data_set_reads_without_warnings(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_dataset(str(write(tmp_path / "set")))
