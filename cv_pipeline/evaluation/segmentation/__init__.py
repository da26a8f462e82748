"""The class of every pixel, compared with the true one."""
