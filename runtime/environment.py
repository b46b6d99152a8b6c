"""The environment of an instance: chosen when it is founded, and for ever.

A production instance holds people's data. Were its settings changed to `test`, requests would be approved at once and
that data lie open; so the founding is written down, and settings that say otherwise are refused.
"""

from runtime.files import write_whole
from runtime.instance import Instance, InstanceExists
from runtime.settings import Settings, load_settings


def settings_of(instance: Instance) -> Settings:
    """The settings of an instance. Raises SettingsInvalid, and InstanceExists when they name another environment."""
    settings = load_settings(instance.settings_file)
    try:
        founded = instance.environment.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return settings
    if founded != settings.environment:
        raise InstanceExists(
            f"{instance.root} is an instance of the {founded} environment, and its settings say {settings.environment}",
            remedy=f'write environment = "{founded}", or make an instance of the other environment in another folder',
        )
    return settings


def found_environment(instance: Instance) -> Settings:
    """Write the environment of the settings down, unless it is, and give them. Raises as `settings_of`."""
    if not instance.environment.exists():
        settings = load_settings(instance.settings_file)
        write_whole(instance.environment, f"{settings.environment}\n".encode("ascii"), 0o644)
    return settings_of(instance)
