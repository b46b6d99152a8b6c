"""How a name stands in SQL."""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
