"""Forms that an extract can have: format and compression, the ending of its name, its media type. Pure."""

from enum import StrEnum


class Format(StrEnum):
    """csv-dk is CSV as Danish spreadsheets open it: semicolons and decimal commas. -bom has a byte order mark first.
    cpr is the register of persons' own lines of fixed fields, for datasets whose contract names that layout.
    """

    CSV = "csv"
    CSV_DK = "csv-dk"
    CSV_DK_BOM = "csv-dk-bom"
    NDJSON = "ndjson"
    PARQUET = "parquet"
    ARROW = "arrow"
    XML = "xml"
    CPR = "cpr"

    @property
    def ending(self) -> str:
        return {Format.CSV_DK: "csv", Format.CSV_DK_BOM: "csv", Format.CPR: "txt"}.get(self, self.value)

    @property
    def layout(self) -> str | None:
        """The record layout that a dataset must have to be written so; None where every dataset can."""
        return self.value if self is Format.CPR else None

    @property
    def media_type(self) -> str:
        return {
            "csv": "text/csv; charset=utf-8; header=present",
            "ndjson": "application/x-ndjson",
            "parquet": "application/vnd.apache.parquet",
            "arrow": "application/vnd.apache.arrow.stream",
            "xml": "application/xml",
            "txt": "text/plain; charset=iso-8859-1",
        }[self.ending]


class Compression(StrEnum):
    """Of the file itself, not of its transfer: what is stored is what was sent, and resumes at any byte."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"

    @property
    def ending(self) -> str:
        return {"none": "", "gzip": ".gz", "zstd": ".zst"}[self.value]

    @property
    def media_type(self) -> str | None:
        """None for that of the format."""
        return {"none": None, "gzip": "application/gzip", "zstd": "application/zstd"}[self.value]
