"""Many labels at once: one row per (account, as-of), one column per `LabelSpec`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.events import EventStore
from recobro_score.errors import ColumnNotFound, ConfigError, hint
from recobro_score.features.eligibility import KNOWN, REASONS
from recobro_score.features.label_specs import LABEL_KINDS, LabelSpec
from recobro_score.features.labels import Labels
from recobro_score.features.outcomes import Outcomes
from recobro_score.money import MISSING_MONEY, to_major

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class LabelMatrix:
    """Labels of (account, as-of) pairs, account-major.

    Attributes
    ----------
    account, as_of : int64 arrays, shape (n,)
        Account code and instant.
    value : float64 array, shape (n, k)
        1 yes, 0 no; major units of the account's currency for amounts; NaN unknown.
    reason : int8 array, shape (n, k)
        Position in `REASONS`; 0 where the label is known.
    exposure : int64 array, shape (n,)
        Minor units due at the as-of, as seen then.
    bucket : int8 array, shape (n,)
        Bucket of days past due at the as-of, as seen then; −1 unknown.
    digits : int8 array, shape (n,)
        Decimals of the account's currency.
    specs : tuple of LabelSpec
        What the k columns are.
    """

    account: NDArray[np.int64]
    as_of: NDArray[np.int64]
    value: NDArray[np.float64]
    reason: NDArray[np.int8]
    exposure: NDArray[np.int64]
    bucket: NDArray[np.int8]
    digits: NDArray[np.int8]
    specs: tuple[LabelSpec, ...]

    def __len__(self) -> int:
        return len(self.account)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(spec.name for spec in self.specs)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which labels are known, shape (n, k)."""
        known: NDArray[np.bool_] = self.reason == KNOWN
        return known

    def column(self, name: str) -> NDArray[np.float64]:
        """Return the values of one label, shape (n,).

        Raises
        ------
        ColumnNotFound
            If there is no label of that name.
        """
        return self.value[:, self._place(name)]

    def labels(self, name: str) -> Labels:
        """Return one label as the models take it; what was recovered is left unknown.

        Raises
        ------
        ColumnNotFound
            If there is no label of that name.
        ConfigError
            If its values are amounts: those are no event.
        """
        place = self._place(name)
        if self.specs[place].is_money:
            msg = f"{name} is an amount, not an event"
            raise ConfigError(msg)
        return Labels(
            self.account,
            self.as_of,
            self.value[:, place],
            np.full(len(self), MISSING_MONEY),
            self.exposure,
            self.reason[:, place],
            self.digits,
        )

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> LabelMatrix:
        """Return some rows, given as positions or as a mask."""
        return LabelMatrix(
            self.account[rows],
            self.as_of[rows],
            self.value[rows],
            self.reason[rows],
            self.exposure[rows],
            self.bucket[rows],
            self.digits[rows],
            self.specs,
        )

    def counts(self) -> pd.DataFrame:
        """Return how many pairs of each label and as-of have which reason.

        Returns
        -------
        pandas.DataFrame
            ``label``, ``as_of`` (UTC), ``reason``, ``pairs``, ``positive`` (labels that are 1, amounts above
            0). Combinations that do not occur are left out; labels in their order, then as-ofs, then reasons
            by name.
        """
        import pandas as pd

        frames = []
        for place, name in enumerate(self.names):
            long = pd.DataFrame(
                {
                    "as_of": self.as_of.view("M8[us]"),
                    "reason": np.array(REASONS, dtype=object)[self.reason[:, place]],
                    "positive": self.value[:, place] > 0,
                }
            )
            grouped = long.groupby(["as_of", "reason"], sort=True)["positive"]
            counted = grouped.agg(pairs="size", positive="sum").reset_index()
            counted.insert(0, "label", name)
            frames.append(counted)
        return pd.concat(frames, ignore_index=True).astype({"pairs": np.int64, "positive": np.int64})

    def frame(self) -> pd.DataFrame:
        """Return one row per pair.

        Returns
        -------
        pandas.DataFrame
            ``account`` (code), ``as_of`` (UTC); then per label ``<name>`` (value, NaN unknown) and
            ``<name>_reason`` (word of `REASONS`).
        """
        import pandas as pd

        words = np.array(REASONS, dtype=object)
        columns: dict[str, NDArray[np.generic]] = {
            "account": self.account,
            "as_of": self.as_of.view("M8[us]"),
        }
        for place, name in enumerate(self.names):
            columns[name] = self.value[:, place]
            columns[f"{name}_reason"] = words[self.reason[:, place]]
        return pd.DataFrame(columns)

    def _place(self, name: str) -> int:
        if name not in self.names:
            msg = f"no label {name!r}.{hint(name, self.names)}"
            raise ColumnNotFound(msg)
        return self.names.index(name)


def compute_labels(
    store: EventStore,
    as_ofs: Sequence[int] | NDArray[np.int64],
    specs: Sequence[LabelSpec],
    *,
    observed_until: int,
    lag: int | None = None,
) -> LabelMatrix:
    """Label every account at every as-of.

    Events count that happened in ``[as_of, as_of + horizon)`` and were known before `observed_until`,
    however late. A pair's labels depend on its own account's rows alone.

    Parameters
    ----------
    store : EventStore
        The portfolio.
    as_ofs : sequence of int
        Microseconds UTC, shape (m,).
    specs : sequence of LabelSpec
        What to label, see also `recobro_score.features.label_specs.standard_labels`.
    observed_until : int
        End of observation (µs UTC): a window that ends, with the lag, after it has no label.
    lag : int, optional
        Reporting lag in µs for all labels; when left out, the longest that is declared for the tables a label
        reads (`LABEL_KINDS`).

    Returns
    -------
    LabelMatrix
        ``n_accounts * m`` rows, account-major. Reasons in order of precedence: ``not_open``; ``not_placed``;
        what the as-of shows (``exposure_unknown``, ``nothing_due``, ``dpd_unknown``, ``not_late``,
        ``worst_bucket``, nothing ``open`` at stake: ``no_promise``, ``no_plan``); ``recalled``;
        ``not_matured``; what the window shows (nothing ``new`` at stake, ``contacted``, ``censored``).

    Raises
    ------
    ConfigError
        If there is no as-of or no spec, or two specs share a name.
    """
    moments = np.asarray(as_ofs, dtype=np.int64)
    repeated = [name for name, times in Counter(spec.name for spec in specs).items() if times > 1]
    if repeated:
        msg = f"labels need names of their own: {', '.join(repeated)} occur more than once"
        raise ConfigError(msg)
    if moments.ndim != 1 or len(moments) == 0 or not specs:
        msg = f"labels need at least one as-of and one spec, got shape {moments.shape} and {len(specs)} specs"
        raise ConfigError(msg)
    seen = Outcomes.of(store, moments, specs, observed_until)
    state = seen.standing.state
    digits = store.digits[state.account]
    value = np.empty((len(state.account), len(specs)))
    reason = np.empty(value.shape, np.int8)
    for place, spec in enumerate(specs):
        waits = max(store.lags[table] for table in LABEL_KINDS[spec.kind]) if lag is None else lag
        value[:, place], reason[:, place] = seen.label(spec, waits, observed_until)
        if spec.is_money:
            amount = to_major(seen.recovered(spec), digits)
            value[:, place] = np.where(reason[:, place] == KNOWN, amount, np.nan)
    return LabelMatrix(
        state.account, state.as_of, value, reason, state.exposure, state.bucket, digits, tuple(specs)
    )
