"""Schemas: what data and services promise.

A register's folder says in files what its datasets hold (contract) and how they can be called (service descriptors);
tables, validation, paths, documentation and catalogue entries follow from that.
"""

from typing import TYPE_CHECKING

from kernel.door import hang_door

if TYPE_CHECKING:
    from schemas.catalogue import (
        SHIPPED,
        DatasetUnknown,
        Registers,
        ServiceUnknown,
        check_registers,
        load_registers,
        register_folders,
    )
    from schemas.changes import WIDENINGS, Change, Grade, compare, grade_of, renamed, version_fault
    from schemas.column import Classification, Column, Kind
    from schemas.contract import Contract, read_contract
    from schemas.dataset import Dataset, ProtectionRule
    from schemas.derivation import Computed, Derivation, FromDataset, FromList
    from schemas.document import Document, Review, did_you_mean, path_of, read_document
    from schemas.expression import Expression
    from schemas.finding import ContractInvalid, Finding, Severity
    from schemas.foreign import ForeignRefused, Translated, translate
    from schemas.joining import Joining, JoiningInvalid
    from schemas.live import (
        Component,
        Fallback,
        Live,
        Method,
        Orchestration,
        PassThrough,
        Redirect,
        Step,
        Told,
    )
    from schemas.properties import NAME
    from schemas.rule import CheckDigit, Condition, Duplicated, ForeignKey, Invalid, Limit, Missing, RowCount, Rule
    from schemas.service import (
        COMPONENTS,
        MASTER,
        SOAP_INTERFACES,
        IntegrationType,
        Service,
        ServiceStatus,
        ServiceType,
        SlaClass,
        Suitability,
        suitability,
    )
    from schemas.visible import ColumnsNotCovered, ColumnUnknown, visible_columns

__all__ = [
    "COMPONENTS",
    "MASTER",
    "NAME",
    "SHIPPED",
    "SOAP_INTERFACES",
    "WIDENINGS",
    "Change",
    "CheckDigit",
    "Classification",
    "Column",
    "ColumnUnknown",
    "ColumnsNotCovered",
    "Component",
    "Computed",
    "Condition",
    "Contract",
    "ContractInvalid",
    "Dataset",
    "DatasetUnknown",
    "Derivation",
    "Document",
    "Duplicated",
    "Expression",
    "Fallback",
    "Finding",
    "ForeignKey",
    "ForeignRefused",
    "FromDataset",
    "FromList",
    "Grade",
    "IntegrationType",
    "Invalid",
    "Joining",
    "JoiningInvalid",
    "Kind",
    "Limit",
    "Live",
    "Method",
    "Missing",
    "Orchestration",
    "PassThrough",
    "ProtectionRule",
    "Redirect",
    "Registers",
    "Review",
    "RowCount",
    "Rule",
    "Service",
    "ServiceStatus",
    "ServiceType",
    "ServiceUnknown",
    "Severity",
    "SlaClass",
    "Step",
    "Suitability",
    "Told",
    "Translated",
    "check_registers",
    "compare",
    "did_you_mean",
    "grade_of",
    "load_registers",
    "path_of",
    "read_contract",
    "read_document",
    "register_folders",
    "renamed",
    "suitability",
    "translate",
    "version_fault",
    "visible_columns",
]

hang_door(__name__)
