"""What the registry's configuration may hold: sections, keys and the type of each.

Only ``storage`` matters to a collection. The rest is here because an environment variable is judged by it: one that
names a known key is decoded (and is an error where its value has the wrong type), one that does not is only warned of.
The table is the union of 2.8.3 and 3.1.1 (``configuration/configuration.go``: ``Configuration`` and what it holds):
what only one of the two knows is accepted, so that either's configuration file works.

A type is ``"string"``, ``"bool"``, ``"int"``, ``"duration"`` or ``"any"``; a dict is a section with known keys;
``("list", type)`` and ``("map", type)`` hold any number; ``("named", …)`` is a map with parameters by name, or just a
name.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STRINGS = ("list", "string")
HEADERS = ("map", STRINGS)
PARAMETERS = ("map", "any")
NAMED_PARAMETERS = ("named", PARAMETERS)

LOG_LEVELS = ("error", "warn", "info", "debug")
LOG_FORMATTERS = ("text", "json", "logstash")

_CHECK = {"interval": "duration", "threshold": "int"}
_SMTP = {"addr": "string", "username": "string", "password": "string", "insecure": "bool"}
_ENDPOINT: dict[str, Any] = {
    "name": "string",
    "disabled": "bool",
    "url": "string",
    "headers": HEADERS,
    "timeout": "duration",
    "threshold": "int",
    "backoff": "duration",
    "ignoredmediatypes": STRINGS,
    "ignore": {"mediatypes": STRINGS, "actions": STRINGS},
}
_TLS: dict[str, Any] = {
    "certificate": "string",
    "key": "string",
    "clientcas": STRINGS,
    "clientauth": "string",
    "minimumtls": "string",
    "ciphersuites": STRINGS,
    "letsencrypt": {"cachefile": "string", "email": "string", "hosts": STRINGS, "directoryurl": "string"},
}
_REDIS: dict[str, Any] = {
    # 2.8
    "addr": "string",
    "pool": {"maxidle": "int", "maxactive": "int", "idletimeout": "duration"},
    # 3.x
    "addrs": STRINGS,
    "mastername": "string",
    "tls": {"certificate": "string", "key": "string", "rootcas": STRINGS},
    **dict.fromkeys(("clientname", "username", "password", "sentinelusername", "sentinelpassword"), "string"),
    **dict.fromkeys(("db", "protocol", "maxretries", "poolsize", "minidleconns", "maxidleconns"), "int"),
    **dict.fromkeys(("maxactiveconns", "maxredirects"), "int"),
    **dict.fromkeys(("minretrybackoff", "maxretrybackoff", "dialtimeout", "readtimeout", "writetimeout"), "duration"),
    **dict.fromkeys(("pooltimeout", "connmaxidletime", "connmaxlifetime"), "duration"),
    **dict.fromkeys(("contexttimeoutenabled", "poolfifo", "readonly", "routebylatency", "routerandomly"), "bool"),
    **dict.fromkeys(("disableidentity", "unstableresp3"), "bool"),
    "identitysuffix": "string",
}

CONFIGURATION: dict[str, Any] = {
    "version": "string",
    "log": {
        "accesslog": {"disabled": "bool"},
        "level": "string",
        "formatter": "string",
        "fields": PARAMETERS,
        "hooks": (
            "list",
            {
                "disabled": "bool",
                "type": "string",
                "levels": STRINGS,
                "options": {"smtp": _SMTP, "from": "string", "to": STRINGS},
            },
        ),
        "reportcaller": "bool",
    },
    "loglevel": "string",
    "storage": NAMED_PARAMETERS,
    "auth": NAMED_PARAMETERS,
    "middleware": ("map", ("list", {"name": "string", "disabled": "bool", "options": PARAMETERS})),
    "http": {
        **dict.fromkeys(("addr", "net", "host", "prefix", "secret"), "string"),
        "relativeurls": "bool",
        "draintimeout": "duration",
        "tls": _TLS,
        "headers": HEADERS,
        "debug": {"addr": "string", "prometheus": {"enabled": "bool", "path": "string"}},
        "http2": {"disabled": "bool"},
        "h2c": {"enabled": "bool"},
    },
    "notifications": {"events": {"includereferences": "bool"}, "endpoints": ("list", _ENDPOINT)},
    "redis": _REDIS,
    "health": {
        "file": ("list", {**_CHECK, "file": "string"}),
        "http": ("list", {**_CHECK, "statuscode": "int", "uri": "string", "headers": HEADERS, "timeout": "duration"}),
        "tcp": ("list", {**_CHECK, "addr": "string", "timeout": "duration"}),
        "storagedriver": {**_CHECK, "enabled": "bool"},
    },
    "catalog": {"maxentries": "int"},
    "tags": {"maxtags": "int"},
    "proxy": {
        **dict.fromkeys(("remoteurl", "username", "password"), "string"),
        "exec": {"command": "string", "lifetime": "duration"},
        "ttl": "duration",
        "cachewritetimeout": "duration",
    },
    "validation": {
        "enabled": "bool",
        "disabled": "bool",
        "manifests": {
            "urls": {"allow": STRINGS, "deny": STRINGS},
            "indexes": {
                "platforms": "string",
                "platformlist": ("list", {"architecture": "string", "os": "string"}),
            },
        },
    },
    "policy": {"repository": {"classes": STRINGS}},
    "compatibility": {"schema1": {"signingkeyfile": "string", "enabled": "bool"}},
    "reporting": {
        "bugsnag": {"apikey": "string", "releasestage": "string", "endpoint": "string"},
        "newrelic": {"licensekey": "string", "name": "string", "verbose": "bool"},
    },
}

# Where the name of the Go field, which environment variables go by, is not the key of the file.
FIELD_NAMES = {
    ("log", "hooks", "options"): "mailoptions",
    ("health", "file"): "filecheckers",
    ("health", "http"): "httpcheckers",
    ("health", "tcp"): "tcpcheckers",
    ("notifications", "events"): "eventconfig",
    ("compatibility", "schema1", "signingkeyfile"): "trustkey",
}
