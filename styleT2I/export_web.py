"""Write a page that runs a model in a browser: `python -m styleT2I.export_web --runtime node_modules --outdir web`."""

from pathlib import Path

import click

from styleT2I.cli import command, done, model_option, outdir_option, overwrite_option


@command()
@model_option
@click.option("--runtime", required=True, type=click.Path(), metavar="DIR", help="The npm package onnxruntime-web, or "
              "the folder that it is installed in.")  # fmt: skip
@outdir_option
@overwrite_option
def main(model, runtime, outdir, overwrite):
    """Write a folder of static files that draws a model's faces in the browser: sentence, sliders, seeds.

    No server computes anything: open index.html from the disk, or put the folder on any file server. Needs
    onnxruntime (pip install 'styleT2I[onnx]') for the export, and onnxruntime-web (npm install onnxruntime-web), which
    goes into the folder under its licence, MIT.

    \b
    Example:
      npm install onnxruntime-web
      python -m styleT2I.export_web --runtime node_modules --outdir web
      python -m http.server --directory web          or open web/index.html from the disk

    Another model than the embedded one (--model DIR) works where ONNX export does: docs/web.md.
    """
    from styleT2I.exports.web import export_web
    from styleT2I.generation.pipeline import StyleT2I

    export_web(StyleT2I.from_pretrained(model, device="cpu"), outdir, runtime, overwrite=overwrite)
    size = sum(path.stat().st_size for path in Path(outdir).iterdir()) / 1e6
    done(f"a page of {size:.1f} MB in {outdir}", f"open {Path(outdir) / 'index.html'} in a browser")


if __name__ == "__main__":
    main()
