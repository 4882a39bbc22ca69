"""Configuration files and environments that the registry accepts, refuses, or reads in a way one would not guess.

``AA`` and ``BB`` stand for two storage roots. ``expected`` is the directory that 3.1.2 collects in, or ``None`` where
it refuses the configuration; ``only_3`` marks what 2.8.2 sees differently. ``test_config.py`` holds regsweep to it,
``test_config_servers.py`` the registries themselves.
"""

from typing import NamedTuple


class Case(NamedTuple):
    text: str
    environment: dict[str, str]
    expected: str | None
    only_3: bool = False


BASE = "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: AA\n"
ROOT = "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY"
ANCHOR = "version: 0.1\nx: &a {rootdirectory: BB}\nstorage:\n  filesystem:\n"

ENVIRONMENT = {
    "none": Case(BASE, {}, "AA"),
    "root": Case(BASE, {ROOT: "BB"}, "BB"),
    "last-part-in-lower-case": Case(BASE, {ROOT[:-13] + "rootdirectory": "BB"}, "BB"),
    "first-part-in-lower-case": Case(BASE, {"REGISTRY_storage_FILESYSTEM_ROOTDIRECTORY": "BB"}, "AA"),
    "whole-storage": Case(BASE, {"REGISTRY_STORAGE": "{filesystem: {rootdirectory: BB}}"}, "BB"),
    "shorter-path-first": Case(BASE, {ROOT: "BB", "REGISTRY_STORAGE": "{filesystem: {rootdirectory: AA}}"}, "BB"),
    "whole-driver": Case(BASE, {"REGISTRY_STORAGE_FILESYSTEM": "{rootdirectory: BB}"}, "BB"),
    "no-storage-left": Case(BASE, {"REGISTRY_STORAGE": ""}, None),
    "second-driver": Case(BASE, {"REGISTRY_STORAGE_S3_BUCKET": "x"}, None),
    "not-a-driver": Case(BASE, {"REGISTRY_STORAGE_DELETE_ENABLED": "true"}, "AA"),
    "tag-is-not-a-driver": Case(BASE, {"REGISTRY_STORAGE_TAG_CONCURRENCYLIMIT": "4"}, "AA", only_3=True),
    "storage-from-nothing": Case("version: 0.1\n", {ROOT: "BB"}, "BB"),
    "storage-by-name": Case("version: 0.1\nstorage: filesystem\n", {ROOT: "BB"}, "BB"),
    "new-key-in-lower-case": Case(BASE.replace("rootd", "RootD"), {ROOT: "BB"}, "BB"),
    "unknown": Case(BASE, {"REGISTRY_FOO": "x", "REGISTRY_": "x", "REGISTRY_HTTP_FOO_BAR": "x"}, "AA"),
    "version": Case(BASE, {"REGISTRY_VERSION": "0.2"}, "AA"),
    "wrong-type": Case(BASE, {"REGISTRY_HTTP_ADDR": "[a, b]"}, None),
    "wrong-duration": Case(BASE, {"REGISTRY_HTTP_DRAINTIMEOUT": "xx"}, None),
    "below-a-text": Case(BASE, {"REGISTRY_HTTP_ADDR_FOO": "x"}, "AA"),
    "log-level": Case(BASE, {"REGISTRY_LOG_LEVEL": "bogus"}, None),
    "log-format": Case(BASE, {"REGISTRY_LOG_FORMATTER": "xml"}, None),
    "log-field": Case(BASE, {"REGISTRY_LOG_FIELDS_SERVICE": "x"}, "AA"),
    "list": Case(BASE, {"REGISTRY_NOTIFICATIONS_ENDPOINTS": "[{name: x}]"}, "AA"),
    "list-index": Case(BASE, {"REGISTRY_NOTIFICATIONS_ENDPOINTS_0_NAME": "x"}, "AA"),
    "list-index-too-high": Case(BASE, {"REGISTRY_NOTIFICATIONS_ENDPOINTS_5_NAME": "x"}, None, only_3=True),
    "list-index-no-number": Case(BASE, {"REGISTRY_NOTIFICATIONS_ENDPOINTS_A_NAME": "x"}, None, only_3=True),
    "max-threads": Case(BASE, {"REGISTRY_STORAGE_FILESYSTEM_MAXTHREADS": "abc"}, None),
    "field-name-differs": Case(BASE, {"REGISTRY_HEALTH_FILECHECKERS_0_FILE": "x"}, "AA"),
}

