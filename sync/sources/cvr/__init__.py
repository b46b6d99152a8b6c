"""CVR: documents of the business register's distribution, one company or one production unit each.

Nearly every property is a list of values with a period (`periode.gyldigFra`, `.gyldigTil`) and the time of their last
update; the value without an end is the current one (domain facts: CVR distribution).
"""

from sync.sources.cvr.company import company_row
from sync.sources.cvr.unit import unit_row

__all__ = ["company_row", "unit_row"]
