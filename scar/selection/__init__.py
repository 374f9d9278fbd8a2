"""Selection: which samples of a class are taken first; shared by completion and reduction."""

from scar.selection.base import Pool, Ranking, Selection
from scar.selection.memory import planned_bytes

__all__ = ["Pool", "Ranking", "Selection", "planned_bytes"]