FILES = {
    "empty": Case("", {}, None),
    "scalar": Case("foo", {}, None),
    "list": Case("[a]", {}, None),
    "not-yaml": Case("a: b: c", {}, None),
    "unclosed": Case("a: [", {}, None),
    "tab": Case("\tfoo: bar", {}, None),
    "no-version": Case(BASE[13:], {}, None),
    "version-0.2": Case(BASE.replace("0.1", "0.2"), {}, None),
    "version-0.10": Case(BASE.replace("0.1", "0.10"), {}, None),
    "version-text": Case(BASE.replace("0.1", "'0.1'"), {}, "AA"),
    "version-word": Case(BASE.replace("0.1", "abc"), {}, None),
    "no-storage": Case("version: 0.1\n", {}, None),
    "storage-null": Case("version: 0.1\nstorage:\n", {}, None),
    "storage-list": Case("version: 0.1\nstorage: [filesystem]\n", {}, None),
    "driver-is-text": Case("version: 0.1\nstorage:\n  filesystem: foo\n", {}, None),
    "only-delete": Case("version: 0.1\nstorage: {delete: {enabled: true}}\n", {}, None),
    "two-drivers": Case(BASE + "  s3: {bucket: x}\n", {}, None),
    "tag": Case(BASE + "  tag: {concurrencylimit: 5}\n", {}, "AA", only_3=True),
    "capital-section": Case(BASE.replace("storage", "Storage"), {}, None),
    "capital-driver": Case(BASE.replace("filesystem", "FileSystem"), {}, None),
    "second-section-wins": Case(BASE + "storage:\n  filesystem:\n    rootdirectory: BB\n", {}, "BB"),
    "second-driver-wins": Case(BASE + "  filesystem:\n    rootdirectory: BB\n", {}, "BB"),
    "unknown-keys": Case(BASE + "foo: bar\nhttp:\n  addr: 5\n  bar: [1]\n", {}, "AA"),
    "wrong-section": Case(BASE + "http: foo\n", {}, None),
    "wrong-bool": Case(BASE + "http:\n  relativeurls: maybe\n", {}, None),
    "short-bool": Case(BASE + "http:\n  relativeurls: y\n", {}, "AA"),
    "wrong-int": Case(BASE + "catalog: {maxentries: x}\n", {}, None),
    "wrong-duration": Case(BASE + "http:\n  draintimeout: abc\n", {}, None),
    "duration": Case(BASE + "http:\n  draintimeout: 1h5m\n", {}, "AA"),
    "duration-number": Case(BASE + "http:\n  draintimeout: 10\n", {}, "AA"),
    "log-level": Case(BASE + "log:\n  level: foo\n", {}, None),
    "log-level-capitals": Case(BASE + "log:\n  level: INFO\n", {}, "AA"),
    "log-format": Case(BASE + "log:\n  formatter: xml\n", {}, None),
    "two-auths": Case(BASE + "auth: {a: {}, b: {}}\n", {}, None),
    "null-sections": Case(BASE + "log: null\nhttp: ~\nhealth:\n", {}, "AA"),
    "max-threads-below-floor": Case(BASE + "    maxthreads: -5\n", {}, "AA"),
    "max-threads-text": Case(BASE + "    maxthreads: '0x20'\n", {}, "AA"),
    "max-threads-float": Case(BASE + "    maxthreads: 1.5\n", {}, None),
    "max-threads-bool": Case(BASE + "    maxthreads: true\n", {}, None),
    "max-threads-negative-text": Case(BASE + "    maxthreads: '-3'\n", {}, None),
    "merge": Case(ANCHOR + "    <<: *a\n", {}, "BB"),
    "merge-overrides-what-is-before": Case(ANCHOR + "    rootdirectory: AA\n    <<: *a\n", {}, "BB"),
    "merge-is-overridden-by-what-is-after": Case(ANCHOR + "    <<: *a\n    rootdirectory: AA\n", {}, "AA"),
    "merge-of-a-number": Case(ANCHOR + "    <<: 5\n    rootdirectory: AA\n", {}, None),
    "unknown-anchor": Case("version: 0.1\nstorage: {filesystem: *zz}\n", {}, None),
    "anchor-in-itself": Case("version: 0.1\nstorage: &a {filesystem: *a}\n", {}, None),
    "second-document": Case(BASE + "---\nversion: 0.2\n", {}, "AA"),
    "rubbish-after-the-document": Case(BASE + "...\nfoo: [\n", {}, "AA"),
    "directive": Case("%YAML 1.1\n---\n" + BASE, {}, "AA"),
    "dos-lines": Case(BASE.replace("\n", "\r\n"), {}, "AA"),
    "byte-order-mark": Case("\ufeff" + BASE, {}, "AA"),
    "control-character": Case(BASE + "\x01\n", {}, None),
    "root-octal": Case(BASE.replace("AA", "0755"), {}, "493"),
    "root-yes": Case(BASE.replace("AA", "y"), {}, "true"),
    "root-text-number": Case(BASE.replace("AA", "!!str 493"), {}, "493"),
    "redis-2.8": Case(BASE + "redis: {addr: x, db: 1, pool: {maxidle: 3}}\n", {}, "AA"),
    "redis-3": Case(BASE + "redis: {addrs: [x]}\n", {}, "AA"),
}
