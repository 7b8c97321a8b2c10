"""Pruning during training: a network is sparse when its one training ends (ClickTrain, 2021)."""

from __future__ import annotations

from typing import Iterable, List, Optional

import torch
from torch import Tensor

from .masks import Masks
from .weights import SparseWeight


class DuringTraining:
    """From scratch, in as many epochs as the dense network takes.

    What a weight matters to the loss is estimated as it trains: a running mean of (w dL/dw)^2, the first term of its
    Taylor series. After `begin` of the epochs the scheme is chosen by that at a low rate, patterns first; the rate grows
    to the scheme's own until `end` (by the cubic of Zhu and Gupta, 2017), and every choice is made anew from all weights:
    what is not chosen decays, at `strength` times the learning rate a step, so that what turns out to matter comes back.
    From `end` on what is gone stays gone.
    """

    def __init__(self, weights: Iterable[SparseWeight], epochs: int, begin: float = 0.15, end: float = 0.6,
                 strength: float = 30.0, memory: float = 0.98):
        self.weights = list(weights)
        self.epochs, self.begin, self.end, self.strength, self.memory = epochs, begin, end, strength, memory
        self.epoch = 0
        self.importance = [torch.zeros_like(weight.parameter) for weight in self.weights]
        self.chosen: List[Tensor] = []
        self.masks: Optional[Masks] = None

    @torch.no_grad()
    def after_step(self, rate: float) -> None:
        if self.masks is not None:
            self.masks.after_step()
            return
        for weight, importance in zip(self.weights, self.importance):
            taylor = (weight.parameter * weight.parameter.grad).square()
            importance.lerp_(taylor, 1 - self.memory)
        for weight, mask in zip(self.weights, self.chosen):
            weight.parameter.div_(torch.where(mask, 1.0, 1 + rate * self.strength))

    def after_epoch(self) -> None:
        self.epoch += 1
        progress = (self.epoch / self.epochs - self.begin) / (self.end - self.begin)
        if self.masks is not None or progress < 0:
            return
        left = (1 - min(1.0, progress)) ** 3
        self.chosen = [self._choose(*pair, left) for pair in zip(self.weights, self.importance)]
        if progress >= 1:
            self.masks = Masks(zip(self.weights, self.chosen))

    @staticmethod
    def _choose(weight: SparseWeight, importance: Tensor, left: float) -> Tensor:
        """The mask at a rate between that of patterns or rows, which go first, and the scheme's own."""
        first = 1.0
        if weight.units.cells:
            first = weight.parameter[0, 0].numel() / weight.units.cells
        elif weight.units.rows:
            first = 2.0
        keep = 1 / weight.rate + (1 / min(first, weight.rate) - 1 / weight.rate) * left
        return weight.mask(importance.sqrt(), 1 / keep)

    def finish(self) -> Masks:
        if self.masks is None:
            raise RuntimeError(f"pruning ends after epoch {self.end * self.epochs:.0f}, training did after {self.epoch}")
        return self.masks
