"""Entity tags that can be sent back (RFC 9110 section 8.8.3), told from what else a server may write."""

from __future__ import annotations

import re
from typing import Any, Final

from bearerguard._limits import MAX_VALIDATOR_CHARACTERS

_VALIDATOR: Final = r'(?:W/)?"[\x21\x23-\x7e]*"'


def usable_validator(etag: Any) -> str | None:
    """Return an entity tag that can be sent back as it came, or None.

    Anything else could break the next request, or make every answer to it "not modified", as `*` would.

    Examples:
        >>> usable_validator('W/"1"'), usable_validator('"é"')
        ('W/"1"', None)
    """
    if not isinstance(etag, str) or len(etag) > MAX_VALIDATOR_CHARACTERS:
        return None
    return etag if re.fullmatch(_VALIDATOR, etag) else None
