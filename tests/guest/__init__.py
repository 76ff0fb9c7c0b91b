"""Tests that run in the virtual machine of `scripts/guest`."""
