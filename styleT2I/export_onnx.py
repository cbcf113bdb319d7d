"""Write a model as ONNX files: `python -m styleT2I.export_onnx --outdir onnx`."""

from pathlib import Path

import click

from styleT2I.cli import command, done, model_option, outdir_option, overwrite_option


@command()
@model_option
@outdir_option
@overwrite_option
def main(model, outdir, overwrite):
    """Write mapping, synthesis, text side, T2D and A2D of a model as ONNX files, with onnx.json to use them by.

    Each file is compared with PyTorch in onnxruntime before it counts: within 1e-5, or nothing is written. Needs
    onnxruntime (pip install 'styleT2I[onnx]').

    \b
    Then, without PyTorch:
      ws    = mapping(z, psi)            z standard normal [N, z_dim]
      s     = t2d(ws[:, 0], text(ids))   ids by the tokenizer in onnx.json
      image = synthesis(ws + s)          [N, 3, R, R] around [-1, 1]

    \b
    Examples:
      python -m styleT2I.export_onnx --outdir onnx
      python -m styleT2I.export_onnx --model models/mine --outdir onnx --overwrite
    """
    from styleT2I.exports.onnx import MANIFEST, export_onnx
    from styleT2I.generation.pipeline import StyleT2I

    manifest = export_onnx(StyleT2I.from_pretrained(model, device="cpu"), outdir, overwrite=overwrite)
    for name, graph in manifest["graphs"].items():
        size = (Path(outdir) / graph["file"]).stat().st_size / 1e6
        click.echo(f"{name:10s} {graph['file']:16s} {size:6.1f} MB, error against PyTorch {graph['error']:.1e}")
    done(f"{len(manifest['graphs'])} ONNX files and {MANIFEST} in {outdir}", "docs/onnx.md says how to run them")


if __name__ == "__main__":
    main()
