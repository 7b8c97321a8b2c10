"""ADMM: weights are drawn to the nearest member of their scheme while the network trains (PatDNN, 2020)."""

from __future__ import annotations

from typing import Iterable

import torch

from .masks import Masks
from .weights import SparseWeight


class Admm:
    """min loss(W) subject to W in the scheme, by the alternating direction method of multipliers:

        W  trains on loss(W) + rho / 2 ||W - Z + U||^2
        Z = project(W + U)        every `interval` epochs
        U = U + W - Z

    rho grows from rho to rho * growth over `epochs`. The quadratic term is applied as a step of its own behind the
    optimizer's, as AdamW does with weight decay, so that rho does not depend on the scale of the gradients.
    """

    def __init__(self, weights: Iterable[SparseWeight], epochs: int, rho: float = 1.0, growth: float = 30.0,
                 interval: int = 1):
        self.weights = list(weights)
        self.epochs, self.rho, self.growth, self.interval = epochs, rho, growth, interval
        self.epoch = 0
        self.z = [weight.project() for weight in self.weights]
        self.u = [torch.zeros_like(weight.parameter) for weight in self.weights]

    @torch.no_grad()
    def after_step(self, rate: float) -> None:
        """The proximal step of the quadratic term at that learning rate."""
        rho = self.rho * self.growth ** (self.epoch / max(1, self.epochs - 1))
        pull = rate * rho / (1 + rate * rho)
        for weight, z, u in zip(self.weights, self.z, self.u):
            weight.parameter.lerp_(z - u, pull)

    @torch.no_grad()
    def after_epoch(self) -> None:
        self.epoch += 1
        if self.epoch % self.interval:
            return
        for i, weight in enumerate(self.weights):
            moved = weight.parameter + self.u[i]
            self.z[i] = weight.project(moved)
            self.u[i] = moved - self.z[i]

    def distance(self) -> float:
        """||W - project(W)|| / ||W|| of all weights: what pruning now would remove."""
        removed = sum(float((w.parameter.detach() - w.project()).square().sum()) for w in self.weights)
        return (removed / sum(float(w.parameter.detach().square().sum()) for w in self.weights)) ** 0.5

    def finish(self) -> Masks:
        return Masks.by_magnitude(self.weights)
