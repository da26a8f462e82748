"""What the board of a project shows, read from the event log: numbers over time, and alerts."""
