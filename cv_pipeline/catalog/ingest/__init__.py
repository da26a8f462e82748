"""Files of a source become images of the lake, with what is declared about them."""
