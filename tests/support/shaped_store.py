"""A store of one shape in any size: many images of few layers, half of them untagged.

In each repository every image has a config and three layers of its own, and two base layers that are those of every
image of the registry; every other one has a tag. So an image with a tag is twelve objects, one without is ten; and half
of all blobs but the base layers are garbage once untagged manifests are. In its default size this is the store for
which requests have been counted on many versions of the registry: 1,112 objects, 502 of them blobs.
"""

from __future__ import annotations

from support.store_builder import TOP, Store

OWN_LAYERS = 3
BASE_LAYERS = 2


def make_store(repositories: int = 5, images: int = 20) -> Store:
    """A store of so many images in each repository; 90 repositories of 20 images are 19,982 objects."""
    store = Store()
    for place in range(repositories):
        repository = store.repository(f"team-{place:03}/app")
        base = [repository.layer(f"base layer {number}") for number in range(BASE_LAYERS)]
        for number in range(images):
            own = [f"layer {layer} of image {number} of {repository.name}" for layer in range(OWN_LAYERS)]
            repository.image(*base, *own, tag=f"v{number}" if number % 2 == 0 else None)
    return store


def objects_of(store: Store, root: str) -> dict[str, bytes]:
    """What a registry with that root would have written into a bucket: files alone, by key."""
    prefix = f"{root}/{TOP}" if root else TOP
    return {f"{prefix}/{path}": content for path, content in store.files.items()}
