#!/bin/sh
# Print one-line apt sources of SUITE as this host gets Debian itself, so that a mirror that was set up here is used for what is
# built here. Fails when this host's apt has no source of Debian.
# Usage: apt_sources.sh SUITE COMPONENT...
set -eu
suite=$1
shift
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# shellcheck disable=SC2016  # apt-get replaces these, not the shell
debian() { apt-get indextargets 'Created-By: Packages' 'Origin: Debian' --format '$(REPO_URI) $(RELEASE)' 2>/dev/null; }
found=$(debian) || true
if [ -z "$found" ]; then
    # Whose a source is stands in the lists that apt has fetched.
    apt-get -qq update >&2
    found=$(debian) || true
fi
echo "$found" | awk -v suite="$suite" -v components="$*" -v keyring="$keyring" '
    function source(uri, release) { print "deb [signed-by=" keyring "] " uri " " release " " components }
    $2 ~ /-security$/ && !security { security = $1; next }
    NF && $2 !~ /-/ && !main { main = $1 }
    END {
        if (!main) {
            print "apt on this host has no source of Debian: add one to /etc/apt/sources.list.d" > "/dev/stderr"
            exit 1
        }
        source(main, suite); source(main, suite "-updates")
        if (security) source(security, suite "-security")
    }'
