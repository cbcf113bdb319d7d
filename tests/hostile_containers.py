"""Archives, torch files and other files that are broken or lie about what they hold, for tests/faults."""

import io
import random
import struct
import tarfile
import warnings
import zipfile
import zlib

from tests.hostile_pickles import call, legacy, name, number, stream, text

FOUR = bytes(16)  # four floats


def tensor(numel, shape, stride, offset=0, kind="FloatStorage"):
    """Opcodes of a tensor that views `numel` stored numbers as it likes."""
    storage = b"(" + text("storage") + name("torch", kind) + text("0") + text("cpu") + number(numel) + b"tQ"
    sizes = [b"(" + b"".join(n if isinstance(n, bytes) else number(n) for n in part) + b"t" for part in (shape, stride)]
    return call("torch._utils", "_rebuild_tensor_v2", storage, number(offset), *sizes, b"\x89", b"}")


def state(body):
    """Opcodes of what looks like a rosinality file, with `body` for a tensor."""
    return b"}" + text("g_ema") + b"}(" + text("conv1.conv.weight") + body + text("input.input") + body + b"us"


def archive(body, storages=(("0", FOUR),), compression=zipfile.ZIP_STORED, extra=()):
    """A zip archive as torch writes it around opcodes, with whatever else."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", compression) as made:
        warnings.simplefilter("ignore")  # about names that are there already
        if body is not None:
            made.writestr("archive/data.pkl", stream(body))
        for entry, content in [(f"archive/data/{key}", numbers) for key, numbers in storages] + list(extra):
            made.writestr(entry, content)
    return file.getvalue()


def bad_tensors():
    """Tensors by name that do not fit what is stored."""
    return {
        "stride_0": tensor(1, (10**6, 10**6), (0, 0)),
        "repeated": tensor(4, (1 << 28,), (0,)),
        "negative_stride": tensor(4, (4,), (-1,), offset=3),
        "negative_size": tensor(4, (-4,), (1,)),
        "negative_offset": tensor(4, (2,), (1,), offset=-1),
        "beyond_the_end": tensor(4, (4,), (1,), offset=1),
        "large_stride": tensor(4, (2,), (10**9,)),
        "overflowing_sizes": tensor(4, (1 << 62, 1 << 62), (1, 1)),
        "many_dimensions": tensor(4, (1,) * 100, (1,) * 100),
        "text_as_size": tensor(4, (text("4"),), (1,)),
        "fewer_strides": tensor(4, (2, 2), (1,)),
        "foreign_numbers": tensor(4, (4,), (1,), kind="QInt8Storage"),
    }


def archives():
    """Zip archives by name that no torch has written."""
    fine = state(tensor(4, (4,), (1,)))
    good = archive(fine)
    two = archive(fine, [("0", FOUR), ("1", bytes(100_000)), ("2", bytes(100_000))])
    return {
        **{f"zip_{what}": archive(state(body)) for what, body in bad_tensors().items()},
        "zip_short_storage": archive(fine, [("0", FOUR[:8])]),
        "zip_long_storage": archive(fine, [("0", FOUR * 8)]),
        "zip_no_storage": archive(fine, []),
        "zip_no_pickle": archive(None),
        "zip_two_pickles": archive(fine, extra=[("other/data.pkl", b"N.")]),
        "zip_deflated": archive(fine, compression=zipfile.ZIP_DEFLATED),
        "zip_bomb": archive(fine, [("0", bytes(1 << 27))], compression=zipfile.ZIP_DEFLATED),
        "zip_parent_folder": archive(fine, extra=[("../evil", b"x")]),
        "zip_absolute_name": archive(fine, extra=[("/etc/evil", b"x")]),
        "zip_duplicate_names": archive(fine, [("0", FOUR), ("0", FOUR)]),
        "zip_overlap": _patched(two, b"PK\x01\x02", 20, struct.pack("<2L", 200_000, 200_000), is_last=True),
        "zip_overlap_with_slack": _overlapping(two),
        "zip_flipped_pickle": good.replace(b"input.input", b"input.jnput", 1),
        "zip_flipped_byteorder": archive(fine, extra=[("archive/byteorder", b"little")]).replace(b"little", b"mittle"),
        "zip_renamed_entry": _patched(good, b"archive/data/0", 0, b"archive/data/1", is_last=True),
        "zip_encrypted": _patched(good, b"PK\x01\x02", 8, b"\x01\x00"),
        "zip_many_files": _patched(good, b"PK\x05\x06", 8, b"\xfe\xff\xfe\xff"),
        "zip_huge_directory": _patched(good, b"PK\x05\x06", 12, b"\xff\xff\xff\x7f"),
        "zip_no_zip64_end": _patched(good, b"PK\x05\x06", 8, b"\xff\xff\xff\xff"),
        "zip_cut_off": good[: len(good) // 2],
        "zip_trailing_bytes": good + b"more",
        "zip_flipped_bit": good.replace(FOUR, b"\x01" + FOUR[1:], 1),
        "zip_of_pictures": archive(None, [], extra=[("1.png", b"\x89PNG"), ("2.png", b"\x89PNG")]),
    }


def legacy_files():
    """Files of torch's older container by name that no torch has written."""
    fine = state(tensor(4, (4,), (1,)))
    numbers = struct.pack("<q", 4) + FOUR
    huge = tensor(1 << 60, (1 << 60,), (1,))
    return {
        **{f"legacy_{what}": legacy(state(body), keys="0", numbers=numbers) for what, body in bad_tensors().items()},
        "legacy_other_version": legacy(fine, keys="0", numbers=numbers, version=9),
        "legacy_odd_facts": legacy(fine, keys="0", numbers=numbers, facts=[]),
        "legacy_no_storage": legacy(fine),
        "legacy_unused_storage": legacy(fine, keys="7", numbers=numbers),
        "legacy_storage_twice": legacy(fine, keys="00", numbers=numbers * 2),
        "legacy_short_storage": legacy(fine, keys="0", numbers=struct.pack("<q", 2) + FOUR[:8]),
        "legacy_huge_storage": legacy(state(huge), keys="0", numbers=struct.pack("<q", 1 << 60)),
        "legacy_trailing_bytes": legacy(fine, keys="0", numbers=numbers + b"more"),
        "legacy_cut_off": legacy(fine, keys="0", numbers=numbers[:-4]),
    }


