"""Webhooks as Standard Webhooks defines them: who is told of events, and how. Nothing here knows our API.

See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
"""
