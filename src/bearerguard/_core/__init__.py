"""The pure heart: parsing, signatures, keys, claims and challenges, as functions and frozen values.

Nothing in here reads a clock, opens a socket, starts a thread, writes a log or knows a framework.
"""
