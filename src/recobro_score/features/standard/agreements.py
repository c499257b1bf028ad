"""What was promised, agreed, offered and decided."""

from __future__ import annotations

from collections.abc import Iterator

from recobro_score.features.recipes import Present, Recipe, Where
from recobro_score.features.standard.naming import back, feature, hidden, of_two, status

_JUDGED = status("kept", "broken")
_OFFERED = (Present("offer"),)


def promises() -> Iterator[Recipe]:
    """Yield the recipes of promises."""
    yield from _kept_and_broken()
    yield from _open()


def _kept_and_broken() -> Iterator[Recipe]:
    for word, es, en, pt in (
        ("kept", "cumplida", "kept", "cumprida"),
        ("broken", "rota", "broken", "quebrada"),
    ):
        yield feature(
            f"promises_{word}_365d", "promises.count", "promises",
            (f"promesas {es}s en 365 días", f"promises {en} in 365 days", f"promessas {pt}s em 365 dias"),
            where=status(word), window=back(365), unit="count",
        )  # fmt: skip
        yield feature(
            f"promises_{word}_in_a_row", "promises.streak", "promises",
            (f"últimas promesas {es}s seguidas", f"latest promises {en} in a row",
             f"últimas promessas {pt}s seguidas"),
            where=_JUDGED, run=status(word), unit="count",
        )  # fmt: skip
        yield feature(
            f"days_since_{word}_promise", "promises.since_last", "promises",
            (f"días desde la última promesa {es}", f"days since the last promise {en}",
             f"dias desde a última promessa {pt}"),
            where=status(word), unit="days",
        )  # fmt: skip
    yield hidden(
        "promises_judged_365d", "promises.count", "promises", window=back(365), where=_JUDGED
    )  # fmt: skip
    yield of_two(
        "promises_kept_share", "share", "promises", ("promises_kept_365d", "promises_judged_365d"),
        ("parte de promesas cumplidas", "share of promises kept", "parte das promessas cumpridas"),
    )  # fmt: skip


def _open() -> Iterator[Recipe]:
    is_open = status("open")
    yield feature(
        "promises_open", "promises.count", "promises",
        ("promesas abiertas", "open promises", "promessas abertas"), where=is_open, unit="count",
    )  # fmt: skip
    yield feature(
        "promised_open", "promises.sum.amount", "promises",
        ("importe prometido pendiente", "amount promised and open", "valor prometido em aberto"),
        where=is_open, unit="money",
    )  # fmt: skip
    yield of_two(
        "promised_to_exposure", "share", "promises", ("promised_open", "exposure"),
        ("prometido pendiente sobre importe vencido", "open promises over amount overdue",
         "prometido em aberto sobre valor vencido"),
    )  # fmt: skip
    yield feature(
        "days_to_promise", "promises.min.due_in", "schedule",
        ("días hasta que venza la promesa abierta", "days until the open promise falls due",
         "dias até vencer a promessa aberta"),
        where=is_open, unit="days",
    )  # fmt: skip
    yield feature(
        "days_since_promise", "promises.since_last", "promises",
        ("días desde la última promesa", "days since the last promise", "dias desde a última promessa"),
        unit="days",
    )  # fmt: skip
    yield feature(
        "last_promise", "promises.last.amount", "promises",
        ("importe de la última promesa", "amount of the last promise", "valor da última promessa"),
        unit="money",
    )  # fmt: skip
    yield of_two(
        "last_promise_to_exposure", "share", "promises", ("last_promise", "exposure"),
        ("última promesa sobre importe vencido", "last promise over amount overdue",
         "última promessa sobre valor vencido"),
    )  # fmt: skip
    yield feature(
        "promise_term_mean_365d", "promises.mean.term", "promises",
        ("plazo medio de las promesas", "mean term of promises", "prazo médio das promessas"),
        window=back(365), unit="days",
    )  # fmt: skip


def plans() -> Iterator[Recipe]:
    """Yield the recipes of payment plans."""
    for word, es, en, pt in (
        ("offered", "planes ofrecidos sin respuesta", "plans offered and not taken up",
         "planos oferecidos sem resposta"),
        ("accepted", "planes en curso", "plans under way", "planos em andamento"),
        ("ended", "planes terminados", "plans ended", "planos encerrados"),
    ):  # fmt: skip
        yield feature(f"plans_{word}", "plans.count", "plans", (es, en, pt), where=status(word), unit="count")
    yield feature(
        "plans_broken", "plans.count", "plans", ("planes rotos", "plans broken", "planos quebrados"),
        where=(*status("ended"), Where("end_reason", ("broken",))), unit="count",
    )  # fmt: skip
    yield feature(
        "days_since_plan", "plans.since_last", "plans",
        ("días desde el último plan ofrecido", "days since the last plan offered",
         "dias desde o último plano oferecido"),
        unit="days",
    )  # fmt: skip
    yield feature(
        "plan_discount_max", "plans.max.discount", "plans",
        ("mayor descuento de un plan", "largest discount of a plan", "maior desconto de um plano"),
        unit="ratio",
    )  # fmt: skip


def decisions() -> Iterator[Recipe]:
    """Yield the recipes of decisions and of the offers they carried."""
    nothing = (Where("action_id", ("no_action",)),)
    yield feature(
        "decisions_90d", "decisions.count", "contact_effort",
        ("decisiones en 90 días", "decisions in 90 days", "decisões em 90 dias"),
        window=back(90), unit="count",
    )  # fmt: skip
    yield hidden("no_action_90d", "decisions.count", "contact_effort", where=nothing, window=back(90))
    yield of_two(
        "no_action_share_90d", "share", "contact_effort", ("no_action_90d", "decisions_90d"),
        ("parte de decisiones de no actuar", "share of decisions to do nothing",
         "parte das decisões de não agir"),
    )  # fmt: skip
    yield feature(
        "no_action_in_a_row", "decisions.streak", "contact_effort",
        ("últimas decisiones seguidas de no actuar", "latest decisions in a row to do nothing",
         "últimas decisões seguidas de não agir"),
        run=nothing, unit="count",
    )  # fmt: skip
    yield feature(
        "actions_distinct_90d", "decisions.distinct.action_id", "contact_effort",
        ("acciones distintas en 90 días", "different actions in 90 days", "ações distintas em 90 dias"),
        window=back(90), unit="count",
    )  # fmt: skip
    yield feature(
        "offers_365d", "decisions.count", "plans",
        ("ofertas decididas en 365 días", "offers decided in 365 days", "ofertas decididas em 365 dias"),
        where=_OFFERED, window=back(365), unit="count",
    )  # fmt: skip
    yield feature(
        "days_since_offer", "decisions.since_last", "plans",
        ("días desde la última oferta", "days since the last offer", "dias desde a última oferta"),
        where=_OFFERED, unit="days",
    )  # fmt: skip
    yield feature(
        "offer_discount_max_365d", "decisions.max.discount", "plans",
        ("mayor descuento ofrecido en 365 días", "largest discount offered in 365 days",
         "maior desconto oferecido em 365 dias"),
        window=back(365), unit="ratio",
    )  # fmt: skip
