"""Dataset candidates, their splits and checks, and the immutable versions made of them."""
