"""Muon: momentum whose step is made orthogonal by a Newton-Schulz iteration. In float32, since bfloat16 is slow on
CPUs without instructions for it. Source: K. Jordan et al., "Muon: an optimizer for hidden layers", 2024."""
from __future__ import annotations

import torch
from torch import Tensor, nn

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """Moves the singular values of each [n, out, in] matrix towards 1."""
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon:
    """Steps all matrices of one shape together."""

    def __init__(self, parameters: list[nn.Parameter], momentum: float = 0.95, weight_decay: float = 0.01):
        self.momentum, self.weight_decay = momentum, weight_decay
        self.groups: dict[torch.Size, list[nn.Parameter]] = {}
        for parameter in parameters:
            self.groups.setdefault(parameter.shape, []).append(parameter)
        self.velocity = {id(p): torch.zeros_like(p) for p in parameters}

    @torch.no_grad()
    def step(self, rate: float) -> None:
        for shape, group in self.groups.items():
            moved = []
            for p in group:
                velocity = self.velocity[id(p)].mul_(self.momentum).add_(p.grad)
                moved.append(p.grad + self.momentum * velocity)
            scale = rate * max(1.0, shape[0] / shape[1]) ** 0.5
            for p, direction in zip(group, orthogonalise(torch.stack(moved))):
                p.mul_(1 - rate * self.weight_decay).add_(direction, alpha=-scale)
