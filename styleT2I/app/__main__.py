"""Draw, edit faces and photos, compare and audit in a browser: `python -m styleT2I.app`."""

import importlib.util
import socket

import click

from styleT2I.cli import command, device_option, model_option
from styleT2I.errors import DependencyError

ADDRESS = "127.0.0.1"  # of this machine alone


@command()
@model_option
@click.option("--port", default=7860, type=click.IntRange(1, 65535), help="Of the page's address.")
@device_option
def main(model, port, device):
    """Serve a page on this machine: sentences, sliders, your photo, other systems, a small audit. Ctrl-C ends it.

    Only this machine reaches it, and it loads nothing from elsewhere. Needs Gradio (pip install 'styleT2I[app]').
    """
    if importlib.util.find_spec("gradio") is None:
        raise DependencyError("the app needs Gradio: pip install 'styleT2I[app]'")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            raise click.UsageError(f"port {port} is in use or not allowed; name another one with --port") from error
    from styleT2I.app.page import serve
    from styleT2I.generation.pipeline import StyleT2I

    pipeline = StyleT2I.from_pretrained(model, device=device)
    click.echo(f"open http://{ADDRESS}:{port} in a browser; Ctrl-C ends it")
    serve(pipeline, ADDRESS, port)


if __name__ == "__main__":
    main()
