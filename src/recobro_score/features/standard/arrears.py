"""What the account owes and how late it is: now, earlier, and as its dated balances tell."""

from __future__ import annotations

from collections.abc import Iterator

from recobro_score.features.recipes import STATE_TABLE, Between, Recipe, Window
from recobro_score.features.standard.naming import MONTHS, back, feature, hidden, month, month_name, of_two

_MOST = 100_000.0
_CURRENT = (Between("dpd", -_MOST, 1.0),)
_LATE = (Between("dpd", 1.0, _MOST),)
_DATED = (Between("dpd", -_MOST, _MOST),)


def balances() -> Iterator[Recipe]:
    """Yield the recipes of balances and of credit limits."""
    yield feature(
        "balance_last", "balances.last.balance", "balance_level",
        ("último saldo", "last balance", "último saldo devedor"), unit="money",
    )  # fmt: skip
    for aggregate, es, en, pt in (
        ("max", "saldo mayor", "largest balance", "maior saldo"),
        ("median", "saldo mediano", "median balance", "saldo mediano"),
    ):
        yield feature(
            f"balance_{aggregate}_365d", f"balances.{aggregate}.balance", "balance_level",
            (f"{es} en 365 días", f"{en} in 365 days", f"{pt} em 365 dias"),
            window=back(365), unit="money",
        )  # fmt: skip
    for column, es, en, pt in (
        ("interest", "parte de intereses en el último saldo", "share of interest in the last balance",
         "parte de juros no último saldo"),
        ("fees", "parte de comisiones en el último saldo", "share of fees in the last balance",
         "parte de tarifas no último saldo"),
    ):  # fmt: skip
        yield hidden(f"{column}_last", f"balances.last.{column}", "balance_level")
        yield of_two(
            f"{column}_to_balance", "share", "balance_level", (f"{column}_last", "balance_last"), (es, en, pt)
        )
    for months_back in MONTHS:
        yield hidden(
            f"balance_month_{months_back}",
            "balances.last.balance",
            "balance_level",
            window=month(months_back),
        )
    for months_back in (3, 6):
        yield of_two(
            f"balance_trend_{months_back}m", "trend", "balance_trend",
            ("balance_month_1", f"balance_month_{months_back}"),
            (f"tendencia del saldo en {months_back} meses", f"trend of the balance over {months_back} months",
             f"tendência do saldo em {months_back} meses"),
        )  # fmt: skip
    yield feature(
        "credit_limit", "accounts.static.credit_limit", "utilisation",
        ("límite de crédito", "credit limit", "limite de crédito"), unit="money",
    )  # fmt: skip
    yield of_two(
        "utilisation", "share", "utilisation", ("balance_last", "credit_limit"),
        ("uso del límite de crédito", "use of the credit limit", "uso do limite de crédito"),
    )  # fmt: skip
    for months_back in MONTHS[1:]:
        es, en, pt = month_name(months_back)
        yield of_two(
            f"utilisation_month_{months_back}", "share", "utilisation",
            (f"balance_month_{months_back}", "credit_limit"),
            (f"uso del límite {es}", f"use of the limit {en}", f"uso do limite {pt}"),
        )  # fmt: skip


def arrears() -> Iterator[Recipe]:
    """Yield the recipes of the account's state and of recorded days past due."""
    yield from _now()
    yield from _earlier()
    yield from _recorded()


def _now() -> Iterator[Recipe]:
    yield feature(
        "exposure", f"{STATE_TABLE}.state.exposure", "arrears",
        ("importe vencido", "amount overdue", "valor vencido"), unit="money",
    )  # fmt: skip
    yield feature(
        "dpd", f"{STATE_TABLE}.state.dpd", "arrears",
        ("días de mora", "days past due", "dias de atraso"), unit="days",
    )  # fmt: skip
    yield feature(
        "bucket", f"{STATE_TABLE}.state.bucket", "arrears",
        ("tramo de mora", "bucket of days past due", "faixa de atraso"),
    )  # fmt: skip
    yield feature(
        "days_in_bucket", f"{STATE_TABLE}.state.days_in_bucket", "arrears",
        ("días en el tramo de mora", "days in the bucket", "dias na faixa de atraso"), unit="days",
    )  # fmt: skip
    yield feature(
        "principal", "accounts.static.principal", "account_profile",
        ("principal", "principal amount", "valor principal"), unit="money",
    )  # fmt: skip
    yield of_two(
        "exposure_to_principal", "share", "arrears", ("exposure", "principal"),
        ("importe vencido sobre principal", "amount overdue over principal",
         "valor vencido sobre principal"),
    )  # fmt: skip
    yield of_two(
        "exposure_to_mean_payment", "share", "arrears", ("exposure", "mean_payment_365d"),
        ("importe vencido sobre el pago medio", "amount overdue over the mean payment",
         "valor vencido sobre o pagamento médio"),
    )  # fmt: skip


