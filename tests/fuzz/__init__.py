"""Parsers of what strangers send, and what must hold whatever that is.

Hypothesis looks at them briefly in `tests/unit/reelhaul/test_whatever_is_sent.py`; `make fuzz` has atheris, which sees
which branches an input takes, look for longer where a wheel of it runs.
"""
