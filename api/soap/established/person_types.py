"""The types of PersonBaseDataExtended 4 and 5 (SF1520), as one notation with what version 5 has more."""

from typing import Final

from api.soap.established.shared import ANY_CONTEXT, CONTEXTS, PERSONAL_NUMBER
from api.soap.notation import Schema, schema

NAMESPACE: Final = "http://serviceplatformen.dk/xml/wsdl/soap11/CPR/PersonBaseDataExtended/{version}/"
_ADDRESS: Final = (
    "kommuneCvr?:string, kommunekode?:integer, vejkode?:integer, husnummer?:string, etage?:string, sidedoer?:string, "
    "bygningsnummer?:string, conavn?:string, lokalitet?:string, bynavn?:string, postnummer?:string, "
    "postdistrikt?:string, vejnavn?:string"
)
_DISTRICTS: Final = ", ".join(
    f"{name}distriktKode?:{kind}, {name}distrikt?:string"
    for name, kind in (
        ("evakuerings", "integer"), ("kirke", "integer"), ("skole", "integer"), ("befolknings", "string"),
        ("social", "integer"), ("sogne", "integer"), ("valg", "integer"), ("varme", "integer"),
    )
)  # fmt: skip


def _numbered(name: str, kind: str = "string") -> str:
    return ", ".join(f"{name.format(number)}?:{kind}" for number in range(1, 6))


def person_schema(version: int) -> Schema:
    """version   4 or 5"""

    def since_5(text: str) -> str:
        return text if version >= 5 else ""

    return schema(
        NAMESPACE.format(version=version),
        "PersonBaseDataExtendedService.xsd",
        f"""
simple koenType = string enumeration=K enumeration=M
simple statusTypeType = int {" ".join(f"enumeration={each}" for each in (1, 3, 5, 7, 20, 30, 50, 60, 70, 80, 90))}
simple civilstandTypeType = string {" ".join(f"enumeration={each}" for each in "UGFEPOLD")}
simple foraeldremyndighedTypeType = integer {" ".join(f"enumeration={each}" for each in (3, 4, 5, 6))}
simple umyndiggorelseRelationTypeType = integer {" ".join(f"enumeration={each}" for each in (0, 1, 2))}
{since_5("simple vaergemaalTypeType = string enumeration=FULD enumeration=DELVIS")}
type usikkerhedDatoType = dato:date, usikkerhedsmarkering?:string
type usikkerhedDatoTidType = dato:dateTime, usikkerhedsmarkering?:string
type beskyttelseType = startdato?:date, slutdato?:date, beskyttet?:boolean
type statusType = status?:statusTypeType, statusdato?:usikkerhedDatoTidType
type separationType = separeret:boolean, separationsdato?:usikkerhedDatoTidType
type civilstandType = civilstand?:civilstandTypeType, civilstandsdato?:usikkerhedDatoTidType
type statsborgerskabType = landekode?:integer, statsborgerskabDato?:usikkerhedDatoTidType,
    landekodeMyndighedsnavn?:string
type foedselsregistreringOplysningerType = foedselsregistreringsstedKode?:integer,
    foedselsregistreringsstedKodeMyndighedsnavn?:string, supplerendeFoedselsregistreringssted?:string
type umyndiggoerelseType = umyndiggorelseRelationType?:umyndiggorelseRelationTypeType,
    relationPersonnummer?:pnr:PNRType, relationStartdato?:date, relationVaergenavn?:string,
    relationVaergeadresseStartdato?:date, {since_5("VærgemålType?:vaergemaalTypeType,")}
    umyndiggoerelseStartdato:usikkerhedDatoType, umyndiggoerelseSlettedato?:date, umyndiggjort?:boolean,
    {_numbered("relationtekst{}")}
type navnType = personadresseringsnavn:string, fornavn?:string, mellemnavn?:string, efternavn?:string,
    fornavnMarkering?:string, mellemnavnMarkering?:string, efternavnMarkering?:string,
    navnestartdato?:usikkerhedDatoTidType
type persondataType = personnummer?:pnr:PNRType, gaeldendePersonnummer?:pnr:PNRType, navn?:navnType,
    foedselsdato?:usikkerhedDatoType, foedselsregistreringsOplysninger?:foedselsregistreringOplysningerType,
    startdato?:usikkerhedDatoType, slutdato?:usikkerhedDatoType, alder?:integer, koen?:koenType,
    antalBoernUnder18:integer, stilling?:string,
    {since_5("DeltBopælMarkering?:boolean, DeltBopælStartDato?:dateTime,")}
    status?:statusType, separation?:separationType, civilstand?:civilstandType,
    statsborgerskab?:statsborgerskabType, umyndiggoerelse?:umyndiggoerelseType,
    forsvindingsdato?:usikkerhedDatoTidType, adressebeskyttelse?:beskyttelseType, vejviserbeskyttelse?:beskyttelseType,
    markedsfoeringsbeskyttelse?:beskyttelseType, tilmeldtNemsms?:boolean, tilmeldtDigitalpost?:boolean
type diversedistrikterType = distriktType?:integer, distriktKode?:string, distrikt?:string
type distrikterType = postnummer?:integer, postdistrikt?:string, byfornyelsesdistriktKode?:string,
    byfornyelsesdistrikt?:string, diversedistrikter*:diversedistrikterType, {_DISTRICTS}
type adresseType = {_ADDRESS}, standardadresse?:string, adresseringsnavn?:string, vejadresseringsnavn?:string,
    tilflytningsdato?:usikkerhedDatoTidType, {_numbered("adr{}-supladr")}, distrikter?:distrikterType
    {since_5(", AdresseUUID?:string")}
type udrejseoplysningerType = udrejselandekode?:integer, udrejselandekodeMyndighedsnavn?:string,
    udrejsedato?:usikkerhedDatoTidType, {_numbered("udlandsadresse{}")}
type kontaktAdresseType = {_numbered("kontaktAdr{}")}, startdato?:date, slettedato?:date
type adresseHistorikType = {_ADDRESS}, retFortrydMarkering?:string, tilflytningsdato?:usikkerhedDatoTidType,
    fraflytningsdato?:usikkerhedDatoTidType
type adressedataType = aktuelAdresse?:adresseType, udrejseoplysninger?:udrejseoplysningerType,
    kontaktAdresse?:kontaktAdresseType, adresseHistorik*:adresseHistorikType
type personRelationType = personnummer:pnr:PNRType | (foedselsdato?:usikkerhedDatoType, navn?:string)
type barnType = personnummer:pnr:PNRType
type foraeldremyndighedType = foraeldremyndighedtype:foraeldremyndighedTypeType,
    foraeldremyndighedStartdato?:usikkerhedDatoType, foraeldremyndighedSletdato?:date,
    relationPersonnummer?:pnr:PNRType, relationStartdato?:date
type relationerType = aegtefaelle?:personRelationType, barn*:barnType, mor?:personRelationType,
    far?:personRelationType, foraeldremyndighed*:foraeldremyndighedType
type notatType = notanr?:integer, notatlinie?:string, notatstartdato?:date, notatslettedato?:date
type PersonLookupRequestType = {ANY_CONTEXT}, &pnr:PNR
type PersonLookupResponseType = persondata?:persondataType, adresse?:adressedataType, relationer?:relationerType,
    notater*:notatType
element PersonLookupRequest : PersonLookupRequestType
element PersonLookupResponse : PersonLookupResponseType
""",
        pnr=PERSONAL_NUMBER,
        **CONTEXTS,
    )
