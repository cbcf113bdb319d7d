"""The page of an inverted image: the original, what each method draws, and by how much it fails. One HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from styleT2I.inversion.result import Inversion
from styleT2I.metrics.pairwise import paired_cosine
from styleT2I.torch_utils.images import encode_png, from_uint8, heat_u8
from styleT2I.torch_utils.markup import data_uri, document, table, tag

__all__ = ["drawn_u8", "identity", "inversion_page"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #111 }
figure { display: inline-block; margin: 0 1rem 1rem 0; vertical-align: top }
img { width: 12rem; image-rendering: pixelated; display: block }
figcaption { max-width: 12rem; font-size: .9rem }
table { border-collapse: collapse; margin: 1rem 0 } th, td { padding: .25rem .75rem; border-bottom: 1px solid #ccc }
th { text-align: left } .num { text-align: right; font-variant-numeric: tabular-nums } .scroll { overflow-x: auto }
caption { text-align: left; font-weight: bold }
"""


@torch.no_grad()
def drawn_u8(G, inversion: Inversion) -> Tensor:
    """What the generator draws for an inversion: [3, R, R] uint8 on the CPU."""
    from styleT2I.torch_utils.images import to_uint8

    device = next(G.parameters()).device
    with inversion.drawing(G):
        return to_uint8(G.synthesis(inversion.ws.unsqueeze(0).to(device)))[0].cpu()


@torch.no_grad()
def identity(judge, first_u8: Tensor, second_u8: Tensor) -> float:
    """The cosine of a judge's features of two images [3, R, R] uint8; 1 for the same image."""
    device = next(judge.parameters()).device
    a, b = (judge.features(from_uint8(image).unsqueeze(0).to(device)) for image in (first_u8, second_u8))
    return paired_cosine(a, b).item()


def inversion_page(
    name: str, original_u8: Tensor, found: Mapping[str, tuple[Inversion, Tensor]], notes: Sequence[str] = ()
) -> str:
    """HTML that needs no other file.

    name: of the image. original_u8: [3, R, R] uint8. found: method -> its inversion, whose record has what is listed,
    and what it draws, [3, R, R] uint8.
    """
    images = [_shown(original_u8, "original")]
    for method, (inversion, image_u8) in found.items():
        error = (image_u8.int() - original_u8.int()).abs().float().mean(dim=0, keepdim=True) / 255
        images.append(_shown(image_u8, f"{method}: {inversion.record['title']}"))
        images.append(_shown(heat_u8(error * 4)[0], f"{method}: where it differs, 64 of 255 and more is yellow"))
    records = {method: inversion.record for method, (inversion, _) in found.items()}
    by = next(iter(records.values()))["distance_by"]
    rows = [
        (method, f"{one['psnr']:.2f}", f"{one['distance']:.4f}", _number(one.get("identity")),
         f"{one['from_w'] ** 0.5:.2f}", f"{one['from_mean'] ** 0.5:.2f}", f"{one['seconds']:.1f}")
        for method, one in records.items()
    ]  # fmt: skip
    columns = ("method", "PSNR, dB", "distance", "identity", "from W", "from the mean", "seconds")
    explained = (
        f"Distance: {by}. Identity: the cosine of the guide judge's features of both images, 1 for the "
        "same; that judge may have steered the search too, so measure a method with evaluate --suite inversion before "
        "you trust it. From W, from the mean: in units of the spread of w; latents far from both fit better and edit "
        "worse."
    )
    body = [tag("h1", f"Inversion of {name}"), tag("div", images), table("What was found", columns, rows)]
    return document(f"Inversion of {name}", _STYLE, *body, [tag("p", text) for text in (explained, *notes)])


def _shown(image_u8, caption):
    data = data_uri("image/png", encode_png(image_u8.permute(1, 2, 0).numpy()))
    return tag("figure", tag("img", src=data, alt=caption), tag("figcaption", caption))


def _number(value):
    return "" if value is None else f"{value:.3f}"
