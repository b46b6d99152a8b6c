"""Every metric by name: what it means and which labels it has. Nothing else can be told.

Values of labels come from the operator's own files and from lists in the code (services, datasets, sources, states,
kinds): there are as many as those, and none of them names a person, an organisation or an address.
"""

from dataclasses import dataclass
from typing import Final

PREFIX: Final = "knudepunkt_"
UNITS: Final = ("bytes", "seconds")


@dataclass(frozen=True, slots=True)
class Family:
    """name   without the prefix; a unit is its last word"""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        return PREFIX + self.name

    @property
    def unit(self) -> str:
        return next((unit for unit in UNITS if self.name.endswith(f"_{unit}")), "")


FAMILIES: Final = {
    family.name: family
    for family in (
        Family("build_info", "Always 1. Which version runs, in which environment.", ("version", "environment")),
        Family(
            "part_readable",
            "Whether a part of this page could be read (1) or is left out (0); the log says why.",
            ("part",),
        ),
        Family("dataset_rows", "Rows of a mirrored dataset.", ("dataset",)),
        Family("dataset_snapshot", "The newest published snapshot of a dataset.", ("dataset",)),
        Family(
            "dataset_age_seconds", "How old what a dataset tells is. Absent before the first publication.", ("dataset",)
        ),
        Family(
            "dataset_target_age_seconds", "How old a dataset may be before somebody should look, as its contract says.",
            ("dataset",),
        ),
        Family("source_last_run_timestamp_seconds", "When the last run that read something ended.", ("source",)),
        Family(
            "source_last_try_timestamp_seconds", "When a source was last tried, whatever came of it.", ("source",)
        ),
        Family("source_failures", "Tries in a row that came to nothing; 0 after one that went well.", ("source",)),
        Family("source_quarantined_rows", "Rows that the last run held back.", ("source",)),
        Family(
            "source_late_seconds", "Since when a delivery is missing that was expected by now; 0 when none is.",
            ("source",),
        ),
        Family(
            "deliveries", "Deliveries of subscriptions that are not over, by state.", ("service", "state")
        ),
        Family(
            "delivery_alarms",
            "Deliveries that somebody should look at: not fetched, confirmed or delivered within their time, or dead.",
            ("service", "kind"),
        ),
        Family(
            "delivery_oldest_waiting_seconds", "For how long the oldest has waited to be sent, or to be taken.",
            ("service", "waits_for"),
        ),
        Family("delivery_failing_endpoints", "Receivers' endpoints whose last delivery failed."),
        Family("delivery_resting_endpoints", "... of which so many are left alone for now (open breakers)."),
        Family("subscriptions", "Subscriptions that have not ended.", ("service", "state")),
        Family("extracts_in_production", "Extracts that are being written, by all processes of this machine."),
        Family("disk_size_bytes", "Size of the file system that a part of the instance lies on.", ("place",)),
        Family("disk_free_bytes", "... how much of it is free.", ("place",)),
        Family(
            "disk_floor_bytes",
            "... and how much stays free: below it no extract, delivery or upload is begun. Of those two places.",
            ("place",),
        ),
        Family("job_age_seconds", "How long ago a job of the worker last ended, whatever came of it.", ("job",)),
        Family("job_failing", "Whether a job of the worker failed the last time (1); the log says why.", ("job",)),
        Family("ledger_files", "Ledger files by place: open, sealed (wait for the intake), faulty.", ("place",)),
        Family("ledger_sealed_bytes", "Bytes of the ledger files that wait for the intake."),
        Family("ledger_intake_lag_seconds", "How long the oldest sealed ledger file has waited; 0 when none waits."),
        Family(
            "server_certificate_left_seconds", "How long the server's certificate is still valid; below 0 afterwards."
        ),
        Family(
            "authority_left_seconds", "How long a trusted authority is still valid; below 0 afterwards.", ("authority",)
        ),
        Family(
            "revocation_list_left_seconds",
            "How long until the next list of revoked certificates is due from its issuer; below 0 when it is late.",
            ("file", "issuer"),
        ),
        Family("revocation_lists_ignored", "Files with such lists that could not be taken."),
    )
}  # fmt: skip
