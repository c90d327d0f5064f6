"""Runs behind the tables of the later chapters: in each file a `Run`, and `row_of(run)` that makes one row of it.

No classifier judges these runs; the argument is there because the sweep calls every `row_of` alike.
"""
