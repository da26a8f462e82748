"""What the page of an evaluation shows, read from what was recorded; nothing is measured again."""
