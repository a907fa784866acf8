"""Next week's demand, from as many bootstrap samples as the time allows."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from statistics import fmean

SOLD_PER_DAY = (4, 7, 2, 9, 5, 11, 3)
SAMPLE_SIZE = 20_000


def demand(sold: Sequence[int], seconds: float) -> float:
    """Estimate the mean demand, using that much CPU time, whatever the machine."""
    generator = random.Random(len(sold))
    means: list[float] = []
    deadline = time.thread_time() + seconds
    while time.thread_time() < deadline:
        means.append(round(fmean(generator.choices(sold, k=SAMPLE_SIZE)), 3))  # blocks: forecast
    return fmean(means)
