"""Write a generator's samples as a data set.

`python -m styleT2I.sample_dataset --generator G.json --judge J.json --outdir DIR`
"""

import click

from styleT2I.cli import command, device_option, outdir_option, seed_option


@command()
@click.option("--generator", required=True, metavar="FILE", help="Component of the generator.")
@click.option("--judge", required=True, metavar="FILE", help="Component of the judge that labels its samples.")
@outdir_option
@click.option("--num", default=10000, type=click.IntRange(1), help="Number of images.")
@click.option("--min-psi", default=0.5, type=click.FloatRange(0, 1), help="Truncation psi is drawn from here to 1.")
@seed_option
@device_option
def main(generator, judge, outdir, num, min_psi, seed, device):
    """Sample MiniFaces pictures from a generator, label them with a judge, caption them, and write a data set."""
    import torch
    from tqdm import tqdm

    from styleT2I.data.writer import write_folder_dataset
    from styleT2I.networks.registry import load_network_component
    from styleT2I.torch_utils.devices import resolve_device
    from styleT2I.training.sampled_data import labelled_samples

    torch.set_num_threads(1)
    place = resolve_device(device)
    networks = [load_network_component(path, place) for path in (generator, judge)]
    samples = labelled_samples(*networks, num, seed, min_psi)
    info = {"generator": str(generator), "judge": str(judge), "min_psi": min_psi, "seed": seed}
    names = networks[1].attribute_names
    write_folder_dataset(outdir, tqdm(samples, total=num, unit="image"), attribute_names=names, info=info)
    click.echo(f"{num} images in {outdir}")


if __name__ == "__main__":
    main()
