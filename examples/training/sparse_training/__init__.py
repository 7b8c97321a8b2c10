"""Pruning with training, in PyTorch: ADMM, reweighted group lasso, pruning during training, masked retraining.

The schemes are those of the C++ library, which computes every projection: there is no second definition of them here.
A method is an object that an ordinary training loop calls at two places:

    weights = sparse_training.weights_of(model, {"conv2": "bcr_col-8x", "fc": "bcr_col-4x"})
    method = sparse_training.Admm(weights, epochs=20)
    for epoch in range(20):
        for images, labels in batches:
            optimizer.zero_grad()
            loss(model(images), labels).backward()
            optimizer.step()
            method.after_step(rate)      # the learning rate of the step
        method.after_epoch()
    masks = method.finish()              # pruned; go on training with masks.after_step()
    sparse_training.export_onnx(model, masks, example, "model.onnx")   # lacuna-run model.onnx --scheme stored
"""

from .admm import Admm
from .during_training import DuringTraining
from .export import export_onnx
from .masks import Masks, distillation_loss
from .reweighted import Reweighted
from .weights import SparseWeight, weights_of

__all__ = ["Admm", "DuringTraining", "Masks", "Reweighted", "SparseWeight", "distillation_loss", "export_onnx",
           "weights_of"]
