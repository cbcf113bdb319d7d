"""A page about a data set: what is there and what is missing, a contact sheet, captions, rates, rarest pairs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch

from styleT2I.data.dataset import Dataset
from styleT2I.data.releases.release import Part
from styleT2I.data.statistics import Statistics
from styleT2I.torch_utils.files import write_json_atomic, write_text_atomic
from styleT2I.torch_utils.folders import staged_folder
from styleT2I.torch_utils.images import encode_png, make_grid_u8
from styleT2I.torch_utils.markup import PLAIN_STYLE, data_uri, document, section, table, tag

__all__ = ["write_dataset_report"]

_SHEET_SIDE, _COLUMNS, _NUM_SHOWN, _NUM_CAPTIONED = 96, 10, 40, 10


def write_dataset_report(
    spec: str, data: Dataset, found: Statistics, parts: Sequence[Part], outdir: str | Path
) -> Path:
    """Write index.html and dataset-report.json about an open data set, both or neither; return the page.

    data: at any resolution; 40 of its images, evenly spread, are shown. parts: of the release that it is; () for none.
    Raises OutputError where the folder cannot be written, DataError where an image shown is damaged.
    """
    rows = sorted({int(i) for i in torch.linspace(0, len(data) - 1, min(_NUM_SHOWN, len(data))).round().tolist()})
    shown = data.batch(rows)
    sheet = make_grid_u8(_small(shown.images_u8), ncol=_COLUMNS)
    png = encode_png(sheet.permute(1, 2, 0).numpy())
    with staged_folder(outdir, "dataset-report.json") as folder:
        write_text_atomic(folder / "index.html", _page(spec, found, parts, png, shown.captions[:_NUM_CAPTIONED]))
        about = {"data": spec, "parts": [dataclasses.asdict(part) | {"state": part.state} for part in parts]}
        write_json_atomic(folder / "dataset-report.json", about | dataclasses.asdict(found))
    return Path(outdir) / "index.html"


def _page(spec, found, parts, png, captions):
    captioned = [(str(number + 1), " / ".join(texts)) for number, texts in enumerate(captions) if texts]
    rates = [(name, f"{100 * rate:.2f} %") for name, rate in sorted(found.rates.items(), key=lambda item: -item[1])]
    pairs = [(pair.name, f"{pair.found:,}", f"{pair.expected:,.1f}", f"{pair.found / pair.expected:.3f}")
             for pair in found.rarest]  # fmt: skip
    numbers = [
        ("images", f"{found.num:,}"),
        ("images with a caption", f"{found.num_captioned:,}"),
        ("captions", f"{found.num_captions:,}"),
        ("words of a caption, on average", f"{found.mean_words:.1f}"),
        ("different words", f"{found.num_words:,}"),
        ("attributes", f"{len(found.rates):,}"),
    ]
    told = [(part.name, part.state, f"{part.found:,}", f"{part.expected:,}" if part.expected else "", part.problem,
             part.source) for part in parts]  # fmt: skip
    columns = ("part", "state", "found", "of", "what is wrong", "where it comes from")
    return document(
        f"Data set {spec}",
        PLAIN_STYLE,
        tag("h1", "Data set ", tag("code", spec)),
        section("numbers", "Numbers", table("What was read", ("what", "number"), numbers)),
        section("parts", "Parts of the release", table("Parts", columns, told)) if told else None,
        section("sheet", "Images", tag("img", src=data_uri("image/png", png), alt="images spread over the data set")),
        section("captions", "Captions", table("Of the first of these images", ("image", "captions"), captioned))
        if captioned else None,
        section("rates", "Attributes", table("Rate of images", ("attribute", "rate"), rates)) if rates else None,
        section(
            "pairs", "Rarest pairs",
            tag("p", "Pairs of attributes that fall shortest of what independent ones would give."),
            table("Pairs", ("pair", "found", "expected", "ratio"), pairs),
        ) if pairs else None,
    )  # fmt: skip


def _small(images_u8):
    """Images at the side of the contact sheet, [N, 3, side, side] uint8."""
    image = torch.nn.functional.interpolate(
        images_u8.float(), size=(_SHEET_SIDE, _SHEET_SIDE), mode="bilinear", align_corners=False, antialias=True
    )
    return image.round().clamp(0, 255).to(torch.uint8)
