"""Who may do what: roles, permissions, accounts, sessions and tokens."""
