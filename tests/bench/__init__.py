"""Tests of `adamas bench`."""
