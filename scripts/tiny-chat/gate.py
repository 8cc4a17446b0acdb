"""A reference for the gated rank-one edit, small enough to check by eye; the product does this on files.

Each chosen writer W becomes W + c * |s| / n * (s / |s|) r^T with s the difference of the mean harmful and the mean
harmless residual after one layer, n the number of writers, and r = (C + lambda I)^-1 m / (m^T (C + lambda I)^-1 m):
m is the writer's mean input on harmful prompts, C the second moment of its inputs to keep.
"""
from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from bench import Bench, pad

WRITERS = ("attn_output", "ffn_down")
Site = tuple[int, str]


@dataclass(frozen=True)
class Edit:
    """Where and how strongly to push: direction of `layer`, writers of layers `first` to `last`, strength `c`."""

    layer: int
    first: int
    last: int
    rho: float
    c: float

    def __str__(self) -> str:
        return f"direction {self.layer}, writers {self.first}-{self.last}, rho {self.rho}, c {self.c}"


class Gate:
    """Captures what the edit is fitted on once, then applies edits and takes them back."""

    def __init__(self, bench: Bench, seed: int = 0, direction_system: str | None = None):
        self.bench = bench
        self.rng = random.Random(seed)
        self.harmful = self._last("harmful", None)
        harmless, borderline = self._last("harmless", None), self._last("borderline", None)
        inside = [self._inside(role) for role in ("harmless", "borderline")]
        self.kept = {site: torch.cat([harmless[site], borderline[site], *(part[site] for part in inside)])
                     for site in harmless}
        up, down = self.harmful, harmless
        if direction_system:
            up, down = self._last("harmful", direction_system), self._last("harmless", direction_system)
        n_layers = bench.model.config.n_layers
        self.shift = [up[i, "residual"].mean(0) - down[i, "residual"].mean(0) for i in range(n_layers)]

    @torch.no_grad()
    def _capture(self, rows: list[list[int]], positions: list[int]) -> dict[Site, Tensor]:
        """Writer inputs and residuals, [len(rows), width] each, at one position of each row."""
        taken: dict[Site, Tensor] = {}
        index = torch.arange(len(rows)), torch.tensor(positions)
        self.bench.model(pad(rows), lambda layer, name, value: taken.update({(layer, name): value[index].clone()}))
        return taken

    def _last(self, role: str, system: str | None) -> dict[Site, Tensor]:
        encode = self.bench.tokenizer.encode_prompt
        rows = [encode(entry["prompt"], system) for entry in self.bench.select("fit", role)]
        return self._capture(rows, [len(row) - 1 for row in rows])

    def _inside(self, role: str) -> dict[Site, Tensor]:
        """Inputs at a random position of the prompt or of its answer."""
        tokenizer = self.bench.tokenizer
        rows = [tokenizer.encode_prompt(entry["prompt"]) + tokenizer.encode(entry["answer"])
                for entry in self.bench.select("fit", role)]
        return self._capture(rows, [self.rng.randrange(len(row)) for row in rows])

    def right_factor(self, site: Site, rho: float) -> Tensor:
        kept, mean = self.kept[site].double(), self.harmful[site].double().mean(0)
        moment = kept.T @ kept / len(kept)
        ridge = rho * moment.trace() / len(moment)
        factor = torch.linalg.solve(moment + ridge * torch.eye(len(moment), dtype=torch.float64), mean)
        return (factor / (mean @ factor)).float()

    @contextmanager
    def applied(self, edit: Edit) -> Iterator[None]:
        """The model carries the edit inside the `with` block, in float32."""
        sites = [(i, name) for i in range(edit.first, edit.last + 1) for name in WRITERS]
        weights = [getattr(self.bench.model.blk[i], name) for i, name in sites]
        stored = [weight.detach().clone() for weight in weights]
        for weight, site in zip(weights, sites):
            push = edit.c / len(sites) * self.shift[edit.layer]
            weight.data += torch.outer(push, self.right_factor(site, edit.rho))
        try:
            yield
        finally:
            for weight, old in zip(weights, stored):
                weight.data.copy_(old)

    def value(self, split: str = "validation") -> tuple[float, float]:
        """What the sweep maximises: refusals of harmful prompts less the damage elsewhere, then the gap of margins."""
        harmful, borderline, harmless = (self.bench.scores(split, role) for role in ("harmful", "borderline", "harmless"))
        damage = 2 * borderline.refused + 5 * harmless.refused + 2 * (1 - harmless.exact) + 0.5 * (1 - borderline.exact)
        return harmful.refused - damage, harmful.margin - max(borderline.margin, harmless.margin)

    def sweep(self) -> Edit:
        """The edit of a grid that does best on the validation prompts."""
        n = self.bench.model.config.n_layers
        grid = itertools.product(range(n // 2, n), (0.5, 0.75, 1, 1.5, 2, 3, 4))
        found = []
        for layer, c in grid:
            edit = Edit(layer, first=n // 2, last=n - 1, rho=0.5, c=c)
            with self.applied(edit):
                found.append((self.value(), edit))
        return max(found, key=lambda item: item[0])[1]
