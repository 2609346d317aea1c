"""Those that are measured, one file each, set up as their own documentation tells their users to.

Each has its keys in hand or cached before the first round. All check signature, issuer, audience and expiry,
as far as they can; what one of them does not check is said in its file, and is in its favour.
"""
