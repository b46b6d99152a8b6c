"""An invented classification in the form of the municipal subject list: three levels of subjects, and facets.

Titles are our own; the real list is bought from its keeper and takes this one's place.
"""

import csv
import io

MAIN_GROUPS = ("Havne og strande", "Byrum og parker", "Biblioteker og kultur", "Dagtilbud og leg", "Veje og stier")
GROUPS = ("Planlægning", "Drift", "Tilladelser")
SUBJECTS = ("Almindelige spørgsmål", "Tilsyn", "Klager", "Tilskud")
FACETS = (
    ("A00", "I almindelighed"), ("A10", "Høring"), ("G01", "Sagsbehandling"), ("G10", "Afgørelse"),
    ("K02", "Kontrol"), ("P05", "Plan"),
)  # fmt: skip
SINCE, ENDED = "2020-01-01", "2024-12-31"
NAMES = ("code", "scheme", "level", "parent", "title", "description", "valid_from", "valid_to")


def classes_csv() -> bytes:
    """Every class in one file; one subject in each main group has ended."""
    rows: list[tuple[str, ...]] = []
    for main, title in enumerate(MAIN_GROUPS, 1):
        top = f"{main:02}"
        rows.append((top, "subject", "1", "", title, "", SINCE, ""))
        for group, kind in enumerate(GROUPS, 1):
            code = f"{top}.{group:02}"
            rows.append((code, "subject", "2", top, f"{title}: {kind.lower()}", "", SINCE, ""))
            for number, subject in enumerate(SUBJECTS, 1):
                until = ENDED if (group, number) == (3, 4) else ""
                about = f"{subject} om {kind.lower()}"
                rows.append((f"{code}.{number:02}", "subject", "3", code, subject, about, SINCE, until))
    rows += [(code, "facet", "1", "", title, "", SINCE, "") for code, title in FACETS]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([NAMES, *rows])
    return text.getvalue().encode()
