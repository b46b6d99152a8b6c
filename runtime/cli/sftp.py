"""`knudepunkt sftp`: one role alone."""

from runtime.cli.console import DEFAULT_INSTANCE, HandleOption, InstanceOption, LifelineOption


def sftp(
    instance: InstanceOption = DEFAULT_INSTANCE,
    fd: HandleOption = None,
    lifeline: LifelineOption = None,
) -> None:
    """One role alone: hand out extracts over SFTP. `knudepunkt up` runs all roles.

    Example: `knudepunkt sftp --instance /srv/knudepunkt`
    """
    from kernel.unwanted import without

    # structlog would take rich along, to paint what a server writes as JSON.
    with without("rich"):
        from runtime.environment import settings_of
        from runtime.instance import Instance
        from runtime.logs import configure_logs
        from runtime.roles.sftp import run_sftp

    found = Instance.find(instance)
    settings = settings_of(found)
    configure_logs(role="sftp", level=settings.logs.level)
    run_sftp(found, settings, fd, lifeline)
