"""RFC 7515, appendices A and E: the examples of JSON Web Signatures, as data.

A.6 and A.7 are not in compact form, and A.5 is not signed: they are refused, as is the negative example E.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from bearerguard.errors import InvalidToken
from tests.vectors.jws import payload_of

_CLAIMS = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
_CLAIMS_DECODED = b'{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'
_RSA = {
    "kty": "RSA",
    "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL"
    "-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KX"
    "BdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaG"
    "Nj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    "e": "AQAB",
}
_RS256 = (
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJ"
    "dbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN"
    "9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXL"
    "IhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
)
_P256 = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
_ES256 = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
_P521 = {
    "kty": "EC",
    "crv": "P-521",
    "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
    "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
}
_ES512 = (
    "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZ"
    "goXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
)
_OCT = {
    "kty": "oct",
    "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
}

VERIFIED: dict[str, tuple[Any, str, bytes]] = {
    "A.1": (
        _OCT,
        f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{_CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        _CLAIMS_DECODED,
    ),
    "A.2": (_RSA, f"eyJhbGciOiJSUzI1NiJ9.{_CLAIMS}.{_RS256}", _CLAIMS_DECODED),
    "A.3": (_P256, f"eyJhbGciOiJFUzI1NiJ9.{_CLAIMS}.{_ES256}", _CLAIMS_DECODED),
    "A.4": (_P521, f"eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.{_ES512}", b"Payload"),
}
_SIGNATURES = [
    {"protected": "eyJhbGciOiJSUzI1NiJ9", "header": {"kid": "2010-12-29"}, "signature": _RS256},
    {
        "protected": "eyJhbGciOiJFUzI1NiJ9",
        "header": {"kid": "e9bc097a-ce51-4036-9562-d2ade882db0d"},
        "signature": _ES256,
    },
]
REFUSED = {
    "A.5 is not signed": (_RSA, f"eyJhbGciOiJub25lIn0.{_CLAIMS}.", "algorithm"),
    "A.6 is in the general JSON serialization": (
        {"keys": [_RSA, _P256]},
        json.dumps({"payload": _CLAIMS, "signatures": _SIGNATURES}),
        "malformed",
    ),
    "A.7 is in the flattened JSON serialization": (
        _P256,
        json.dumps({"payload": _CLAIMS, **_SIGNATURES[1]}),
        "malformed",
    ),
}


@pytest.mark.parametrize("section", VERIFIED)
def test_an_example_of_the_rfc_verifies(section: str) -> None:
    key, jws, payload = VERIFIED[section]
    assert payload_of(jws, key) == payload


@pytest.mark.parametrize("section", VERIFIED)
def test_an_example_of_the_rfc_does_not_verify_with_the_keys_of_the_others(section: str) -> None:
    _, jws, _ = VERIFIED[section]
    others = [key for other, (key, _, _) in VERIFIED.items() if other != section]
    with pytest.raises(InvalidToken) as refusal:
        payload_of(jws, {"keys": others})
    assert refusal.value.reason == "signature"


@pytest.mark.parametrize("why", REFUSED)
def test_an_example_in_another_form_is_refused(why: str) -> None:
    key, jws, reason = REFUSED[why]
    with pytest.raises(InvalidToken) as refusal:
        payload_of(jws, key)
    assert refusal.value.reason == reason


def test_the_negative_example_of_a_critical_extension_is_refused() -> None:
    """Appendix E: `crit` names an extension that nobody understands."""
    header = (
        "eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFtcGx"
        "lLmNvbS9VTkRFRklORUQiOnRydWUNCn0"
    )
    with pytest.raises(InvalidToken) as refusal:
        payload_of(f"{header}.RkFJTA.", _RSA)
    assert refusal.value.reason == "critical"
