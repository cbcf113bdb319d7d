"""The tab "My photo": drop a photo, move the points of its face, invert, move attributes, take it back."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from styleT2I.app.photo_desk import POINTS, PhotoDesk
from styleT2I.app.turns import AT_ONCE, TURN, told
from styleT2I.errors import StyleT2IError
from styleT2I.generation.arguments import INVERSIONS
from styleT2I.generation.pipeline import StyleT2I

__all__ = ["photo_tab"]

WHAT_IS_KEPT = (
    "Your photo stays on this machine, in memory and for you alone: it goes when you leave the page, press Forget or "
    "drop another one. Points that lie wrong can be moved: name one and click on its place, or change its numbers."
)
CLICKED = """element.addEventListener('click', event => {
  const image = event.target.closest('img.photo');
  if (!image) return;
  const box = image.getBoundingClientRect();
  trigger('click', {x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height});
});"""
_NUM = 2 * len(POINTS)


def photo_tab(page: gr.Blocks, pipeline: StyleT2I) -> None:
    """Add the tab to a page that is being built."""
    desk, names = PhotoDesk(pipeline), pipeline.model.vocabulary.names
    encoded = pipeline.model.has("encoder")
    methods = [method for method in INVERSIONS if encoded or not method.startswith("encoder")]
    with gr.Tab("My photo"):
        gr.Markdown(WHAT_IS_KEPT)
        with gr.Row():
            with gr.Column():
                drop = gr.File(label="Photo", file_types=["image"], height=120)
                photo = gr.HTML(js_on_load=CLICKED)
                which = gr.Radio(list(POINTS), value=POINTS[0], label="Point that a click moves")
                with gr.Accordion("Points in pixels of the photo", open=False):
                    numbers = [number for name in POINTS for number in _numbers(name)]
                method = gr.Dropdown(methods, value="encoder+" if encoded else "w+", label="Inversion")
                with gr.Row():
                    invert, forget = gr.Button("Invert"), gr.Button("Forget")
                face = gr.HTML()
            with gr.Column():
                sliders = [gr.Slider(-2, 2, 0, step=0.1, label=name.replace("_", " ")) for name in names]
                edit, result = gr.Button("Edit and put back", variant="primary"), gr.HTML()

    def received(path: str, request: gr.Request):
        file, is_taken = Path(path), True
        try:
            desk.receive(str(request.session_hash), file.name, file.read_bytes())
        except StyleT2IError as error:
            gr.Warning(str(error))  # an error would leave the file in its field
            is_taken = False
        finally:
            _removed(file)
        return None, is_taken, "", "", ""

    def found(request: gr.Request, is_taken):
        if not is_taken:
            return gr.skip()
        visitor = str(request.session_hash)
        points, is_found = desk.find(visitor)
        if not is_found:
            gr.Warning("no face was found; move the points onto one, or drop another photo")
        return _with_points(visitor, points)

    def clicked(request: gr.Request, event: gr.EventData, which, *points):
        visitor = str(request.session_hash)
        return _with_points(visitor, desk.moved(visitor, points, which, event.x, event.y))

    def _with_points(visitor, points):
        points = points.round(1).ravel().tolist()
        return desk.shown(visitor, points), *points

    def redrawn(request: gr.Request, *points):
        return desk.shown(str(request.session_hash), points)

    def inverted(request: gr.Request, method, *points):
        return desk.inverted(str(request.session_hash), points, method)

    def edited(request: gr.Request, method, *values):
        strengths = dict(zip(names, values[_NUM:], strict=True))
        return desk.edited(str(request.session_hash), values[:_NUM], method, strengths)

    def left(request: gr.Request):
        desk.forget(str(request.session_hash))

    def forgotten(request: gr.Request):
        left(request)
        return "", "", ""

    shown = [photo, *numbers]
    taken = gr.State(False)
    dropped = drop.upload(received, [drop], [drop, taken, photo, face, result], **AT_ONCE)
    dropped.success(told(found), [taken], shown, **TURN)
    photo.click(told(clicked), [which, *numbers], shown, **AT_ONCE)
    for number in numbers:
        number.input(told(redrawn), numbers, [photo], trigger_mode="always_last", **AT_ONCE)
    invert.click(told(inverted), [method, *numbers], [face], **TURN)
    edit.click(told(edited), [method, *numbers, *sliders], [result], **TURN)
    forget.click(forgotten, None, [photo, face, result], **AT_ONCE)
    page.unload(left)


def _numbers(name: str) -> Sequence[gr.Number]:
    """The fields of a point."""
    with gr.Row():
        return [gr.Number(label=f"{name}, {axis}", precision=1) for axis in "xy"]


def _removed(file: Path) -> None:
    """Remove an uploaded file and the folder that it came in."""
    with contextlib.suppress(OSError):
        file.unlink()
        file.parent.rmdir()
