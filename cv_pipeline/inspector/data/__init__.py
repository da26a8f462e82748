"""What the pages on datasets, models, queries and lineage show, read from where it lies."""
