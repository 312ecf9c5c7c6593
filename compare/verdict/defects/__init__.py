"""Known defects: mistakes that people make in this network, each once, as a small change of the right one.

`products` has those that are alike for many quantities, the modules `of_...` those of one part.
"""

from compare.graph import STAGE_ORDER
from compare.verdict.defects import of_conv, of_data, of_dense, of_pool, of_softmax, of_step, products
from compare.verdict.defects.defect import Defect

__all__ = ["DEFECTS", "Defect"]

_ROOMS = (of_data, of_conv, of_pool, of_dense, of_softmax, of_step, products)
DEFECTS: tuple[Defect, ...] = tuple(
    sorted((defect for room in _ROOMS for defect in room.DEFECTS), key=lambda defect: STAGE_ORDER[defect.stage])
)
