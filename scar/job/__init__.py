"""One job: Algorithm 1 and its stages, and what a job leaves: its record, rows, plans and runs of loggers."""
