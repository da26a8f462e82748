"""What the page of a run shows while it runs and when it has ended."""
