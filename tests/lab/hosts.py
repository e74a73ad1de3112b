#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 The sci-rsm authors
"""What the lab tool makes of the host it finds: apt's sources, systems, packages."""
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "scripts"))

from lab import distro, packages, sources, testlib  # noqa: E402

DEB822 = """\
# Written by the installer.
Types: deb deb-src
URIs: mirror+file:///etc/apt/mirrors/debian.list
Suites: bookworm bookworm-updates
# All of it:
Components: main contrib non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: mirror+https://mirrors.example/security.list
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY865UxYJKwYBBAHaRw8BAQdA
 -----END PGP PUBLIC KEY BLOCK-----
"""

SNAPSHOT = """\
deb [check-valid-until=no signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]\
 http://snapshot.debian.org/archive/debian/20250520T000000Z/ bookworm main
deb-src http://snapshot.debian.org/archive/debian/20250520T000000Z/ bookworm main
# deb http://off.example/debian bookworm main
deb [ check-valid-until=no ] http://snapshot.debian.org/archive/debian-security/20250520T000000Z/\
 bookworm-security main # as of May
"""

COMPANY = """\
deb cdrom:[Debian GNU/Linux 12.5.0 _Bookworm_ - Official amd64]/ bookworm main
deb [arch=amd64,i386 trusted=yes] https://user:word@files.example:8443/os/deb12 stable main
deb [arch=amd64 signed-by=/etc/apt/keyrings/tools.gpg] https://tools.example/debian bookworm main
deb https://tools.example/flat ./
deb [arch=arm64] https://ports.example/debian bookworm main
"""


def _places(suite, text, name="sources.list", origins=None, release="bookworm"):
    entries = [e for e in sources.parse(name, text) if sources.is_debians(e, origins or {})]
    return [(e.uri, e.suite) for e in sources.pick(suite, entries, release)]


def stanzas_are_taken_over(_):
    mirror = "mirror+file:///etc/apt/mirrors/debian.list"
    security = "mirror+https://mirrors.example/security.list"
    assert _places("bookworm", DEB822, "debian.sources") == [
        (mirror, "bookworm"), (mirror, "bookworm-updates"), (security, "bookworm-security")]
    assert _places("trixie-backports", DEB822, "debian.sources") == [
        (mirror, "trixie"), (mirror, "trixie-updates"), (security, "trixie-security"),
        (mirror, "trixie-backports")]
    assert _places("sid", DEB822, "debian.sources") == [(mirror, "sid")]


def a_key_in_a_stanza_stays_as_it_is(_):
    text = sources.parse("debian.sources", DEB822)[-1].text()
    key = DEB822.partition("Signed-By:\n")[2]
    assert text.replace("Signed-By: \n", "Signed-By:\n").endswith("Signed-By:\n" + key), text
    assert sources.parse("debian.sources", text)[0].text() == text


def options_of_lines_are_taken_over(_):
    first, second = sources.parse("sources.list", SNAPSHOT)
    assert first.options == {
        "Check-Valid-Until": "no",
        "Signed-By": "/usr/share/keyrings/debian-archive-keyring.gpg"}, first
    assert second.options == {"Check-Valid-Until": "no"}, second
    assert "Types: deb deb-src\n" in first.text()


def a_snapshot_without_updates_gets_none(_):
    archive, security = (f"http://snapshot.debian.org/archive/{name}/20250520T000000Z/"
                         for name in ("debian", "debian-security"))
    assert _places("trixie", SNAPSHOT) == [(archive, "trixie"), (security, "trixie-security")]
    assert _places("bookworm-backports", SNAPSHOT) == [
        (archive, "bookworm"), (security, "bookworm-security"), (archive, "bookworm-backports")]