def _earlier() -> Iterator[Recipe]:
    for days in (30, 60, 90):
        ago = Window(None, -days)
        yield hidden(f"bucket_{days}d_ago", f"{STATE_TABLE}.state.bucket", "arrears_history", window=ago)
    for days in (30, 60):
        yield of_two(
            f"bucket_change_{days}d", "difference", "arrears_history", ("bucket", f"bucket_{days}d_ago"),
            (f"cambio de tramo en {days} días", f"change of bucket in {days} days",
             f"mudança de faixa em {days} dias"),
            unit="number",
        )  # fmt: skip
    yield hidden("worst_60_90d", "derived.larger", "arrears_history", of=("bucket_60d_ago", "bucket_90d_ago"))
    yield hidden("worst_30_90d", "derived.larger", "arrears_history", of=("bucket_30d_ago", "worst_60_90d"))
    yield of_two(
        "worst_bucket_90d", "larger", "arrears_history", ("bucket", "worst_30_90d"),
        ("peor tramo, hoy o hace 30, 60, 90 días", "worst bucket, now or 30, 60, 90 days ago",
         "pior faixa, hoje ou há 30, 60, 90 dias"),
        unit="number",
    )  # fmt: skip
    yield hidden(
        "exposure_30d_ago", f"{STATE_TABLE}.state.exposure", "arrears_history", window=Window(None, -30)
    )
    yield of_two(
        "exposure_trend_30d", "trend", "arrears_history", ("exposure", "exposure_30d_ago"),
        ("tendencia del importe vencido en 30 días", "trend of the amount overdue over 30 days",
         "tendência do valor vencido em 30 dias"),
    )  # fmt: skip
    yield feature(
        "dpd_60d_ago", f"{STATE_TABLE}.state.dpd", "arrears_history",
        ("días de mora hace 60 días", "days past due 60 days ago", "dias de atraso há 60 dias"),
        window=Window(None, -60), unit="days",
    )  # fmt: skip


def _recorded() -> Iterator[Recipe]:
    yield feature(
        "dpd_last", "balances.last.dpd", "arrears_history",
        ("última mora registrada", "last recorded days past due", "último atraso registrado"), unit="days",
    )  # fmt: skip
    for days in (90, 180, 365):
        yield feature(
            f"dpd_max_{days}d", "balances.max.dpd", "arrears_history",
            (f"mora máxima en {days} días", f"most days past due in {days} days",
             f"atraso máximo em {days} dias"),
            window=back(days), unit="days",
        )  # fmt: skip
    for months_back in MONTHS[1:]:
        es, en, pt = month_name(months_back)
        yield feature(
            f"dpd_month_{months_back}", "balances.last.dpd", "arrears_history",
            (f"mora {es}", f"days past due {en}", f"atraso {pt}"),
            window=month(months_back), unit="days",
        )  # fmt: skip
    yield feature(
        "dpd_mean_365d", "balances.mean.dpd", "arrears_history",
        ("mora media en 365 días", "mean days past due in 365 days", "atraso médio em 365 dias"),
        window=back(365), unit="days",
    )  # fmt: skip
    yield feature(
        "days_since_current", "balances.since_last", "arrears_history",
        ("días desde que estuvo al corriente", "days since last recorded up to date",
         "dias desde que esteve em dia"),
        where=_CURRENT, unit="days",
    )  # fmt: skip
    yield feature(
        "late_balances_365d", "balances.count", "arrears_history",
        ("saldos en mora en 365 días", "balances past due in 365 days", "saldos em atraso em 365 dias"),
        where=_LATE, window=back(365), unit="count",
    )  # fmt: skip
    yield feature(
        "late_balances_in_a_row", "balances.streak", "arrears_history",
        ("últimos saldos en mora seguidos", "latest balances past due in a row",
         "últimos saldos em atraso seguidos"),
        where=_DATED, run=_LATE, unit="count",
    )  # fmt: skip
    yield feature(
        "late_balances_longest_run", "balances.longest_streak", "arrears_history",
        ("más saldos en mora seguidos", "most balances past due in a row", "mais saldos em atraso seguidos"),
        where=_DATED, run=_LATE, unit="count",
    )  # fmt: skip
