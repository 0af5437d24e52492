"""Benchmarks: `python -m benchmarks.NAME [--small] --json FILE`; see README.md beside this file."""
