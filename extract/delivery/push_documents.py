"""What is written last beside a file on an SFTP server: a sum, or a document of the established exchange. Pure."""

from extract.delivery.parcel import Parcel
from extract.delivery.targets import SftpTarget
from extract.exchange import HOUSE_USER
from extract.exchange.xml import Described, metadata_text, trigger_text


def last_words(target: SftpTarget, parcel: Parcel) -> bytes:
    """A line as `sha256sum -c` reads it, or XML of the published types."""
    if target.document == "sum":
        return f"{parcel.sha256}  {parcel.name}\n".encode()
    described = Described(
        file=parcel.name,
        size_bytes=parcel.size_bytes,
        sender=target.sender or (target.user if target.trigger == "trigger" else HOUSE_USER),
        recipients=target.recipients or (target.user,),
        senders_file_id=parcel.transfer,
    )
    if target.trigger == "trigger":
        return trigger_text(described)
    return metadata_text(described, parcel.transfer, legacy=target.document == "legacy")
