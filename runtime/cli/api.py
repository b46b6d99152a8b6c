"""`knudepunkt api`: one role alone."""

from runtime.cli.console import DEFAULT_INSTANCE, HandleOption, InstanceOption, LifelineOption


def api(
    instance: InstanceOption = DEFAULT_INSTANCE,
    fd: HandleOption = None,
    lifeline: LifelineOption = None,
) -> None:
    """One role alone: answer REST over mutual TLS. `knudepunkt up` runs all roles.

    Example: `knudepunkt api --instance /srv/knudepunkt`
    """
    from kernel.unwanted import without

    # structlog would take rich along, to paint what a server writes as JSON.
    with without("rich"):
        from runtime.environment import settings_of
        from runtime.instance import Instance
        from runtime.logs import configure_logs
        from runtime.processes import follow_lifeline
        from runtime.roles.api import run_api

    found = Instance.find(instance)
    settings = settings_of(found)
    configure_logs(role="api", level=settings.logs.level)
    follow_lifeline(lifeline)
    run_api(found, settings, fd)
