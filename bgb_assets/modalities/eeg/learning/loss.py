"""The loss of a logit against the share of its step that is seizure.

In float32 from logits, by `logsigmoid`: no probability is clamped, and none rounds to 0 or 1.

Belongs here: the loss of each step. Does not belong here: which steps count, and their sum (`model`). torch only.
"""

from torch import Tensor
from torch.nn import functional

from bgb_assets.modalities.eeg.learning.variants import LossParams
from bgb_assets.runtime.errors import TrainingError

EVEN_ALPHA = 0.5


def step_losses(logits: Tensor, targets: Tensor, pos_weight: Tensor, params: LossParams) -> Tensor:
    """Return the loss of each step, float32, of the logits' shape.

    Args:
        logits: Any shape and floating type.
        targets: Of that shape, share of seizure, 0 to 1.
        pos_weight: Scalar, the weight of seizure against background; enters "focal" only at alpha 0.5, where alpha
            does not weigh itself.
        params: Which loss.

    Raises:
        TrainingError: There is no such loss.
    """
    logits, targets, pos_weight = logits.float(), targets.float(), pos_weight.float()
    if params.kind == "bce":
        return weighted_cross_entropy(logits, targets, pos_weight)
    if params.kind == "focal":
        weight = pos_weight if params.alpha == EVEN_ALPHA else pos_weight.new_ones(())
        return focal(logits, targets, weight, params.alpha, params.gamma)
    raise TrainingError(f"loss.kind must be 'bce' or 'focal', got {params.kind!r}")


def weighted_cross_entropy(logits: Tensor, targets: Tensor, pos_weight: Tensor) -> Tensor:
    """Return -(w y log p + (1 - y) log (1 - p))."""
    return -(pos_weight * targets * functional.logsigmoid(logits) + (1 - targets) * functional.logsigmoid(-logits))


def focal(logits: Tensor, targets: Tensor, pos_weight: Tensor, alpha: float, gamma: float) -> Tensor:
    """Return alpha_t (1 - p_t)^gamma times the cross entropy (Lin and others 2017).

    alpha_t and p_t are means over seizure and background where a step holds both.
    """
    # 1 - p_t is p where there is no seizure and 1 - p where there is; neither is got by subtraction.
    missed = targets * (-logits).sigmoid() + (1 - targets) * logits.sigmoid()
    alpha_t = alpha * targets + (1 - alpha) * (1 - targets)
    return alpha_t * missed**gamma * weighted_cross_entropy(logits, targets, pos_weight)
