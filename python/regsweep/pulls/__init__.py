"""Pull times: when what was last pulled, of the logs of registries. Storage knows nothing of it.

::

    from regsweep import pulls

    pulls.update("pulls.csv", ["/var/log/registry/access.log"])
    known = pulls.read("pulls.csv")
    known.last_pull("team/app", "1.0", "sha256:…"), known.since, known.until
"""

from regsweep.pulls.reading import Reading, UnknownLine
from regsweep.pulls.table import PullTimes, read
from regsweep.pulls.update import Update, update

__all__ = ["PullTimes", "Reading", "UnknownLine", "Update", "read", "update"]
