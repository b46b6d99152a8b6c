"""The types of CVR Online 2 (SF1530): messages wrapped twice, and elements borrowed from a dozen shared namespaces."""

from typing import Final

from api.soap.established.shared import CALL_CONTEXT, INVOCATION_CONTEXT
from api.soap.notation import schema

_REP: Final = "http://rep.oio.dk"
OUTER: Final = f"{_REP}/eogs/xml/2/"
INNER: Final = f"{_REP}/eogs/xml.wsdl/"
TYPES: Final = f"{_REP}/eogs/xml.schema/"
WSDL: Final = f"{_REP}/eogs/xml.wsdl/2/"

_DKCC_2003 = schema(
    f"{_REP}/ebxml/xml/schemas/dkcc/2003/02/13/", "dkcc_2003.xsd",
    """
simple _CountryIdentificationCodeType = string pattern=[a-z,A-Z]{2}|[a-z,A-Z]{3}|[0-9]{3}|[0-9]{4}
simple _CountryIdentificationSchemeType = string enumeration=iso3166-alpha2 enumeration=iso3166-alpha3
    enumeration=un-numeric3 enumeration=imk
simple FloorIdentifierType = string pattern=[1-9]|[1-9][0-9]|KL|ST|kl|st|k[2-9]|K[2-9]
simple MailDeliverySublocationIdentifierType = string minLength=1 maxLength=34
simple StreetBuildingIdentifierType = string
    pattern=([1-9]|[1-9][0-9]|[1-9][0-9]{2})|([1-9][A-Z]|[1-9][0-9][A-Z]|[1-9][0-9]{2}[A-Z])
simple SuiteIdentifierType = string minLength=1 maxLength=4
type CountryIdentificationCodeType : _CountryIdentificationCodeType = @scheme:_CountryIdentificationSchemeType
element CountryIdentificationCode : CountryIdentificationCodeType
element FloorIdentifier : FloorIdentifierType
element MailDeliverySublocationIdentifier : MailDeliverySublocationIdentifierType
element StreetBuildingIdentifier : StreetBuildingIdentifierType
element SuiteIdentifier : SuiteIdentifierType
""",
)  # fmt: skip
_ITST = schema(
    f"{_REP}/itst.dk/xml/schemas/2005/06/24/", "itst_2005_06.xsd",
    "simple CareOfNameType = string maxLength=34\nelement CareOfName : CareOfNameType",
)  # fmt: skip
_CPR = schema(
    f"{_REP}/cpr.dk/xml/schemas/core/2005/03/18/", "cpr_2005.xsd",
    """
simple AuthorityCodeType = string pattern=[0-9]{4}
simple StreetCodeType = string pattern=[0-9]{4}
simple StreetNameForAddressingNameType = string minLength=1 maxLength=20
element AuthorityCode : AuthorityCodeType
element MunicipalityCode : AuthorityCodeType
element StreetCode : StreetCodeType
element StreetNameForAddressingName : StreetNameForAddressingNameType
""",
)  # fmt: skip
_KMS = schema(
    f"{_REP}/kms.dk/xml/schemas/2007/05/23/", "kms_2007.xsd", "element RegionCode : cpr:AuthorityCodeType", cpr=_CPR
)
_XKOM_2005 = schema(
    f"{_REP}/xkom.dk/xml/schemas/2005/03/15/", "xkom_2005.xsd",
    r"""
simple EmailAddressIdentifierType = string pattern=([^>\(\)\[\]\\,;:@\s]{0,191}@[^>\(\)\[\]\\,;:@\s]{1,64})
type AddressAccessType = &cpr:MunicipalityCode, &cpr:StreetCode, &dkcc2003:StreetBuildingIdentifier
element AddressAccess : AddressAccessType
element EmailAddressIdentifier : EmailAddressIdentifierType
""",
    cpr=_CPR, dkcc2003=_DKCC_2003,
)  # fmt: skip
_DKCC_2005 = schema(
    f"{_REP}/ebxml/xml/schemas/dkcc/2005/03/15/", "dkcc_2005_03.xsd",
    """
simple DistrictNameType = string minLength=1 maxLength=20
simple DistrictSubdivisionIdentifierType = string minLength=1 maxLength=34
simple PostCodeIdentifierType = string pattern=[0-9]{4}
simple StreetNameType = string minLength=1 maxLength=40
element DistrictName : DistrictNameType
element DistrictSubdivisionIdentifier : DistrictSubdivisionIdentifierType
element PostCodeIdentifier : PostCodeIdentifierType
element StreetName : StreetNameType
""",
)  # fmt: skip
_DKCC_BOX = schema(
    f"{_REP}/ebxml/xml/schemas/dkcc/2005/05/13/", "dkcc_2005_05.xsd",
    """
simple PostOfficeBoxIdentifierType = integer minInclusive=1 maxInclusive=9999
element PostOfficeBoxIdentifier : PostOfficeBoxIdentifierType
""",
)  # fmt: skip
_XKOM = schema(
    f"{_REP}/xkom.dk/xml/schemas/2006/01/06/", "xkom_2006.xsd",
    """
type AddressPostalType = &dkcc2003:MailDeliverySublocationIdentifier?, &dkcc2005:StreetName,
    &cpr:StreetNameForAddressingName?, &dkcc2003:StreetBuildingIdentifier, &dkcc2003:FloorIdentifier?,
    &dkcc2003:SuiteIdentifier?, &dkcc2005:DistrictSubdivisionIdentifier?, &box:PostOfficeBoxIdentifier?,
    &dkcc2005:PostCodeIdentifier, &dkcc2005:DistrictName, &dkcc2003:CountryIdentificationCode?
element AddressPostal : AddressPostalType
""",
    cpr=_CPR, dkcc2003=_DKCC_2003, dkcc2005=_DKCC_2005, box=_DKCC_BOX,
)  # fmt: skip
_ITST_1 = schema(
    f"{_REP}/itst.dk/xml/schemas/2005/01/10/", "itst_2005_01.xsd",
    r"""
simple TelephoneNumberIdentifierType = string pattern=(\+)?[0-9]{3,20}
element FaxNumberIdentifier : TelephoneNumberIdentifierType
element TelephoneNumberIdentifier : TelephoneNumberIdentifierType
""",
)  # fmt: skip
_CVR_2005 = schema(
    f"{_REP}/cvr.dk/xml/schemas/2005/03/22/", "cvr_2005.xsd",
    "element ExporterIndicator : boolean\nelement ImporterIndicator : boolean",
)  # fmt: skip
_CPR_2007 = schema(
    f"{_REP}/cpr.dk/xml/schemas/2007/01/02/", "cpr_2007.xsd",
    """
simple PersonCivilRegistrationIdentifierType = string minLength=10 maxLength=10 pattern=[0-9]{10}
element PersonCivilregistrationIdentifier : PersonCivilRegistrationIdentifierType
""",
)  # fmt: skip
_PERIOD: Final = "@validFromDate?:ValidDateType, @validToDate?:ValidDateType"
_WITHIN: Final = f"{_PERIOD}, @protectionIndicator?:ProtectionIndicatorType"
_NUMBERED: Final = "minInclusive={} maxInclusive={}"
CVR = schema(
    TYPES, "cvr.xsd",
    f"""
simple ActivityCodeType = string length=6 pattern=[0-9]{{6}}
simple ActivityDescriptionType = string
simple ActivityResponsibilityCodeType = nonNegativeInteger
simple AddressLineTextType = string length=238
simple AddressProtectionIndicatorType = boolean
simple AdvertisingProtectionIndicatorType = boolean
simple AncillaryUnitIndicatorType = boolean
simple BusinessFormatCodeType = integer {_NUMBERED.format(0, 999)}
simple CessationDateType = date
simple CreditorStatusCodeType = integer {_NUMBERED.format(0, 99)}
simple CreditorStatusInformationCodeType = integer {_NUMBERED.format(0, 99)}
simple DataSupplierIdentifierType = string
simple EmploymentIntervalCodeType = string pattern=[A-Z]
simple LegalUnitIdentifierType = integer {_NUMBERED.format(10_000_000, 99_999_999)}
simple LegalUnitNameBaseType = string
simple LegalUnitNameSequenceNumberType = nonNegativeInteger
simple MainDivisionIndicatorType = boolean
simple MunicipalCommunityType = boolean
simple NumberOfEmployeesType = nonNegativeInteger
simple ObligationCodeType = integer {_NUMBERED.format(0, 99)}
simple ParticipantIdentifierType = integer {_NUMBERED.format(4_000_000_000, 9_999_999_999)}
simple ParticipantNameType = string
simple ProductionUnitIdentifierType = integer {_NUMBERED.format(1_000_000_000, 9_999_999_999)}
simple ProductionUnitNameBaseType = string
simple ProductionUnitNameSequenceNumberType = nonNegativeInteger
simple ProtectionIndicatorType = boolean
simple RankType = positiveInteger
simple ReferenceQuarterCodeType = integer {_NUMBERED.format(1, 4)}
simple ReferenceYearType = gYear
simple StartDateType = date
simple StreetBuildingIdentifierToType = dkcc2003:StreetBuildingIdentifierType
simple ValidDateType = date
simple VersionIdentifierType = integer
type ActivityType = &ActivityCode, &ActivityDescription?, {_PERIOD}
type ActivityRankType = &Activity, @rankNumber:RankType
type ActivityRankCollectionType = &ActivityRank*
type ActivityInformationType = &ActivityResponsibilityCode?, MainActivity:ActivityType,
    SecondaryActivities?:ActivityRankCollectionType
type AddressPostalExtendedType : xkom:AddressPostalType = &itst:CareOfName?,
    StreetBuildingIdentifierTo?:StreetBuildingIdentifierToType, &kms:RegionCode?
type AddressDescriptionType = &xkom2005:AddressAccess?, AddressPostalExtended?:AddressPostalExtendedType,
    AddressLineText?:AddressLineTextType, &dkcc2003:CountryIdentificationCode, &AddressProtectionIndicator?, {_PERIOD}
type AddressLocationType : AddressDescriptionType =
type AddressOfficialType : AddressDescriptionType =
type AddressPOBoxType : AddressDescriptionType = &box:PostOfficeBoxIdentifier
type BusinessFormatType = &BusinessFormatCode, &DataSupplierIdentifier, MunicipalCommunity:MunicipalCommunityType,
    {_PERIOD}
type TelephoneType = &itst1:TelephoneNumberIdentifier?, {_WITHIN}
type FaxType = &itst1:FaxNumberIdentifier?, {_WITHIN}
type EmailType = &xkom2005:EmailAddressIdentifier?, {_WITHIN}
type ContactInformationType = Telephone?:TelephoneType, Fax?:FaxType, Email?:EmailType,
    ForeignTelephone?:TelephoneType, ForeignFax?:FaxType
type CreditorInformationType = &CreditorStatusCode, &CreditorStatusInformationCode, {_PERIOD}
type CreditorInformationCollectionType = &CreditorInformation*
type EmploymentIntervalType = MinimumNumberOfEmployees:NumberOfEmployeesType,
    MaximumNumberOfEmployees:NumberOfEmployeesType
type EmploymentYearType = &NumberOfEmployees?, &EmploymentIntervalCode, &EmploymentInterval,
    @referenceYear:ReferenceYearType
type EmploymentQuarterType : EmploymentYearType = @referenceQuarter:ReferenceQuarterCodeType
type LegalUnitAffiliationType = &LegalUnitIdentifier, {_PERIOD}
type LegalUnitNameType = name:LegalUnitNameBaseType, @sequenceNumber:LegalUnitNameSequenceNumberType, {_PERIOD}
type LifecycleType = StartDate:StartDateType, CessationDate?:CessationDateType
type ObligationType = &ObligationCode, {_PERIOD}
type ObligationCollectionType = &Obligation*
type ParticipantType = &ParticipantIdentifier, &ParticipantName, {_PERIOD}
type ParticipantDanishPersonType : ParticipantType = &cpr1:PersonCivilregistrationIdentifier?
type ParticipantLegalUnitType : ParticipantType = &LegalUnitIdentifier
type ParticipantOtherType : ParticipantType =
type ParticipantCollectionType = &Participant*
type ProductionUnitAffiliationType = &ProductionUnitIdentifier, {_PERIOD}
type ProductionUnitAffiliationCollectionType = &ProductionUnitAffiliation*
type ProductionUnitNameType = name:ProductionUnitNameBaseType,
    @sequenceNumber:ProductionUnitNameSequenceNumberType, {_PERIOD}
type LegalUnitType = &LegalUnitIdentifier, &LegalUnitName, &AdvertisingProtectionIndicator,
    &cvr2005:ExporterIndicator, &cvr2005:ImporterIndicator, &Lifecycle, AddressOfficial:AddressOfficialType,
    AddressPostal?:AddressDescriptionType, &AddressPOBox?, &ActivityInformation?, &BusinessFormat?, &EmploymentYear?,
    &EmploymentQuarter?, &ContactInformation?, CreditorInformationCollection?:CreditorInformationCollectionType,
    ObligationCollection?:ObligationCollectionType, ParticipantCollection?:ParticipantCollectionType,
    ProductionUnitAffiliationCollection?:ProductionUnitAffiliationCollectionType,
    @versionIdentifier:VersionIdentifierType
type ProductionUnitType = &ProductionUnitIdentifier, &ProductionUnitName, &AdvertisingProtectionIndicator,
    &AncillaryUnitIndicator, &MainDivisionIndicator, &Lifecycle, AddressLocation:AddressLocationType,
    AddressPostal?:AddressDescriptionType, &AddressPOBox?, &LegalUnitAffiliation?, &ActivityInformation?,
    &EmploymentYear?, &ContactInformation?, @versionIdentifier:VersionIdentifierType
"""
    + "".join(
        f"element {name} : {name}Type\n"
        for name in (
            "Activity", "ActivityCode", "ActivityDescription", "ActivityInformation", "ActivityRank",
            "ActivityResponsibilityCode", "AddressDescription", "AddressLineText", "AddressPOBox",
            "AddressProtectionIndicator", "AdvertisingProtectionIndicator", "AncillaryUnitIndicator", "BusinessFormat",
            "BusinessFormatCode", "ContactInformation", "CreditorInformation", "CreditorStatusCode",
            "CreditorStatusInformationCode", "DataSupplierIdentifier", "EmploymentInterval", "EmploymentIntervalCode",
            "EmploymentQuarter", "EmploymentYear", "LegalUnit", "LegalUnitAffiliation", "LegalUnitIdentifier",
            "LegalUnitName", "Lifecycle", "MainDivisionIndicator", "NumberOfEmployees", "Obligation", "ObligationCode",
            "Participant", "ParticipantDanishPerson", "ParticipantIdentifier", "ParticipantLegalUnit",
            "ParticipantName", "ParticipantOther", "ProductionUnit", "ProductionUnitAffiliation",
            "ProductionUnitIdentifier", "ProductionUnitName",
        )
    ),
    cpr1=_CPR_2007, cvr2005=_CVR_2005, dkcc2003=_DKCC_2003, box=_DKCC_BOX, itst=_ITST, itst1=_ITST_1, kms=_KMS,
    xkom=_XKOM, xkom2005=_XKOM_2005,
)  # fmt: skip
_MANY: Final = "@maximumNumberOfResultsType?:MaximumNumberOfResultsType"
_COMMON: Final = "&SearchName?, &SearchAddress?, &SearchContactInformation?, &cvr:ActivityCode?"
INNER_SCHEMA: Final = schema(
    INNER, "messages.xsd",
    f"""
simple LevelType = positiveInteger
simple MaximumNumberOfResultsType = positiveInteger
simple MoreResultsExistIndicatorType = boolean
simple SearchLifecycleStatusType = string enumeration=active enumeration=all
simple SearchNameType = string
simple SearchNumberType = nonNegativeInteger
simple SearchTermType = string
simple StartDateType = date
type RequestBaseType =
type GetLegalUnitRequestType : RequestBaseType = &cvr:LegalUnitIdentifier, @level:LevelType
type GetProductionUnitRequestType : RequestBaseType = &cvr:ProductionUnitIdentifier, @level:LevelType
type GetRelatedProductionUnitNameAndAddressRequestType : RequestBaseType = &cvr:LegalUnitIdentifier
type SearchAddressType = &dkcc2005:StreetName?, &dkcc2003:StreetBuildingIdentifier?, &itst:CareOfName?,
    &dkcc2005:PostCodeIdentifier?, &cpr:MunicipalityCode?, &kms:RegionCode?
type SearchContactInformationType = term:SearchTermType
type SearchLifecycleStartDateIntervalType = StartDate?:StartDateType, EndDate?:StartDateType
type SearchNumberOfProductionUnitIntervalType = StartNumber?:SearchNumberType, EndNumber?:SearchNumberType
type SearchLegalUnitRequestType : RequestBaseType = {_COMMON}, &cvr:BusinessFormatCode?,
    &SearchLifecycleStartDateInterval?, &SearchLifecycleStatus?, &cvr:CreditorStatusCode?,
    &cvr:EmploymentIntervalCode?, &SearchNumberOfProductionUnitInterval?, &cpr1:PersonCivilregistrationIdentifier?,
    &cvr:AdvertisingProtectionIndicator?, {_MANY}
type SearchProductionUnitRequestType : RequestBaseType = {_COMMON}, &SearchLifecycleStartDateInterval?,
    &SearchLifecycleStatus?, &cvr:EmploymentIntervalCode?, &cvr:LegalUnitIdentifier?,
    &cvr:AdvertisingProtectionIndicator?, {_MANY}
type LegalUnitIdentifierCollectionType = &cvr:LegalUnitIdentifier*,
    @moreResultsExistIndicator?:MoreResultsExistIndicatorType
type ProductionUnitIdentifierCollectionType = &cvr:ProductionUnitIdentifier*,
    @moreResultsExistIndicator?:MoreResultsExistIndicatorType
type ProductionUnitNameAndAddressType = &cvr:ProductionUnitIdentifier, &cvr:ProductionUnitName,
    AddressLocation:cvr:AddressLocationType, &cvr:AdvertisingProtectionIndicator
type ProductionUnitNameAndAddressCollectionType = &ProductionUnitNameAndAddress*
type GetLegalUnitResponseType = &cvr:LegalUnit?
type GetProductionUnitResponseType = &cvr:ProductionUnit?
type SearchLegalUnitResponseType = LegalUnitIdentifierCollection?:LegalUnitIdentifierCollectionType
type SearchProductionUnitResponseType = ProductionUnitIdentifierCollection?:ProductionUnitIdentifierCollectionType
type GetRelatedProductionUnitNameAndAddressResponseType =
    ProductionUnitNameAndAddressCollection?:ProductionUnitNameAndAddressCollectionType
"""
    + "".join(
        f"element {name} : {name}Type\n"
        for name in (
            "RequestBase", "SearchAddress", "SearchContactInformation", "SearchLifecycleStartDateInterval",
            "SearchLifecycleStatus", "SearchName", "SearchNumberOfProductionUnitInterval",
            "ProductionUnitNameAndAddress",
            *(f"{each}{side}" for each in (
                "GetLegalUnit", "SearchLegalUnit", "GetProductionUnit", "SearchProductionUnit",
                "GetRelatedProductionUnitNameAndAddress",
            ) for side in ("Request", "Response")),
        )
    ),
    cvr=CVR, cpr=_CPR, cpr1=_CPR_2007, dkcc2003=_DKCC_2003, dkcc2005=_DKCC_2005, itst=_ITST, kms=_KMS,
)  # fmt: skip
OPERATIONS: Final = (
    "getLegalUnit", "searchLegalUnit", "getProductionUnit", "searchProductionUnit",
    "getRelatedProductionUnitNameAndAddress",
)  # fmt: skip
OUTER_SCHEMA: Final = schema(
    OUTER, "OnlineServiceMsg.xsd",
    "".join(
        f"type {name}RequestType = &callctx:CallContext?, &invctx:InvocationContext?, &cvr:{name}Request\n"
        f"type {name}ResponseType = &cvr:{name}Response\n"
        f"element {name}Request : {name}RequestType\nelement {name}Response : {name}ResponseType\n"
        for name in (f"{each[0].upper()}{each[1:]}" for each in OPERATIONS)
    ),
    callctx=CALL_CONTEXT, invctx=INVOCATION_CONTEXT, cvr=INNER_SCHEMA,
)  # fmt: skip
