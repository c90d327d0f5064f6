"""Runs behind the tables of the later chapters: in each file a `Run`, and `row_of(run)` that makes one row of it."""
