"""Webhooks: who is told of events, and their delivery by the letter of Standard Webhooks. Nothing here knows our API.

See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
"""
