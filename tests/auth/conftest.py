import os

import pytest

from gateway.auth.acceptor import Acceptor, AuthPolicy
from gateway.auth.accounts import Account, AccountDatabase
from gateway.auth.ntlm_keys import nt_hash_from_password

NOW = 1_800_000_000_000_000_000
POLICY = AuthPolicy("FILES", netbios_domain="WORKGROUP", dns_name="files.example.com", dns_domain="example.com")

DATABASE = AccountDatabase(
    [
        Account("alice", nt_hash_from_password("Secret-1")),
        Account("Straße", nt_hash_from_password("pässword €\U0001f511")),
        Account("off", nt_hash_from_password("Secret-2"), disabled=True),
        Account("empty", nt_hash_from_password("")),
    ]
)


@pytest.fixture
def make_acceptor():
    def make(policy=POLICY, lookup=DATABASE.lookup, urandom=os.urandom):
        return Acceptor(policy, lookup, urandom)

    return make
