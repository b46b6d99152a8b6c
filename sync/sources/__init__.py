"""Sources: connectors that fetch files, decoders that turn them into rows."""

from sync.sources.csv_table import CsvDecoder
from sync.sources.decoded import Decoded, Decoder
from sync.sources.folder import Folder
from sync.sources.port import Connector, Offered

__all__ = ["Connector", "CsvDecoder", "Decoded", "Decoder", "Folder", "Offered"]
