"""The established exchange of files over SFTP: folders IN and OUT, triggers, metadata and receipts."""

from extract.exchange.exchange import HOUSE_USER, Exchange, InMetadata

__all__ = ["HOUSE_USER", "Exchange", "InMetadata"]
