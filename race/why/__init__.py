"""Why an execution goes wrong: the cycle of accesses, what would forbid it, in words and as a litmus test."""
