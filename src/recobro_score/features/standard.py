"""The standard set: what is worth knowing about an account, as recipes.

Money is in major units of the account's currency. Slices of a calendar month (``…_month_2`` is the month
before the last one) keep monthly bills, payments and balances apart one by one; lookbacks are in days.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from recobro_score.features.recipes import (
    DERIVED,
    STATE_TABLE,
    Condition,
    Months,
    Recipe,
    Where,
    Window,
)

LOOKBACKS = (7, 30, 60, 90, 180, 365)
"""Days of the payment windows."""

MONTHS = (1, 2, 3, 4, 5, 6)
"""Calendar months back, 1 = the month that ends at the as-of."""

_PAID = (Where("kind", ("payment",)),)
_REVERSED = (Where("kind", ("reversal",)),)
_OUTBOUND = (Where("direction", ("outbound",)),)
_INBOUND = (Where("direction", ("inbound",)),)
_CALLS = (*_OUTBOUND, Where("channel", ("call", "ivr")))
_MESSAGES = (*_OUTBOUND, Where("channel", ("sms", "whatsapp", "email", "letter")))
_REACHED = (*_OUTBOUND, Where("outcome", ("rpc",)))
_ANSWERED = (*_OUTBOUND, Where("outcome", ("opened", "replied")))
_UNANSWERED = (*_OUTBOUND, Where("outcome", ("no_answer", "busy", "voicemail")))


def standard_recipes() -> tuple[Recipe, ...]:
    """Return the recipes of the standard set, hidden operands included."""
    return (
        *_payments(),
        *_schedule(),
        *_coverage(),
        *_balances(),
        *_arrears(),
        *_contacts(),
        *_promises(),
        *_plans(),
        *_profile(),
    )


def _recipe(
    name: str,
    source: str,
    concept: str,
    es: str,
    en: str,
    **fields: Any,  # noqa: ANN401 - recipe fields
) -> Recipe:
    """Return a recipe; `source` is ``table.aggregate`` or ``table.aggregate.value``."""
    table, aggregate, *value = source.split(".")
    labels = (("en", en), ("es", es))
    return Recipe(name, table, aggregate, concept, value=value[0] if value else None, labels=labels, **fields)


def _hidden(
    name: str,
    source: str,
    concept: str,
    window: Window | Months | None = None,
    where: tuple[Condition, ...] = (),
) -> Recipe:
    table, aggregate, *value = source.split(".")
    return Recipe(
        name, table, aggregate, concept,
        value=value[0] if value else None, window=window, where=where, hidden=True,
    )  # fmt: skip


def _of_two(name: str, aggregate: str, concept: str, of: tuple[str, str], es: str, en: str) -> Recipe:
    return _recipe(name, f"{DERIVED}.{aggregate}", concept, es, en, of=of, unit="ratio")


def _month(months_back: int) -> Months:
    return Months(-months_back, 1 - months_back)


def _month_name(months_back: int) -> tuple[str, str]:
    if months_back == 1:
        return "el último mes", "the last month"
    return f"el mes {months_back} hacia atrás", f"month {months_back} back"


def _payments() -> Iterator[Recipe]:
    for days in LOOKBACKS:
        yield _recipe(
            f"payments_count_{days}d", "payments.count", "payment_regularity",
            f"pagos en {days} días", f"payments in {days} days",
            where=_PAID, window=Window(-days, 0), unit="count",
        )  # fmt: skip
    for days in LOOKBACKS:
        yield _recipe(
            f"paid_{days}d", "payments.sum.recovery", "payment_amounts",
            f"importe cobrado en {days} días", f"amount recovered in {days} days",
            window=Window(-days, 0), unit="money",
        )  # fmt: skip
    for month in MONTHS:
        es, en = _month_name(month)
        yield _recipe(
            f"paid_month_{month}", "payments.sum.recovery", "payment_amounts",
            f"importe cobrado en {es}", f"amount recovered in {en}",
            window=_month(month), unit="money", hidden=month == 1,
        )  # fmt: skip
    year: dict[str, Any] = {"where": _PAID, "window": Window(-365, 0)}
    yield _recipe(
        "days_since_payment", "payments.since_last", "payment_recency",
        "días desde el último pago", "days since the last payment", where=_PAID, unit="days",
    )  # fmt: skip
    yield _recipe(
        "last_payment", "payments.last.amount", "payment_amounts",
        "importe del último pago", "amount of the last payment", where=_PAID, unit="money",
    )  # fmt: skip
    yield _recipe(
        "mean_payment_365d", "payments.mean.amount", "payment_amounts",
        "pago medio en 365 días", "mean payment in 365 days", **year, unit="money",
    )  # fmt: skip
    yield _recipe(
        "payment_gap_mean_365d", "payments.gap_mean", "payment_regularity",
        "días entre pagos", "days between payments", **year, unit="days",
    )  # fmt: skip
    yield _recipe(
        "payment_gap_std_365d", "payments.gap_std", "payment_regularity",
        "irregularidad de los pagos", "irregularity of payments", **year, unit="days",
    )  # fmt: skip
    yield _recipe(
        "reversals_365d", "payments.count", "payment_regularity",
        "pagos devueltos en 365 días", "payments returned in 365 days",
        where=_REVERSED, window=Window(-365, 0), unit="count",
    )  # fmt: skip


def _schedule() -> Iterator[Recipe]:
    unpaid = (Where("status", ("unpaid",)),)
    paid = (Where("status", ("paid",)),)
    yield _recipe(
        "unpaid_instalments", "instalments.count", "arrears",
        "cuotas vencidas sin pagar", "instalments due and unpaid", where=unpaid, unit="count",
    )  # fmt: skip
    yield _hidden("paid_count", "instalments.count", "payment_coverage", None, paid)
    yield _hidden("due_count", "instalments.count", "payment_coverage")
    yield _of_two(
        "instalments_paid_share", "share", "payment_coverage", ("paid_count", "due_count"),
        "parte de las cuotas vencidas que está pagada", "share of due instalments that is paid",
    )  # fmt: skip
    yield _recipe(
        "due_next_30d", "instalments.sum.amount", "schedule",
        "importe que vence en 30 días", "amount falling due in 30 days",
        window=Window(0, 30), unit="money",
    )  # fmt: skip
    yield _recipe(
        "days_to_next_instalment", "instalments.until_first", "schedule",
        "días hasta la próxima cuota", "days until the next instalment",
        window=Window(0, 365), unit="days",
    )  # fmt: skip


def _coverage() -> Iterator[Recipe]:
    for days in (90, 365):
        yield _hidden(f"due_{days}d", "instalments.sum.amount", "payment_coverage", Window(-days, 0))
        yield _of_two(
            f"paid_to_due_{days}d", "share", "payment_coverage", (f"paid_{days}d", f"due_{days}d"),
            f"cobrado entre vencido en {days} días", f"recovered over due in {days} days",
        )  # fmt: skip
    for month in MONTHS[:-1]:
        es, en = _month_name(month)
        billed = month + 1
        yield _hidden(f"due_month_{billed}", "instalments.sum.amount", "payment_coverage", _month(billed))
        yield _of_two(
            f"paid_to_bill_month_{month}", "share", "payment_coverage",
            (f"paid_month_{month}", f"due_month_{billed}"),
            f"cobrado en {es} entre la cuota anterior", f"recovered in {en} over the bill before",
        )  # fmt: skip


def _balances() -> Iterator[Recipe]:
    yield _recipe(
        "balance_last", "balances.last.balance", "balance_level",
        "último saldo", "last balance", unit="money",
    )  # fmt: skip
    for month in MONTHS:
        yield _hidden(f"balance_month_{month}", "balances.last.balance", "balance_level", _month(month))
    for month in (3, 6):
        yield _of_two(
            f"balance_trend_{month}m", "trend", "balance_trend",
            ("balance_month_1", f"balance_month_{month}"),
            f"tendencia del saldo en {month} meses", f"trend of the balance over {month} months",
        )  # fmt: skip
    yield _recipe(
        "credit_limit", "accounts.static.credit_limit", "utilisation",
        "límite de crédito", "credit limit", unit="money",
    )  # fmt: skip
    yield _of_two(
        "utilisation", "share", "utilisation", ("balance_last", "credit_limit"),
        "saldo entre límite de crédito", "balance over credit limit",
    )  # fmt: skip
    for month in MONTHS[1:]:
        es, en = _month_name(month)
        yield _of_two(
            f"utilisation_month_{month}", "share", "utilisation", (f"balance_month_{month}", "credit_limit"),
            f"saldo entre límite en {es}", f"balance over limit in {en}",
        )  # fmt: skip


def _arrears() -> Iterator[Recipe]:
    yield _recipe(
        "exposure", f"{STATE_TABLE}.state.exposure", "arrears",
        "importe vencido", "amount overdue", unit="money",
    )  # fmt: skip
    yield _recipe("dpd", f"{STATE_TABLE}.state.dpd", "arrears", "días de mora", "days past due", unit="days")
    yield _recipe(
        "bucket", f"{STATE_TABLE}.state.bucket", "arrears", "tramo de mora", "bucket of days past due"
    )
    yield _recipe(
        "principal", "accounts.static.principal", "account_profile", "principal", "principal", unit="money"
    )
    yield _of_two(
        "exposure_to_principal", "share", "arrears", ("exposure", "principal"),
        "importe vencido entre principal", "amount overdue over principal",
    )  # fmt: skip
    yield _recipe(
        "dpd_last", "balances.last.dpd", "arrears_history",
        "última mora registrada", "last recorded days past due", unit="days",
    )  # fmt: skip
    for days in (90, 180, 365):
        yield _recipe(
            f"dpd_max_{days}d", "balances.max.dpd", "arrears_history",
            f"mora máxima en {days} días", f"most days past due in {days} days",
            window=Window(-days, 0), unit="days",
        )  # fmt: skip
    for month in MONTHS[1:]:
        es, en = _month_name(month)
        yield _recipe(
            f"dpd_month_{month}", "balances.last.dpd", "arrears_history",
            f"mora en {es}", f"days past due in {en}", window=_month(month), unit="days",
        )  # fmt: skip


def _contacts() -> Iterator[Recipe]:
    counts = (
        ("attempts", _OUTBOUND, (7, 30, 90), "contact_effort", "intentos de contacto", "contact attempts"),
        ("calls", _CALLS, (30,), "contact_effort", "llamadas", "calls"),
        ("messages", _MESSAGES, (30,), "contact_effort", "mensajes enviados", "messages sent"),
        ("rpc", _REACHED, (90, 365), "contact_success", "contactos directos", "right-party contacts"),
        ("responses", _ANSWERED, (90,), "contact_success", "respuestas a mensajes", "responses to messages"),
        ("inbound", _INBOUND, (90,), "contact_success", "contactos iniciados por el titular",
         "contacts begun by the debtor"),
    )  # fmt: skip
    for name, where, lookbacks, concept, es, en in counts:
        for days in lookbacks:
            yield _recipe(
                f"{name}_{days}d", "contacts.count", concept, f"{es} en {days} días", f"{en} in {days} days",
                where=where, window=Window(-days, 0), unit="count",
            )  # fmt: skip
    yield _hidden("unanswered_90d", "contacts.count", "contact_success", Window(-90, 0), _UNANSWERED)
    yield _of_two(
        "rpc_share_90d", "share", "contact_success", ("rpc_90d", "attempts_90d"),
        "parte de intentos con contacto directo", "share of attempts with right-party contact",
    )  # fmt: skip
    yield _of_two(
        "unanswered_share_90d", "share", "contact_success", ("unanswered_90d", "attempts_90d"),
        "parte de intentos sin respuesta", "share of attempts without an answer",
    )  # fmt: skip
    yield _recipe(
        "days_since_rpc", "contacts.since_last", "contact_success",
        "días desde el último contacto directo", "days since the last right-party contact",
        where=_REACHED, unit="days",
    )  # fmt: skip


def _promises() -> Iterator[Recipe]:
    for status, es in (("kept", "cumplidas"), ("broken", "rotas")):
        yield _recipe(
            f"promises_{status}_365d", "promises.count", "promises",
            f"promesas {es} en 365 días", f"promises {status} in 365 days",
            where=(Where("status", (status,)),), window=Window(-365, 0), unit="count",
        )  # fmt: skip
    judged = (Where("status", ("kept", "broken")),)
    yield _hidden("promises_judged_365d", "promises.count", "promises", Window(-365, 0), judged)
    yield _of_two(
        "promises_kept_share", "share", "promises", ("promises_kept_365d", "promises_judged_365d"),
        "parte de promesas cumplidas", "share of promises kept",
    )  # fmt: skip
    is_open = (Where("status", ("open",)),)
    yield _recipe(
        "promises_open", "promises.count", "promises",
        "promesas abiertas", "open promises", where=is_open, unit="count",
    )  # fmt: skip
    yield _recipe(
        "promised_open", "promises.sum.amount", "promises",
        "importe prometido pendiente", "amount promised and open", where=is_open, unit="money",
    )  # fmt: skip
    yield _recipe(
        "days_since_promise", "promises.since_last", "promises",
        "días desde la última promesa", "days since the last promise", unit="days",
    )  # fmt: skip


def _plans() -> Iterator[Recipe]:
    for status, es, en in (
        ("accepted", "planes en curso", "plans under way"),
        ("ended", "planes terminados", "plans ended"),
    ):
        yield _recipe(
            f"plans_{status}", "plans.count", "plans", es, en,
            where=(Where("status", (status,)),), unit="count",
        )  # fmt: skip


def _profile() -> Iterator[Recipe]:
    attributes = (
        ("account_age", "accounts.static.opened_at", "days", "antigüedad de la cuenta", "age of the account"),
        ("annual_rate", "accounts.static.annual_rate", "ratio", "tipo de interés anual", "annual rate"),
        ("product", "accounts.static.product", "category", "producto", "product"),
        ("currency", "accounts.static.currency", "category", "moneda", "currency"),
        ("creditor", "accounts.static.creditor", "category", "acreedor", "creditor"),
        ("country", "accounts.static.country", "category", "país", "country"),
        ("subdivision", "accounts.static.subdivision", "category", "región", "region"),
        ("language", "debtors.static.language", "category", "idioma", "language"),
    )
    for name, source, unit, es, en in attributes:
        yield _recipe(name, source, "account_profile", es, en, unit=unit)
