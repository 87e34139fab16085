"""Every execution of a scenario: the tree of executions in rounds of units, on any Executor, and what that proves."""
