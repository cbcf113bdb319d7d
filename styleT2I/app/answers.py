"""What the page answers to each request, as HTML that holds its images: no visitor's result is ever a file."""

from __future__ import annotations

import queue
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch

from styleT2I.attributes.prompt import check_text
from styleT2I.errors import ConfigError
from styleT2I.fairness.plan import AuditPlan, Comparison
from styleT2I.fairness.report.page import write_report
from styleT2I.fairness.run import Audit
from styleT2I.formats.model_folder import SYSTEMS
from styleT2I.generation.explain import explain_u8, strip_u8
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.generation.systems.interface import open_system
from styleT2I.torch_utils.images import encode_png
from styleT2I.torch_utils.markup import Markup, data_uri, tag

MAX_FACES, MAX_COMPARED, MAX_PAIRS = 16, 4, 100
OTHERS = SYSTEMS  # the embedded systems of the comparison, besides the page's model


def written(pipeline: StyleT2I, text: str, first: float, num: float, psi: float, method: str) -> tuple[str, str, str]:
    """Faces of a sentence: images before and after, what was read and found, and the explanation of the steps."""
    adjustment = None if method == "none" else method
    prompt = pipeline.understand(text)
    result = pipeline.generate(prompt, seeds_from(first, num, MAX_FACES), truncation_psi=psi, adjustment=adjustment)
    explanation = image_tag(explain_u8(pipeline, result), "The steps of the adjustment", "wide")
    found = prompt._repr_html_() + result.attributes._repr_html_()
    return pairs_of_faces(result.seeds, result.unedited_u8, result.images_u8, text), found, explanation


def edited(pipeline: StyleT2I, first: float, num: float, psi: float, strengths: Mapping[str, float]) -> str:
    """Faces before and after attributes were moved."""
    seeds = seeds_from(first, num, MAX_FACES)
    strengths = {name: strength for name, strength in strengths.items() if strength}
    if not strengths:
        ws = pipeline.latents(seeds, truncation_psi=psi)
        images = pipeline.images_u8(ws, seeds)
        return pairs_of_faces(seeds, images, images, "unedited")
    result = pipeline.edit(seeds, strengths, truncation_psi=psi)
    said = ", ".join(f"{name} {strength:+g}" for name, strength in strengths.items())
    return pairs_of_faces(seeds, result.unedited_u8, result.images_u8, said)


def strip(pipeline: StyleT2I, first: float, num: float, psi: float, name: str) -> str:
    """Strengths of one attribute from -2 to 2, a row for each of at most four faces."""
    seeds = seeds_from(first, min(num, MAX_COMPARED), MAX_FACES)
    return image_tag(strip_u8(pipeline, seeds, name, truncation_psi=psi), f"Strengths of {name}", "wide")


def compared(pipeline: StyleT2I, text: str, first: float, num: float, names: Sequence[str]) -> Iterator[str]:
    """A row of faces from each system on the same sentence and seeds, one row after the other."""
    text, seeds = check_text(text), seeds_from(first, num, MAX_COMPARED)
    if unknown := [name for name in names if name not in OTHERS]:
        raise ConfigError(f"no system {unknown[0]!r}; choose among {', '.join(OTHERS)}")
    rows = [_row(pipeline.model.name, pipeline.generate(text, seeds).images_u8)]
    yield "".join(rows)
    for name in names:
        rows.append(_row(name, open_system(name, device="cpu").generate(text, seeds).images_u8))
        yield "".join(rows)


