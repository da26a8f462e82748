"""What changed between two dataset versions, with the reasons, and the history of an image."""
