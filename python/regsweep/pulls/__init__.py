"""Pull times: when what was last pulled, of the logs of registries. Storage knows nothing of it."""

from regsweep.pulls.reading import Reading, UnknownLine

__all__ = ["Reading", "UnknownLine"]
