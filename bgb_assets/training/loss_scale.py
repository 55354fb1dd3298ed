"""Training in float16: the loss is scaled so that small gradients do not vanish, steps that overflowed are skipped.

A gradient is that of a sum, which may be millions of terms: it is scaled per unit of what is summed, so that the scale
that fits does not depend on a sample's size.

Belongs here: the scale. Does not belong here: the step it serves (`step`).
"""

from collections.abc import Mapping
from typing import Any

import torch

FIRST_SCALE = 2.0**16
GROWTH_STEPS = 2_000
"""Steps without overflow after which the scale is doubled."""


class LossScale:
    """The scale of one run.

    Args:
        device: Device type of the gradients.
        state: What an earlier `state` gave.
    """

    def __init__(self, device: str, state: Mapping[str, Any] | None = None) -> None:
        self._scaler = torch.amp.GradScaler(device, init_scale=FIRST_SCALE, growth_interval=GROWTH_STEPS)
        if state is not None:
            self._scaler.load_state_dict(dict(state))

    def scale(self, total: torch.Tensor) -> torch.Tensor:
        """Return a loss to call `backward` on."""
        scaled: torch.Tensor = self._scaler.scale(total)
        return scaled

    def unscale(self, optimizer: torch.optim.Optimizer) -> bool:
        """Take the scale out of the gradients and adapt it; return whether they overflowed. Waits for the device."""
        before = self._scaler.get_scale()
        self._scaler.unscale_(optimizer)
        self._scaler.update()
        return self._scaler.get_scale() < before

    @property
    def state(self) -> dict[str, Any]:
        """What a resumed run needs, plain numbers."""
        return dict(self._scaler.state_dict())
