# SPDX-License-Identifier: MIT
# Programs on an ext2 on a disk, judged from outside: power cuts (a short slice), requests that fail, a file
# larger than memory. Sourced by tests/run and tests/cuts, after cuts.sh, failing.sh and large.sh.

store_build() {
    make_quietly "$host/ext2/ext2" "$user_bin"/{power_cuts,disk_errors,large_file} \
        build/droste.elf build/droste-checked.elf
}

store_checks() {
    printf '%s\n' power-cuts-{1024,4096-pio} failing-disk-{once,ever} large-file-{16,8} |
        grep -E -- "$queue_pattern" > /dev/null || return 0
    check_first build-store store_build
    check power-cuts-1024 power_cuts 1 60 1024 50 40
    check power-cuts-4096-pio power_cuts 2 60 4096 50 40 -M isapc
    check failing-disk-once failing_disk once 1 90
    check failing-disk-ever failing_disk ever 1 90
    check large-file-16 large_file 16 200
    check large-file-8 large_file 8 200
}
