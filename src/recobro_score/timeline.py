"""As-of dates, splits with an embargo, and folds.

A model is trained on early as-ofs, calibrated on later ones and tested on the latest. Between the parts lies
an embargo at least as long as the horizon, so that no label window of one part reaches into the next. Within
a split debtors can be divided too, so that nobody is both learned from and tested on.
"""

from __future__ import annotations

import hashlib
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY, as_datetime, format_instant, parse_instant
from recobro_score.errors import ConfigError, NotEnoughData

if TYPE_CHECKING:
    import pandas as pd

Instant = str | date | datetime
"""A date or time as text or object; a date means 00:00 in the time zone of the timeline."""

_MONTHS_PER_YEAR = 12


@lru_cache(maxsize=4096)
def add_months(instant: int, months: int, time_zone: str) -> int:
    """Return the same local day and time `months` calendar months later (earlier if negative).

    A day the month does not have becomes its last one: 31 March less one month is 28 or 29 February.

    Parameters
    ----------
    instant : int
        Microseconds UTC.
    months : int
        Calendar months.
    time_zone : str
        IANA name of the zone whose calendar counts.
    """
    if months == 0:
        return instant
    local = as_datetime(instant, time_zone).replace(tzinfo=None)
    year, month = divmod(local.year * _MONTHS_PER_YEAR + local.month - 1 + months, _MONTHS_PER_YEAR)
    day = min(local.day, monthrange(year, month + 1)[1])
    return parse_instant(local.replace(year=year, month=month + 1, day=day), time_zone)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The instants for which accounts are scored or labelled.

    Parameters
    ----------
    as_ofs : tuple of int
        Microseconds UTC, strictly increasing.
    time_zone : str
        The portfolio's zone, in which dates are read and shown.

    Examples
    --------
    >>> Timeline.monthly("2025-01-31", "2025-04-30").dates
    ('2025-01-31', '2025-02-28', '2025-03-31', '2025-04-30')
    """

    as_ofs: tuple[int, ...]
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        """Refuse as-ofs that do not increase."""
        if not self.as_ofs:
            msg = "a timeline needs at least one as-of"
            raise ConfigError(msg)
        wrong = [later for earlier, later in pairwise(self.as_ofs) if later <= earlier]
        if wrong:
            dates = ", ".join(format_instant(instant, self.time_zone) for instant in wrong[:5])
            msg = f"as-ofs must increase: {len(wrong)} do not come after the one before, for example {dates}"
            raise ConfigError(msg)

    def __len__(self) -> int:
        return len(self.as_ofs)

    def __iter__(self) -> Iterator[int]:
        return iter(self.as_ofs)

    @property
    def dates(self) -> tuple[str, ...]:
        """The local dates of the as-ofs."""
        return tuple(as_datetime(instant, self.time_zone).date().isoformat() for instant in self.as_ofs)

    @classmethod
    def explicit(cls, instants: Sequence[Instant], time_zone: str = "UTC") -> Timeline:
        """Return the timeline of the given dates or times, sorted, repeats left out."""
        return cls(tuple(sorted({parse_instant(instant, time_zone) for instant in instants})), time_zone)

    @classmethod
    def monthly(cls, start: Instant, end: Instant, time_zone: str = "UTC") -> Timeline:
        """Return `start` and the same local day of every later month up to and including `end`."""
        first, last = _range(start, end, time_zone)
        span = (last - first) // (28 * US_PER_DAY) + 1
        instants = (add_months(first, months, time_zone) for months in range(span + 1))
        return cls(tuple(instant for instant in instants if instant <= last), time_zone)

    @classmethod
    def weekly(cls, start: Instant, end: Instant, time_zone: str = "UTC") -> Timeline:
        """Return `start` and the same local time of every seventh day up to and including `end`."""
        return cls.every(start, end, days=7, time_zone=time_zone)

    @classmethod
    def every(cls, start: Instant, end: Instant, *, days: int, time_zone: str = "UTC") -> Timeline:
        """Return `start` and the same local time every `days` days up to and including `end`."""
        if days < 1:
            msg = f"as-ofs must be at least one day apart, got {days}"
            raise ConfigError(msg)
        first, last = _range(start, end, time_zone)
        local = np.datetime64(as_datetime(first, time_zone).replace(tzinfo=None), "us")
        steps = range(0, (last - first) // US_PER_DAY + 2, days)
        walls = (local + np.timedelta64(step, "D") for step in steps)
        instants = (parse_instant(wall.astype(datetime), time_zone) for wall in walls)
        return cls(tuple(instant for instant in instants if instant <= last), time_zone)


@dataclass(frozen=True, slots=True)
class Split:
    """As-ofs to train, to calibrate and to test on, each part later than the one before.

    Parameters
    ----------
    train, calibration, test : tuple of int
        Microseconds UTC, increasing. Only `train` must not be empty.
    horizon_days : float
        Length of the label window.
    embargo_days : float, optional
        Least distance between the last as-of of a part and the first of the next; the horizon when left out.
        Add the reporting lag for a split that could have been made at the time.

    Raises
    ------
    ConfigError
        If the embargo is shorter than the horizon, or two parts are closer than the embargo.
    """

    train: tuple[int, ...]
    calibration: tuple[int, ...]
    test: tuple[int, ...]
    horizon_days: float
    embargo_days: float | None = None

    def __post_init__(self) -> None:
        """Check the embargo."""
        problems = _embargo_problems(self.horizon_days, self.embargo_days)
        if not self.train:
            problems.append("no as-of to train on")
        embargo = _embargo(self.horizon_days, self.embargo_days)
        parts = [(name, getattr(self, name)) for name in ("train", "calibration", "test")]
        filled = [(name, part) for name, part in parts if part]
        for (name, part), (next_name, next_part) in pairwise(filled):
            if min(next_part) - max(part) < embargo:
                days = (min(next_part) - max(part)) / US_PER_DAY
                problems.append(
                    f"{next_name} begins {days:g} days after {name} ends, within the embargo of "
                    f"{embargo / US_PER_DAY:g}"
                )
        if problems:
            raise ConfigError("; ".join(problems))

    def frame(self) -> pd.DataFrame:
        """Return one row per as-of with columns ``part`` and ``as_of`` (UTC)."""
        import pandas as pd

        rows = [
            (name, instant) for name in ("train", "calibration", "test") for instant in getattr(self, name)
        ]
        as_ofs = np.array([instant for _, instant in rows], dtype=np.int64).view("M8[us]")
        return pd.DataFrame({"part": [name for name, _ in rows], "as_of": as_ofs})

    def rows(
        self,
        as_of: NDArray[np.int64],
        debtor_ids: pa.Array | Sequence[str],
        *,
        fold: int = 0,
        k: int = 5,
        salt: str = "",
    ) -> SplitRows:
        """Return which rows train, calibrate and test, no debtor both tested and learned from.

        One of `k` groups of debtors is tested, at the as-ofs of `test`; the debtors of all other groups train
        and calibrate, at theirs. Over all folds every row at the as-ofs of `test` is tested once.

        Parameters
        ----------
        as_of : int64 array, shape (n,)
            The as-of of each row, µs UTC.
        debtor_ids : pyarrow array or sequence of str, length n
            The debtor of each row.
        fold : int
            Group to test on, 0 … k − 1.
        k, salt
            As for `debtor_folds`.

        Raises
        ------
        ConfigError
            If there is no such fold, a row has no debtor, or the lengths differ.
        """
        groups = debtor_folds(debtor_ids, k, salt=salt)
        if not 0 <= fold < k or len(groups) != len(as_of):
            msg = f"fold {fold} of {k} of {len(as_of)} rows with {len(groups)} debtors cannot be made"
            raise ConfigError(msg)
        tested = groups == fold
        return SplitRows(
            np.isin(as_of, self.train) & ~tested,
            np.isin(as_of, self.calibration) & ~tested,
            np.isin(as_of, self.test) & tested,
        )


@dataclass(frozen=True, slots=True, eq=False)
class SplitRows:
    """Which rows train, calibrate and test; bool arrays of shape (n,), never two of them true for a row."""

    train: NDArray[np.bool_]
    calibration: NDArray[np.bool_]
    test: NDArray[np.bool_]


def holdout(
    timeline: Timeline,
    horizon_days: float,
    *,
    calibration: int = 1,
    test: int = 1,
    train: int | None = None,
    embargo_days: float | None = None,
) -> Split:
    """Split a timeline once: the last as-ofs test, earlier ones calibrate, those before train.

    Parameters
    ----------
    timeline : Timeline
        All as-ofs.
    horizon_days : float
        Length of the label window.
    calibration, test : int
        How many as-ofs each part takes; 0 leaves the part empty.
    train : int, optional
        How many as-ofs to train on, the latest that the embargo allows; all of them when left out.
    embargo_days : float, optional
        See `Split`.

    Raises
    ------
    NotEnoughData
        If no as-of is left for a part.
    """
    problems = _embargo_problems(horizon_days, embargo_days)
    if calibration < 0 or test < 0 or (train is not None and train < 1):
        problems.append(f"the fewest as-ofs are 1 to train and 0 else, got {train=}, {calibration=}, {test=}")
    if problems:
        raise ConfigError("; ".join(problems))
    embargo = _embargo(horizon_days, embargo_days)
    left = timeline.as_ofs
    parts = []
    for count in (test, calibration):
        part = left[len(left) - count :] if count else ()
        if len(part) < count:
            break
        parts.append(part)
        left = tuple(instant for instant in left if not part or instant + embargo <= part[0])
    if len(parts) < 2 or len(left) < (train or 1):
        msg = (
            f"{len(timeline)} as-ofs are too few for {train or 1} to train, {calibration} to calibrate and "
            f"{test} to test with an embargo of {embargo / US_PER_DAY:g} days between the parts"
        )
        raise NotEnoughData(msg)
    return Split(left[-(train or len(left)) :], parts[1], parts[0], horizon_days, embargo_days)


def temporal_folds(
    timeline: Timeline,
    horizon_days: float,
    *,
    n_folds: int = 3,
    calibration: int = 1,
    test: int = 1,
    train: int | None = None,
    embargo_days: float | None = None,
) -> tuple[Split, ...]:
    """Return splits whose test parts follow one another without overlap, the earliest first.

    Parameters
    ----------
    timeline, horizon_days, calibration, embargo_days
        As for `holdout`.
    train : int, optional
        As-ofs to train on in each fold: the training part slides. When left out it expands.
    n_folds : int
        How many splits.
    test : int
        As-ofs in each test part, at least one.

    Raises
    ------
    NotEnoughData
        If the first fold has nothing to train on.
    """
    if n_folds < 1 or test < 1:
        msg = f"at least one fold and one as-of to test on are needed, got {n_folds=}, {test=}"
        raise ConfigError(msg)
    ends = [len(timeline) - test * fold for fold in reversed(range(n_folds))]
    if ends[0] < 1:
        msg = f"{len(timeline)} as-ofs are too few for {n_folds} folds of {test} to test"
        raise NotEnoughData(msg)
    return tuple(
        holdout(
            Timeline(timeline.as_ofs[:end], timeline.time_zone),
            horizon_days,
            calibration=calibration,
            test=test,
            train=train,
            embargo_days=embargo_days,
        )
        for end in ends
    )


def debtor_folds(debtor_ids: pa.Array | Sequence[str], k: int, *, salt: str = "") -> NDArray[np.int64]:
    """Return a fold for every row such that all rows of a debtor share it.

    The fold follows from a hash of the id alone: it depends on no other row, no order and no run.

    Parameters
    ----------
    debtor_ids : pyarrow array or sequence of str, length n
        The debtor of each row.
    k : int
        Number of folds.
    salt : str
        Another salt gives another, equally stable, division.

    Returns
    -------
    int64 array, shape (n,)
        Folds ``0 … k − 1``.

    Examples
    --------
    >>> folds = debtor_folds(["ana", "luis", "ana"], 5)
    >>> bool(folds[0] == folds[2])
    True
    """
    if k < 2:
        msg = f"at least two folds are needed, got {k}"
        raise ConfigError(msg)
    ids = debtor_ids if isinstance(debtor_ids, pa.Array) else pa.array(debtor_ids, pa.string())
    encoded = ids.dictionary_encode()
    if encoded.indices.null_count:
        msg = f"{encoded.indices.null_count} rows have no debtor id"
        raise ConfigError(msg)
    folds = [_hash(salt + debtor) % k for debtor in encoded.dictionary.to_pylist()]
    codes = np.asarray(encoded.indices.to_numpy(), dtype=np.int64)
    return np.array(folds, dtype=np.int64)[codes]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _range(start: Instant, end: Instant, time_zone: str) -> tuple[int, int]:
    first, last = parse_instant(start, time_zone), parse_instant(end, time_zone)
    if last < first:
        msg = f"the timeline ends ({end}) before it begins ({start})"
        raise ConfigError(msg)
    return first, last


def _embargo(horizon_days: float, embargo_days: float | None) -> int:
    return round((horizon_days if embargo_days is None else embargo_days) * US_PER_DAY)


def _embargo_problems(horizon_days: float, embargo_days: float | None) -> list[str]:
    problems = []
    if not 0 < horizon_days < np.inf:
        problems.append(f"horizon_days must be more than 0, got {horizon_days}")
    if embargo_days is not None and not horizon_days <= embargo_days < np.inf:
        problems.append(
            f"the embargo ({embargo_days:g} days) must not be shorter than the horizon ({horizon_days:g})"
        )
    return problems
