"""Write a model as ONNX files: `python -m styleT2I.export_onnx --outdir onnx`."""

import click

from styleT2I.cli import command, done, model_option, outdir_option


@command()
@model_option
@outdir_option
def main(model, outdir):
    """Write mapping, synthesis, text side, T2D and A2D of a model as ONNX files, with onnx.json to use them by.

    Each file is compared with PyTorch in onnxruntime before it counts: within 1e-5, or nothing is written. Needs
    onnxruntime (pip install 'styleT2I[onnx]').

    \b
    Then, without PyTorch:
      ws    = mapping(z, psi)            z standard normal [N, z_dim]
      s     = t2d(ws[:, 0], text(ids))   ids by the tokenizer in onnx.json
      image = synthesis(ws + s)          [N, 3, R, R] around [-1, 1]
    """
    from styleT2I.generation.exports.onnx import MANIFEST, export_onnx
    from styleT2I.generation.pipeline import StyleT2I
    from styleT2I.torch_utils.folders import staged_folder

    pipeline = StyleT2I.from_pretrained(model, device="cpu")
    with staged_folder(outdir) as staging:
        manifest = export_onnx(pipeline, staging)
    for name, file in manifest["files"].items():
        click.echo(f"{name:10s} {file['file']:16s} error against PyTorch {file['error']:.1e}")
    done(
        f"{len(manifest['files'])} ONNX files and {MANIFEST} in {outdir}", "read docs/onnx.md for what goes in and out"
    )


if __name__ == "__main__":
    main()
