"""Where in an image a model looks when it says what is there."""
