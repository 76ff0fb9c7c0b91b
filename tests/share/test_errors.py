"""Every kind of storage error has a status."""

import pytest

from gateway.nt.status import STATUS_DISK_FULL, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_SUCCESS
from gateway.share.errors import STATUS_OF_KIND, status_of
from vfs_backends.errors import Kind, VfsError


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_an_error(kind) -> None:
    status = status_of(VfsError(kind, "detail"))
    assert status != STATUS_SUCCESS
    assert status >> 30 in (2, 3)


def test_table() -> None:
    assert set(STATUS_OF_KIND) == set(Kind)
    assert STATUS_OF_KIND[Kind.NOT_FOUND] == STATUS_OBJECT_NAME_NOT_FOUND
    assert STATUS_OF_KIND[Kind.NO_SPACE] == STATUS_DISK_FULL
