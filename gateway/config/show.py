"""A configuration as text: what is in effect, and what there is to set."""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.config.effect import remark
from gateway.config.load import GLOBAL_TABLE, SHARE_TABLE
from gateway.config.macros import DYNAMIC, MACROS
from gateway.config.model import Config
from gateway.config.parameters import Parameter, Table

__all__ = ["effective", "explain", "reference"]


def effective(config: Config, *, everything: bool = False) -> str:
    """The configuration as a file that would lead to it; without `everything`, only what is not the default."""
    lines = ["[global]", *_settings(GLOBAL_TABLE, config, everything)]
    for share in config.shares.values():
        lines += ["", f"[{share.name}]", *_settings(SHARE_TABLE, share, everything)]
    return "\n".join(lines) + "\n"


def _settings(table: Table, values: object, everything: bool) -> Iterator[str]:
    for declared in table:
        value = getattr(values, declared.field)
        if everything or value != declared.default:
            yield f"    {declared.name} = {_escaped(declared, declared.kind.show(value))}".rstrip()


def _escaped(declared: Parameter, text: str) -> str:
    """The text with its percent signs as they have to be written; dynamic macros are still in it."""
    return text.replace("%", "%%") if declared.macros and not declared.macros & DYNAMIC else text


def explain(declared: Parameter) -> str:
    """All there is to know of a parameter, as one line."""
    parts = [f"{declared.name} = {declared.kind.show(declared.default)}".rstrip(), declared.doc]
    return ": ".join(parts)


@dataclass(frozen=True)
class _Heading:
    title: str
    text: str
    table: Table


def reference() -> str:
    """The reference of all parameters, in Markdown."""
    headings = (
        _Heading("Parameters of the server", "They stand in `[global]`.", GLOBAL_TABLE),
        _Heading(
            "Parameters of a share",
            "They stand in the share's section, or in `[global]` as the default of all shares.",
            SHARE_TABLE,
        ),
    )
    lines: list[str] = []
    for heading in headings:
        lines += [f"## {heading.title}", "", heading.text, ""]
        group = ""
        for declared in heading.table:
            if declared.group != group:
                group = declared.group
                lines += [f"### {group}", ""]
            lines += [*_entry(declared), ""]
    lines += ["## Macros", "", "| macro | stands for | known |", "|---|---|---|"]
    for letter, meaning in MACROS.items():
        known = "when a client connects" if letter in DYNAMIC else "always"
        lines.append(f"| `%{letter}` | {meaning} | {known} |")
    return "\n".join(lines) + "\n"


def _entry(declared: Parameter) -> Iterator[str]:
    default = declared.kind.show(declared.default)
    yield f"**{declared.name}** = {f'`{default}`' if default else '(empty)'}  "
    yield f"{declared.doc}  "
    facts = [f"Expects {declared.kind.allowed}."]
    if declared.synonyms:
        facts.append(f"Also called {_listed(declared.synonyms)}.")
    if declared.inverted:
        facts.append(f"The opposite of {_listed(declared.inverted)}.")
    if declared.macros:
        letters = sorted(declared.macros, key=lambda letter: (letter.lower(), letter))
        facts.append(f"Macros: {' '.join(f'`%{letter}`' for letter in letters)}.")
    if note := remark(declared.name):
        facts.append(f"_{note[0].upper()}{note[1:]}._")
    yield " ".join(facts)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
