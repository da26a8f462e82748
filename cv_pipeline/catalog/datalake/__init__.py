"""Questions to the lake, their answers, and the same questions as of then."""
