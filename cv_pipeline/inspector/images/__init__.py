"""What the grid of images and the page of one image show: selections, facets and drawn boxes."""
