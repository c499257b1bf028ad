"""`ContactModel`: who answers on which channel, on which day and at which hour.

The log-odds of an attempt are the sum of four terms, so that a million accounts on five channels and fourteen
hours take five million evaluations of the trees rather than seventy million: ::

    level of the channel + what the account's features add on the channel      (trees)
    + what slot, weekday and segment add on the channel                        (a small table)
    + what the account's own attempts say against what was expected of them    (arithmetic)

each shrunk to the one before: an account without history has exactly its segment's pattern, one with a rich
history its own. Each channel is calibrated on later attempts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.digest import canonical_json, sha256_text
from recobro_score.errors import ColumnNotFound, ContractError, hint
from recobro_score.models.booster import BoosterOptions
from recobro_score.models.contact.attempts import CHANNELS, SLOTS
from recobro_score.models.contact.files import NAME, contact_files, read_contact
from recobro_score.models.contact.fit import OPTIONS, ContactFit, Cuts, contact_facts, fit_contact
from recobro_score.models.contact.log import AttemptLog, snapshots_of
from recobro_score.models.contact.points import BestContacts, best_contacts
from recobro_score.models.contact.rates import ContactForecast
from recobro_score.models.contact.rates_of_day import Reach, Whereabouts, one_as_of, rates_of_day
from recobro_score.models.contact.report import contact_warnings, report_attempts, report_channels
from recobro_score.models.report import feature_schema
from recobro_score.models.snapshots import Snapshots
from recobro_score.models.weights import check_weights
from recobro_score.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from recobro_score.data.events import EventStore
    from recobro_score.data.portfolio import Portfolio
    from recobro_score.evaluation.result import Evaluation
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.models.booster import ColumnSchema
    from recobro_score.models.contact.rates_of_day import ContactRatesOfDay
    from recobro_score.models.report import ModelReport
    from recobro_score.models.snapshots import Weigh

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ContactModel:
    """P(right party reached by a call) and P(reply to a message), per account, channel, weekday and hour.

    Safe to share between threads.

    Parameters
    ----------
    channels, segments : tuple of str
        The C channels and K countries.
    parts : ContactFit
        The learned parts.
    facts : mapping
        Per channel ``attempts``, ``successes``, ``comparisons``; in all ``calibrated_on`` and
        ``other_party_attempts``; ``as_ofs`` of the features, and ``learned_until``: attempts before it.
    validation : Evaluation or None
        On the latest attempts, which nothing was learned from; None in a model read from files, and where
        there were none.
    """

    channels: tuple[str, ...]
    segments: tuple[str, ...]
    parts: ContactFit
    facts: Mapping[str, Any]
    validation: Evaluation | None = None
    model_id: str = field(init=False)

    def __post_init__(self) -> None:
        """Derive the identity from the files."""
        object.__setattr__(self, "model_id", f"{NAME}-{sha256_text(canonical_json(self.to_files()))[:12]}")

    @classmethod
    def fit(
        cls,
        store: EventStore,
        matrix: FeatureMatrix,
        *,
        observed_until: int,
        calibrate_from: int | None = None,
        test_from: int | None = None,
        channels: tuple[str, ...] = CHANNELS,
        options: BoosterOptions = OPTIONS,
        weights: Floats | None = None,
    ) -> ContactModel:
        """Learn from the contact log of a store.

        Parameters
        ----------
        store : EventStore
            Its contact log may be empty: then all rates are assumed, and said to be.
        matrix : FeatureMatrix
            Of all accounts at one or more as-ofs, from `features.pipeline.compute`. An attempt takes the
            features of the last as-of that is not after it; attempts before the first are history only.
        observed_until : int
            Attempts made or known at or after it do not count; µs UTC.
        calibrate_from, test_from : int, optional
            Attempts from here on calibrate, and judge; when left out, the latest two fifths in equal parts.
        channels : tuple of str
        options : BoosterOptions
            Of the trees.
        weights : ndarray of shape (n,), optional
            How much each row of the matrix counts; an attempt weighs what the row of its features weighs. To
            what is said of later attempts it counts once all the same: one of weight 0 is history only.

        Raises
        ------
        ContractError
            If the matrix is not of all accounts of the store, account-major, or weights are wrong.
        """
        as_ofs = snapshots_of(store, matrix)
        counts = check_weights(weights, len(matrix))
        log = AttemptLog.of(store, observed_until, as_ofs=as_ofs, channels=channels, weights=counts)
        cuts = Cuts.of(log, calibrate_from, test_from)
        return cls._fit(log, matrix.values, matrix.schema, cuts, options, as_ofs)

    @classmethod
    def from_portfolio(
        cls,
        portfolio: Portfolio,
        timeline: Timeline,
        *,
        observed_until: int | None = None,
        channels: tuple[str, ...] = CHANNELS,
        options: BoosterOptions = OPTIONS,
        weights: Weigh | None = None,
    ) -> ContactModel:
        """Compute the features of a portfolio at every as-of of a timeline, and fit.

        Parameters
        ----------
        portfolio : Portfolio
        timeline : Timeline
        observed_until : int, optional
            See `Snapshots.of`.
        channels, options
            As for `fit`.
        weights : callable, optional
            From the snapshots to the weight of each of their rows, see `fit`.
        """
        seen = Snapshots.of(portfolio, timeline, observed_until=observed_until, threads=options.threads)
        return cls.fit(
            seen.store,
            seen.matrix,
            observed_until=seen.observed_until,
            channels=channels,
            options=options,
            weights=seen.weigh(weights),
        )

    @classmethod
    def fit_attempts(
        cls,
        log: AttemptLog,
        values: Floats,
        schema: ColumnSchema,
        *,
        calibrate_from: int | None = None,
        test_from: int | None = None,
        options: BoosterOptions = OPTIONS,
        weights: Floats | None = None,
    ) -> ContactModel:
        """Learn from attempts as arrays, for logs that are no event tables; see `AttemptLog.from_frame`.

        Parameters
        ----------
        log : AttemptLog
        values : ndarray of shape (m, p)
            Features; ``log.row`` points into its rows, each as known at the attempt.
        schema : ColumnSchema
            Of the p columns. All of them are used unless it is a `FeatureSchema`; see `ContactColumns`.
        calibrate_from, test_from : int, optional
            On the clock of the attempts; as for `fit`.
        options : BoosterOptions
        weights : ndarray of shape (m,), optional
            How much each row of the features counts, as for `fit`.
        """
        log = log.weighing(weights, len(values))
        return cls._fit(log, values, schema, Cuts.of(log, calibrate_from, test_from), options, ())

    @classmethod
    def _fit(
        cls,
        log: AttemptLog,
        values: Floats,
        schema: ColumnSchema,
        cuts: Cuts,
        options: BoosterOptions,
        as_ofs: tuple[int, ...],
    ) -> ContactModel:
        parts = fit_contact(log, values, schema, cuts, options=options)
        facts = contact_facts(parts, log, cuts) | {"as_ofs": list(as_ofs)}
        model = cls(log.channels, log.segments, parts, facts)
        if not cuts.test(log).any():
            return model
        report = report_attempts(parts, log, values, cuts, warnings=model.warnings, threads=options.threads)
        return replace(model, validation=report)

    @property
    def has_log(self) -> bool:
        """Whether any attempt was learned from; if not, every rate is an assumption."""
        return bool(sum(self.facts["attempts"]) > 0)

    @property
    def assumed(self) -> tuple[str, ...]:
        """Channels that no attempt was seen on: their rates are assumptions."""
        counts = zip(self.channels, self.facts["attempts"], strict=True)
        return tuple(name for name, count in counts if not count)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before trusting the model."""
        return tuple(contact_warnings(self.channels, self.facts, self.parts))

    def predict(
        self, store: EventStore, matrix: FeatureMatrix, *, weekday: int | None = None, threads: int = 1
    ) -> ContactForecast:
        """Return the probability of every account, channel and hour.

        Parameters
        ----------
        store : EventStore
            One account or many: an account's numbers are the same bits either way.
        matrix : FeatureMatrix
            One row per account of the store, in its order, all of one as-of. Only attempts visible before it
            count.
        weekday : int, optional
            Monday = 0; the debtor's local day of the as-of when left out.
        threads : int
            Changes nothing but the time.

        Raises
        ------
        SchemaMismatch
            If the matrix is not of the schema of training.
        ContractError
            If its rows are not those of the store, or of several as-ofs.
        """
        return self._forecast(store, self._rates(store, matrix, weekday, threads))

    def typical(self, store: EventStore, matrix: FeatureMatrix, channel: str, *, threads: int = 1) -> Reach:
        """Return each account's probability on a channel in an average slot.

        Raises
        ------
        ColumnNotFound
            If the channel was not learned.
        """
        if channel not in self.channels:
            msg = f"no contact model for the channel {channel!r}.{hint(channel, self.channels)}"
            raise ColumnNotFound(msg)
        place = self.channels.index(channel)
        margin = self._rates(store, matrix, None, threads).typical[:, place]
        p = self.parts.calibrators[place].probability(margin)
        low, high = self.parts.intervals[place].pair(margin)
        return Reach(p, np.minimum(low, p), np.maximum(high, p), channel in self.assumed)

    def predict_attempts(self, log: AttemptLog, values: Floats, *, threads: int = 1) -> Floats:
        """Return the probability of each attempt given the account's earlier ones in the log, shape (n,).

        Parameters
        ----------
        log : AttemptLog
            Of the model's channels and segments.
        values : ndarray of shape (m, p)
            Rows that ``log.row`` points to.
        threads : int
            Changes nothing but the time.

        Raises
        ------
        ContractError
            If the log is of other channels or segments.
        """
        if (log.channels, log.segments) != (self.channels, self.segments):
            msg = (
                f"The model knows the channels {self.channels} and segments {self.segments}, "
                f"the attempts have {log.channels} and {log.segments}."
            )
            raise ContractError(msg)
        return self.parts.calibrated(self.parts.log_odds(log, values, threads=threads), log.channel)

    def best_contact(
        self,
        store: EventStore,
        matrix: FeatureMatrix,
        *,
        k: int = 3,
        allowed: NDArray[np.bool_] | None = None,
        weekday: int | None = None,
        threads: int = 1,
    ) -> BestContacts:
        """Return the k likeliest ways to reach each account: party, contact point, channel and hour.

        Parameters
        ----------
        store, matrix, weekday, threads
            As for `predict`.
        k : int
            Most proposals per account.
        allowed : bool ndarray of shape (n, C) or (n, C, 14), optional
            What contact rules, consent and holds allow; all where absent. Without it the proposals say what
            is likely, not what is lawful.

        Returns
        -------
        BestContacts
            See `contact_points.best_contacts`.
        """
        found = self._rates(store, matrix, weekday, threads)
        own, as_of = self._forecast(store, found), one_as_of(self.parts, store, matrix)
        return best_contacts(store, as_of, own, found.others, k=k, allowed=allowed)

    def evaluate(
        self,
        portfolio: Portfolio,
        timeline: Timeline,
        *,
        observed_until: int | str | None = None,
        weights: Weigh | None = None,
    ) -> ModelReport:
        """Judge the model on later attempts, per channel, beside each channel's rate and its rivals.

        Parameters
        ----------
        portfolio : Portfolio
            With the attempts that the model learned from, rivals learn from them too.
        timeline : Timeline
            Snapshots whose features stand for the accounts. Attempts from the first of them on are judged,
            each given the account's attempts before it.
        observed_until : int or str, optional
            Attempts made or known at or after it do not count; see `Snapshots.of`.
        weights : callable, optional
            As for `from_portfolio`, of the snapshots that the model learned from too: in every metric, and to
            the rivals.

        Raises
        ------
        NotEnoughData
            If there are no such attempts.
        ConfigError
            If the model was not trained on the library's features.
        """
        schema = feature_schema(self.parts.prior.columns.source)
        as_ofs = Timeline(tuple(sorted({*self.facts["as_ofs"], *timeline.as_ofs})), timeline.time_zone)
        seen = Snapshots.of(portfolio, as_ofs, features=schema, observed_until=observed_until)
        return report_channels(
            self.parts,
            seen,
            segments=self.segments,
            first=timeline.as_ofs[0],
            learned_until=self.facts["learned_until"],
            warnings=self.warnings,
            weights=weights,
        )

    def to_files(self) -> dict[str, str]:
        """Return the model as text files by name: LightGBM's text (empty without trees) and JSON, no code."""
        return contact_files(self.parts, self.channels, self.segments, self.facts)

    @classmethod
    def from_files(cls, files: Mapping[str, str], schema: ColumnSchema) -> ContactModel:
        """Return the model of saved files; it predicts the same bits and has the same id.

        Raises
        ------
        BundleError
            If a file is missing or of an unknown format.
        SchemaMismatch
            If the schema is not that of training.
        """
        return cls(*read_contact(files, schema))

    def _forecast(self, store: EventStore, found: ContactRatesOfDay) -> ContactForecast:
        return ContactForecast(
            store.account_ids, self.channels, SLOTS, found.rate, found.attempts, self.has_log
        )

    def _rates(
        self, store: EventStore, matrix: FeatureMatrix, weekday: int | None, threads: int
    ) -> ContactRatesOfDay:
        as_of = one_as_of(self.parts, store, matrix)
        where = Whereabouts.of(store, as_of, self.segments, weekday=weekday)
        return rates_of_day(self.parts, store, matrix.values, where, threads=threads)
