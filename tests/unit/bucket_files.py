"""Files that the table of bucket configurations names, with secrets that must not be seen anywhere."""

from __future__ import annotations

import json
from pathlib import Path

from bucket_configurations import Case

# Of whatever is made of a configuration, no text that is shown may contain these.
SECRETS = ("verysecret", "dmVyeXNlY3JldA==", "AKIAEXAMPLE", "PRIVATE KEY")
# In the form of a key, and none: it is read only when the first request is signed.
_PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nverysecret\n-----END PRIVATE KEY-----\n"


def fill_in(case: Case, directory: Path, endpoint: str) -> tuple[str, dict[str, str]]:
    """The whole configuration and the environment of a case, its files written."""
    key = {
        "type": "service_account",
        "project_id": "reg",
        "private_key_id": "1",
        "private_key": _PRIVATE_KEY,
        "client_email": "me@reg.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": f"{endpoint}/token",
    }
    texts = {
        "KEYFILE": json.dumps(key),
        "OTHERKEY": json.dumps({"type": "authorized_user", "refresh_token": "verysecret"}),
        "NOKEY": "verysecret",
    }
    values = {"ENDPOINT": endpoint, "CREDENTIALS": json.dumps(key)}
    for name, text in texts.items():
        file = directory / f"{name.lower()}.json"
        file.write_text(text)
        values[name] = str(file)
    storage, environment = case.storage, dict(case.environment)
    for name, value in values.items():
        storage = storage.replace(f": {name}\n", f": {value}\n")
        environment = {variable: value if text == name else text for variable, text in environment.items()}
    return f"version: 0.1\nstorage:\n{storage}", environment
