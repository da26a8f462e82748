"""Pictures that show the same: found by hashes, confirmed by looking at them."""
