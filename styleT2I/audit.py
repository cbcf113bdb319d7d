"""Audit a model's compositions: `python -m styleT2I.audit plan PLAN.yaml`, `audit run PLAN.yaml --outdir DIR`."""

import click

from styleT2I.cli import command, group


@group
def main():
    """Do some compositions of attributes come out less often than others? Declared first, paired by latent, tested."""


@command("plan")
@click.argument("path", required=False, metavar="[PLAN.yaml]")
@click.option("--detect", nargs=2, type=float, metavar="P1 P2", help="Two shares of success to tell apart.")
@click.option("--power", default=0.8, help="Chance of telling them apart.")
@click.option("--alpha", type=float, help="Chance of even one false finding. [default: the plan's, else 0.05]")
@click.option("--correlation", default=0.0, help="Of the two successes from one latent; 0 is the careful choice.")
@click.option("--comparisons", type=click.IntRange(1), help="Primary comparisons. [default: the plan's, else 1]")
def plan_command(path, detect, power, alpha, correlation, comparisons):
    """Check a plan, and say how many pictures of a composition tell two shares of success apart."""
    from styleT2I.fairness.plan import load_plan, plan_hash
    from styleT2I.fairness.sample_size import pairs_needed

    if not (path or detect):
        raise click.UsageError("nothing to plan; give PLAN.yaml, --detect P1 P2, or both")
    plan = None
    if path:
        plan, vocabulary = load_plan(path)
        num_cells, num_settings = len(plan.cells(vocabulary)), len(plan.settings)
        click.echo(
            f"{plan.name}: {num_cells} compositions x {plan.num} pictures x {num_settings} settings = "
            f"{num_cells * plan.num * num_settings} pictures, {len(plan.comparisons)} primary comparisons, "
            f"{len(plan.thresholds)} thresholds"
        )
        click.echo(f"sha256 {plan_hash(plan)}")
    if detect:
        alpha = alpha if alpha is not None else plan.alpha if plan else 0.05
        comparisons = comparisons or max(1, len(plan.comparisons) if plan else 1)
        num = pairs_needed(*detect, power, alpha, correlation, comparisons)
        click.echo(
            f"{num} pairs tell {detect[0]:g} from {detect[1]:g} with power {power:g} (exact McNemar test, alpha "
            f"{alpha:g} over {comparisons} comparison{'s' * (comparisons > 1)}, correlation {correlation:g})"
        )


main.add_command(plan_command)


if __name__ == "__main__":
    main()
