"""Tenants: who may use the service, by which keys. Nothing here knows HTTP."""
