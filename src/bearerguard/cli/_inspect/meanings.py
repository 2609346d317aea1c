"""What members of headers, claims and proofs mean, in a line each, with the place that defines them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["CLAIMS", "DATES", "HEADER", "PROOF"]

HEADER: Final[Mapping[str, str]] = {
    "alg": "the algorithm of the signature (RFC 7515, section 4.1.1)",
    "typ": "what kind of token it is (RFC 8725, section 3.11)",
    "kid": "which of the provider's keys has signed it (RFC 7515, section 4.1.4)",
    "jwk": "a key of the token's own, which is not looked at (RFC 7515, section 4.1.3)",
    "jku": "an address of keys, which is not looked at (RFC 7515, section 4.1.2)",
    "x5u": "an address of a certificate, which is not looked at (RFC 7515, section 4.1.5)",
    "x5c": "a certificate, which is not looked at (RFC 7515, section 4.1.6)",
    "x5t": "the thumbprint of a certificate (RFC 7515, section 4.1.7)",
    "crit": "extensions that have to be understood (RFC 7515, section 4.1.11)",
    "cty": "what is in it; JWT for a token in a token (RFC 7519, section 5.2)",
    "enc": "how its content is encrypted (RFC 7516, section 4.1.2)",
    "nonce": "of Microsoft Graph: only Graph can verify the token",
}
CLAIMS: Final[Mapping[str, str]] = {
    "iss": "who issued it (RFC 7519, section 4.1.1)",
    "sub": "about whom it is: a user, or the client itself (RFC 7519, section 4.1.2)",
    "aud": "for which APIs it is (RFC 7519, section 4.1.3)",
    "exp": "from when on it is refused (RFC 7519, section 4.1.4)",
    "nbf": "before when it is refused (RFC 7519, section 4.1.5)",
    "iat": "when it was issued (RFC 7519, section 4.1.6)",
    "jti": "its own name (RFC 7519, section 4.1.7)",
    "client_id": "the client that got it (RFC 8693, section 4.3)",
    "azp": "the client that got it (OpenID Connect Core, section 2)",
    "appid": "the client that got it, of Entra ID v1",
    "scope": "what the client may do for the user (RFC 8693, section 4.2)",
    "scp": "what the client may do for the user, of Entra ID and Okta",
    "roles": "roles of the subject (RFC 9068, section 2.2.3.1)",
    "groups": "groups of the subject (RFC 9068, section 2.2.3.1)",
    "entitlements": "what the subject is entitled to (RFC 9068, section 2.2.3.1)",
    "permissions": "permissions of the subject, of Auth0 and others",
    "auth_time": "when the user logged in (OpenID Connect Core, section 2)",
    "acr": "how strongly the user logged in (OpenID Connect Core, section 2)",
    "amr": "by which means the user logged in (RFC 8176)",
    "cnf": "the key to which it is bound (RFC 7800, section 3.1)",
    "act": "who acts for the subject (RFC 8693, section 4.1)",
    "nonce": "of an ID token: ties it to a login (OpenID Connect Core, section 2)",
    "at_hash": "of an ID token: the hash of an access token",
    "sid": "the session of the user at the provider",
    "tid": "the tenant, of Entra ID",
    "oid": "the user's id in the tenant, of Entra ID",
    "ver": "the version of the token, of Entra ID",
    "token_use": "what it is for, of Cognito",
    "realm_access": "roles in the realm, of Keycloak",
    "resource_access": "roles at each client, of Keycloak",
    "email": "the user's address, which may change and be given to somebody else",
    "name": "the user's name, for people to read",
}
PROOF: Final[Mapping[str, str]] = {
    "jti": "its own name: it is good once (RFC 9449, section 4.2)",
    "htm": "the method of the request (RFC 9449, section 4.2)",
    "htu": "the address of the request, without its query (RFC 9449, section 4.2)",
    "iat": "when it was made (RFC 9449, section 4.2)",
    "ath": "the hash of the token that it goes with (RFC 9449, section 4.2)",
    "nonce": "what the API has asked for (RFC 9449, section 8)",
    "jwk": "the client's key (RFC 9449, section 4.2)",
    "typ": "dpop+jwt (RFC 9449, section 4.2)",
    "alg": "the algorithm of its signature (RFC 9449, section 4.2)",
}
DATES: Final = frozenset({"auth_time", "exp", "iat", "nbf", "updated_at"})
