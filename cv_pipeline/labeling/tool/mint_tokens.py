"""Run by Label Studio's own Python: makes a data directory ready, with accounts and their tokens.

Standard input is a JSON object of e-mail addresses and passwords; standard output one of addresses
and ``{"id", "token"}``. What is there stays as it is; an account gets one more token. No server
need run. The data directory is named by the environment, as Label Studio has it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main() -> None:
    """Make the accounts that standard input lists."""
    accounts = dict(json.load(sys.stdin))
    answer = sys.stdout
    sys.stdout = sys.stderr  # Label Studio prints while it starts
    sys.path.pop(0)  # beside this file lies another module of that name
    import label_studio

    sys.path.insert(0, str(Path(label_studio.__file__).parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings.label_studio")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", "--no-color", verbosity=0)
    from jwt_auth.models import LSAPIToken
    from organizations.models import Organization
    from users.models import User

    made = {}
    for email, password in accounts.items():
        user = User.objects.filter(email=email).first()
        organization = Organization.objects.first()
        if user is None:
            user = User.objects.create_user(email=email, password=password)
        if organization is None:
            organization = Organization.create_organization(created_by=user, title="Label Studio")
        elif not organization.has_user(user):
            organization.add_user(user)
        user.active_organization = organization
        user.save(update_fields=["active_organization"])
        made[email] = {"id": user.pk, "token": LSAPIToken.for_user(user).get_full_jwt()}
    json.dump(made, answer)


if __name__ == "__main__":
    main()
