"""The script that a tracked page loads: its source, and how it is served per site."""
