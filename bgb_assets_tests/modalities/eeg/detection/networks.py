"""Small networks with the detectors' call, whose output is known without training."""

import torch
from torch import Tensor, nn


class Constant(nn.Module):
    """The same logit everywhere."""

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.tensor(logit))

    def forward(self, signal: Tensor, mask: Tensor) -> Tensor:
        return self.logit.expand(len(signal), signal.shape[-1] // 16)


class Loudness(nn.Module):
    """A logit that rises with the mean power of the unmasked channels, over about a second."""

    def __init__(self, threshold: float = 3.0) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(threshold))

    def forward(self, signal: Tensor, mask: Tensor) -> Tensor:
        power = (signal**2 * mask[:, :, None]).sum(1) / mask.sum(1)[:, None]
        steps = nn.functional.avg_pool1d(power[:, None], 16)
        smooth = nn.functional.avg_pool1d(steps, 17, stride=1, padding=8, count_include_pad=False)
        return 4.0 * (smooth[:, 0] - self.threshold)


class Place(nn.Module):
    """Tells the first channel's mean: what a step holds, shows in its probability."""

    def forward(self, signal: Tensor, mask: Tensor) -> Tensor:
        return nn.functional.avg_pool1d(signal[:, :1], 16)[:, 0]


class Whole(nn.Module):
    """At every step the mean of the whole window: anything that is heard shows everywhere."""

    def forward(self, signal: Tensor, mask: Tensor) -> Tensor:
        return 10.0 * signal.mean((1, 2))[:, None].expand(-1, signal.shape[-1] // 16)
