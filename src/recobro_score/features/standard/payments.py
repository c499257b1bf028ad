"""What the account has paid: how recently, how much, how regularly, and on which days."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from recobro_score.features.recipes import Between, Recipe, Where, Window
from recobro_score.features.standard.naming import (
    MONTHS,
    PAID,
    back,
    feature,
    hidden,
    month,
    month_name,
    of_two,
)

LOOKBACKS = (7, 30, 60, 90, 180, 365)
"""Days of the payment windows."""


def payments() -> Iterator[Recipe]:
    """Yield the recipes of payments."""
    yield from _counts_and_amounts()
    yield from _recency()
    yield from _sizes()
    yield from _rhythm()


def _counts_and_amounts() -> Iterator[Recipe]:
    for days in LOOKBACKS:
        yield feature(
            f"payments_count_{days}d", "payments.count", "payment_regularity",
            (f"pagos en {days} días", f"payments in {days} days", f"pagamentos em {days} dias"),
            where=PAID, window=back(days), unit="count",
        )  # fmt: skip
    for days in LOOKBACKS:
        yield feature(
            f"paid_{days}d", "payments.sum.recovery", "payment_amounts",
            (
                f"importe cobrado en {days} días",
                f"amount recovered in {days} days",
                f"valor recebido em {days} dias",
            ),
            window=back(days), unit="money",
        )  # fmt: skip
    for months_back in MONTHS:
        es, en, pt = month_name(months_back)
        yield feature(
            f"paid_month_{months_back}", "payments.sum.recovery", "payment_amounts",
            (f"importe cobrado {es}", f"amount recovered {en}", f"valor recebido {pt}"),
            window=month(months_back), unit="money", hidden=months_back == 1,
        )  # fmt: skip
    yield hidden(
        "paid_90d_before", "payments.sum.recovery", "payment_amounts", window=Window(-180, -90)
    )  # fmt: skip
    yield of_two(
        "paid_trend_90d", "trend", "payment_amounts", ("paid_90d", "paid_90d_before"),
        ("tendencia de lo cobrado en 90 días", "trend of recoveries over 90 days",
         "tendência do recebido em 90 dias"),
    )  # fmt: skip
    yield feature(
        "paid_decayed_90d", "payments.decayed_sum.recovery", "payment_amounts",
        ("importe cobrado, lo reciente pesa más", "amount recovered, recent weighs more",
         "valor recebido, o recente pesa mais"),
        half_life=90.0, unit="money",
    )  # fmt: skip
    yield feature(
        "payments_decayed_90d", "payments.decayed_count", "payment_regularity",
        ("pagos, los recientes pesan más", "payments, recent ones weigh more",
         "pagamentos, os recentes pesam mais"),
        where=PAID, half_life=90.0,
    )  # fmt: skip


def _recency() -> Iterator[Recipe]:
    yield feature(
        "days_since_payment", "payments.since_last", "payment_recency",
        ("días desde el último pago", "days since the last payment", "dias desde o último pagamento"),
        where=PAID, unit="days",
    )  # fmt: skip
    yield feature(
        "days_since_first_payment", "payments.since_first", "payment_recency",
        ("días desde el primer pago", "days since the first payment", "dias desde o primeiro pagamento"),
        where=PAID, unit="days",
    )  # fmt: skip
    yield feature(
        "days_since_reversal", "payments.since_last", "payment_regularity",
        ("días desde la última devolución", "days since the last returned payment",
         "dias desde a última devolução"),
        where=(Where("kind", ("reversal",)),), unit="days",
    )  # fmt: skip
    yield feature(
        "last_method", "payments.last.method", "payment_regularity",
        ("medio del último pago", "method of the last payment", "meio do último pagamento"),
        where=PAID, unit="category",
    )  # fmt: skip


def _sizes() -> Iterator[Recipe]:
    year: dict[str, Any] = {"where": PAID, "window": back(365), "unit": "money"}
    yield feature(
        "last_payment", "payments.last.amount", "payment_amounts",
        ("importe del último pago", "amount of the last payment", "valor do último pagamento"),
        where=PAID, unit="money",
    )  # fmt: skip
    sizes = (
        ("mean", "pago medio", "mean payment", "pagamento médio"),
        ("median", "pago mediano", "median payment", "pagamento mediano"),
        ("max", "pago mayor", "largest payment", "maior pagamento"),
        ("std", "dispersión de los pagos", "spread of payments", "dispersão dos pagamentos"),
    )
    for aggregate, es, en, pt in sizes:
        yield feature(
            f"{aggregate}_payment_365d", f"payments.{aggregate}.amount", "payment_amounts",
            (f"{es} en 365 días", f"{en} in 365 days", f"{pt} em 365 dias"), **year,
        )  # fmt: skip
    yield of_two(
        "last_payment_to_median", "share", "payment_amounts", ("last_payment", "median_payment_365d"),
        ("último pago sobre el pago mediano", "last payment over the median payment",
         "último pagamento sobre o mediano"),
    )  # fmt: skip


def _rhythm() -> Iterator[Recipe]:
    year: dict[str, Any] = {"where": PAID, "window": back(365)}
    yield feature(
        "payment_gap_mean_365d", "payments.gap_mean", "payment_regularity",
        ("días entre pagos", "days between payments", "dias entre pagamentos"), **year, unit="days",
    )  # fmt: skip
    yield feature(
        "payment_gap_std_365d", "payments.gap_std", "payment_regularity",
        ("irregularidad de los pagos", "irregularity of payments", "irregularidade dos pagamentos"),
        **year, unit="days",
    )  # fmt: skip
    yield feature(
        "reversals_365d", "payments.count", "payment_regularity",
        ("pagos devueltos en 365 días", "payments returned in 365 days", "pagamentos devolvidos em 365 dias"),
        where=(Where("kind", ("reversal",)),), window=back(365), unit="count",
    )  # fmt: skip
    yield feature(
        "payment_methods_365d", "payments.distinct.method", "payment_regularity",
        ("medios de pago en 365 días", "payment methods in 365 days", "meios de pagamento em 365 dias"),
        **year, unit="count",
    )  # fmt: skip
    yield hidden(
        "weekend_payments_365d", "payments.count", "payment_regularity",
        where=(*PAID, Between("local_weekday", 5, 7)), window=back(365),
    )  # fmt: skip
    yield of_two(
        "weekend_payment_share_365d", "share", "payment_regularity",
        ("weekend_payments_365d", "payments_count_365d"),
        ("parte de pagos en fin de semana", "share of payments at weekends",
         "parte dos pagamentos no fim de semana"),
    )  # fmt: skip
    yield feature(
        "payday", "payments.mode.local_day", "payment_regularity",
        ("día del mes en que suele pagar", "usual day of the month of payment",
         "dia do mês em que costuma pagar"),
        **year,
    )  # fmt: skip
