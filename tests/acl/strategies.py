"""Random SIDs, ACEs, descriptors and tokens from a small world, so that they meet."""

from hypothesis import strategies as st

from acl import ace as a
from acl import descriptor as d
from acl import sid as s
from acl.token import Token

DOMAIN = s.Sid.of(5, 21, 11, 22, 33)
PEOPLE = [DOMAIN.child(rid) for rid in range(1000, 1004)]
GROUPS = [DOMAIN.child(rid) for rid in range(2000, 2003)]
WORLD = [*PEOPLE, *GROUPS, s.EVERYONE, s.OWNER_RIGHTS, s.CREATOR_OWNER, s.CREATOR_GROUP, s.SYSTEM]

sids = st.sampled_from(WORLD)
# Mostly rights of files, sometimes any bit at all.
masks = st.integers(0, 0x1F01FF) | st.sampled_from([0x1F01FF, 1 << 31, 1 << 30, 1 << 29, 1 << 28, 0x020E01FF])
flags = st.integers(0, 0x1F) | st.just(0)


@st.composite
def aces(draw: st.DrawFn, types: st.SearchStrategy[int] | None = None) -> a.Ace:
    ace_type = draw(
        types if types is not None else st.sampled_from(sorted(a.PLAIN_TYPES | a.OBJECT_TYPES | {4, 0x14, 0x80}))
    )
    data = draw(st.binary(max_size=12).map(lambda data: data[: len(data) // 4 * 4]))
    ace = a.Ace(ace_type, draw(flags), draw(masks), draw(sids), data)
    if ace_type in a.OBJECT_TYPES:
        object_flags = draw(st.integers(0, 3))
        guid = bytes(range(16))
        parts = (guid if object_flags & 1 else b"", guid[::-1] if object_flags & 2 else b"")
        return a.Ace(ace_type, ace.flags, ace.mask, ace.sid, data, object_flags, *parts)
    return a.Ace(ace_type, ace.flags, 0, s.NULL_SID, data) if ace.is_opaque else ace


def acls(types: st.SearchStrategy[int] | None = None) -> st.SearchStrategy[a.Acl]:
    return st.lists(aces(types), max_size=8).map(lambda entries: a.Acl.of(*entries))


descriptors = st.builds(
    d.SecurityDescriptor,
    st.none() | sids,
    st.none() | sids,
    st.none() | acls(),
    st.none() | acls(),
    st.integers(0, 0xFFFF).map(lambda control: control & ~d.SE_RM_CONTROL_VALID),
)

tokens = st.builds(
    lambda user, groups, privileges: Token(user, (*groups, s.EVERYONE), privileges),
    st.sampled_from(PEOPLE),
    st.lists(st.sampled_from(GROUPS), max_size=3),
    st.integers(0, 31),
)
