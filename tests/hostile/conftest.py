from __future__ import annotations

import pytest

# Its assertions are the tests' own.
pytest.register_assert_rewrite("tests.hostile.oracle", "tests.hostile.doors")
