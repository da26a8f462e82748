"""Which image goes to which split and fold, and why it stays there."""
