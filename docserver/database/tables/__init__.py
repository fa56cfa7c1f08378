"""All SQL of the service: one module per table or concept, one function per statement, named for its effect.

Functions take the cursor; callers own the transaction. All times come from the database's clock.
"""
