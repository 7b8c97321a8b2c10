"""The end of every method: weights that are gone stay gone, and the others train on."""

from __future__ import annotations

from typing import Iterable, List, Optional, Tuple

import torch
from torch import Tensor
from torch.nn import functional

from .weights import SparseWeight


class Masks:
    """Which weights are kept, and by which scheme at which rate."""

    def __init__(self, kept: Iterable[Tuple[SparseWeight, Tensor]]):
        self.kept: List[Tuple[SparseWeight, Tensor]] = list(kept)
        self.after_step()

    @staticmethod
    def by_magnitude(weights: Iterable[SparseWeight]) -> "Masks":
        """What a projection of the weights as they are keeps."""
        return Masks((weight, weight.mask()) for weight in weights)

    @torch.no_grad()
    def after_step(self, rate: float = 0.0) -> None:
        """Puts back the zeros that an optimizer with momentum moves."""
        for weight, mask in self.kept:
            weight.parameter.mul_(mask)

    def after_epoch(self) -> None:
        pass

    def rate(self) -> float:
        """Dense weights over kept weights, of all that is pruned."""
        return sum(m.numel() for _, m in self.kept) / max(1, sum(int(m.sum()) for _, m in self.kept))


def distillation_loss(logits: Tensor, labels: Tensor, teacher: Optional[Tensor] = None, share: float = 0.7,
                      temperature: float = 3.0, smoothing: float = 0.05) -> Tensor:
    """Cross entropy with the labels, and with what the dense network says (Hinton et al., 2015).

    (1 - share) CE(labels) + share T^2 KL(softmax(teacher / T) || softmax(logits / T)); without `teacher` the labels alone.
    """
    hard = functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    if teacher is None:
        return hard
    soft = functional.kl_div(functional.log_softmax(logits / temperature, 1),
                             functional.log_softmax(teacher / temperature, 1), reduction="batchmean", log_target=True)
    return (1 - share) * hard + share * temperature**2 * soft
