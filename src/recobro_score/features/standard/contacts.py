"""How the debtor was sought and answered: by channel, by part of the day, and how tired of it."""

from __future__ import annotations

from collections.abc import Iterator

from recobro_score.features.recipes import Between, Condition, Recipe, Where, Window
from recobro_score.features.standard.naming import OUTBOUND, back, feature, hidden, of_two

_INBOUND = (Where("direction", ("inbound",)),)
_CALLS = (*OUTBOUND, Where("channel", ("call", "ivr")))
_MESSAGES = (*OUTBOUND, Where("channel", ("sms", "whatsapp", "email", "letter")))
_REACHED = (*OUTBOUND, Where("outcome", ("rpc",)))
_ANSWERED = (*OUTBOUND, Where("outcome", ("opened", "replied")))
_SILENCE = Where("outcome", ("no_answer", "busy", "voicemail"))
_UNANSWERED = (*OUTBOUND, _SILENCE)

_CHANNELS = (
    ("call", "llamada", "call", "ligação"),
    ("sms", "SMS", "text message", "SMS"),
    ("whatsapp", "WhatsApp", "WhatsApp", "WhatsApp"),
    ("email", "correo", "e-mail", "e-mail"),
)
_DAY_PARTS = (
    ("morning", 0, 720, "por la mañana", "in the morning", "de manhã"),
    ("afternoon", 720, 1020, "por la tarde", "in the afternoon", "à tarde"),
    ("evening", 1020, 1440, "desde las 17 horas", "from 17:00 on", "a partir das 17 horas"),
)


def contacts() -> Iterator[Recipe]:
    """Yield the recipes of contacts."""
    yield from _counts()
    yield from _shares()
    yield from _by_channel()
    yield from _by_day_part()
    yield from _recency()
    yield from _fatigue()
    yield from _last()


def _counts() -> Iterator[Recipe]:
    counts: tuple[tuple[str, tuple[Condition, ...], tuple[int, ...], str, str, str, str], ...] = (
        ("attempts", OUTBOUND, (7, 30, 90), "contact_effort",
         "intentos de contacto", "contact attempts", "tentativas de contato"),
        ("calls", _CALLS, (30,), "contact_effort", "llamadas", "calls", "ligações"),
        ("messages", _MESSAGES, (30,), "contact_effort",
         "mensajes enviados", "messages sent", "mensagens enviadas"),
        ("human_attempts", (*OUTBOUND, Where("agent", ("human",))), (90,), "contact_effort",
         "intentos de una persona", "attempts by a person", "tentativas de uma pessoa"),
        ("rpc", _REACHED, (90, 365), "contact_success",
         "contactos directos", "right-party contacts", "contatos diretos"),
        ("responses", _ANSWERED, (90,), "contact_success",
         "respuestas a mensajes", "responses to messages", "respostas a mensagens"),
        ("inbound", _INBOUND, (90,), "contact_success",
         "contactos iniciados por el titular", "contacts begun by the debtor", "contatos do devedor"),
        ("third_party", (*OUTBOUND, Where("outcome", ("third_party",))), (365,), "contact_success",
         "contactos con terceros", "contacts with third parties", "contatos com terceiros"),
        ("wrong_number", (*OUTBOUND, Where("outcome", ("wrong_number",))), (365,), "contact_success",
         "números equivocados", "wrong numbers", "números errados"),
        ("failed", (*OUTBOUND, Where("outcome", ("failed", "blocked"))), (90,), "contact_effort",
         "intentos fallidos o bloqueados", "attempts failed or blocked", "tentativas falhas ou bloqueadas"),
    )  # fmt: skip
    for name, where, lookbacks, concept, es, en, pt in counts:
        for days in lookbacks:
            yield feature(
                f"{name}_{days}d", "contacts.count", concept,
                (f"{es} en {days} días", f"{en} in {days} days", f"{pt} em {days} dias"),
                where=where, window=back(days), unit="count",
            )  # fmt: skip


