"""Runs the migrations on the connection that `migrating` gives, in the transaction it is in."""

from alembic import context

from fastagi_server.store.schema import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
