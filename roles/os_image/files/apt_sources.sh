#!/bin/sh
# Print one-line apt sources of SUITE as this host gets Debian itself, so that a mirror that was set up here is
# used for what is built here. Where the host's apt says nothing of Debian: deb.debian.org.
# Usage: apt_sources.sh SUITE COMPONENT...
set -eu
suite=$1
shift
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# shellcheck disable=SC2016  # apt-get replaces these, not the shell
apt-get indextargets 'Created-By: Packages' 'Origin: Debian' --format '$(REPO_URI) $(RELEASE)' 2>/dev/null |
    awk -v suite="$suite" -v components="$*" -v keyring="$keyring" '
        function source(uri, release) { print "deb [signed-by=" keyring "] " uri " " release " " components }
        $2 ~ /-security$/ && !security { security = $1; next }
        $2 !~ /-/ && !main { main = $1 }
        END {
            if (!main) main = "http://deb.debian.org/debian"
            if (!security) security = "http://deb.debian.org/debian-security"
            source(main, suite); source(main, suite "-updates"); source(security, suite "-security")
        }'
