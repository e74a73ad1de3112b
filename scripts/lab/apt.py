# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""Private apt roots: fetch packages and sources without installing them.

Each suite has its own sources, lists and (empty) status below build/apt; the
system's sources stay as they are, sources.py reads them. apt checks the signatures.
"""
import re
import shutil
import subprocess
import time

from . import paths, sources, steps, ui

MAX_AGE = 24 * 3600     # lists older than this are fetched again before use


class Root:
    """The private apt of one suite, e.g. trixie or bookworm-backports."""

    def __init__(self, suite):
        self.suite = suite
        self.dir = paths.APT / suite
        self.conf = self.dir / "apt.conf"

    def _write(self):
        for sub in ("lists/partial", "cache/archives/partial"):
            (self.dir / sub).mkdir(parents=True, exist_ok=True)
        (self.dir / "status").touch()
        paths.write_atomic(self.dir / "debian.sources", sources.text_for(self.suite))
        # Backports rank below the release unless asked for; all else by version.
        default = self.suite if "-" in self.suite else ""
        # Read after the system's configuration: proxies and passwords hold, hooks and
        # what is preferred for the system itself do not.
        paths.write_atomic(self.conf, f'''\
Dir::State "{self.dir}";
Dir::State::lists "{self.dir}/lists";
Dir::State::status "{self.dir}/status";
Dir::Cache "{self.dir}/cache";
Dir::Etc::sourcelist "{self.dir}/debian.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::IndexTargets::deb::DEP-11;
APT::Sandbox::User "root";
APT::Architecture "amd64";
#clear APT::Architectures;
APT::Architectures "amd64";
APT::Default-Release "{default}";
Acquire::Languages "none";
Acquire::Retries "3";
''')

    def update(self):
        """Fetch the lists unless they are recent."""
        stamp = f"apt-{self.suite}"
        key = steps.key_of(sources.text_for(self.suite))
        stamp_file = paths.STAMPS / stamp
        if steps.done(stamp, key) and time.time() - stamp_file.stat().st_mtime < MAX_AGE:
            return
        self._write()
        ui.run(f"package lists of {self.suite}",
               ["apt-get", "-c", self.conf, "-q", "--error-on=any", "update"], stamp)
        steps.mark(stamp, key)

    def _apt(self, *args):
        return ui.output([args[0], "-c", self.conf, *args[1:]])

    def source_version(self, source):
        self.update()
        versions = re.findall(r"^Version: (\S+)", self._apt("apt-cache", "showsrc", source), re.M)
        if not versions:
            raise ui.Failure(f"source package {source} is not in {self.suite}")
        best = versions[0]
        for version in versions[1:]:
            if subprocess.run(["dpkg", "--compare-versions", version, "gt", best],
                              check=False).returncode == 0:
                best = version
        return best

    def depends(self, package):
        """Names of the packages PACKAGE depends on directly."""
        self.update()
        text = self._apt("apt-cache", "depends", "--no-recommends", "--no-suggests",
                         "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances",
                         package)
        return re.findall(r"Depends: (\S+)", text)

    def closure(self, packages):
        """PACKAGES and all they need, as apt would install them on an empty system."""
        self.update()
        text = self._apt("apt-get", "-s", "--no-install-recommends", "install", *packages)
        return re.findall(r"^Inst (\S+)", text, re.M)

    def fetch(self, label, packages, into):
        """Download PACKAGES and unpack them, all together, to the directory INTO."""
        self.update()
        packages = sorted(set(packages))
        archives = self.dir / "cache" / "archives" / label.replace(" ", "-")
        shutil.rmtree(archives, ignore_errors=True)
        archives.mkdir(parents=True)
        log = f"fetch-{label.replace(' ', '-')}"
        ui.run(f"{label}: download", ["apt-get", "-c", self.conf, "-q", "download", *packages],
               log, cwd=archives)
        with steps.fresh_dir(into) as tmp:
            for deb in sorted(archives.glob("*.deb")):
                ui.output(["dpkg-deb", "-x", deb, tmp])
        shutil.rmtree(archives)

    def fetch_source(self, source, version, into):
        """Download source package SOURCE, check it, unpack it to INTO with patches."""
        self.update()
        where = paths.DOWNLOAD / source
        where.mkdir(parents=True, exist_ok=True)
        ui.run(f"{source} {version}: download",
               ["apt-get", "-c", self.conf, "-q", "--only-source", "--download-only",
                "source", f"{source}={version}"], f"fetch-{source}", cwd=where)
        dsc = where / f"{source}_{version.partition(':')[2] or version}.dsc"
        with steps.fresh_dir(into) as tmp:
            tmp.rmdir()
            ui.run(f"{source} {version}: unpack",
                   ["dpkg-source", "--no-copy", "-x", dsc, tmp],
                   f"unpack-{source}")
