"""Pre-training as the published code of GRMP-IQA does it: one sequential run over the tasks, and its slow average.

The run is never reset to the meta weights, neither between types nor between outer steps. After the types of a set, the
meta weights, which are what is kept, go a share of the way to the mean of what the run was after each type.
"""

from collections.abc import Iterator, Sequence
from itertools import cycle

import pandas as pd
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from grmp.checks import check_step, largest
from grmp.crops import centre_views, cut_views
from grmp.model import PromptedCLIP
from grmp.pretrain import REMEDY, Batch, TaskPool, draw_batch, make_loss, trainable_prompts
from grmp.progress import Progress
from grmp.runtime import Runtime
from grmp.settings import Input, Pretrain
from grmp.training import Store, Training
from study.stages.deal import deal

OPTIMISERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
Images = Sequence[UInt8[Tensor, "3 h w"]]


def sets_of(pools: dict[str, TaskPool]) -> list[tuple[str, list[str]]]:
    """The sets in the order of `pools`, each with its types, whose names are `set:type`, or `type` without sets."""
    sets: dict[str, list[str]] = {}
    for name in pools:
        sets.setdefault(name.rpartition(":")[0], []).append(name)
    return [(name, sorted(types)) for name, types in sets.items()]


def batches(
    images: Images,
    queries: Images,
    scores: Float[Tensor, " n"],
    pool: TaskPool,
    settings: Pretrain,
    sight: Input,
    generator: torch.Generator,
) -> Iterator[Batch]:
    """All of a type's support images once, in batches and random order; behind each of them a random query batch."""
    pool, scores = deal(pool, scores, settings, generator)
    order = torch.tensor(pool.support)[torch.randperm(len(pool.support), generator=generator)]
    for part in order.split(settings.support):
        yield draw_batch(images, scores, part.tolist(), len(part), sight, generator)
        drawn = torch.randperm(len(pool.query), generator=generator)[: settings.query].tolist()
        chosen = [pool.query[index] for index in drawn]
        views = zip(chosen, cycle(centre_views(sight.views)))
        crops = [cut_views(queries[index], [view], sight.crop)[0] for index, view in views]
        yield Batch(torch.stack(crops), scores[chosen], chosen)


def pretrain_sequential(
    model: PromptedCLIP,
    images: Images,
    queries: Images,
    scores: Float[Tensor, " n"],
    pools: dict[str, TaskPool],
    settings: Pretrain,
    sight: Input,
    runtime: Runtime,
    generator: torch.Generator,
    store: Store | None = None,
) -> pd.DataFrame:
    """Train the prompts of `model` in place, on one set in each outer step; goes on from the state in `store`.

    Types come in random order, up to `settings.tasks` of them. A type is passed through once: one step on each support
    batch (random crops of `images`), then one on a query batch (centre crops of `queries`: the same, maybe in another
    size). The optimiser is fresh for every type, or, within the sets of `settings.lasting`, goes on from what came
    before. Returns one row per outer step, as `grmp.pretrain.pretrain` does.

    Raises:
        UserError: a loss or a prompt is NaN or infinite; with the outer step and its types.
    """
    prompts = trainable_prompts(model)
    meta = {name: prompt.detach().clone() for name, prompt in prompts.items()}
    loss = make_loss(model, runtime, settings.patches, generator)
    optimiser = OPTIMISERS[settings.inner_optimiser](prompts.values(), lr=settings.inner_rate)
    schedule = torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)
    training = Training(store, [*prompts.values(), *meta.values()], optimiser, schedule, generator)
    rows, sets, progress = training.restore(), sets_of(pools), Progress("pre-train", settings.outer_steps, "types")
    for step in range(len(rows) + 1, settings.outer_steps + 1):
        where, names = sets[(step - 1) % len(sets)]
        chosen = [names[i] for i in torch.randperm(len(names), generator=generator)[: settings.tasks].tolist()]
        away, losses = {name: torch.zeros_like(value) for name, value in meta.items()}, []
        for name in chosen:
            if where not in settings.lasting:
                optimiser.state.clear()
            for batch in batches(images, queries, scores, pools[name], settings, sight, generator):
                optimiser.zero_grad()
                value = loss(prompts, batch)
                value.backward()
                optimiser.step()
                losses.append(value.detach())
            for key, value in meta.items():
                away[key] += (value - prompts[key].detach()) / len(chosen)
        for key, value in meta.items():
            value.sub_(away[key], alpha=settings.outer_rate)
        support, query = torch.stack(losses).unflatten(0, (-1, 2)).mean(dim=0).tolist()
        rows.append((step, support, query, " ".join(chosen)))
        told = {"support": support, "query": query}
        check_step("pre-train", step, told, float(largest(away.values())), f"types {' '.join(chosen)}", REMEDY)
        training.keep(rows, last=step == settings.outer_steps)
        progress.update(step, items=len(chosen), **told)
    model.requires_grad_(False).eval().load_state_dict(meta, strict=False)
    return pd.DataFrame(rows, columns=["step", "support", "query", "tasks"])
