"""Known defects: mistakes that people make in this network, each once, as a small change of the right one."""

from compare.verdict.defects import of_conv, of_data, of_dense, of_pool, of_softmax, of_step
from compare.verdict.defects.defect import Defect

__all__ = ["DEFECTS", "Defect"]

DEFECTS: tuple[Defect, ...] = (
    *of_data.DEFECTS,
    *of_conv.DEFECTS,
    *of_pool.DEFECTS,
    *of_dense.DEFECTS,
    *of_softmax.DEFECTS,
    *of_step.DEFECTS,
)
