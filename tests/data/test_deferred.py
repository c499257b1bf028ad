"""A deferred value is made once, and not before it is asked for."""

from __future__ import annotations

import pytest

from recobro_score.data.deferred import Deferred


def test_a_value_is_made_when_first_asked_for_and_kept():
    made: list[str] = []

    def maker(name: str):
        return lambda: made.append(name) or [name]

    deferred = Deferred({name: maker(name) for name in ("a", "b", "c")})
    assert list(deferred) == ["a", "b", "c"]
    assert len(deferred) == 3
    assert "b" in deferred
    assert made == []
    assert deferred["b"] is deferred["b"]
    assert dict(deferred) == {"a": ["a"], "b": ["b"], "c": ["c"]}
    assert made == ["b", "a", "c"]


def test_a_name_that_is_not_there_is_no_key():
    with pytest.raises(KeyError):
        Deferred({})["a"]


def test_a_maker_that_fails_is_asked_again():
    answers = iter([ValueError("not yet"), 3])

    def make():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    deferred = Deferred({"a": make})
    with pytest.raises(ValueError, match="not yet"):
        deferred["a"]
    assert deferred["a"] == 3
