"""Scenarios: what to race, read from TOML and checked before anything runs."""
