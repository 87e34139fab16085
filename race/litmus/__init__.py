"""Litmus tests: small AArch64 programs and a question about their final states, in the field's `.litmus` format."""
