"""The policy as it is saved: actions, contact rules and offers in one object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recobro_score.digest import canonical_json, readable_json, sha256_text
from recobro_score.policy.actions import Catalogue
from recobro_score.policy.contact_rules import ContactRules, load_rules, parse_rules
from recobro_score.policy.offers import OfferPolicy

CATALOGUE, OFFERS, RULES = "catalogue.toml", "offers.json", "rules.json"
_SHIPPED, _OWN = "rules/shipped/", "rules/own/"


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be done, when, and on which terms.

    Attributes
    ----------
    catalogue : Catalogue
        The actions.
    rules : ContactRules
        Contact rules per country.
    offers : OfferPolicy
        Menu of plan terms and the creditor's floors.
    """

    catalogue: Catalogue
    rules: ContactRules
    offers: OfferPolicy

    @classmethod
    def load(
        cls,
        *,
        catalogue: str | Path | None = None,
        rules: str | Path | None = None,
        adopt: tuple[str, ...] = (),
        offers: OfferPolicy | None = None,
    ) -> Policy:
        """Read a policy; what is not given is the library's default.

        Parameters
        ----------
        catalogue : str or Path, optional
            Actions as TOML.
        rules : str or Path, optional
            Folder of the user's own contact rules.
        adopt : tuple of str
            Rules of low confidence adopted by id.
        offers : OfferPolicy, optional
            Plan terms and floors.
        """
        return cls(Catalogue.load(catalogue), load_rules(rules, adopt), offers or OfferPolicy())

    @property
    def version(self) -> str:
        """First 12 hex digits of the SHA-256 of actions, rules and offers."""
        parts = [self.catalogue.version, self.rules.version, self.offers.model_dump(mode="json")]
        return sha256_text(canonical_json(parts))[:12]

    def to_files(self) -> dict[str, str]:
        """Return the policy as text files by relative path."""
        return {
            CATALOGUE: self.catalogue.text,
            OFFERS: readable_json(self.offers.model_dump(mode="json")),
            RULES: readable_json({"adopted": list(self.rules.adopted)}),
            **{_SHIPPED + name: text for name, text in self.rules.shipped.items()},
            **{_OWN + name: text for name, text in self.rules.own.items()},
        }

    @classmethod
    def from_files(cls, files: Mapping[str, str]) -> Policy:
        """Return the policy that `to_files` wrote."""
        return cls(
            Catalogue.parse(files[CATALOGUE]),
            parse_rules(_below(files, _SHIPPED), _below(files, _OWN), json.loads(files[RULES])["adopted"]),
            OfferPolicy.model_validate_json(files[OFFERS]),
        )


def _below(files: Mapping[str, str], start: str) -> dict[str, str]:
    return {name.removeprefix(start): text for name, text in files.items() if name.startswith(start)}
