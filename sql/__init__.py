"""The numbered migrations. `docserver.database.migrate` applies them in order."""
