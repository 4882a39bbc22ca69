"""Checking every stored blob against its digest.

::

    inventory (core)   every blob with its size; what manifests need and nothing stores
    feed               hands blobs out in the order of digests, and knows at any moment which are verified
    worker threads     blob_file: open without following links, read, hash; rate: not faster than allowed
    state              what the feed knows, in a file: an interrupted run goes on from there
    findings           what was found wrong, and which images are broken by it

Use ``Store.verify``; here is what it gives.
"""

from regsweep.verify.findings import Finding
from regsweep.verify.run import Verification, VerifyProgress

__all__ = ["Finding", "Verification", "VerifyProgress"]
