"""The run file names a language and a reader that there are, and complete texts, or it is refused."""

from __future__ import annotations

import pytest

from recobro_score.errors import ConfigError, TextMissing
from recobro_score.operate import batch, config
from recobro_score.operate.config import RunConfig


def read(tmp_path, night: str) -> RunConfig:
    path = tmp_path / "run.toml"
    path.write_text(f'[portfolio]\nfolder = "portfolio"\n\n{night}\n', encoding="utf-8")
    return RunConfig.read(path)


def test_language_and_reader_reach_the_run_and_its_fingerprint(tmp_path):
    default = read(tmp_path, "")
    assert (default.night.language, default.night.reader) == ("es", "agent")
    own = read(tmp_path, '[night]\nlanguage = "es-MX"\nreader = "auditor"')
    options = batch._run_options(own)
    assert (options.language, options.reader) == ("es-MX", "auditor")
    other = read(tmp_path, '[night]\nlanguage = "es-MX"\nreader = "debtor"')
    assert len({batch._decisive(one) for one in (default, own, other)}) == 3


@pytest.mark.parametrize(
    ("night", "told"),
    [
        ('language = "fr"', r"night\.language: .*no texts in the language 'fr'; there are en, es, pt"),
        ('reader = "judge"', r"night\.reader: .*'agent', 'debtor' or 'auditor'"),
    ],
)
def test_a_language_or_reader_that_does_not_exist_is_refused_with_the_run_file(tmp_path, night, told):
    with pytest.raises(ConfigError, match=told):
        read(tmp_path, f"[night]\n{night}")


@pytest.mark.parametrize("night", ["", '[night]\nlanguage = "pt"'])
def test_incomplete_texts_are_an_error_when_the_run_file_is_read(tmp_path, monkeypatch, night):
    def incomplete(language: str) -> None:
        msg = f"the {language!r} texts have 1 problems"
        raise TextMissing(msg)

    monkeypatch.setattr(config, "load_texts", incomplete)
    with pytest.raises(TextMissing, match="1 problems"):
        read(tmp_path, night)
