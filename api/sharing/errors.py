from kernel import NotFound, NotIdentified, RequestInvalid


class SharingTokenMissing(NotIdentified):
    code = "sharing_token_missing"
    title = "The call shows no token"


class SharingUnknown(NotFound):
    code = "sharing_unknown"
    title = "There is no such share, schema, table or file"


class SharingRequestInvalid(RequestInvalid):
    code = "sharing_request_invalid"
    title = "The question to the share cannot be understood"
