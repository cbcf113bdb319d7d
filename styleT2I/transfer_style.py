"""Draw sentences in an image's style: `python -m styleT2I.transfer_style --image A.png --text TEXT --outdir out`."""

from pathlib import Path

import click

from styleT2I.cli import command, device_option, done, outdir_option, overwrite_option, seeds_option
from styleT2I.torch_utils.words import counted


@command()
@click.option("--model", default="gan_int_cls", help="A GAN-INT-CLS with its style encoder: a folder or a name.")
@click.option("--image", "images", multiple=True, type=click.Path(dir_okay=False), metavar="FILE", help="Image whose "
              "style is taken; repeatable. Its centre square is used.")  # fmt: skip
@click.option("--text", "texts", multiple=True, required=True, help="Sentence to draw; repeatable.")
@click.option("--style-text", default="she is smiling", help="Without --image: the sentence that the model's own "
              "images of --seeds show.")  # fmt: skip
@seeds_option("0-3")
@outdir_option
@overwrite_option
@device_option
def main(model, images, texts, style_text, seeds, outdir, overwrite, device):
    """Read a style (all that the sentence does not say) from images and draw other sentences with it.

    OUTDIR gets grid.png, one row per image and one column per sentence, imageROW_textCOLUMN.png and transfer.json.
    """
    from styleT2I.evaluation.suites.style import StyleReader, load_images, transfer_grid_u8
    from styleT2I.torch_utils.folders import recorded_command, result_folder
    from styleT2I.torch_utils.images import from_uint8, save_png, to_uint8

    reader = StyleReader.open(model, device)
    prompts = [reader.system.understand(text) for text in texts]
    for warning in dict.fromkeys(warning for prompt in prompts for warning in prompt.warnings):
        click.echo(f"warning: {warning}", err=True)
    request = {"images": images, "texts": texts}
    request |= {} if images else {"style_text": style_text, "seeds": seeds}
    shown = load_images(images, reader.system.resolution) if images else reader.system.understand(style_text)
    with result_folder(outdir, "transfer.json", request, overwrite=overwrite) as staging:
        styles_u8 = shown if images else to_uint8(reader.system.sample([shown] * len(seeds), seeds))
        styles = from_uint8(styles_u8)
        columns = [to_uint8(reader.transfer(styles, [prompt] * len(styles))) for prompt in prompts]
        for column, drawn in enumerate(columns):
            for row, image in enumerate(drawn):
                save_png(staging / f"image{row}_text{column}.png", image)
        save_png(staging / "grid.png", transfer_grid_u8(styles_u8, columns, [prompt.text for prompt in prompts]))
        record = {**request, "model": reader.system.describe(), "command": recorded_command("transfer_style")}
        staging.write_record(record)
    made = f"{counted(len(columns) * len(styles_u8), 'image')} and grid.png in {outdir}"
    done(made, f"look at {Path(outdir) / 'grid.png'}")


if __name__ == "__main__":
    main()
