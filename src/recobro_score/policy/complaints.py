"""What a complaint asks for, read from its kind however it is written."""

from __future__ import annotations

import re

from recobro_score.data.names import plain
from recobro_score.data.words import canonical_channel

OPT_OUT, CEASE, HARASSMENT, OTHER = "opt_out", "cease", "harassment", "other"

_ASKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (CEASE, ("cease", "cese", "cesar", "cessa", "desist")),
    (
        OPT_OUT,
        (
            "baja",
            "cancelar_inscri",
            "cancelar_suscri",
            "desinscri",
            "descadastr",
            "desuscri",
            "dnc",
            "do_not_",
            "don_t_",
            "dont_",
            "fin_de_contacto",
            "nao_contat",
            "nao_entrar_em_contato",
            "nao_envi",
            "nao_incomod",
            "nao_lig",
            "nao_me_",
            "nao_perturb",
            "no_call",
            "no_contact",
            "no_envi",
            "no_escrib",
            "no_llam",
            "no_me_",
            "no_mensaj",
            "no_molest",
            "no_perturb",
            "no_quiere_contact",
            "no_recib",
            "oposicao",
            "oposicion",
            "opt_out",
            "opted_out",
            "pare_de",
            "remove_me",
            "revoc",
            "revog",
            "revok",
            "robinson",
            "sair",
            "salir",
            "stop",
            "unsubscri",
            "withdr",
        ),
    ),
    (HARASSMENT, ("acos", "assedi", "asedi", "harass", "hostig", "hostil")),
)
_SEPARATORS = re.compile(r"[^a-z0-9]+")


def asked_of(kind: str) -> tuple[str, str]:
    """Return what a kind of complaint asks for, and the channel it is limited to.

    A word counts where a word of the kind begins with it, whatever the case, accents and separators; when in
    doubt it counts, since a contact too few is the smaller harm.

    Returns
    -------
    request : str
        "cease" or "opt_out" (no contact), "harassment" (only a person), else "other".
    channel : str
        Canonical channel behind a colon, "" where there is none.

    Examples
    --------
    >>> asked_of("Darse de BAJA"), asked_of("opt-out: llamada"), asked_of("importe erróneo")
    (('opt_out', ''), ('opt_out', 'call'), ('other', ''))
    """
    name, _, channel = plain(kind).partition(":")
    words = "_" + _SEPARATORS.sub("_", name).strip("_")
    glued = words.replace("_", "")
    for request, starts in _ASKS:
        if any(f"_{start}" in words or glued.startswith(start.replace("_", "")) for start in starts):
            return request, canonical_channel(channel.strip("_"))
    return OTHER, ""
