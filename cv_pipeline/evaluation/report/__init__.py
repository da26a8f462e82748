"""One page that tells all of an evaluation."""
