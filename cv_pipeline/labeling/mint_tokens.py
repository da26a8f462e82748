"""Run by Label Studio's own Python: makes accounts and mints their tokens, without a server.

Standard input is a JSON list of e-mail addresses; standard output one JSON object, each address to
``{"id", "token"}``. An account that is there stays as it is and gets one more token. The data
directory and the first admin are named by the environment, as Label Studio has it.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path


def main() -> None:
    """Make the accounts that standard input lists."""
    emails = json.load(sys.stdin)
    answer = sys.stdout
    sys.stdout = sys.stderr  # Label Studio prints while it starts
    import label_studio

    sys.path.insert(0, str(Path(label_studio.__file__).parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings.label_studio")
    import django

    django.setup()
    from jwt_auth.models import LSAPIToken
    from organizations.models import Organization
    from users.models import User

    made = {}
    for email in emails:
        user = User.objects.filter(email=email).first()
        organization = Organization.objects.first()
        if user is None:
            user = User.objects.create_user(email=email, password=secrets.token_urlsafe(24))
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
