"""A production unit (produktionsenhed) as a row. Pure."""

from sync.sources.cvr.history import Value, code, history, latest
from sync.sources.cvr.parts import common


def unit_row(document: Value) -> Value:
    """Columns of cvr.production_units, of a `VrproduktionsEnhed`. Raises KeyError and TypeError for what is none."""
    company = latest(document.get("virksomhedsrelation"))
    return common(document) | {
        "p_number": code(document["pNummer"], 10),
        "cvr": company and code(company["cvrNummer"], 8),
        "companies": history(document.get("virksomhedsrelation"), lambda value: {"cvr": code(value["cvrNummer"], 8)}),
    }
