"""From a selection of images to a corrective run: what it would change, and launching it."""
