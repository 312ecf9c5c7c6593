"""Known defects: mistakes that people make in this network, each once, as a small change of the right one.

`products` has those that are alike for many quantities, the modules `of_...` those of one part.
"""

from compare.verdict.defects import of_conv, of_data, of_dense, of_pool, of_softmax, of_step, products
from compare.verdict.defects.defect import Defect

__all__ = ["DEFECTS", "Defect"]

_OWN = tuple(d for part in (of_data, of_conv, of_pool, of_dense, of_softmax, of_step) for d in part.DEFECTS)
_STAGES = list(dict.fromkeys(defect.stage for defect in _OWN))  # layer by layer, forward beside backward
DEFECTS: tuple[Defect, ...] = tuple(sorted((*_OWN, *products.DEFECTS), key=lambda defect: _STAGES.index(defect.stage)))
