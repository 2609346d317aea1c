"""What an issuer of tests answers to an HTTP request: one file for each endpoint, and the table of them.

Pure functions from a `Request` and the `State` of the issuer to a `Response`. No socket, clock or key is
touched here, so that the in-process transport and the loopback server cannot differ. A new endpoint is a file
with an `ENDPOINT` that is named in `table`; the metadata then list it.
"""

from __future__ import annotations

__all__: list[str] = []
