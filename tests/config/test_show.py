"""A configuration as text, and the reference of parameters."""

from pathlib import Path

from gateway.config import parse
from gateway.config.load import GLOBAL_TABLE, SHARE_TABLE
from gateway.config.show import effective, reference

TEXT = r"""
[global]
    server string = 100%% ours
    tcp port = 4450
    interfaces = lo "my net"
[Docs]
    path = "/srv/%S/%U/100%% "
    valid users = ann @staff
    create mask = 0600
"""


def test_only_what_is_not_default():
    assert effective(parse(TEXT)) == (
        "[global]\n"
        "    server string = 100%% ours\n"
        "    tcp port = 4450\n"
        '    interfaces = lo "my net"\n'
        "\n"
        "[Docs]\n"
        '    path = "/srv/Docs/%U/100%% "\n'
        "    valid users = ann @staff\n"
        "    create mask = 0600\n"
    )


def test_what_is_shown_means_the_same():
    config = parse(TEXT)
    for everything in (False, True):
        again = parse(effective(config, everything=everything))
        assert (again.shares, again.server_string) == (config.shares, config.server_string)
        assert effective(again, everything=True) == effective(config, everything=True)


def test_everything_is_everything():
    shown = effective(parse(TEXT), everything=True)
    for declared in (*GLOBAL_TABLE, *SHARE_TABLE):
        assert f"    {declared.name} =" in shown


def test_the_reference_in_the_docs_is_up_to_date():
    document = (Path(__file__).parents[2] / "docs/configuration.md").read_text()
    assert document.endswith(reference()), "run scripts/reference"