def audited(
    pipeline: StyleT2I, first: str, second: str, num: float, psi: float, adjusted: bool
) -> Iterator[tuple[str, str]]:
    """(progress, report) of a small audit of two compositions; the report is "" until it is there.

    Closing the iterator stops the audit before its next image; its folder goes in any case.
    """
    if not 2 <= num <= MAX_PAIRS or num != int(num):
        raise ConfigError(f"an audit here takes 2 to {MAX_PAIRS} pairs, not {num:g}; the command takes any number")
    sides = (first.strip(), second.strip())
    assert pipeline.model.vocabulary is not None
    plan = AuditPlan(
        name="a small audit",
        vocabulary=pipeline.model.vocabulary_source,
        num=int(num),
        compositions=sides,
        comparisons=(Comparison(name="compared", first=sides[0], second=sides[1]),),
    )
    stop, drawn = threading.Event(), queue.Queue()

    def draw(prompt, seed):
        if stop.is_set():
            raise _Stopped
        drawn.put(1)
        adjustment = "auto" if adjusted else None
        return pipeline.generate(prompt, [seed], truncation_psi=psi, adjustment=adjustment).images_u8[0]

    draw.__module__, draw.__qualname__ = "styleT2I", pipeline.model.name  # by which the report names it
    audit = Audit(plan, pipeline.model.vocabulary, draw)
    with tempfile.TemporaryDirectory(prefix="styleT2I-audit-") as folder:
        yield from _counted(lambda: audit.run(folder), stop, drawn, 2 * int(num))
        result = audit.result(folder)
        page = write_report(result, folder, [folder]).read_text(encoding="utf-8")
    one = result.comparisons[0]
    low, high = (100 * value for value in one.gap_interval)
    link = tag("a", "Download the report", href=data_uri("text/html", page.encode()), download="audit.html")
    said = tag("p", f"Gap {100 * one.gap:+.1f} points, interval {low:.1f} to {high:.1f}. ", link)
    yield said, tag("iframe", srcdoc=page, title="The audit's report", class_="report")


class _Stopped(Exception):
    """The visitor cancelled."""


def _counted(run: Callable[[], None], stop, drawn, total) -> Iterator[tuple[str, str]]:
    """Run in a thread and tell how many images are drawn; errors of the run are raised here."""
    failed: list[BaseException] = []

    def work():
        try:
            run()
        except BaseException as error:  # raised again below, in the visitor's request
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    num = 0
    try:
        while thread.is_alive():
            thread.join(0.5)
            while not drawn.empty():
                num += drawn.get()
            yield str(tag("p", f"{num} of {total} images drawn")), ""
    finally:
        stop.set()
        thread.join()
    if failed:
        raise failed[0]


def seeds_from(first: float, num: float, most: int) -> list[int]:
    """Seeds from the first on; ConfigError for what is no whole number, or more than `most`."""
    if not all(isinstance(value, (int, float)) and value == int(value) for value in (first, num)):
        raise ConfigError("the first seed and the number of faces are whole numbers")
    if not 0 <= first < 2**53 or not 1 <= num <= most:
        raise ConfigError(f"seeds are 0 or more, and faces 1 to {most} at a time")
    return list(range(int(first), int(first) + int(num)))


def image_tag(image_u8: torch.Tensor, label: str, class_: str) -> Markup:
    """An image [3, H, W] uint8 inside the page."""
    png = encode_png(image_u8.permute(1, 2, 0).numpy())
    return tag("img", src=data_uri("image/png", png), alt=label, class_=class_)


def pairs_of_faces(seeds: Sequence[int], before: torch.Tensor, after: torch.Tensor, said: str) -> str:
    """Each seed's face before and after, with a link to download the second."""
    figures = []
    for seed, one, other in zip(seeds, before, after, strict=True):
        uri = data_uri("image/png", encode_png(other.permute(1, 2, 0).numpy()))
        link = tag("a", f"seed {seed}", href=uri, download=f"seed{seed:04d}.png", title="Download this face")
        images = (image_tag(one, f"Seed {seed}, unedited", "face"), image_tag(other, f"Seed {seed}, {said}", "face"))
        figures.append(tag("figure", *images, tag("figcaption", link)))
    return tag("div", *figures, class_="faces")


def _row(name, images_u8):
    faces = [image_tag(image, f"Face {row} of {name}", "face") for row, image in enumerate(images_u8)]
    return tag("div", tag("h3", name), tag("div", *faces, class_="faces"))
