"""`knudepunkt worker`: one role alone."""

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, LifelineOption


def worker(
    instance: InstanceOption = DEFAULT_INSTANCE,
    lifeline: LifelineOption = None,
) -> None:
    """One role alone: run schedules and take ledger files into the usage lake. `knudepunkt up` runs all roles.

    Example: `knudepunkt worker --instance /srv/knudepunkt`
    """
    from kernel.unwanted import without

    # structlog would take rich along, to paint what a server writes as JSON.
    with without("rich"):
        from runtime.environment import settings_of
        from runtime.instance import Instance
        from runtime.logs import configure_logs
        from runtime.processes import follow_lifeline
        from runtime.roles.worker import run_worker

    found = Instance.find(instance)
    settings = settings_of(found)
    configure_logs(role="worker", level=settings.logs.level)
    follow_lifeline(lifeline)
    run_worker(found, settings)
