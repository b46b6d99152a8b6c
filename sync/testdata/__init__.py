"""Test data: fictitious persons and the real municipalities, in the registers' own formats.

Families of four, one per municipality, one in Greenland and one whose members are dead, make a hundred families
with every case the layout knows; then the pattern repeats with other people. Nobody in it exists: see
`sync.testdata.numbers` for how the personal numbers make sure of that.
"""

from sync.testdata.delivery import JOB, PRODUCTION, file_name, generate, generate_changes
from sync.testdata.files import write_changes, write_testdata
from sync.testdata.registers import authority_register, road_register

__all__ = [
    "JOB",
    "PRODUCTION",
    "authority_register",
    "file_name",
    "generate",
    "generate_changes",
    "road_register",
    "write_changes",
    "write_testdata",
]
