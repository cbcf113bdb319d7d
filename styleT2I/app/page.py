"""The page itself: tabs of Gradio around `answers`. It loads nothing from elsewhere, and keeps nothing of visitors."""

from __future__ import annotations

import os
import tempfile
from importlib.resources import files

import gradio as gr

from styleT2I.app import answers
from styleT2I.app.photo_desk import MAX_BYTES
from styleT2I.app.photo_tab import photo_tab
from styleT2I.app.turns import TURN, told, told_in_parts
from styleT2I.generation.arguments import MAX_PSI, METHODS
from styleT2I.generation.pipeline import StyleT2I

MAX_WAITING = 64  # requests in the queue; further ones are told to come back
WHAT_AN_AUDIT_IS = (
    "Whether one combination of attributes comes out as often as another, from the same seeds. A report with limits, "
    "and intervals that decide, takes more images: `python -m styleT2I.audit`."
)
FONTS = ["system-ui", "sans-serif"]  # names alone: Gradio's own are fetched from Google


def serve(pipeline: StyleT2I, address: str, port: int) -> None:
    """Serve the page until it is interrupted."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    with tempfile.TemporaryDirectory(prefix="styleT2I-app-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        theme = gr.themes.Base(font=FONTS, font_mono=["monospace"])
        built(pipeline).queue(max_size=MAX_WAITING, default_concurrency_limit=1).launch(
            server_name=address, server_port=port, share=False, ssr_mode=False, enable_monitoring=False, quiet=True,
            max_file_size=MAX_BYTES, footer_links=[], theme=theme, css=(files(__package__) / "app.css").read_text(),
        )  # fmt: skip


def built(pipeline: StyleT2I) -> gr.Blocks:
    """The page of a model; tabs that it has no networks for are left out."""
    model = pipeline.model
    with gr.Blocks(title="StyleT2I", analytics_enabled=False, delete_cache=(60, 300)) as page:
        gr.Markdown(f"# StyleT2I\nModel {model.name}. Nobody drawn here exists.")
        if model.has("t2d"):
            _write_tab(pipeline)
        if model.has("a2d") and model.vocabulary is not None:
            _edit_tab(pipeline)
            photo_tab(page, pipeline)
        if model.has("t2d"):
            _compare_tab(pipeline)
        if model.has("t2d") and model.vocabulary is not None and model.has("judges.heldout"):
            _audit_tab(pipeline)
    return page


def _write_tab(pipeline):
    with gr.Tab("Write"):
        text = gr.Textbox(label="Sentence", value="he is wearing lipstick")
        first, num, psi = _faces(answers.MAX_FACES)
        method = gr.Dropdown(["auto", *METHODS], value="auto", label="Adjustment")
        draw = gr.Button("Draw", variant="primary")
        faces, found, explanation = gr.HTML(), gr.HTML(), gr.HTML()
        for event in (draw.click, text.submit):
            event(told(answers.written, pipeline), [text, first, num, psi, method], [faces, found, explanation], **TURN)


def _edit_tab(pipeline):
    names = pipeline.model.vocabulary.names

    def moved(history, first, num, psi, *strengths):
        faces = answers.edited(pipeline, first, num, psi, dict(zip(names, strengths, strict=True)))
        return faces, history if history[-1:] == [strengths] else [*history, strengths]

    def undone(history):
        history = history[:-1]
        return [history, *(history[-1] if history else [0.0] * len(names))]

    with gr.Tab("Edit"):
        first, num, psi = _faces(answers.MAX_FACES)
        with gr.Row():
            with gr.Column():
                sliders = [gr.Slider(-2, 2, 0, step=0.1, label=name.replace("_", " ")) for name in names]
            with gr.Column():
                with gr.Row():
                    draw, undo = gr.Button("Draw", variant="primary"), gr.Button("Undo")
                faces = gr.HTML()
                name = gr.Dropdown(list(names), value=names[0], label="Attribute of the strip")
                strip, shown = gr.Button("Strip"), gr.HTML()
        history = gr.State([])
        call = dict(fn=told(moved), inputs=[history, first, num, psi, *sliders], outputs=[faces, history], **TURN)
        draw.click(**call)
        for slider in sliders:
            slider.release(**call)
        undo.click(undone, [history], [history, *sliders], api_visibility="private").then(**call)
        strip.click(told(answers.strip, pipeline), [first, num, psi, name], [shown], **TURN)


def _compare_tab(pipeline):
    with gr.Tab("Compare"):
        text = gr.Textbox(label="Sentence", value="he is wearing lipstick")
        first = gr.Number(0, label="First seed", precision=0)
        num = gr.Slider(1, answers.MAX_COMPARED, 4, step=1, label="Faces")
        names = gr.CheckboxGroup(list(answers.OTHERS), value=["dfgan"], label="Beside the model")
        with gr.Row():
            draw, cancel = gr.Button("Compare", variant="primary"), gr.Button("Cancel")
        rows = gr.HTML()
        running = draw.click(told_in_parts(answers.compared, pipeline), [text, first, num, names], [rows], **TURN)
        cancel.click(None, cancels=[running])


def _audit_tab(pipeline):
    with gr.Tab("Audit"):
        gr.Markdown(WHAT_AN_AUDIT_IS)
        first, second = gr.Textbox("she+lipstick", label="First"), gr.Textbox("he+lipstick", label="Second")
        num = gr.Slider(2, answers.MAX_PAIRS, 10, step=1, label="Pairs")
        psi = gr.Slider(0, MAX_PSI, 0.7, step=0.05, label="Truncation psi")
        adjusted = gr.Checkbox(False, label="With the adjustment")
        with gr.Row():
            run, cancel = gr.Button("Audit", variant="primary"), gr.Button("Cancel")
        progress, report = gr.HTML(), gr.HTML()
        inputs = [first, second, num, psi, adjusted]
        running = run.click(told_in_parts(answers.audited, pipeline), inputs, [progress, report], **TURN)
        cancel.click(None, cancels=[running])


def _faces(most):
    """Inputs that say which faces: first seed, number, psi."""
    with gr.Row():
        first = gr.Number(0, label="First seed", precision=0)
        num = gr.Slider(1, most, 4, step=1, label="Faces")
        psi = gr.Slider(0, MAX_PSI, 0.7, step=0.05, label="Truncation psi")
    return first, num, psi
