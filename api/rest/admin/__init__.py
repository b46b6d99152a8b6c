"""Administration over REST: organisations, people, systems, certificates, agreements. For people, not for systems.

`table.py` lists every path once; the router and the OpenAPI document are both made from it.
"""

from api.rest.admin.openapi import admin_paths, admin_schemas
from api.rest.admin.router import PREFIX, AdminRoutes, me

__all__ = ["PREFIX", "AdminRoutes", "admin_paths", "admin_schemas", "me"]
