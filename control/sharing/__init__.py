"""Tokens of the open bulk face: each speaks for one agreement, is kept as its hash, ends and can be revoked."""

from control.sharing.door import LONGEST, Sharing
from control.sharing.values import SharingToken, token_hash

__all__ = ["LONGEST", "Sharing", "SharingToken", "token_hash"]
