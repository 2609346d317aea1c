"""The page of `inspect`: `site` serves it to nobody but its owner, and all else makes HTML of values."""
