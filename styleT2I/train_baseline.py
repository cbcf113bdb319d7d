"""Train an earlier text-to-image GAN, or its DAMSM: `python -m styleT2I.train_baseline --system dfgan --outdir DIR`."""

import click

from styleT2I.cli import command, defaults_of, device_option, outdir_option, seed_option, trained

GANS = ("gan_int_cls", "stackgan", "damsm", "attngan", "dfgan")
UNCLIP = ("unclip_prior", "unclip_ar_prior", "unclip_upsampler", "unclip")


def _defaults():
    from styleT2I.training.baselines.registry import task_config

    kimg, config = task_config("dfgan", "minifaces", clip="")
    shown = defaults_of("dfgan, minifaces", config, kimg=kimg)
    return {name: text for name, text in shown.items() if name != "clip"}


@command(preset_defaults=_defaults, renamed={"--model": "--system"})
@outdir_option
@click.option("--system", required=True, type=click.Choice(GANS + UNCLIP), help="Which "
              "system; damsm is the text and image encoder that attngan needs, unclip the decoder of unCLIP, beside "
              "which the other unclip names are trained.")  # fmt: skip
@click.option("--preset", default="minifaces", type=click.Choice(["paper", "minifaces", "minifaces64"]),
              help="Settings to start from: the paper's, or small networks for MiniFaces at 64 pixels; of unCLIP with "
              "64 larger batches and a decoder at that size, for a GPU.")  # fmt: skip
@click.option("--data", metavar="SPEC", help="Captioned pictures: a folder, or minifaces:DISTRIBUTION/SPLIT[:NUM].")
@click.option("--damsm", metavar="DIR", type=click.Path(exists=True, file_okay=False), help="Folder of a training of "
              "--system damsm, whose encoders attngan learns from and dfgan may read its sentences with.")  # fmt: skip
@click.option("--clip", metavar="FILE", help="Component of the frozen CLIP that reads the sentences; the embedded "
              "model's unless --damsm or --embeddings is given.")  # fmt: skip
@click.option("--embeddings", metavar="FILE", help="Sentence features in place of a CLIP's: .npy, .npz or .pickle, "
              "the rows of each picture in the data's order.")  # fmt: skip
@click.option("--prior", metavar="DIR", help="Folder of a --model unclip_prior training, for unclip's model folder.")
@click.option("--ar-prior", metavar="DIR", help="Likewise of a --model unclip_ar_prior training.")
@click.option("--upsampler", metavar="DIR", help="Likewise of a --model unclip_upsampler training.")
@click.option("--inception", metavar="FILE", help="Torchvision's inception_v3 weights, for damsm's paper preset.")
@click.option("--shuffle-captions", is_flag=True, help="Control: every picture is shown with another one's sentence.")
@click.option("--judge", metavar="FILE", help="Attribute classifier for the log's distances; it never trains anything.")
@click.option("--eval-data", metavar="SPEC", help="Pictures and captions of the log's distances.")
@click.option("--kimg", type=click.FloatRange(0, min_open=True), help="Thousands of real images to train on in all.")
@click.option("--batch", "batch_size", type=click.IntRange(4), help="Images a step.")
@click.option("--lr", type=float, help="Learning rate of one of unCLIP's networks.")
@click.option("--glr", "g_lr", type=float, help="Learning rate of the generator.")
@click.option("--dlr", "d_lr", type=float, help="Learning rate of the discriminator.")
@click.option("--ema-kimg", type=click.FloatRange(0), help="Half-life of the averaged generator, thousands of images.")
@click.option("--eval-num", type=click.IntRange(8), help="Images of either kind in an evaluation.")
@click.option("--eval-kimg", default=16.0, type=click.FloatRange(0, min_open=True), help="Between two evaluations.")
@click.option("--resume", default="auto", metavar="auto|never|FILE", help="Checkpoint to go on from.")
@seed_option
@device_option
def main(outdir, system, preset, shuffle_captions, kimg, eval_kimg, resume, seed, device, **settings):
    """Train a baseline; OUTDIR then is a model that generate takes: python -m styleT2I.generate --model OUTDIR."""
    from styleT2I.formats.model_folder import read_model_folder
    from styleT2I.torch_utils.devices import resolve_device
    from styleT2I.training.baselines.registry import new_task, task_config
    from styleT2I.training.engine import RunConfig, run

    if system not in ("damsm", "attngan") and not any(settings[name] for name in ("clip", "embeddings", "damsm")):
        settings["clip"] = str(read_model_folder("minifaces").file("clip"))
    preset_kimg, config = task_config(system, preset, shuffle_captions=shuffle_captions or None, **settings)

    def steps(thousands):
        return max(round(thousands * 1000 / config.batch_size), 1)

    num_steps, every = steps(kimg or preset_kimg), steps(eval_kimg)
    run(
        new_task(system, config, num_steps, seed),
        RunConfig(
            outdir=outdir, steps=num_steps, seed=seed, device=str(resolve_device(device)),
            log_every=max(every // 10, 1), eval_every=every, snapshot_every=every, checkpoint_every=every,
            resume=resume,
        ),
    )  # fmt: skip
    if system == "damsm":
        trained(outdir, "styleT2I.train_baseline", "--system", "attngan", "--damsm", outdir, "--outdir", "runs/attngan")
    else:
        trained(outdir, "styleT2I.generate", "--model", outdir, "--text", "she is smiling", "--outdir", "out")


if __name__ == "__main__":
    main()
