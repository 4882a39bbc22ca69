"""The clients that people push and pull with: umoci makes images, skopeo copies them, oras makes indexes and artifacts.

All of them are run as programs, without any policy, credentials or settings of the machine that the tests run on.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.programs import find

# Far more than a push of some kilobytes to this machine needs.
TIMEOUT_SECONDS = 120.0
CLIENTS = ("umoci", "skopeo", "oras")


@dataclass(frozen=True)
class Clients:
    """The clients, their scratch directory, and a source of random but repeatable contents."""

    directory: Path
    random: random.Random

    @staticmethod
    def in_directory(directory: Path, seed: int = 1) -> Clients:
        """Clients that are all there."""
        for name in CLIENTS:
            find(name)
        (directory / "home").mkdir(parents=True)
        (directory / "files").mkdir()
        clients = Clients(directory, random.Random(seed))
        clients._run("umoci", "init", "--layout", str(clients.layout))
        return clients

    @property
    def layout(self) -> Path:
        """The OCI image layout that umoci works in."""
        return self.directory / "layout"

    def _run(self, name: str, *arguments: str) -> str:
        home = str(self.directory / "home")
        done = subprocess.run(
            [find(name), *arguments],
            # oras takes the names of files for the titles of layers, and wants them without a directory.
            cwd=self.directory / "files",
            env={"PATH": os.environ.get("PATH", ""), "HOME": home, "XDG_RUNTIME_DIR": home},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
        )
        assert done.returncode == 0, (name, arguments, done.stdout, done.stderr)
        return done.stdout

    def random_file(self, size_bytes: int = 3000) -> Path:
        """A file with contents that no other has."""
        path = self.directory / "files" / f"file-{self.random.getrandbits(64):016x}"
        path.write_bytes(self.random.randbytes(size_bytes))
        return path

    def make_image(self, name: str, *, base: str | None = None, layers: int = 2, architecture: str = "amd64") -> None:
        """Makes an image in the layout, by umoci: the layers of another one, if any, and some of its own."""
        image = f"{self.layout}:{name}"
        if base is None:
            self._run("umoci", "new", "--image", image)
        else:
            self._run("umoci", "tag", "--image", f"{self.layout}:{base}", name)
        rootless = [] if os.geteuid() == 0 else ["--rootless"]
        for _ in range(layers):
            file = self.random_file()
            self._run("umoci", "insert", *rootless, "--image", image, str(file), f"/{file.name}")
        # A tag of its own makes the config differ where nothing else does.
        self._run("umoci", "config", "--image", image, f"--architecture={architecture}", f"--config.label=image={name}")

    def push(self, name: str, address: str, reference: str, *, docker_format: bool = False) -> None:
        """Pushes an image of the layout to ``repository:tag``, by skopeo."""
        target = f"docker://{address}/{reference}"
        media_type = ["--format", "v2s2"] if docker_format else []
        self._skopeo_copy(*media_type, "--dest-tls-verify=false", f"oci:{self.layout}:{name}", target)

    def push_list(self, address: str, source: str, target: str) -> None:
        """Copies an index with all its children, to another repository or tag, by skopeo."""
        tls = ["--src-tls-verify=false", "--dest-tls-verify=false"]
        self._skopeo_copy("--all", *tls, f"docker://{address}/{source}", f"docker://{address}/{target}")

    def pull(self, address: str, reference: str) -> dict[str, bytes]:
        """Pulls an image with all its platforms, by skopeo: files by digest as it has them on disk."""
        target = self.directory / f"pulled-{self.random.getrandbits(64):016x}"
        self._skopeo_copy("--all", "--src-tls-verify=false", f"docker://{address}/{reference}", f"oci:{target}:pulled")
        blobs = target / "blobs" / "sha256"
        return {f"sha256:{path.name}": path.read_bytes() for path in blobs.iterdir()}

    def _skopeo_copy(self, *arguments: str) -> None:
        # Debian's skopeo comes without the policy file that it asks for.
        self._run("skopeo", "--insecure-policy", "copy", "--quiet", *arguments)

    def make_index(self, address: str, repository: str, tag: str, children: list[str]) -> None:
        """Makes an index of manifests of the same repository, by oras."""
        self._run("oras", "manifest", "index", "create", "--plain-http", f"{address}/{repository}:{tag}", *children)

    def push_artifact(self, address: str, reference: str) -> None:
        """Pushes a file as an artifact, by oras."""
        self._run(
            "oras",
            "push",
            "--plain-http",
            "--artifact-type=application/vnd.example.chart",
            f"{address}/{reference}",
            f"{self.random_file().name}:application/vnd.example.chart.layer",
        )

    def attach(self, address: str, reference: str, kind: str, *, fallback_tag: bool) -> str:
        """Pushes an artifact with ``reference`` as its subject, by oras; gives back the artifact's digest.

        Distribution has no referrers API. With a fallback tag the artifact is listed under ``sha256-<hex>``, without
        one (as clients leave it that think the registry has the API) nothing but its subject leads to it.
        """
        scheme = "v1.1-referrers-tag" if fallback_tag else "v1.1-referrers-api"
        output = self._run(
            "oras",
            "attach",
            "--plain-http",
            f"--distribution-spec={scheme}",
            f"--artifact-type=application/vnd.example.{kind}",
            "--format=json",
            f"{address}/{reference}",
            f"{self.random_file().name}:application/vnd.example.{kind}.layer",
        )
        digest: str = json.loads(output)["digest"]
        return digest
