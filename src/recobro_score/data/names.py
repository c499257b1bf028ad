"""Names of tables and columns in the wild, and the English ones they mean.

Spanish names are known out of the box; a user's own mapping comes first. A name is matched after lower-casing
and without accents.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Mapping, Sequence

from recobro_score.data.contracts import CONTRACTS, Contract

TABLE_ALIASES: Mapping[str, str] = {
    "cuentas": "accounts",
    "expedientes": "accounts",
    "deudas": "accounts",
    "titulares": "debtors",
    "deudores": "debtors",
    "intervinientes": "parties",
    "asignaciones": "placements",
    "telefonos": "contact_points",
    "puntos_contacto": "contact_points",
    "datos_titular": "facts",
    "bloqueos": "holds",
    "cuotas": "instalments",
    "saldos": "balances",
    "pagos": "payments",
    "contactos": "contacts",
    "gestiones": "contacts",
    "promesas": "promises",
    "planes": "plans",
    "convenios": "plans",
    "quejas": "complaints",
    "reclamaciones": "complaints",
    "decisiones": "decisions",
}

ALIKE = 0.8
"""How much alike two names are, from 0 to 1, when one is taken for a slip of the other."""

_ANYWHERE: Mapping[str, str] = {
    "expediente": "account_id",
    "expediente_id": "account_id",
    "id_expediente": "account_id",
    "cuenta": "account_id",
    "cuenta_id": "account_id",
    "id_cuenta": "account_id",
    "titular": "debtor_id",
    "titular_id": "debtor_id",
    "id_titular": "debtor_id",
    "deudor": "debtor_id",
    "deudor_id": "debtor_id",
    "importe": "amount",
    "monto": "amount",
    "moneda": "currency",
    "divisa": "currency",
    "pais": "country",
    "provincia": "subdivision",
    "region": "subdivision",
    "producto": "product",
    "acreedor": "creditor",
    "idioma": "language",
    "zona_horaria": "time_zone",
    "canal": "channel",
    "punto_contacto": "contact_point_id",
    "punto_contacto_id": "contact_point_id",
    "erroneo_desde": "wrong_from",
    "fecha_erroneo": "wrong_from",
    "resultado": "outcome",
    "sentido": "direction",
    "direccion": "direction",
    "agente": "agent",
    "tipo": "kind",
    "valor": "value",
    "saldo": "balance",
    "capital": "principal",
    "intereses": "interest",
    "comisiones": "fees",
    "dias_mora": "dpd",
    "dias_de_mora": "dpd",
    "limite_credito": "credit_limit",
    "tasa_anual": "annual_rate",
    "tipo_anual": "annual_rate",
    "ano_nacimiento": "birth_year",
    "rol": "role",
    "etapa": "stage",
    "origen": "source",
    "metodo": "method",
    "forma_pago": "method",
    "coste": "cost",
    "costo": "cost",
    "duracion_s": "duration_s",
    "condiciones": "terms",
    "accion": "action_id",
    "propension": "propensity",
    "pago_id": "payment_id",
    "id_pago": "payment_id",
    "gestion_id": "contact_id",
    "promesa_id": "promise_id",
    "plan": "plan_id",
    "fecha_conocido": "known_at",
    "fecha_conocimiento": "known_at",
    "fecha_carga": "known_at",
    "fecha_apertura": "opened_at",
    "fecha_prescripcion": "limitation_at",
    "fecha_asignacion": "placed_at",
    "fecha_retiro": "recalled_at",
    "fecha_pago": "paid_at",
    "fecha_gestion": "attempted_at",
    "fecha_contacto": "attempted_at",
    "fecha_promesa": "promised_at",
    "fecha_vencimiento": "due_at",
    "vencimiento": "due_at",
    "fecha_oferta": "offered_at",
    "fecha_aceptacion": "accepted_at",
    "fecha_fin": "until_at",
    "fecha_hasta": "until_at",
    "fecha_desde": "from_at",
    "fecha_inicio": "from_at",
    "fecha_queja": "made_at",
    "fecha_decision": "decided_at",
    "motivo_fin": "end_reason",
}

_IN_TABLE: Mapping[str, Mapping[str, str]] = {
    "balances": {"fecha": "known_at", "fecha_saldo": "known_at"},
    "payments": {"fecha": "paid_at"},
    "contacts": {"fecha": "attempted_at"},
    "promises": {"fecha": "promised_at"},
    "instalments": {"fecha": "due_at"},
    "plans": {"fecha_fin": "ended_at"},
}


def plain(name: str) -> str:
    """Return a name in lower case, without accents, with underscores for spaces and hyphens."""
    decomposed = unicodedata.normalize("NFKD", name.strip().lower())
    kept = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return kept.replace(" ", "_").replace("-", "_")


def table_name(name: str) -> str:
    """Return the English name of a table, or the plain name if it is not known."""
    key = plain(name)
    return TABLE_ALIASES.get(key, key)


def english_names(
    contract: Contract, columns: Sequence[str], mapping: Mapping[str, str]
) -> dict[str, list[str]]:
    """Return which source columns mean each column of the contract.

    Parameters
    ----------
    contract : Contract
        The table's contract.
    columns : sequence of str
        The names as they come.
    mapping : mapping of str to str
        The user's own names to English ones; these win over names that are known out of the box.

    Returns
    -------
    dict of str to list of str
        More than one source for a name is an ambiguity that the caller reports.
    """
    found: dict[str, list[str]] = {}
    chosen = {mapping[source] for source in columns if source in mapping}
    for source in columns:
        known = _known_name(contract, plain(source))
        target = mapping.get(source, None if known in chosen else known)
        if target in contract.names:
            found.setdefault(target, []).append(source)
    return found


def misspelt(
    contract: Contract,
    columns: Sequence[str],
    found: Mapping[str, Sequence[str]],
    mapping: Mapping[str, str],
) -> list[tuple[str, str]]:
    """Return columns that mean nothing but look much like an optional one that is not there.

    A column left out in silence for one letter could be the date of a recall. Columns unlike any are other
    people's business and left alone; so is one that the user maps to an empty name.
    """
    used = {source for sources in found.values() for source in sources} | set(mapping)
    absent = [name for name in contract.names if name not in found and name not in contract.required]
    pairs = []
    for source in columns:
        close = [] if source in used else difflib.get_close_matches(plain(source), absent, n=1, cutoff=ALIKE)
        pairs += [(source, name) for name in close]
    return pairs


def _known_name(contract: Contract, name: str) -> str:
    if name in contract.names:
        return name
    return _IN_TABLE.get(contract.table, {}).get(name) or _ANYWHERE.get(name, name)


def known_tables() -> tuple[str, ...]:
    """Return every table name that is understood, English and Spanish."""
    return (*CONTRACTS, *TABLE_ALIASES)
