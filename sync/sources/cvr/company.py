"""A company (virksomhed) as a row. Pure."""

from sync.sources.cvr.history import Value, code, current, history, latest
from sync.sources.cvr.parts import common


def company_row(document: Value) -> Value:
    """Columns of cvr.companies, of a `Vrvirksomhed`. Raises KeyError and TypeError for what is none."""
    form, status = latest(document.get("virksomhedsform")), latest(document.get("virksomhedsstatus"))
    units = document.get("penheder") or []
    return common(document) | {
        "cvr": code(document["cvrNummer"], 8),
        "form_code": form and code(form["virksomhedsformkode"], 2),
        "form": form and form.get("langBeskrivelse"),
        "status": status and status["status"],
        "unit_count": sum(1 for each in units if current([each])),
        "secondary_names": history(document.get("binavne"), lambda value: {"name": value["navn"]}),
        "forms": history(document.get("virksomhedsform"), _form),
        "statuses": history(document.get("virksomhedsstatus"), lambda value: {"status": value["status"]}),
        "units": history(units, lambda value: {"p_number": code(value["pNummer"], 10)}),
    }


def _form(value: Value) -> Value:
    return {"code": code(value["virksomhedsformkode"], 2), "text": value.get("langBeskrivelse")}
