"""What fell due and what covered it: instalments judged as of the snapshot, and the schedule ahead."""

from __future__ import annotations

from collections.abc import Iterator

from recobro_score.features.recipes import Recipe, Window
from recobro_score.features.standard.naming import (
    MONTHS,
    back,
    feature,
    hidden,
    month,
    month_name,
    of_two,
    status,
)

_BILLED = status("paid", "unpaid")


def instalments() -> Iterator[Recipe]:
    """Yield the recipes of instalments."""
    yield from _judged()
    yield from _lateness()
    yield from _coverage()
    yield from _ahead()


def _judged() -> Iterator[Recipe]:
    yield feature(
        "unpaid_instalments", "instalments.count", "arrears",
        ("cuotas vencidas sin pagar", "instalments due and unpaid", "parcelas vencidas não pagas"),
        where=status("unpaid"), unit="count",
    )  # fmt: skip
    yield feature(
        "partial_instalments", "instalments.count", "payment_coverage",
        ("cuotas pagadas en parte", "instalments paid in part", "parcelas pagas em parte"),
        where=status("partial"), unit="count",
    )  # fmt: skip
    yield hidden("paid_count", "instalments.count", "payment_coverage", where=status("paid"))
    yield hidden("due_count", "instalments.count", "payment_coverage")
    yield of_two(
        "instalments_paid_share", "share", "payment_coverage", ("paid_count", "due_count"),
        ("cuotas vencidas pagadas por completo", "due instalments paid in full",
         "parcelas vencidas pagas por completo"),
    )  # fmt: skip
    yield hidden(
        "on_time_365d", "instalments.count", "payment_coverage", where=status("on_time"), window=back(365)
    )
    yield hidden("billed_365d", "instalments.count", "payment_coverage", where=_BILLED, window=back(365))
    yield of_two(
        "on_time_share_365d", "share", "payment_coverage", ("on_time_365d", "billed_365d"),
        ("parte de cuotas pagadas a tiempo en 365 días", "share of instalments paid on time in 365 days",
         "parte das parcelas pagas em dia em 365 dias"),
    )  # fmt: skip
    yield feature(
        "late_instalments_365d", "instalments.count", "arrears_history",
        ("cuotas pagadas tarde en 365 días", "instalments paid late in 365 days",
         "parcelas pagas com atraso em 365 dias"),
        where=status("late"), window=back(365), unit="count",
    )  # fmt: skip
    yield feature(
        "instalments_paid_in_a_row", "instalments.streak", "payment_coverage",
        ("últimas cuotas pagadas seguidas", "latest instalments paid in a row",
         "últimas parcelas pagas seguidas"),
        where=_BILLED, run=status("paid"), unit="count",
    )  # fmt: skip
    yield feature(
        "instalments_on_time_in_a_row", "instalments.longest_streak", "payment_coverage",
        ("más cuotas seguidas pagadas a tiempo", "most instalments in a row paid on time",
         "mais parcelas seguidas pagas em dia"),
        where=_BILLED, run=status("on_time"), unit="count",
    )  # fmt: skip
    yield feature(
        "days_since_oldest_unpaid", "instalments.since_first", "arrears",
        ("días desde la cuota impaga más antigua", "days since the oldest unpaid instalment",
         "dias desde a parcela não paga mais antiga"),
        where=status("unpaid"), unit="days",
    )  # fmt: skip


def _lateness() -> Iterator[Recipe]:
    measures = (
        ("mean", "retraso medio de las cuotas", "mean lateness of instalments", "atraso médio das parcelas"),
        ("median", "retraso mediano de las cuotas", "median lateness of instalments",
         "atraso mediano das parcelas"),
        ("max", "mayor retraso de una cuota", "greatest lateness of an instalment",
         "maior atraso de uma parcela"),
        ("last", "retraso de la última cuota", "lateness of the last instalment",
         "atraso da última parcela"),
    )  # fmt: skip
    for aggregate, es, en, pt in measures:
        yield feature(
            f"lateness_{aggregate}_365d", f"instalments.{aggregate}.lateness", "arrears_history",
            (f"{es} en 365 días", f"{en} in 365 days", f"{pt} em 365 dias"),
            window=back(365), unit="days",
        )  # fmt: skip
    for days in (90, 365):
        yield feature(
            f"covered_mean_{days}d", "instalments.mean.covered", "payment_coverage",
            (f"parte cubierta de las cuotas en {days} días", f"share covered of instalments in {days} days",
             f"parte coberta das parcelas em {days} dias"),
            window=back(days), unit="ratio",
        )  # fmt: skip


def _coverage() -> Iterator[Recipe]:
    for days in (90, 365):
        yield hidden(f"due_{days}d", "instalments.sum.amount", "payment_coverage", window=back(days))
        yield of_two(
            f"paid_to_due_{days}d", "share", "payment_coverage", (f"paid_{days}d", f"due_{days}d"),
            (f"cobrado sobre lo vencido en {days} días", f"recovered over due in {days} days",
             f"recebido sobre o vencido em {days} dias"),
        )  # fmt: skip
    for months_back in MONTHS[:-1]:
        es, en, pt = month_name(months_back)
        bill = f"due_month_{months_back + 1}"
        yield hidden(bill, "instalments.sum.amount", "payment_coverage", window=month(months_back + 1))
        yield of_two(
            f"paid_to_bill_month_{months_back}", "share", "payment_coverage",
            (f"paid_month_{months_back}", bill),
            (f"cobrado {es} sobre la cuota anterior", f"recovered {en} over the bill before",
             f"recebido {pt} sobre a parcela anterior"),
        )  # fmt: skip


def _ahead() -> Iterator[Recipe]:
    for days in (7, 30, 60):
        yield feature(
            f"due_next_{days}d", "instalments.sum.amount", "schedule",
            (f"importe que vence en {days} días", f"amount falling due in {days} days",
             f"valor a vencer em {days} dias"),
            window=Window(0, days), unit="money",
        )  # fmt: skip
    yield feature(
        "days_to_next_instalment", "instalments.until_first", "schedule",
        ("días hasta la próxima cuota", "days until the next instalment", "dias até a próxima parcela"),
        window=Window(0, 365), unit="days",
    )  # fmt: skip
    yield feature(
        "next_instalment", "instalments.first.amount", "schedule",
        ("importe de la próxima cuota", "amount of the next instalment", "valor da próxima parcela"),
        window=Window(0, 365), unit="money",
    )  # fmt: skip
    yield feature(
        "instalments_ahead", "instalments.count", "schedule",
        ("cuotas por vencer", "instalments still to fall due", "parcelas a vencer"),
        window=Window(0, None), unit="count",
    )  # fmt: skip
    yield of_two(
        "next_instalment_to_mean_payment", "share", "schedule", ("next_instalment", "mean_payment_365d"),
        ("próxima cuota sobre el pago medio", "next instalment over the mean payment",
         "próxima parcela sobre o pagamento médio"),
    )  # fmt: skip
