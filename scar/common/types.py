"""Arrays by what they hold, as annotations name them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
# Embeddings, weights and logits; everything that is estimated from them is `Floats`.
