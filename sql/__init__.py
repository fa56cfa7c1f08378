"""The numbered migrations, applied in order by `docserver.migrate`."""
