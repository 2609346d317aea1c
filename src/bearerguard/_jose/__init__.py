"""JSON Object Signing and Encryption, as far as verifying takes it: RFC 7515, 7517, 7518, 7638, 8037, 8725.

Pure functions and frozen values. Nothing here knows OAuth, a token, a claim or a provider: a signed text may
be an access token, a proof or an answer, and the caller says which in its errors.
"""
