"""Sync: brings deliveries of source systems into the mirror, on a schedule or by hand.

One run is the night road of the house: fetch the files of a source that are new, decode them into rows, check
the rows against the contract, plan what may be published, publish it in one transaction per file. What breaks a
rule is held back line by line with a reason, and the counts of a run always add up.
"""

from sync.errors import (
    DeliveryIncomplete,
    DeliveryMiscounted,
    DeliveryOutOfChain,
    DeliveryUnreadable,
    FileUnsettled,
    QuarantineTooLarge,
    SourceInvalid,
    SourceMisfit,
    SourceShrank,
    SourceUnreachable,
)
from sync.report import FileReport, Outcome, Progress, RunReport, Stage
from sync.run import run_source
from sync.schedule import Cron, Every, Schedule, next_due
from sync.spec import CprSpec, CsvSpec, FolderSpec, SourceSpec, load_sources
from sync.testdata import generate, generate_changes, write_changes, write_testdata

__all__ = [
    "CprSpec",
    "Cron",
    "CsvSpec",
    "DeliveryIncomplete",
    "DeliveryMiscounted",
    "DeliveryOutOfChain",
    "DeliveryUnreadable",
    "Every",
    "FileReport",
    "FileUnsettled",
    "FolderSpec",
    "Outcome",
    "Progress",
    "QuarantineTooLarge",
    "RunReport",
    "Schedule",
    "SourceInvalid",
    "SourceMisfit",
    "SourceShrank",
    "SourceSpec",
    "SourceUnreachable",
    "Stage",
    "generate",
    "generate_changes",
    "load_sources",
    "next_due",
    "run_source",
    "write_changes",
    "write_testdata",
]
