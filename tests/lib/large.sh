# SPDX-License-Identifier: MIT
# Little memory, and a file that is much larger. Sourced by tests/run, after queue.sh and boot.sh.

# The root, 512 MiB with holes: /large has at each word its number, and near its end one that is searched.
large_make() { # DIRECTORY MIB
    mkdir "$1/root" "$1/root/dev" "$1/root/proc"
    cp "$user_bin/large_file" "$1/root"
    perl -e '
        my $parts = $ARGV[0] * 16;
        for my $part (0 .. $parts - 1) {
            my $data = pack("L*", $part * 16384 .. $part * 16384 + 16383);
            substr($data, 4000, 4) = pack("L", 0xDEADBEEF) if $part == $parts - 2;
            print $data;
        }' "$2" > "$1/root/large"
    truncate -s 512M "$1/disk"
    mke2fs -q -F -t ext2 -b 4096 -d "$1/root" "$1/disk"
}

# Read, searched and copied with MEMORY MiB; the copy is compared here.
large_file() { # MEMORY MIB
    local work
    work=$(mktemp -d "$queue_dir/XXXXXX.dir")
    large_make "$work" "$2"
    tools/disk build/droste.elf "$work/boot.img" "root=hdb init=/large_file"
    run_and_find 129 '^init: exited with status 0' -- -boot c -m "$1" -cpu pentium3 \
        -drive "format=raw,snapshot=on,file=$work/boot.img" -drive "format=raw,file=$work/disk" |
        tee "$work/said"
    ! grep -a '^not ok' "$work/said"
    e2fsck -fn "$work/disk"
    debugfs -R "dump /copy $work/copy" "$work/disk"
    cmp "$work/root/large" "$work/copy"
    echo "note: $(sed -n 's/^# //p' "$work/said" | tr -d '\r' | tr '\n' ' ')"
    rm -rf "$work"
}
