"""Where effects happen: the drivers of the flows, the HTTP client and the key refresh thread.

Decisions about tokens are not made here; this package only carries out what a flow asks for.
"""
