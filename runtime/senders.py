"""How a delivery is brought to its receiver: the sender for each kind of target, made of what the house has."""

from extract import DeliverySettings
from extract.delivery.parcel import Parcel, Sender
from extract.delivery.push_https import HttpsSender
from extract.delivery.push_sftp import SftpSender
from extract.delivery.ssh_keys import private_key
from extract.delivery.subscription import Subscription
from extract.delivery.targets import HttpsTarget, Inbox, SftpTarget
from extract.delivery.to_inbox import InboxSender
from kernel import Grant
from runtime.delivering import poster_of, reach_of
from runtime.delivery_keys import delivery_ssh_key
from runtime.wiring import House


def sender_of(house: House, subscription: Subscription, grant: Grant) -> Sender | None:
    """None for what lies on the shelf until it is taken."""
    instance, given = house.instance, house.settings.delivery
    match subscription.wish.target:
        case SftpTarget() as target:
            key = private_key(delivery_ssh_key(instance))
            return SftpSender(target=target, key=key, reach=reach_of(given), timeout_s=given.timeout_s)
        case HttpsTarget() as target:
            poster = poster_of(instance, given, target.url, subscription.id)
            return HttpsSender(
                target=target, poster=poster, source=given.public_url,
                pull=lambda parcel: address_of(given, subscription, parcel),
            )  # fmt: skip
        case Inbox():
            return InboxSender(house.exchange, grant)
        case _:
            return None


def address_of(settings: DeliverySettings, subscription: Subscription, parcel: Parcel) -> str:
    """Where a receiver fetches a file that it was told of: the agreement's file by its snapshot and columns."""
    return f"{settings.public_url}/v1/services/{subscription.wish.service}/files/{parcel.name}"
