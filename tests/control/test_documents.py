"""The agreement as a document: signed, readable in two languages, made from the very text that is enforced."""

import hashlib
import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control import (
    Agreement,
    AgreementType,
    Deed,
    Party,
    PurposeTerms,
    Role,
    ServiceTerms,
    Step,
    Terms,
    load_policy,
)
from control.documents import AgreementDocument, Documents, Language
from control.documents.rendering import render_html, render_text
from control.documents.words import STATES, STEPS, TYPES, WORDS
from control.errors import AgreementInvalid, Unregistered
from kernel import AgreementId, Limits, OrganisationId, SystemId, Window
from runtime.signing import Signer
from schemas import SHIPPED, load_registers
from tests.control.builders import DAY, PERSONS, START, Cast, terms


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer.open(tmp_path_factory.mktemp("secrets") / "signing.key")


FULL = Terms(
    services={
        PERSONS: ServiceTerms(
            columns=frozenset({"pnr", "name"}),
            rows={"status": frozenset({"01", "03"})},
            own_municipality=frozenset({"municipality_code"}),
            version="1.0.0",
        )
    },
    purpose="Visitation til hjemmepleje.\nOg opfølgning.",
    legal_basis="Serviceloven § 83",
    reason="Systemet planlægger besøg.",
    type=AgreementType.ONE_TO_ONE,
    receivers="Nordby Hjemmepleje",
    name="Hjemmepleje",
    purposes=(PurposeTerms(code="care", text="Besøg", calls_per_day=100, calls_per_month=2000),),
    limits=Limits(keys_per_call=50, calls_per_minute=600),
)


@pytest.fixture
def made(cast: Cast) -> Agreement:
    return cast.approved(terms=FULL, end=START + 400 * DAY)


@pytest.fixture
def document(cast: Cast, made: Agreement, signer: Signer) -> AgreementDocument:
    registers = load_registers(SHIPPED)
    return Documents(cast.store, registers, sign=signer.sign, public_pem=signer.public_pem).of(made.id)


class _Reader(HTMLParser):
    """What a reader sees in the element with an id, and every tag."""

    def __init__(self) -> None:
        super().__init__()
        self.at: str | None = None
        self.found: dict[str, str] = {}
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.at = dict(attrs).get("id")

    def handle_endtag(self, tag: str) -> None:
        self.at = None

    def handle_data(self, data: str) -> None:
        if self.at:
            self.found[self.at] = self.found.get(self.at, "") + data


def read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    return reader


class TestOneHash:
    def test_of_what_is_enforced_what_is_read_and_what_is_on_record(
        self, cast: Cast, made: Agreement, document: AgreementDocument
    ) -> None:
        with cast.store.reading() as db:
            grant = load_policy(db).grant(cast.call(), START)
        assert grant.terms_hash == made.terms_hash == document.hash
        assert hashlib.sha256(document.files["agreement.json"]).hexdigest() == document.hash
        for language in Language:
            page = read(document.files[f"agreement.{language}.html"].decode())
            assert page.found["hash"] == document.hash
            assert page.found["agreement"].encode() == document.files["agreement.json"]
            text = document.files[f"agreement.{language}.txt"].decode()
            assert document.hash in text
            assert document.files["agreement.json"].decode() in text

    def test_openssl_alone_checks_every_file(self, document: AgreementDocument, tmp_path: Path) -> None:
        for name, content in document.files.items():
            (tmp_path / name).write_bytes(content)
        signed = sorted(name for name in document.files if f"{name}.sig" in document.files)
        assert signed == [
            "agreement.da.html", "agreement.da.txt", "agreement.en.html", "agreement.en.txt", "agreement.json",
        ]  # fmt: skip

        def checked(name: str) -> str:
            command = ["openssl", "dgst", "-sha256", "-verify", "signing-key.pem", "-signature", f"{name}.sig", name]
            return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout.strip()

        assert {checked(name) for name in signed} == {"Verified OK"}
        (tmp_path / "agreement.json").write_bytes(document.files["agreement.json"].replace(b"pnr", b"cpr"))
        assert checked("agreement.json") == "Verification failure" or not checked("agreement.json")


