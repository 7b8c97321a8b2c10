"""Reweighted group lasso: what a scheme removes together fades together, and rates come out by themselves.

The penalty is lambda / 2 sum over units of a_g ||W_g||^2 with a_g = mean ||W||^2 / (||W_g||^2 + eps), set anew every few
epochs (Candes, Wakin and Boyd, 2008; RT3D, 2021): small units fade faster and faster, large ones are let alone.
"""

from __future__ import annotations

from typing import Iterable, List

import torch
from torch import Tensor

from .masks import Masks
from .weights import SparseWeight


def _norms(values: Tensor, numbers: Tensor) -> Tensor:
    """The mean square of each unit."""
    flat = numbers.flatten()
    squares = torch.zeros(int(flat.max()) + 1).index_add_(0, flat, values.detach().flatten().square())
    return squares / torch.bincount(flat)


class Reweighted:
    """`rate` is that of all weights together; the layers' own follow from which units the training left.

    The rates of the schemes that `weights` came with do not count, but for which schemes they are.
    """

    def __init__(self, weights: Iterable[SparseWeight], rate: float, strength: float = 1.0, interval: int = 2,
                 eps: float = 0.05):
        self.weights = list(weights)
        self.rate, self.strength, self.interval, self.eps = rate, strength, interval, eps
        self.epoch = 0
        # Several partitions of a weight: columns of blocks, and where the scheme removes rows of blocks, those.
        self.partitions = [[w.unit_numbers()] + ([w.row_numbers()] if w.units.rows else []) for w in self.weights]
        self._reweight()

    @torch.no_grad()
    def _reweight(self) -> None:
        self.penalties: List[Tensor] = []
        self.patterns: List[Tensor] = []
        for weight, partitions in zip(self.weights, self.partitions):
            values = weight.parameter.detach()
            inside = self._inside(weight)
            self.patterns.append(inside)
            penalty = torch.zeros_like(values)
            for numbers in partitions:
                squares = _norms(values * inside, numbers)
                mean = squares.mean()
                penalty += (mean / (squares + self.eps * mean + 1e-30))[numbers]
            # Cells outside a kernel's pattern are a unit of their own, the smallest.
            self.penalties.append(torch.where(inside, penalty, torch.full((), 1 / self.eps)))

    @staticmethod
    def _inside(weight: SparseWeight) -> Tensor:
        """The cells of each kernel's pattern; everything where the scheme has no patterns."""
        if not weight.units.cells:
            return torch.ones_like(weight.parameter, dtype=torch.bool)
        return weight.mask(rate=weight.parameter[0, 0].numel() / weight.units.cells)

    @torch.no_grad()
    def after_step(self, rate: float) -> None:
        """The proximal step of the penalty at that learning rate."""
        for weight, penalty in zip(self.weights, self.penalties):
            weight.parameter.div_(1 + rate * self.strength * penalty)

    def after_epoch(self) -> None:
        self.epoch += 1
        if self.epoch % self.interval == 0:
            self._reweight()

    @torch.no_grad()
    def rates(self) -> List[float]:
        """Of each weight: the one threshold on the units' mean squares, relative to their layer's, that meets `rate`.

        A layer keeps as many weights as its units above the threshold have; which ones is for the scheme to say, so that
        every block keeps as many as the others where it wants that. All together keep at most what the schemes would keep
        at `rate`; where no threshold does that, because every block keeps something, all layers get `rate` itself.
        """
        relative = []
        for weight, partitions, inside in zip(self.weights, self.partitions, self.patterns):
            squares = _norms(weight.parameter * inside, partitions[0])
            relative.append((squares / squares.mean())[partitions[0]].flatten())
        def rates_at(threshold: float) -> List[float]:
            rates = []
            for weight, values in zip(self.weights, relative):
                least = weight.parameter[0, 0].numel() / weight.units.cells if weight.units.cells else 1.0
                least = 2.0 if weight.units.rows else least  # half of the rows go first
                kept = float((values > threshold).float().mean()) / least
                rates.append(min(max(least, 1 / max(kept, 1e-9)), 4 * self.rate))
            return rates

        def kept(rates: List[float]) -> int:
            return sum(int(w.mask(rate=r).sum()) for w, r in zip(self.weights, rates))

        most = kept([self.rate] * len(self.weights))
        low, high = 0.0, float(max(r.max() for r in relative))
        for _ in range(25):
            middle = (low + high) / 2
            low, high = (middle, high) if kept(rates_at(middle)) > most else (low, middle)
        found = rates_at(high)
        return found if kept(found) <= most else [self.rate] * len(self.weights)

    def finish(self) -> Masks:
        for weight, rate in zip(self.weights, self.rates()):
            weight.rate = round(rate, 4)
        return Masks.by_magnitude(self.weights)
