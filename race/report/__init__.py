"""Reports, drawn from a result document alone: `terminal`, `markdown`, `junit`. What they say is in `words`."""
