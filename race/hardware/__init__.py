"""The hardware engine: native threads on this host's own CPUs, or on those of a board that race-native ran on."""
