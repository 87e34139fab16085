"""The suite of known bugs: each with its fault and with its fix, under every model."""
