"""What the pages of labelling show."""
