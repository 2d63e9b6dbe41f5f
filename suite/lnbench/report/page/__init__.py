"""A study's result as a Markdown page: `report.md`."""