def _shares() -> Iterator[Recipe]:
    yield hidden(
        "unanswered_90d", "contacts.count", "contact_success", window=back(90), where=_UNANSWERED
    )  # fmt: skip
    yield of_two(
        "rpc_share_90d", "share", "contact_success", ("rpc_90d", "attempts_90d"),
        ("parte de intentos con contacto directo", "share of attempts with right-party contact",
         "parte das tentativas com contato direto"),
    )  # fmt: skip
    yield of_two(
        "unanswered_share_90d", "share", "contact_success", ("unanswered_90d", "attempts_90d"),
        ("parte de intentos sin respuesta", "share of attempts without an answer",
         "parte das tentativas sem resposta"),
    )  # fmt: skip
    yield hidden(
        "attempts_30d_before", "contacts.count", "contact_effort", where=OUTBOUND, window=Window(-60, -30)
    )
    yield of_two(
        "attempts_trend_30d", "trend", "contact_effort", ("attempts_30d", "attempts_30d_before"),
        ("tendencia de los intentos en 30 días", "trend of attempts over 30 days",
         "tendência das tentativas em 30 dias"),
    )  # fmt: skip


def _by_channel() -> Iterator[Recipe]:
    for channel, es, en, pt in _CHANNELS:
        where = (*OUTBOUND, Where("channel", (channel,)))
        answered = (*where, Where("outcome", ("rpc", "opened", "replied")))
        yield feature(
            f"{channel}_attempts_90d", "contacts.count", "contact_effort",
            (f"intentos por {es} en 90 días", f"attempts by {en} in 90 days",
             f"tentativas por {pt} em 90 dias"),
            where=where, window=back(90), unit="count",
        )  # fmt: skip
        yield hidden(
            f"{channel}_answered_90d", "contacts.count", "contact_success", where=answered, window=back(90)
        )
        yield of_two(
            f"{channel}_answered_share_90d", "share", "contact_success",
            (f"{channel}_answered_90d", f"{channel}_attempts_90d"),
            (f"parte respondida por {es} en 90 días", f"share answered by {en} in 90 days",
             f"parte respondida por {pt} em 90 dias"),
        )  # fmt: skip


def _by_day_part() -> Iterator[Recipe]:
    for part, low, high, es, en, pt in _DAY_PARTS:
        hours = Between("local_minute", low, high)
        yield feature(
            f"calls_{part}_90d", "contacts.count", "contact_effort",
            (f"llamadas {es} en 90 días", f"calls {en} in 90 days", f"ligações {pt} em 90 dias"),
            where=(*_CALLS, hours), window=back(90), unit="count",
        )  # fmt: skip
        yield hidden(
            f"calls_reached_{part}_90d", "contacts.count", "contact_success",
            where=(*_CALLS, Where("outcome", ("rpc",)), hours), window=back(90),
        )  # fmt: skip
        yield of_two(
            f"calls_reached_share_{part}_90d", "share", "contact_success",
            (f"calls_reached_{part}_90d", f"calls_{part}_90d"),
            (f"parte contactada en llamadas {es}", f"share of calls {en} that reached",
             f"parte contatada em ligações {pt}"),
        )  # fmt: skip
    yield feature(
        "weekend_attempts_90d", "contacts.count", "contact_effort",
        ("intentos en fin de semana en 90 días", "attempts at weekends in 90 days",
         "tentativas no fim de semana em 90 dias"),
        where=(*OUTBOUND, Between("local_weekday", 5, 7)), window=back(90), unit="count",
    )  # fmt: skip
    yield feature(
        "reached_minute_median_365d", "contacts.median.local_minute", "contact_success",
        ("hora habitual de contacto, en minutos desde las 0 horas",
         "usual time of contact, in minutes after midnight",
         "hora habitual de contato, em minutos desde as 0 horas"),
        where=_REACHED, window=back(365),
    )  # fmt: skip


