"""Sync: brings deliveries of source systems into the mirror, on a schedule or by hand.

One run is the night road of the house: fetch the files of a source that are new, decode them into rows, check
the rows against the contract, plan what may be published, publish it in one transaction per file. What breaks a
rule is held back line by line with a reason, and the counts of a run always add up.
"""

from typing import TYPE_CHECKING

from kernel.door import hang_door

if TYPE_CHECKING:
    from sync.calendar import Days, Expected, is_working_day, missing_since
    from sync.checking import check_sources
    from sync.connectors import FolderSpec, HttpSpec, S3Spec, SftpSpec, SqlSpec
    from sync.decoders import CprSpec, CsvSpec, CvrSpec, JsonSpec, NdjsonSpec, ParquetSpec, XmlSpec
    from sync.errors import (
        DeliveryIncomplete,
        DeliveryMiscounted,
        DeliveryOutOfChain,
        DeliveryUnreadable,
        FileUnsettled,
        QuarantineTooLarge,
        SourceChanged,
        SourceDenied,
        SourceFaulty,
        SourceInvalid,
        SourceMisfit,
        SourceShrank,
        SourceUnreachable,
        SourceUntrusted,
    )
    from sync.foresight import Effect, foresee
    from sync.replay import replay_quarantine
    from sync.report import FileReport, Outcome, Progress, RunReport, Stage
    from sync.run import run_source
    from sync.schedule import Cron, Every, Schedule, next_due
    from sync.single import RecordInvalid, judged_record
    from sync.sources.cpr.presented import civil_status, house_number, municipality_cvr, presented_municipality
    from sync.spec import SourceSpec, load_sources
    from sync.testdata import generate, generate_changes, write_changes, write_testdata

__all__ = [
    "CprSpec",
    "Cron",
    "CsvSpec",
    "CvrSpec",
    "Days",
    "DeliveryIncomplete",
    "DeliveryMiscounted",
    "DeliveryOutOfChain",
    "DeliveryUnreadable",
    "Effect",
    "Every",
    "Expected",
    "FileReport",
    "FileUnsettled",
    "FolderSpec",
    "HttpSpec",
    "JsonSpec",
    "NdjsonSpec",
    "Outcome",
    "ParquetSpec",
    "Progress",
    "QuarantineTooLarge",
    "RecordInvalid",
    "RunReport",
    "S3Spec",
    "Schedule",
    "SftpSpec",
    "SourceChanged",
    "SourceDenied",
    "SourceFaulty",
    "SourceInvalid",
    "SourceMisfit",
    "SourceShrank",
    "SourceSpec",
    "SourceUnreachable",
    "SourceUntrusted",
    "SqlSpec",
    "Stage",
    "XmlSpec",
    "check_sources",
    "civil_status",
    "foresee",
    "generate",
    "generate_changes",
    "house_number",
    "is_working_day",
    "judged_record",
    "load_sources",
    "missing_since",
    "municipality_cvr",
    "next_due",
    "presented_municipality",
    "replay_quarantine",
    "run_source",
    "write_changes",
    "write_testdata",
]

hang_door(__name__)
