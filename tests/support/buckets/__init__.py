"""Object stores as processes on loopback, one class a server, all used the same way.

    with Versitygw(directory) as server:
        server.make_bucket("registry")
        server.load("registry", "some/root", storage)        # a storage root on disk, as objects
        run([REGSWEEP, ..., server.url("registry", "some/root")], env=server.environment())
        run_reference_on(3, server.registry_section("registry", "some/root", 3), directory, "--dry-run")
        assert "some/root/docker/registry/v2/..." in server.keys("registry")

What a bucket holds is read and written by requests of our own, by way of no client library that regsweep may share:
keys that such a library would not let through (a leading slash, a trailing one) are what some stores have.
"""

from support.buckets.azure import Azurite
from support.buckets.gcs import FakeGcs
from support.buckets.s3 import Moto, Versitygw
from support.buckets.server import BucketServer, Provider, Version

__all__ = ["Azurite", "BucketServer", "FakeGcs", "Moto", "Provider", "Version", "Versitygw"]
