"""Where a source's files come from: the part `connector` of a source file, and what it makes.

A kind of connector is a body (its edge in YAML) and a spec (its value inside the house), in a module of its own. The
union here is the list of kinds.
"""

from typing import Annotated

from pydantic import Field

from sync.connectors.folder import FolderBody, FolderSpec
from sync.connectors.http import HttpBody, HttpSpec
from sync.connectors.s3 import S3Body, S3Spec
from sync.connectors.sftp import SftpBody, SftpSpec
from sync.connectors.spec import ConnectorSpec
from sync.connectors.sql import SqlBody, SqlSpec

ConnectorBody = Annotated[FolderBody | SftpBody | S3Body | HttpBody | SqlBody, Field(discriminator="kind")]

__all__ = ["ConnectorBody", "ConnectorSpec", "FolderSpec", "HttpSpec", "S3Spec", "SftpSpec", "SqlSpec"]