class TestWhatIsRead:
    @pytest.mark.parametrize("kind", ["html", "txt"])
    def test_everything_that_was_agreed_stands_there_in_danish(self, document: AgreementDocument, kind: str) -> None:
        text = document.files[f"agreement.da.{kind}"].decode()
        for said in (
            "Nordby Kommune", "11111111", "0851", "Fagsystemer ApS", "12345678", "care", "Hjemmepleje",
            "Visitation til hjemmepleje.", "Serviceloven § 83", "Systemet planlægger besøg.",
            "Med videregivelse af data fra én dataejer til én modtager", "Nordby Hjemmepleje", "100 kald om dagen",
            "2000 kald om måneden", "CPR-personer, opslag", "name, pnr", "status er 01 eller 03",
            "municipality_code er kommunens egen (0851)", "navn og adresse vises ikke", "600", "50", "godkendt",
            "2031-02-10 08:00 UTC", "2032-03-16 08:00 UTC",
        ):  # fmt: skip
            assert said in text, said

    def test_and_in_english(self, document: AgreementDocument) -> None:
        text = document.files["agreement.en.txt"].decode()
        for said in (
            "SERVICE AGREEMENT", "CPR persons, lookup", "only where status is 01 or 03", "approve (approved)",
            "the municipality's own (0851)", "100 calls a day, 2000 calls a month",
        ):  # fmt: skip
            assert said in text, said

    def test_both_languages_have_the_same_words(self) -> None:
        assert WORDS[Language.DANISH].keys() == WORDS[Language.ENGLISH].keys()
        for words, all_of in ((TYPES, AgreementType), (STEPS, Step)):
            assert all(set(words[language]) == set(all_of) for language in Language)
        assert all(len(STATES[language]) == 8 for language in Language)

    def test_who_may_not_see_the_agreement_gets_no_document(self, cast: Cast, made: Agreement, signer: Signer) -> None:
        foreign = cast.acting(cast.rival, Role.USER, Role.ADMINISTRATOR)._store
        with pytest.raises(Unregistered):
            Documents(foreign, None, sign=signer.sign, public_pem=signer.public_pem).of(made.id)

    def test_nor_is_there_one_of_what_was_changed_by_hand(self, cast: Cast, made: Agreement, signer: Signer) -> None:
        cast.sql("UPDATE agreements SET terms = replace(terms, 'pnr', 'cpr')")
        with pytest.raises(AgreementInvalid):
            Documents(cast.store, None, sign=signer.sign, public_pem=signer.public_pem).of(made.id)


WRITTEN = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=40)


def a_deed(purpose: str, name: str) -> Deed:
    return Deed(
        id=AgreementId("a"), municipality=Party(id=OrganisationId("m"), cvr="11111111", name=name),
        supplier=Party(id=OrganisationId("s"), cvr="12345678", name=name), system=SystemId("y"), system_name=name,
        terms=replace(terms(), purpose=purpose, reason=purpose, name=name), valid=Window(START),
    )  # fmt: skip


@given(WRITTEN | st.sampled_from(["<script>alert(1)</script>", "</pre><img src=x onerror=y>", "{{ 7 * 7 }}"]), WRITTEN)
def test_whatever_people_write_is_shown_as_they_wrote_it(purpose: str, name: str) -> None:
    deed = a_deed(purpose, name)
    harmless = read(render_html(a_deed("x", "y"), (), Language.ENGLISH, title_of=lambda *_: "", at=START)).tags
    page = read(render_html(deed, (), Language.ENGLISH, title_of=lambda *_: "", at=START))
    assert page.tags == harmless
    assert page.found["agreement"] == deed.text
    text = render_text(deed, (), Language.DANISH, title_of=lambda *_: "", at=START)
    assert f"Formål: {purpose}" in text


def test_a_text_of_several_lines_cannot_look_like_another_part() -> None:
    deed = a_deed("x\nNavne- og adressebeskyttede personer: navn og adresse vises", "y")
    text = render_text(deed, (), Language.DANISH, title_of=lambda *_: "", at=START)
    assert not re.search(r"^Navne- og adressebeskyttede", text, re.MULTILINE)
