"""What is wrong, where and why: mistakes, likely label errors, charts."""
