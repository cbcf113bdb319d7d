"""Put trained components into one model folder: `python -m styleT2I.package_model --generator G.json --outdir DIR`."""

from pathlib import Path

import click

from styleT2I.cli import command, done, outdir_option
from styleT2I.torch_utils.words import counted

_HELP = {
    "generator": "StyleGAN2 generator.",
    "clip": "CLIP that reads sentences and guided the training.",
    "t2d": "Text-to-Direction network.",
    "a2d": "Attribute-to-Direction network.",
    "segmenter": "Network that finds the regions of a face.",
    "encoder": "Encoder of images into the generator's latents, for photos.",
    "judges.guide": "Attribute classifier that the adjustment uses while it draws.",
    "judges.heldout": "Attribute classifier for measurements and audits alone.",
    "clip_eval": "Second CLIP, for R-precision alone.",
    "gan_int_cls": "GAN-INT-CLS generator.",
    "stackgan": "StackGAN generator.",
    "attngan": "AttnGAN generator.",
    "dfgan": "DF-GAN generator.",
    "style_encoder": "GAN-INT-CLS's style encoder.",
    "text_encoder": "DAMSM's text encoder, which reads the sentences of AttnGAN and DF-GAN.",
    "unclip": "Decoder of unCLIP.",
    "unclip_prior": "Diffusion prior of unCLIP.",
    "unclip_ar_prior": "Autoregressive prior of unCLIP.",
    "unclip_upsampler": "Upsampler of unCLIP.",
    "clip_words": "CLIP's text network for single words, which AttnGAN reads with where it was trained so.",
}


def _role_options(function):
    """One option per role, named as in model.json with dashes: --judges-guide fills judges.guide."""
    from styleT2I.formats.model_folder import ROLES

    for role in reversed(ROLES):
        flag = "--" + role.replace(".", "-").replace("_", "-")
        option = click.option(flag, role.replace(".", "__"), metavar="FILE", help=_HELP[role])
        function = option(function)
    return function


@command()
@click.option("--model", help="A model, for example a training's folder, whose components are packaged; those named "
              "by the options below take their places.")  # fmt: skip
@_role_options
@click.option("--vocabulary", metavar="NAME|FILE", help="Names of the attributes, none for none; when not given "
              "that which the direction networks were trained with, else the model's, else the judges', or "
              "minifaces.")  # fmt: skip
@click.option("--name", help="Name of the model; the folder's name when not given.")
@click.option("--half", is_flag=True, help="Store the weights as fp16.")
@click.option("--licence", metavar="TEXT", help="Licence of the model, for its card, for example Apache-2.0.")
@outdir_option
def main(model, vocabulary, name, half, licence, outdir, **components):
    """Copy components into one folder with a model card and a model.json that names, hashes and checks them."""
    given = {role.replace("__", "."): file for role, file in components.items() if file is not None}
    if not given and model is None:
        raise click.UsageError("name at least one component, for example --generator runs/generator/generator.json")
    from styleT2I.generation.model import Model
    from styleT2I.generation.trained_vocabulary import take_vocabulary

    packaged = Model(given, device="cpu") if model is None else Model.from_pretrained(model, device="cpu", **given)
    if vocabulary == "none":
        packaged.use_vocabulary(None)
    else:
        take_vocabulary(packaged, vocabulary or _of_judges_alone(packaged))
    manifest = packaged.save(outdir, name or Path(outdir).resolve().name, half=half, licence=licence)
    for role, source in packaged.left_out.items():
        what = f"the {role} of {source} steers that model's own generator and was left out"
        click.echo(f"note: {what}; --{role} {source} packages it all the same", err=True)
    size = sum(path.stat().st_size for path in manifest.parent.iterdir() if path.is_file())
    made = f"{manifest}: {counted(len(packaged.sources), 'component')}, {size / 1e6:.1f} MB"
    can_draw = packaged.has("t2d") or not packaged.has("generator")
    command = ("styleT2I.generate", "--model", outdir, "--text", "he is wearing lipstick", "--outdir", "out")
    done(made, None, *(("python", "-m", *command) if can_draw else ()))


def _of_judges_alone(model):
    """The embedded vocabulary of whose attributes a model's judges are; None where it has other networks as well."""
    from styleT2I.attributes.vocabulary import BUILT_IN, load_vocabulary

    if model.vocabulary is not None or not set(model.sources) <= {"judges.guide", "judges.heldout"}:
        return None
    names = {tuple(model.network(role).attribute_names) for role in model.sources}
    return next((name for name in BUILT_IN if names == {load_vocabulary(name).names}), None)


if __name__ == "__main__":
    main()
