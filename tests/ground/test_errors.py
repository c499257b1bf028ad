"""One family of errors, each also the matching builtin, with texts that help."""

from __future__ import annotations

import pytest

from recobro_score import errors
from recobro_score.errors import Problem, RecobroError, hint, report

BUILTINS = {
    "ConfigError": ValueError,
    "ContractError": ValueError,
    "SafetyTableError": errors.ContractError,
    "ColumnNotFound": KeyError,
    "SchemaMismatch": ValueError,
    "NotEnoughData": ValueError,
    "BundleError": ValueError,
    "TextMissing": KeyError,
}


@pytest.mark.parametrize("name", BUILTINS)
def test_every_error_is_of_the_family_and_the_matching_builtin(name: str):
    kind = getattr(errors, name)
    assert issubclass(kind, RecobroError)
    assert issubclass(kind, BUILTINS[name])
    assert str(kind("what is wrong")) == "what is wrong"
    assert str(kind()) == ""


def test_a_problem_says_what_how_many_and_shows_five_examples():
    problem = Problem(
        "payments.paid_at: not a date", 1312, 40118, tuple("abcdef"), hint(" amout", ["amount"])
    )
    close = hint("amout", ["amount"])
    assert str(problem) == (
        "payments.paid_at: not a date (1,312 of 40,118 rows), for example a, b, c, d, e" + close
    )
    assert str(Problem("x", 2)) == "x (2 rows)"
    assert report("broken:", [Problem("a"), Problem("b")]) == "broken:\n  - a\n  - b"


def test_a_hint_is_silent_when_nothing_is_close():
    assert hint("amout", ["amount"]) == " Did you mean 'amount'?"
    assert hint("zzz", ["amount"]) == ""
    assert hint("paid", ["paid_at", "amount"]) == " Did you mean 'paid_at'?"
