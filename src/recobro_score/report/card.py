"""The model card: what a payment model is for, what it learned from, how well it does, who watches it.

After Mitchell et al. (2019), Model Cards for Model Reporting, FAT*. The sentences live beside this file in
``card.<language>.toml``; the numbers are those kept in the bundle, and so are its warnings, in English.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from recobro_score.digest import readable_json
from recobro_score.errors import ConfigError
from recobro_score.features.audit.forbidden import forbidden_attributes
from recobro_score.texts import load_texts

if TYPE_CHECKING:
    from pathlib import Path

    from recobro_score.bundle import Bundle
    from recobro_score.texts import Texts

FORMAT = 1
LANGUAGES = ("en", "es")
PARTS = ("train", "calibration", "test")
JUDGED = ("n", "events", "base_rate", "auc", "auc_se", "baseline_auc", "slope", "slope_se", "ece", "verdict")


@dataclass(frozen=True, slots=True, repr=False)
class ModelCard:
    """A model card in one language.

    Parameters
    ----------
    language : str
    markdown : str
        To read.
    data : mapping
        The same as JSON values, for a register of models.
    """

    language: str
    markdown: str
    data: Mapping[str, Any]

    def json(self) -> str:
        """Return the data as JSON text."""
        return readable_json(self.data)

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write ``model_card.<language>.md`` and ``.json`` into a folder and return their paths."""
        paths = [folder / f"model_card.{self.language}.{ending}" for ending in ("md", "json")]
        for path, text in zip(paths, (self.markdown, self.json()), strict=True):
            path.write_text(text, encoding="utf-8", newline="\n")
        return paths[0], paths[1]

    def __repr__(self) -> str:
        return self.markdown

    def _repr_markdown_(self) -> str:
        return self.markdown


def model_card(bundle: Bundle, *, language: str = "en") -> ModelCard:
    """Return the model card of a bundle's payment model.

    Parameters
    ----------
    bundle : Bundle
    language : {'en', 'es'}

    Raises
    ------
    ConfigError
        If there is no card in that language.

    Examples
    --------
    >>> model_card(bundle, language="es").write(Path("."))  # doctest: +SKIP
    """
    if language not in LANGUAGES:
        msg = f"no model card in the language {language!r}; there are {', '.join(LANGUAGES)}"
        raise ConfigError(msg)
    data = _facts(bundle)
    words = _words(language)
    sections = {
        "what": _what(data, words, load_texts(language)),
        "use": _bullets(words["use"]["list"]),
        "not_use": _bullets(words["not_use"]["list"]),
        "data": _data(data, words, load_texts(language)),
        "performance": _performance(data, words, load_texts(language)),
        "segments": words["segments"]["text"],
        "features": _features(data, words, load_texts(language)),
        "limits": _bullets([*(data["warnings"] or [words["limits"]["none"]]), *words["limits"]["list"]]),
        "oversight": _bullets(words["oversight"]["list"]),
    }
    title = words["title"].format(model_id=data["model_id"])
    body = "\n\n".join(f"## {words['section'][name]}\n\n{text}" for name, text in sections.items())
    return ModelCard(language, f"# {title}\n\n{body}\n", {"language": language, **data})


def _facts(bundle: Bundle) -> dict[str, Any]:
    """Return what the card tells, as JSON values that do not depend on the language."""
    card, payment = bundle.card, bundle.payment
    known = (
        "accounts",
        "rows",
        "payers",
        "unknown_labels",
        "snapshots",
        "calibration",
        "effects",
        "warnings",
    )
    return {
        "format": FORMAT,
        "model_id": payment.model_id,
        "bundle_id": bundle.bundle_id,
        "target": payment.target.model_dump(),
        "trees": payment.scorer.options.trees,
        "leaves": payment.scorer.options.leaves,
        **{name: card[name] for name in known},
        "rows_used": dict(card["rows_used"]),
        "performance": {
            group: {name: row.get(name) for name in JUDGED} for group, row in card["metrics"].items()
        },
        "concepts": sorted(set(bundle.schema.concepts)),
        "features": list(bundle.schema.names),
        "forbidden_features": [
            name
            for name in bundle.schema.names
            if any(attribute.named_in(name) for attribute in forbidden_attributes())
        ],
    }


