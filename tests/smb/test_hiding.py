import pytest

from gateway.smb.hiding import hiding


def test_nothing():
    assert hiding(dot_files=False) is None


@pytest.mark.parametrize(
    ("name", "dots", "patterns", "hidden"),
    [
        (".profile", True, (), True),
        ("..", True, (), False),
        (".profile", False, ("*.bak",), False),
        (".profile", True, ("*.bak",), True),
        ("a.BAK", True, ("*.bak",), True),
        ("a.bak2", True, ("*.bak",), False),
        ("Desktop.ini", False, ("x", "desktop.in?"), True),
        ("desktop.init", False, ("x", "desktop.in?"), False),
        (".", True, ("*",), False),
        ("..", False, ("*",), False),
    ],
)
def test_names(name, dots, patterns, hidden):
    hides = hiding(dot_files=dots, patterns=patterns)
    assert (hides is not None and hides(name)) is hidden
