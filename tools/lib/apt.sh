# SPDX-License-Identifier: MIT
# Debian's packages for i386, by apt with lists of its own, below DIRECTORY: the host's settings stay what
# they are. Sourced.
apt_i386() { # DIRECTORY PROGRAM ARGUMENTS...
    local lists=$1
    mkdir -p "$lists/lists/partial" "$lists/cache/archives/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
        "${MIRROR:-http://deb.debian.org/debian} bookworm main" > "$lists/sources.list"
    "$2" -o APT::Architecture=i386 -o APT::Architectures=i386 -o Dir::State::Lists="$lists/lists" \
        -o Dir::Cache="$lists/cache" -o Dir::Etc::SourceList="$lists/sources.list" \
        -o Dir::Etc::SourceParts=- -o Dir::State::Status=/dev/null -o Acquire::Languages=none \
        -o Acquire::Retries=2 -o APT::Sandbox::User= "${@:3}"
}
