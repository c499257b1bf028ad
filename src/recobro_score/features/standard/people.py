"""Who answers for the account, how they can be reached, what else they owe, and what day it is for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from recobro_score.features.recipes import CALENDAR_TABLE, STATE_TABLE, Recipe, Where
from recobro_score.features.standard.naming import OUTBOUND, PAID, back, feature, hidden, of_two, status


def profile() -> Iterator[Recipe]:
    """Yield the recipes of static attributes, parties and placements."""
    attributes = (
        ("account_age", "accounts.static.opened_at", "days",
         "antigüedad de la cuenta", "age of the account", "idade da conta"),
        ("annual_rate", "accounts.static.annual_rate", "ratio",
         "tipo de interés anual", "annual rate", "taxa de juros anual"),
        ("product", "accounts.static.product", "category", "producto", "product", "produto"),
        ("currency", "accounts.static.currency", "category", "moneda", "currency", "moeda"),
        ("creditor", "accounts.static.creditor", "category", "acreedor", "creditor", "credor"),
        ("country", "accounts.static.country", "category", "país", "country", "país da conta"),
        ("subdivision", "accounts.static.subdivision", "category", "región", "region", "região"),
        ("language", "debtors.static.language", "category", "idioma", "language", "idioma"),
        ("parties_count", "parties.count", "count",
         "personas que responden de la deuda", "people who answer for the debt",
         "pessoas que respondem pela dívida"),
        ("placements_count", "placements.count", "count",
         "asignaciones a gestión", "placements with us", "colocações em cobrança"),
        ("days_since_placed", "placements.since_last", "days",
         "días desde la última asignación", "days since the last placement", "dias desde a última colocação"),
        ("placement_stage", "placements.last.stage", "category",
         "fase de la última asignación", "stage of the last placement", "fase da última colocação"),
    )  # fmt: skip
    for name, source, unit, es, en, pt in attributes:
        yield feature(name, source, "account_profile", (es, en, pt), unit=unit)
    others = (Where("role", ("co_debtor", "guarantor")),)
    yield feature(
        "guarantors_count", "parties.count", "account_profile",
        ("codeudores y avalistas", "co-debtors and guarantors", "codevedores e fiadores"),
        where=others, unit="count",
    )  # fmt: skip


def reachability() -> Iterator[Recipe]:
    """Yield the recipes of contact points."""
    yield feature(
        "points_usable", "contact_points.count", "contact_success",
        ("datos de contacto válidos", "usable contact points", "dados de contato válidos"),
        where=status("usable"), unit="count",
    )  # fmt: skip
    yield hidden("points_wrong", "contact_points.count", "contact_success", where=status("wrong"))
    yield hidden("points_all", "contact_points.count", "contact_success")
    yield of_two(
        "points_wrong_share", "share", "contact_success", ("points_wrong", "points_all"),
        ("parte de datos de contacto erróneos", "share of contact points that are wrong",
         "parte dos dados de contato errados"),
    )  # fmt: skip
    for channel, es, en, pt in (
        ("call", "teléfonos válidos", "usable phone numbers", "telefones válidos"),
        ("sms", "números válidos para SMS", "usable numbers for text messages", "números válidos para SMS"),
        ("whatsapp", "números válidos de WhatsApp", "usable WhatsApp numbers", "números válidos de WhatsApp"),
        ("email", "correos válidos", "usable e-mail addresses", "e-mails válidos"),
    ):
        yield feature(
            f"points_usable_{channel}", "contact_points.count", "contact_success", (es, en, pt),
            where=(*status("usable"), Where("channel", (channel,))), unit="count",
        )  # fmt: skip
    yield feature(
        "days_since_new_point", "contact_points.since_last", "contact_success",
        ("días desde el último dato de contacto", "days since the newest contact point",
         "dias desde o último dado de contato"),
        unit="days",
    )  # fmt: skip


def other_accounts() -> Iterator[Recipe]:
    """Yield the recipes of the debtor's accounts together."""
    yield feature(
        "debtor_accounts", f"{STATE_TABLE}.state.debtor_accounts", "account_profile",
        ("cuentas del titular", "accounts of the debtor", "contas do devedor"), unit="count",
    )  # fmt: skip
    yield feature(
        "debtor_exposure", f"{STATE_TABLE}.state.debtor_exposure", "arrears",
        ("importe vencido del titular", "amount overdue of the debtor", "valor vencido do devedor"),
        unit="money",
    )  # fmt: skip
    yield of_two(
        "exposure_to_debtor", "share", "arrears", ("exposure", "debtor_exposure"),
        ("parte de la cuenta en lo vencido del titular", "account's share of the debtor's overdue",
         "parte da conta no vencido do devedor"),
    )  # fmt: skip
    yield feature(
        "others_dpd", f"{STATE_TABLE}.state.others_dpd", "arrears_history",
        ("peor mora en otras cuentas", "worst days past due on other accounts",
         "pior atraso em outras contas"),
        unit="days",
    )  # fmt: skip
    for days in (30, 90):
        yield from _on_others(
            f"paid_{days}d", "payments.sum.recovery", "payment_amounts",
            (f"cobrado en otras cuentas en {days} días", f"recovered on other accounts in {days} days",
             f"recebido em outras contas em {days} dias"),
            window=back(days), unit="money",
        )  # fmt: skip
    yield from _on_others(
        "payments_count_90d", "payments.count", "payment_regularity",
        ("pagos en otras cuentas en 90 días", "payments on other accounts in 90 days",
         "pagamentos em outras contas em 90 dias"),
        where=PAID, window=back(90), unit="count",
    )  # fmt: skip
    yield from _on_others(
        "attempts_30d", "contacts.count", "contact_effort",
        ("intentos por otras cuentas en 30 días", "attempts for other accounts in 30 days",
         "tentativas por outras contas em 30 dias"),
        where=OUTBOUND, window=back(30), unit="count",
    )  # fmt: skip


def _on_others(
    own: str,
    source: str,
    concept: str,
    labels: tuple[str, str, str],
    **fields: Any,  # noqa: ANN401 - recipe fields
) -> Iterator[Recipe]:
    """Yield what all the debtor's accounts have, and what that leaves without the account's own recipe."""
    yield hidden(f"debtor_{own}", source, concept, by_debtor=True, **fields)
    yield of_two(
        f"others_{own}", "difference", concept, (f"debtor_{own}", own), labels, unit=fields["unit"]
    )  # fmt: skip


def local_date() -> Iterator[Recipe]:
    """Yield the recipes of the debtor's calendar."""
    for value, unit, es, en, pt in (
        ("weekday", "number", "día de la semana", "day of the week", "dia da semana"),
        ("day_of_month", "number", "día del mes", "day of the month", "dia do mês"),
        ("days_to_month_end", "days", "días hasta fin de mes", "days to the end of the month",
         "dias até o fim do mês"),
        ("is_holiday", "number", "es festivo", "is a public holiday", "é feriado"),
        ("days_to_holiday", "days", "días hasta el próximo festivo", "days to the next public holiday",
         "dias até o próximo feriado"),
    ):  # fmt: skip
        yield feature(value, f"{CALENDAR_TABLE}.calendar.{value}", "schedule", (es, en, pt), unit=unit)


def payday() -> Iterator[Recipe]:
    """Yield the distance to the debtor's own payday, learned from past payments."""
    yield feature(
        "days_to_payday", f"{CALENDAR_TABLE}.calendar.days_to_day", "schedule",
        ("días hasta el día en que suele pagar", "days to the usual day of payment",
         "dias até o dia em que costuma pagar"),
        of=("payday",), unit="days",
    )  # fmt: skip
