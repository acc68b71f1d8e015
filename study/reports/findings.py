"""What every report begins with: three to six sentences, computed from its numbers."""

from collections.abc import Callable, Sequence

import pandas as pd

from study.reports.comparisons import claim, paired_test
from study.reports.intervals import median_interval, median_level
from study.reports.looks import title
from study.reports.tables import Grid, label_name, optimism


def training_findings(results: pd.DataFrame, steps: pd.DataFrame) -> list[str]:
    """What the cells of one number of labels show.

    Args:
        results: columns variant, count, srcc, srcc_best.
        steps: columns variant, cosine, of the fine-tuned variants.
    """
    means = results.groupby("variant")["srcc"].mean()
    best, worst, count = means.idxmax(), means.idxmin(), results["count"].iloc[0]
    sentences = [
        f"With {count} labels the highest mean SRCC is {means[best]:.3f}, of *{title(best)}*; "
        f"the lowest is {means[worst]:.3f}, of *{title(worst)}*.",
        f"Picking the best step on the test part would have added {optimism(results):.3f} on average.",
    ]
    known = steps.dropna(subset="cosine") if len(steps) else steps
    if len(known):
        share = (known["cosine"] > 0).mean()
        sentences.append(f"The quality and the semantic gradient agree in {share:.0%} of the steps measured.")
    return sentences


def grid_findings(
    grid: Grid, comparisons: pd.DataFrame, labels: float, middle: Callable[[pd.Series], float]
) -> list[str]:
    """What a grid shows: the best variant, and what each idea adds.

    Args:
        grid: the runs.
        comparisons: of `compare_variants`; only what was stated beforehand is told.
        labels: the number of labels whose best variant is named.
        middle: of the repeats' SRCC, the mean or the median.
    """
    values = grid.at(labels).groupby("variant")["srcc"].agg(middle)
    best, word = values.idxmax(), "median" if middle is pd.Series.median else "mean"
    plain = f", against {values['ridge']:.3f} of *{title('ridge')}*" if "ridge" in values else ""
    name = label_name(labels, grid.count(labels))
    ideas = comparisons[comparisons["idea"] != ""].itertuples()
    return [
        f"With {name} labels the highest {word} SRCC is {values[best]:.3f}, of *{title(best)}*{plain}.",
        *(claim(f"**{row.idea}** (*{title(row.a)}* − *{title(row.b)}*)", row) for row in ideas),
    ]


def optimism_finding(results: pd.DataFrame, evaluations: int) -> str:
    """What picking on the test part would have claimed.

    Args:
        results: columns variant, srcc, srcc_best.
        evaluations: test evaluations along a run.
    """
    return (
        f"Picking the best of {evaluations} steps on the test part would have added {optimism(results):.4f} SRCC "
        "to a fine-tuned run on average; a choice among more steps adds at least as much."
    )


def sweep_finding(strengths: pd.DataFrame) -> str:
    """Which strength of the projection has the highest mean, and whether it differs from no projection.

    Args:
        strengths: of `study.reports.comparisons.against_zero`.
    """
    if not len(strengths) or strengths["difference"].max() <= 0:
        return "No strength of the projection has a higher mean SRCC than none (λ = 0)."
    best = strengths.loc[strengths["difference"].idxmax()]
    row = best.drop("p").rename({"p_holm": "p"})
    return claim(f"λ = {best['strength']:g}, the strength with the highest mean (exploratory, Holm's p)", row)


def published_finding(results: pd.DataFrame, reported: pd.DataFrame, count: int) -> str:
    """Where the best variant's median stands among published ones with as many labels.

    Args:
        results: columns variant, count, srcc.
        reported: columns method, count, srcc.
        count: the number of labels.
    """
    others = reported[reported["count"] == count]
    runs = results[results["count"] == count]
    best = runs.groupby("variant")["srcc"].median().idxmax()
    middle, low, high = median_interval(runs.loc[runs["variant"] == best, "srcc"])
    groups = {
        "published numbers below that interval": others["srcc"] < low,
        "inside it": others["srcc"].between(low, high),
        "above it": others["srcc"] > high,
    }
    words = "; ".join(f"{name}: {', '.join(others.loc[rows, 'method'])}" for name, rows in groups.items() if rows.any())
    level = median_level(runs["repeat"].nunique())
    if not words:
        return f"No published numbers with {count} labels are known here."
    return (
        f"With {count} labels *{title(best)}* has a median of {middle:.3f} ({100 * level:.1f} % interval {low:.3f} to "
        f"{high:.3f}); {words}. Backbones, image sizes and protocols differ: no fair comparison."
    )


def replication_finding(held: pd.DataFrame, count: int) -> str:
    """What every idea adds over pre-trainings and splits, at one number of labels, or that there was one pre-training.

    Args:
        held: of `study.reports.replicated.replicated_effects`.
        count: the number of labels.
    """
    rows = held[held["count"] == count].dropna(subset="low") if len(held) else held
    if not len(rows):
        return "All this holds for one pre-training."
    told = ", ".join(
        f"{row.idea} {row.difference:+.3f} ({row.low:+.3f} to {row.high:+.3f}; single pre-trainings {row.least:+.3f} to "
        f"{row.most:+.3f})"
        for row in rows.itertuples()
    )
    draws, splits = rows["draws"].iloc[0], rows["splits"].iloc[0]
    return f"Over {draws} pre-trainings and {splits} splits, with {count} labels (95 % intervals): {told}."


def suggested_finding(suggested: pd.DataFrame, ratio: float) -> str:
    """What labels of suggested images gain over random ones, by their number, and how often intervals hold the label.

    Args:
        suggested: columns images (random or suggested), labels, repeat, srcc, coverage.
        ratio: images that test to those that train, for the corrected interval.
    """
    table = suggested.pivot(index="repeat", columns=["images", "labels"], values="srcc")
    gains = table["suggested"] - table["random"]
    tests = {count: paired_test(gains[count].to_numpy(), ratio) for count in gains}
    told = (f"{one['difference']:+.3f} ({one['low']:+.3f} to {one['high']:+.3f}) with {n}" for n, one in tests.items())
    covered = suggested[suggested["images"] == "random"].groupby("labels")["coverage"].mean()
    held = ", ".join(f"{100 * share:.0f} % with {count}" for count, share in covered.items())
    return (
        f"Labels of suggested instead of random images change SRCC by {', '.join(told)} labels. "
        f"With random images labelled, intervals that are meant to hold nine of ten labels hold {held}."
    )
