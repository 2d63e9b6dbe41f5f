"""A study's result as plain data: `result.json`."""
