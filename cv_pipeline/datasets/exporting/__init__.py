"""Dataset versions in other tools' formats."""
