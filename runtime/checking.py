"""Register folders, checked as a whole: contracts, services and sources, among the registers they would live with."""

from pathlib import Path

from schemas import SHIPPED, ContractInvalid, Finding, Registers, check_registers, load_registers, register_folders
from sync import check_sources


def check_folders(*folders: Path) -> list[Finding]:
    """What is wrong with the registers in `folders`, or with those that are shipped; by file and line.

    Never raises for what files hold.
    """
    given = folders or (SHIPPED,)
    together = among(SHIPPED, drafts=given)
    mine = [folder.resolve() for folder in given]
    found = [each for each in check_registers(*together) if any(each.path.resolve().is_relative_to(at) for at in mine)]
    try:
        datasets = {dataset.id: dataset for dataset in load_registers(*together).datasets}
    except ContractInvalid:
        datasets = None
    found += check_sources(*given, datasets=datasets)
    return sorted(found, key=lambda each: (str(each.path), each.line))


def among(*installed: Path, drafts: tuple[Path, ...]) -> tuple[Path, ...]:
    """Register folders: the drafts, and those that are installed under other names."""
    given = tuple(register_folders(*drafts))
    named = {folder.resolve().name for folder in given}
    others = tuple(folder for folder in register_folders(*installed) if folder.name not in named)
    # A draft that is no register is named by whoever reads it, not passed over.
    return (*others, *(given or drafts))


def load_among(*installed: Path, drafts: tuple[Path, ...]) -> Registers:
    """Raises ContractInvalid."""
    return load_registers(*among(*installed, drafts=drafts))
