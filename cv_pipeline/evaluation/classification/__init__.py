"""One class an image, compared with the true one."""
