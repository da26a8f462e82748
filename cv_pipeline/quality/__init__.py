"""How good labels are, and what they cost."""
