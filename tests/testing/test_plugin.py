"""The fixtures, as a project that uses them sees them: each test here runs a pytest of its own.

In a process of its own, too: one in this process would leave modules imported twice.
"""

from __future__ import annotations

import pytest

import bearerguard.testing

pytest_plugins = ["pytester"]

SERVER = """
    from bearerguard import Provider, ResourceServer

    server = ResourceServer(
        Provider("https://issuer.test", audience="https://api.test", keys="https://issuer.test/keys")
    )
"""

FIXTURES = """
    from app import server
    from bearerguard.testing import *


    @pytest.fixture
    def jwks_uri():
        return "https://issuer.test/keys"


    @pytest.fixture
    def token_body():
        return {"name": "ada@example.test", "scopes": ["my_scope"]}
"""


def test_the_issuer_is_a_fixture_wherever_the_library_is_installed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from bearerguard import InvalidToken

        kids = []


        @pytest.mark.parametrize("turn", [1, 2])
        def test_it_is_new_for_each_test(issuer, turn):
            assert issuer.resource_server().verify(issuer.token("ada")).subject == "ada"
            assert issuer.count("/jwks") == 1
            kids.append(issuer.signing_key.kid)
            assert len(set(kids)) == turn
        """
    )
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=2)


def test_a_fixture_of_the_users_own_takes_its_place(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from bearerguard.testing import Clock, Issuer


        @pytest.fixture
        def issuer():
            return Issuer(algorithm="ES256", clock=Clock(1_700_000_000))


        def test_own(issuer):
            assert issuer.clock() == 1_700_000_000
        """
    )
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=1)


def test_a_star_import_brings_the_fixture_and_pytest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(app=SERVER)
    pytester.makepyfile(
        FIXTURES
        + """
    def test_authentication(auth_mock):
        assert dict(server.verify("mocked_token").claims)["name"] == "ada@example.test"


    def test_nothing_is_left_of_it():
        with pytest.raises(Exception, match="."):
            server.verify("mocked_token")
    """
    )
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=2)


def test_without_its_two_fixtures_pytest_says_which_is_missing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("from bearerguard.testing import *\n\ndef test_it(auth_mock):\n    pass\n")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'jwks_uri' not found*"])


def test_another_key_url_fails_the_test_with_the_right_one(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(app=SERVER)
    pytester.makepyfile(
        FIXTURES.replace("issuer.test/keys", "elsewhere.test/keys")
        + """
    def test_authentication(auth_mock):
        server.verify("mocked_token")
    """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*AssertionError: auth_mock stands in for https://elsewhere.test/keys*"])


def test_a_run_that_does_not_ask_makes_no_key_and_imports_no_http_client(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # other plugins import what they like
    pytester.makepyfile(
        """
        import sys


        def test_it():
            assert "httpx2" not in sys.modules
            assert sys.modules["bearerguard.testing.signing_keys"]._idle_rsa_keys == []
        """
    )
    pytester.runpytest_subprocess("-W", "error", "-p", "bearerguard.testing.plugin").assert_outcomes(passed=1)


def test_the_kit_has_no_names_beyond_its_own() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'auth_mok'"):
        _ = bearerguard.testing.auth_mok  # type: ignore[attr-defined]
    assert {name for name in bearerguard.testing.__all__ if not hasattr(bearerguard.testing, name)} == set()