def _what(data: Mapping[str, Any], words: Mapping[str, Any], texts: Texts) -> str:
    target, told = data["target"], words["what"]
    return "\n\n".join(
        (
            told["target"].format(share=texts.percent(target["share"]), days=target["horizon_days"]),
            told["method"].format(
                trees=data["trees"],
                leaves=data["leaves"],
                features=len(data["features"]),
                calibration=words["calibration"][data["calibration"]],
            ),
            told["bundle"].format(bundle_id=data["bundle_id"], effects=words["effects"][data["effects"]]),
        )
    )


def _data(data: Mapping[str, Any], words: Mapping[str, Any], texts: Texts) -> str:
    told, none = words["data"], words["none"]
    rate = data["payers"] / data["rows"] if data["rows"] else 0.0
    numbers = {name: texts.number(data[name]) for name in ("accounts", "rows", "payers")}
    unknown = _listed(
        (words["reason"][reason], texts.number(count)) for reason, count in data["unknown_labels"].items()
    )
    tables = _listed((table, texts.number(rows)) for table, rows in data["rows_used"].items() if rows)
    dates = [
        told["dates"].format(part=told[part], dates=", ".join(day[:10] for day in days) or none)
        for part, days in ((part, data["snapshots"][part]) for part in PARTS)
    ]
    return _bullets(
        [
            told["accounts"].format(rate=texts.percent(rate, 1), **numbers),
            *dates,
            told["unknown"].format(reasons=unknown or none),
            told["tables"].format(tables=tables or none),
            told["missing"],
        ]
    )


def _performance(data: Mapping[str, Any], words: Mapping[str, Any], texts: Texts) -> str:
    told = words["performance"]
    if not data["performance"]:
        return str(told["none"])
    header = told["columns"]
    lines = [header, "|" + "---|" * (header.count("|") - 1)]
    lines += [
        "| " + " | ".join(_performance_row(group, row, words, texts)) + " |"
        for group, row in data["performance"].items()
        if row["n"]
    ]
    return "\n".join([*lines, "", told["note"]])


def _performance_row(
    group: str, row: Mapping[str, Any], words: Mapping[str, Any], texts: Texts
) -> Iterator[str]:
    def shown(name: str, decimals: int) -> str:
        return "–" if row[name] is None else texts.number(row[name], decimals)

    judged = row["verdict"] != "not judged"
    yield words["bucket"].get(group, group)
    yield texts.number(row["n"])
    yield texts.number(row["events"])
    yield "–" if row["base_rate"] is None else texts.percent(row["base_rate"], 1)
    yield f"{shown('auc', 3)} ± {shown('auc_se', 3)}" if judged else "–"
    yield shown("baseline_auc", 3) if judged else "–"
    yield f"{shown('slope', 2)} ± {shown('slope_se', 2)}" if judged else "–"
    yield shown("ece", 3) if judged else "–"
    yield words["verdict"][row["verdict"]]


def _features(data: Mapping[str, Any], words: Mapping[str, Any], texts: Texts) -> str:
    told, concepts = words["features"], data["concepts"]
    names = ", ".join(texts.render(f"concept.{concept}") for concept in concepts)
    lines = [told["groups"].format(count=len(data["features"]), groups=len(concepts), names=names)]
    banned = data["forbidden_features"]
    lines.append(told["lifted"].format(names=", ".join(banned)) if banned else told["banned"])
    return "\n\n".join(lines)


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _listed(pairs: Iterator[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {number}" for name, number in pairs)


@cache
def _words(language: str) -> dict[str, Any]:
    text = files(__package__).joinpath(f"card.{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