def a_mirror_of_any_path_is_known_by_what_apt_has_of_it(_):
    company = "https://user:word@files.example:8443/os/deb12"
    origins = {("https://files.example:8443/os/deb12", "stable"): "Debian",
               ("https://tools.example/debian", "bookworm"): "Tools Ltd"}
    assert _places("bookworm", COMPANY, origins=origins) == [(company, "bookworm")]
    assert _places("trixie", COMPANY, origins=origins) == [(company, "trixie")]
    options = sources.parse("sources.list", COMPANY)[0].options
    assert options == {"Trusted": "yes"}, options


def what_the_host_has_for_a_suite_is_not_derived(_):
    text = SNAPSHOT + "deb http://other.example/debian trixie main\n"
    assert _places("trixie", text)[0] == ("http://other.example/debian", "trixie")
    assert _places("bookworm", text) == _places("bookworm", SNAPSHOT)


def foreign_sources_are_left_alone(_):
    tools = "deb [signed-by=/etc/apt/keyrings/tools.gpg] https://tools.example/debian bookworm main"
    assert _places("bookworm", tools) == []
    ubuntu = "deb http://archive.ubuntu.com/ubuntu noble main\n"
    assert _places("trixie", ubuntu, origins={
        ("http://archive.ubuntu.com/ubuntu", "noble"): "Ubuntu"}, release="trixie") == []


def sites_are_compared_as_apt_names_them(_):
    for uri, name in (("http://u:p@h.example/debian/", "http://h.example/debian"),
                      ("mirror+file:///etc/x.list", "mirror+file:/etc/x.list"),
                      ("file:/srv/debian", "file:/srv/debian")):
        assert sources.site(uri) == name, (uri, sources.site(uri))


def a_named_mirror_makes_up_no_other(_):
    def places(text):
        return [(e.uri, e.suite) for e in sources.named(text, "trixie")]

    assert places("http://h/d/") == [("http://h/d", "trixie"), ("http://h/d", "trixie-updates")]
    assert places("http://h/d http://h/s")[2:] == [("http://h/s", "trixie-security")]


def every_host_has_a_release_for_its_guests(_):
    for text, release in (
            ("ID=debian\nVERSION_CODENAME=bookworm\n", "bookworm"),
            ("ID=debian\nVERSION_CODENAME=forky\n", "trixie"),
            ('ID=linuxmint\nDEBIAN_CODENAME="bookworm"\n', "bookworm"),
            ('ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n', "trixie"),
            ('ID=fedora\nVERSION_CODENAME=""\n', "trixie"),
            ("", "trixie")):
        assert distro.release(text) == release, text


def packages_are_called_as_the_system_calls_them(_):
    def command(text):
        names = distro.names(text)
        absent = packages.missing(["test"], names, lambda _: set(), lambda _: False)
        return packages.install_command(names, {m.package for m in absent})

    apt = command("ID=debian\nVERSION_CODENAME=trixie\n")
    assert apt[:2] == ["apt-get", "install"] and {"g++", "libclang-rt-dev"} <= set(apt), apt
    assert command("ID=ubuntu\nID_LIKE=debian\n")[0] == "apt-get"
    dnf = command("ID=fedora\n")
    assert dnf[:2] == ["dnf", "install"] and {"gcc-c++", "libasan"} <= set(dnf), dnf
    assert command("ID=arch\n") is None


def what_is_there_is_not_installed(_):
    for installed, is_there in ((lambda _: set(), lambda _: True), (set, lambda _: False)):
        assert packages.missing(["build", "test"], ["debian"], installed, is_there) == []



if __name__ == "__main__":
    testlib.main([
        stanzas_are_taken_over,
        a_key_in_a_stanza_stays_as_it_is,
        options_of_lines_are_taken_over,
        a_snapshot_without_updates_gets_none,
        a_mirror_of_any_path_is_known_by_what_apt_has_of_it,
        what_the_host_has_for_a_suite_is_not_derived,
        foreign_sources_are_left_alone,
        sites_are_compared_as_apt_names_them,
        a_named_mirror_makes_up_no_other,
        every_host_has_a_release_for_its_guests,
        packages_are_called_as_the_system_calls_them,
        what_is_there_is_not_installed,
    ], nodes=0)
