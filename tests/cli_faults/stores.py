"""The stores that faults are tried on: small, with one of each thing that can be removed, and much that cannot."""

from __future__ import annotations

from support import documents
from support.documents import absent
from support.store_builder import Store


def small_store() -> Store:
    """Tagged, untagged, overwritten, shared, nested; a tag without link; dangling links; orphans."""
    store = Store()
    app, base = store.repository("app"), store.repository("library/base")
    app.image("base layer", "old layer", tag="latest")
    amd64, arm64 = app.image("base layer", "amd64"), app.image("base layer", "arm64")
    app.index(amd64, arm64, tag="latest")
    app.image("signature", subject=amd64)
    app.image(app.layer_by_sha512("by sha512"), tag="sha512")
    app.image("untagged layer")
    app.link(absent("gone", documents.OCI_MANIFEST))
    app.link_layer(absent("gone, too"))
    base.image("base layer", tag="1.0")
    base.tag("lost", base.image("pushed halfway"))
    store.remove(base.tag_path("lost"))
    base.layer("unused")
    deleted = base.image("deleted layer", tag="deleted")
    base.delete_manifest(deleted)
    store.blob("orphan")
    store.age(30 * 86400)
    return store
