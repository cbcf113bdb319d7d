"""Images between files and tensors: `image` is float [-1, 1] NCHW, `image_u8` is uint8 NCHW, always RGB."""

import io
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import torch

from styleT2I.config import read_bytes
from styleT2I.errors import DataError, guarded
from styleT2I.torch_utils.files import write_bytes_atomic

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
MAX_PIXELS = 100_000_000
MAX_BYTES = 1 << 28  # of an image's file
_DAMAGED = "the image is damaged; replace or remove it"


def to_uint8(image: torch.Tensor) -> torch.Tensor:
    """Return uint8 [..] from float [-1, 1]: rounded to nearest, values outside the range clamped."""
    return ((image.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def from_uint8(image_u8: torch.Tensor) -> torch.Tensor:
    """Return float32 in [-1, 1] from uint8, the inverse of `to_uint8`."""
    return image_u8.to(torch.float32) / 127.5 - 1


def make_grid_u8(images_u8: torch.Tensor, ncol: int, pad: int = 2, scale: int = 1) -> torch.Tensor:
    """Lay images [N, 3, H, W] uint8 out row by row in `ncol` columns on white: [3, H', W'] uint8.

    `scale` enlarges each image by that factor (bicubic); `pad` is the white border in pixels of the result.
    """
    images = images_u8.detach().cpu().permute(0, 2, 3, 1).numpy()  # [N, H, W, 3]
    num, height, width = images.shape[0], images.shape[1] * scale, images.shape[2] * scale
    num_rows = -(-num // ncol)
    grid = np.full((num_rows * (height + pad) + pad, ncol * (width + pad) + pad, 3), 255, np.uint8)
    for i, image in enumerate(images):
        if scale != 1:
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
        top, left = pad + i // ncol * (height + pad), pad + i % ncol * (width + pad)
        grid[top : top + height, left : left + width] = image
    return torch.from_numpy(grid).permute(2, 0, 1).contiguous()


def text_strip_u8(text: str, width: int, height: int = 20) -> torch.Tensor:
    """Draw one line of text, cut at the right border, black on white: [3, height, width] uint8 (ASCII only)."""
    strip = np.full((height, width, 3), 255, np.uint8)
    text = text.encode("ascii", "replace").decode()
    cv2.putText(strip, text, (4, round(height * 0.7)), cv2.FONT_HERSHEY_SIMPLEX, height / 45, (0, 0, 0), 1, cv2.LINE_AA)
    return torch.from_numpy(strip).permute(2, 0, 1).contiguous()


def heat_u8(values: torch.Tensor) -> torch.Tensor:
    """Colours of numbers [N, H, W] in [0, 1], black over red to yellow: [N, 3, H, W] uint8."""
    maps = (values.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    coloured = np.stack([cv2.applyColorMap(one, cv2.COLORMAP_INFERNO)[:, :, ::-1] for one in maps])
    return torch.from_numpy(coloured).permute(0, 3, 1, 2).contiguous()


def save_png(path: str | Path, image_u8: torch.Tensor) -> None:
    """Write one image [3, H, W] (RGB) or [1, H, W] uint8 as PNG, whole or not at all; raises OutputError."""
    write_bytes_atomic(path, encode_png(image_u8.detach().cpu().permute(1, 2, 0).numpy()))


def encode_png(array: np.ndarray) -> bytes:
    """Return the PNG bytes of [H, W, 3] uint8 RGB or [H, W] / [H, W, 1] uint8 or uint16."""
    if array.ndim == 3 and array.shape[2] == 3:
        array = array[:, :, ::-1]
    _, data = cv2.imencode(".png", np.ascontiguousarray(array))
    return data.tobytes()


def load_image(path: str | Path) -> torch.Tensor:
    """Read an image file of any common kind as RGB [3, H, W] uint8, turned as its EXIF says.

    Raises DataError when it is missing, not a regular file, empty, cut off, damaged, larger than MAX_PIXELS or not an
    image.
    """
    data = read_bytes(path, DataError, MAX_BYTES)
    return torch.from_numpy(decode_image(data, path)).permute(2, 0, 1).contiguous()


def decode_image(data: bytes, name: str | Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode image bytes to RGB [H, W, 3] uint8; the content decides the kind, `name` is for messages."""
    check_image(data, name, max_pixels)
    with guarded(name, _DAMAGED, DataError):  # OpenCV has errors of its own
        array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)  # 8 bits, EXIF orientation applied
    if array is None:
        raise DataError(f"{name}: {_DAMAGED}")
    return np.ascontiguousarray(array[:, :, ::-1])


def centre_crop_resize(array: np.ndarray, resolution: int) -> np.ndarray:
    """Crop [H, W, 3] uint8 to its central square and resize it: by area when shrinking, cubic when enlarging."""
    height, width = array.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = array[top : top + side, left : left + side]
    if side == resolution:
        return np.ascontiguousarray(square)
    method = cv2.INTER_AREA if side > resolution else cv2.INTER_CUBIC
    return cv2.resize(square, (resolution, resolution), interpolation=method)


def check_image(data: bytes, name: str | Path, max_pixels: int = MAX_PIXELS) -> None:
    """Raise DataError from the header alone, before any pixel is decoded."""
    if not data:
        raise DataError(f"{name}: the file is empty; replace or remove it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about sizes that the check below decides on
            with PIL.Image.open(io.BytesIO(data), formats=FORMATS) as header:
                (width, height), kind = header.size, header.format
    except PIL.Image.DecompressionBombError as error:
        raise DataError(f"{name}: the image has too many pixels; the limit is {max_pixels}") from error
    except Exception as error:  # Pillow raises many kinds on hostile headers
        raise DataError(f"{name}: not an image, or cut off in its header ({', '.join(FORMATS)} are read)") from error
    if width * height > max_pixels:
        raise DataError(f"{name}: {width}x{height} pixels; the limit is {max_pixels}")
    # In JPEG scan data a marker byte is always escaped, so an end marker after the last scan start means all is there.
    is_cut_jpeg = kind == "JPEG" and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    if is_cut_jpeg or (kind == "PNG" and b"IEND" not in data):
        raise DataError(f"{name}: the image is cut off; replace or remove it")
    if kind == "PNG" and not _has_right_checksums(data):
        raise DataError(f"{name}: {_DAMAGED}")


def _has_right_checksums(png: bytes) -> bool:
    """Whether every chunk of a PNG up to its end has the checksum that it states."""
    position = 8
    while position + 12 <= len(png):
        size, kind = int.from_bytes(png[position : position + 4], "big"), png[position + 4 : position + 8]
        end = position + 8 + size
        if zlib.crc32(png[position + 4 : end]) != int.from_bytes(png[end : end + 4], "big"):
            return False
        if kind == b"IEND":
            return True
        position = end + 4
    return False
