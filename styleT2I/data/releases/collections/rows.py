"""Rows of tables as captioned images: which column holds the images, which the captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from styleT2I.errors import DataError

IMAGE_COLUMNS = ("image", "img", "jpg", "png", "webp", "image_bytes", "bytes")
CAPTION_COLUMNS = ("captions", "caption", "text", "texts", "sentences", "prompt", "label_text")


def columns_of(names: Sequence[str], where: object) -> tuple[str, str | None]:
    """The column of the images and that of the captions (None: no such) among a table's; DataError without images.

    >>> columns_of(["id", "image", "text"], "faces.parquet")
    ('image', 'text')
    """
    image = next((name for name in IMAGE_COLUMNS if name in names), None)
    if image is None:
        urls = " (it holds addresses of images: download those first)" if {"url", "URL"} & set(names) else ""
        raise DataError(f"{where}: no column of images ({', '.join(IMAGE_COLUMNS[:4])}) among {', '.join(names)}{urls}")
    return image, next((name for name in CAPTION_COLUMNS if name in names), None)


def image_bytes(value: object, where: object) -> bytes:
    """The bytes of an image's cell: bytes, or a mapping with "bytes", as the Hub stores images; else DataError."""
    data = value.get("bytes") if isinstance(value, Mapping) else value
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise DataError(f"{where}: its image is no bytes but {type(data).__name__}; embed the images in the table")
    return bytes(data)


def caption_texts(value: object, where: object) -> tuple[str, ...]:
    """The captions of a cell: a text, or a list of texts; else DataError.

    >>> caption_texts(["a man ", ""], "row 1"), caption_texts(None, "row 2")
    (('a man',), ())
    """
    texts = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
        raise DataError(f"{where}: its captions are not a text or a list of texts")
    return tuple(text.strip() for text in texts if text.strip())
