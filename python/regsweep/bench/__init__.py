"""Benchmarks: synthetic stores, and regsweep beside the registry's own collectors and a minimal program.

See ``docs/benchmarks.md`` for what is measured, and what is unfair about it.
"""
