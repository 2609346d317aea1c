"""Protocols as generators: what to do next is decided here, doing it is left to `bearerguard._io`.

A flow yields small frozen effects and is sent their outcome. It never performs one, so it has no colour
(sync or async), needs no network in a test, and reads no clock but the one it is handed.
"""
