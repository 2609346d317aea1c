"""How fast bearerguard is, measured against the bare signature check.

`python -m bench` (or `make bench`) runs every part and prints one table; `docs/performance.md` explains how
to read it. Nothing here is imported by the library or by its tests, and nothing here asserts a time: a
benchmark reports, the tests count what is deterministic.
"""
