"""race: a reproducer of memory-ordering races in kernel code."""

__version__ = "0.1.0"