def other_files():
    """Files by name that are no checkpoints at all."""
    header = b'{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}'
    safetensors = struct.pack("<Q", len(header)) + header
    return {
        "empty": b"",
        "one_byte": b"\x80",
        "text": b"these are the weights\n",
        "html": b"<!DOCTYPE html><html><title>404 Not Found</title></html>",
        "html_in_capitals": b"\n  <HTML><BODY>Sign in</BODY></HTML>",
        "lfs_pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1000\n",
        "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(1000),
        "png": b"\x89PNG\r\n\x1a\n" + bytes(1000),
        "tar": _tar(),
        "gzip": b"\x1f\x8b\x08" + bytes(100),
        "zlib_bomb": zlib.compress(bytes(1 << 27)),
        "zeros": bytes(1 << 20),
        "noise": random.Random(0).randbytes(1 << 16),
        "json_number": b"7",
        "json_not_ours": b'{"a": 1}',
        "json_deep": b'{"a": ' + b"[" * 200_000,
        "json_wrong_types": b'{"format_version": 1, "kind": [], "config": 3, "files": {}}',
        "safetensors_huge_header": struct.pack("<Q", 1 << 62) + b"{" + bytes(100),
        "safetensors_bad_header": struct.pack("<Q", 40) + b"{" * 40 + FOUR,
        "safetensors_cut_off": safetensors + FOUR[:8],
        "safetensors_trailing_bytes": safetensors + FOUR + b"more",
        "safetensors_of_another_network": safetensors + FOUR,
    }


def _tar():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as made:
        made.addfile(tarfile.TarInfo("../evil"), io.BytesIO(b""))
    return file.getvalue()


def _overlapping(content):
    """`content` with one file of the archive pointed into the bytes of the file before it."""
    starts = [i for i in range(len(content)) if content[i : i + 4] == b"PK\x01\x02"]
    (offset,) = struct.unpack_from("<L", content, starts[-1] + 42)
    return _moved_header(content, offset, starts[-1])


def _moved_header(content, offset, entry):
    """The last entry's header, copied into the numbers of the entry before, and the directory pointed at the copy."""
    place = offset - 50_000
    header = content[offset : offset + 30 + len("archive/data/2")]
    size, crc = 1000, zlib.crc32(bytes(1000))
    made = content[:place] + header + content[place + len(header) :]
    changes = {16: struct.pack("<3L", crc, size, size), 42: struct.pack("<L", place)}
    for at, replacement in changes.items():
        made = made[: entry + at] + replacement + made[entry + at + len(replacement) :]
    return made


def _patched(content, signature, offset, replacement, is_last=False):
    """`content` with bytes replaced at an offset from a signature, the first or the last one."""
    start = (content.rfind if is_last else content.find)(signature) + offset
    return content[:start] + replacement + content[start + len(replacement) :]
