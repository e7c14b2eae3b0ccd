"""The memory report, against what is really allocated."""
