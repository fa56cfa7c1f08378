"""A job's life: its transitions, the leases of those who work on it, who is told, and the workers themselves."""
