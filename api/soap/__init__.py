"""SOAP: the same services for clients of the established contracts, on the same road as REST.

    bytes -> reading (hardened XML) -> identify -> context -> grant -> admit -> operation -> bytes -> ledger -> out

`notation` holds what an interface's types are; its XSD, its WSDL and the writing of its answers follow from that one
text, so they cannot disagree. `established/` has the interfaces that clients know from elsewhere, `generic` makes one
for any service that looks records up.
"""
