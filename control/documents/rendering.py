"""The readable document: one picture of the deed, two languages, two forms. Pure."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from control.agreements import AgreementStep, Deed
from control.documents.values import Language
from control.documents.words import STATES, STEPS, TYPES, WORDS
from control.times import shown
from kernel import ServiceName

TitleOf = Callable[[ServiceName, Language], str]
"""What a service is called; empty when that is not known."""

_TEMPLATES: Final = FileSystemLoader(Path(__file__).parent / "templates")
_HTML: Final = Environment(
    loader=_TEMPLATES, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
# Text has nothing to escape: every sign stands for itself.
_TEXT: Final = Environment(
    loader=_TEMPLATES,
    autoescape=False,  # noqa: S701
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render_html(
    deed: Deed, history: Sequence[AgreementStep], language: Language, *, title_of: TitleOf, at: datetime
) -> str:
    return _HTML.get_template("agreement.html.j2").render(_picture(deed, history, language, title_of, at))


def render_text(
    deed: Deed, history: Sequence[AgreementStep], language: Language, *, title_of: TitleOf, at: datetime
) -> str:
    return _TEXT.get_template("agreement.txt.j2").render(_picture(deed, history, language, title_of, at))


def _picture(
    deed: Deed, history: Sequence[AgreementStep], language: Language, title_of: TitleOf, at: datetime
) -> dict[str, Any]:
    words, terms = WORDS[language], deed.terms
    end = deed.valid.end
    services = [
        {
            "name": name,
            "title": title_of(name, language),
            "version": each.version,
            "columns": None if each.columns is None else sorted(each.columns),
            "rows": [
                {"column": column, "values": sorted(values), "own": column in each.own_municipality}
                for column, values in sorted(each.rows.items())
            ],
            "protected": each.protected,
        }
        for name, each in sorted(terms.services.items())
    ]
    steps = [
        {
            "step": STEPS[language][each.step], "state": STATES[language][each.state], "by": each.by,
            "at": shown(each.at),
        }
        for each in history
    ]  # fmt: skip
    return {
        "words": words,
        "language": language.value,
        "deed": deed,
        "terms": terms,
        "type": TYPES[language][terms.type],
        "services": services,
        "start": shown(deed.valid.start),
        "end": None if end is None else shown(end),
        "steps": steps,
        "text": deed.text,
        "hash": deed.hash,
        "made": shown(at),
    }
