"""Runs behind the tables of the later chapters: in each file a `Run`, and `row_of(run)` that makes one row of it.

Only those of `goals` are judged by a classifier; the sweep hands it to every `row_of` alike.
"""
