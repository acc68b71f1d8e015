"""What the reports of the stages before fine-tuning begin with: sentences computed from their numbers."""

import pandas as pd


def scene_findings(scores: dict[str, dict[str, float]], trained_on: int, held_out: int) -> list[str]:
    """What the text tower knows of scenes.

    Args:
        scores: accuracies as reports/backbone.json has them.
        trained_on: photographs that the text tower was aligned to.
        held_out: photographs that it was not.
    """
    text, mean = scores["text tower, held-out photographs"], scores["nearest mean, held-out photographs"]
    own = scores["text tower, its own photographs"]
    return [
        f"The text tower gives {text['accuracy']:.0%} of the crops of {held_out} held-out photographs the right one of "
        f"nine scenes (balanced {text['balanced accuracy']:.0%}; chance is 11 %).",
        f"The nearest mean of this image tower's own embeddings, without any text tower, gives {mean['accuracy']:.0%}.",
        f"Of the {trained_on} photographs that it was aligned to it gives {own['accuracy']:.0%} of the crops theirs.",
        "It is a rough judge of scenes, and the semantic gradient that QGR projects on is no better than that.",
    ]


def label_findings(numbers: dict[str, float], by_type: pd.DataFrame) -> list[str]:
    """How well the generated labels agree with KADID-10k's raters.

    Args:
        numbers: as reports/distort.json has them.
        by_type: columns name, srcc, offset.
    """
    order = by_type.sort_values("offset")
    wrong = [f"{row.name} ({row.srcc:.1f})" for row in by_type[by_type["srcc"] < 0.999].itertuples(index=False)]
    seen, unseen = numbers["srcc_cells"], numbers["srcc_leave_one_type_out"]
    error = numbers["mean_absolute_error_leave_one_type_out"]
    return [
        f"Over the 125 cells (type, level) our similarity agrees with KADID-10k's raters at SRCC {seen:.3f}.",
        f"For a type that the fit has not seen the labels agree at {unseen:.3f}, with a mean error of {error:.3f} "
        "on the scale 0..1.",
        f"{numbers['types_in_order']} of 25 types have their five levels in the raters' order; out of order: "
        f"{', '.join(wrong) or 'none'}.",
        f"The labels are too kind to {', '.join(order['name'].tail(3)[::-1])}, and too strict on "
        f"{' and '.join(order['name'].head(2))}.",
        "No person has rated these images: KADID-10k's raters calibrate the labels, a metric tells images apart.",
    ]


def pretrain_findings(numbers: dict[str, float], ranks: pd.Series, algorithm: str, steps: int) -> list[str]:
    """What pre-training taught the prompts.

    Args:
        numbers: as reports/pretrain.json has them.
        ranks: SRCC per task, the least first.
        algorithm: of the outer level.
        steps: outer steps.
    """
    return [
        f"After {steps} outer steps of `{algorithm}` SRCC on the query photographs is {numbers['query_srcc']:.3f}.",
        f"The query loss went from {numbers['query_loss_first']:.3f} to {numbers['query_loss_last']:.3f}; a model that "
        f"predicts every label exactly has {numbers['label_entropy']:.3f}.",
        f"Best known distortion: {ranks.index[-1]} (SRCC {ranks.iloc[-1]:.2f}); least: {ranks.index[0]} "
        f"({ranks.iloc[0]:.2f}).",
        "The query photographs gave the outer gradient, so this is a training curve; the test is the target set.",
    ]