def _recency() -> Iterator[Recipe]:
    for name, where, concept, es, en, pt in (
        ("rpc", _REACHED, "contact_success",
         "el último contacto directo", "the last right-party contact", "o último contato direto"),
        ("attempt", OUTBOUND, "contact_effort",
         "el último intento", "the last attempt", "a última tentativa"),
        ("response", _ANSWERED, "contact_success",
         "la última respuesta a un mensaje", "the last response to a message",
         "a última resposta a uma mensagem"),
        ("inbound", _INBOUND, "contact_success",
         "el último contacto del titular", "the debtor's last own contact", "o último contato do devedor"),
    ):  # fmt: skip
        yield feature(
            f"days_since_{name}", "contacts.since_last", concept,
            (f"días desde {es}", f"days since {en}", f"dias desde {pt}"), where=where, unit="days",
        )  # fmt: skip
    yield feature(
        "days_since_first_attempt", "contacts.since_first", "contact_effort",
        ("días desde el primer intento", "days since the first attempt", "dias desde a primeira tentativa"),
        where=OUTBOUND, unit="days",
    )  # fmt: skip


def _fatigue() -> Iterator[Recipe]:
    for name, aggregate, window, es, en, pt in (
        ("unanswered_in_a_row", "streak", None,
         "últimas llamadas seguidas sin respuesta", "latest calls in a row without an answer",
         "últimas ligações seguidas sem resposta"),
        ("unanswered_longest_run_365d", "longest_streak", back(365),
         "más llamadas seguidas sin respuesta en 365 días",
         "most calls in a row without an answer in 365 days",
         "mais ligações seguidas sem resposta em 365 dias"),
    ):  # fmt: skip
        yield feature(
            name, f"contacts.{aggregate}", "contact_success", (es, en, pt),
            where=_CALLS, run=(_SILENCE,), window=window, unit="count",
        )  # fmt: skip
    yield feature(
        "attempts_decayed_14d", "contacts.decayed_count", "contact_effort",
        ("intentos, los recientes pesan más", "attempts, recent ones weigh more",
         "tentativas, as recentes pesam mais"),
        where=OUTBOUND, half_life=14.0, window=back(180),
    )  # fmt: skip
    yield feature(
        "rpc_decayed_60d", "contacts.decayed_count", "contact_success",
        ("contactos directos, los recientes pesan más", "right-party contacts, recent ones weigh more",
         "contatos diretos, os recentes pesam mais"),
        where=_REACHED, half_life=60.0,
    )  # fmt: skip
    yield feature(
        "attempt_gap_mean_90d", "contacts.gap_mean", "contact_effort",
        ("días entre intentos", "days between attempts", "dias entre tentativas"),
        where=OUTBOUND, window=back(90), unit="days",
    )  # fmt: skip
    yield feature(
        "channels_tried_90d", "contacts.distinct.channel", "contact_effort",
        ("canales usados en 90 días", "channels used in 90 days", "canais usados em 90 dias"),
        where=OUTBOUND, window=back(90), unit="count",
    )  # fmt: skip
    yield feature(
        "contact_cost_90d", "contacts.sum.cost", "contact_effort",
        ("coste de los contactos en 90 días", "cost of contacts in 90 days",
         "custo dos contatos em 90 dias"),
        window=back(90), unit="money",
    )  # fmt: skip
    yield feature(
        "talk_seconds_mean_365d", "contacts.mean.duration_s", "contact_success",
        ("duración media de las conversaciones, en segundos", "mean length of conversations in seconds",
         "duração média das conversas, em segundos"),
        where=_REACHED, window=back(365),
    )  # fmt: skip


def _last() -> Iterator[Recipe]:
    yield feature(
        "last_channel", "contacts.last.channel", "contact_effort",
        ("canal del último intento", "channel of the last attempt", "canal da última tentativa"),
        where=OUTBOUND, unit="category",
    )  # fmt: skip
    yield feature(
        "last_outcome", "contacts.last.outcome", "contact_success",
        ("resultado del último intento", "outcome of the last attempt", "resultado da última tentativa"),
        where=OUTBOUND, unit="category",
    )  # fmt: skip
