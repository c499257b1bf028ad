"""Words of categories as people write them, and the canonical ones they mean."""

from __future__ import annotations

from collections.abc import Mapping

from recobro_score.data.names import plain

CHANNEL_WORDS: Mapping[str, str] = {
    "call": "call",
    "calls": "call",
    "phone_call": "call",
    "phone": "call",
    "telephone": "call",
    "mobile": "call",
    "voice": "call",
    "voz": "call",
    "llamada": "call",
    "llamadas": "call",
    "llamada_telefonica": "call",
    "telefono": "call",
    "telefonico": "call",
    "telefonica": "call",
    "movil": "call",
    "celular": "call",
    "fijo": "call",
    "ligacao": "call",
    "ligacoes": "call",
    "chamada": "call",
    "telefone": "call",
    "email": "email",
    "e_mail": "email",
    "emails": "email",
    "mail": "email",
    "correo": "email",
    "correo_electronico": "email",
    "electronico": "email",
    "correio_eletronico": "email",
    "ivr": "ivr",
    "robocall": "ivr",
    "autodialer": "ivr",
    "automatic_call": "ivr",
    "voice_message": "ivr",
    "mensaje_de_voz": "ivr",
    "llamada_automatica": "ivr",
    "locucion": "ivr",
    "ura": "ivr",
    "letter": "letter",
    "letters": "letter",
    "post": "letter",
    "postal": "letter",
    "carta": "letter",
    "cartas": "letter",
    "correo_postal": "letter",
    "correspondencia": "letter",
    "correio": "letter",
    "burofax": "letter",
    "sms": "sms",
    "text": "sms",
    "text_message": "sms",
    "texto": "sms",
    "mensaje": "sms",
    "mensaje_de_texto": "sms",
    "mensajes_de_texto": "sms",
    "mensagem": "sms",
    "mensagem_de_texto": "sms",
    "torpedo": "sms",
    "visit": "visit",
    "visits": "visit",
    "field": "visit",
    "field_visit": "visit",
    "visita": "visit",
    "visitas": "visit",
    "visita_domiciliaria": "visit",
    "whatsapp": "whatsapp",
    "whats_app": "whatsapp",
    "whatsap": "whatsapp",
    "wasap": "whatsapp",
    "wa": "whatsapp",
    "wpp": "whatsapp",
    "zap": "whatsapp",
}
"""Plain words (see `recobro_score.data.names.plain`) in English, Spanish and Portuguese."""


PAYMENT_WORDS: Mapping[str, str] = {
    "pago": "payment",
    "pagos": "payment",
    "abono": "payment",
    "cobro": "payment",
    "pagamento": "payment",
    "devolucion": "reversal",
    "reverso": "reversal",
    "retrocesion": "reversal",
    "estorno": "reversal",
    "condonacion": "write_off",
    "quita": "write_off",
    "castigo": "write_off",
    "writeoff": "write_off",
    "comision": "fee",
    "gasto": "fee",
    "gastos": "fee",
    "ajuste": "adjustment",
}
DIRECTION_WORDS: Mapping[str, str] = {
    "saliente": "outbound",
    "salida": "outbound",
    "emitida": "outbound",
    "entrante": "inbound",
    "entrada": "inbound",
    "recibida": "inbound",
}
OUTCOME_WORDS: Mapping[str, str] = {
    "contacto_directo": "rpc",
    "contacto_titular": "rpc",
    "contacto_tercero": "third_party",
    "tercero": "third_party",
    "numero_equivocado": "wrong_number",
    "equivocado": "wrong_number",
    "no_contesta": "no_answer",
    "sin_respuesta": "no_answer",
    "ocupado": "busy",
    "buzon": "voicemail",
    "buzon_de_voz": "voicemail",
    "entregado": "delivered",
    "abierto": "opened",
    "leido": "opened",
    "respondido": "replied",
    "fallido": "failed",
    "bloqueado": "blocked",
}
WORDS: Mapping[str, Mapping[str, str]] = {
    "channel": CHANNEL_WORDS,
    "payment": PAYMENT_WORDS,
    "direction": DIRECTION_WORDS,
    "outcome": OUTCOME_WORDS,
}
"""What plain words mean, by the vocabulary that a column of a contract names."""


def meaning(vocabulary: str, word: str | None) -> str | None:
    """Return the canonical word of a vocabulary, or the word itself where none is known."""
    return None if word is None else WORDS[vocabulary].get(plain(word), word)


def canonical_channel(word: str) -> str:
    """Return the canonical channel a word means, or the plain word where none is known.

    Examples
    --------
    >>> canonical_channel("Teléfono"), canonical_channel("Correo electrónico"), canonical_channel("fax")
    ('call', 'email', 'fax')
    """
    name = plain(word)
    return CHANNEL_WORDS.get(name, name)
