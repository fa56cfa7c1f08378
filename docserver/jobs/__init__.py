"""The life of a job: its transitions, the leases of its workers, publication to readers, and the workers."""
