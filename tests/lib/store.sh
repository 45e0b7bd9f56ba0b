# SPDX-License-Identifier: MIT
# Programs on an ext2 on a disk, judged from outside: power cuts (a short slice), requests that fail, a file
# larger than memory. Sourced by tests/run and tests/cuts, after cuts.sh, failing.sh and large.sh.

# The machine is left while programs have files open: by process 1 (HOW is off, restart), or at the prompt (wait). All is
# on the disk, which says that it is clean.
machine_left() { # HOW STATUS
    local work name
    work=$(mktemp -d "$queue_dir/XXXXXX.dir")
    mkdir "$work/root" "$work/root/dev"
    cp "$user_bin/power_off" "$work/root"
    mke2fs -q -F -t ext2 -b 1024 -d "$work/root" "$work/disk" 8192
    tools/disk build/droste-checked.elf "$work/boot.img" "root=hdb init=/power_off" "$work/root/power_off=/power_off $1"
    talk_begin -boot c -m 64 -cpu pentium3 -drive "format=raw,snapshot=on,file=$work/boot.img" \
        -drive "format=raw,file=$work/disk"
    await '^all is written'
    if [ "$1" = wait ]; then
        press_key
        say 'halt\n'
    fi
    talk_end "$2"
    ! grep -a 'written to the end' "$talk_log"
    dumpe2fs -h "$work/disk" 2> "$work/errors" | grep -E '^Filesystem state: +clean$'
    e2fsck -fn "$work/disk"
    seq 60000 > "$work/wanted"
    for name in parent d/child; do
        debugfs -R "dump /$name $work/found" "$work/disk"
        cmp "$work/wanted" "$work/found"
    done
    rm -rf "$work"
}

store_build() {
    make_quietly "$host/ext2/ext2" "$user_bin"/{power_cuts,disk_errors,large_file,power_off} \
        build/droste.elf build/droste-checked.elf
}

store_checks() {
    printf '%s\n' power-cuts-{1024,4096-pio} failing-disk-{once,ever} large-file-{16,8} machine-left-{off,restart,halt} |
        grep -E -- "$queue_pattern" > /dev/null || return 0
    check_first build-store store_build
    check power-cuts-1024 power_cuts 1 60 1024 50 40
    check power-cuts-4096-pio power_cuts 2 60 4096 50 40 -M isapc
    check failing-disk-once failing_disk once 1 90
    check failing-disk-ever failing_disk ever 1 90
    check machine-left-off machine_left off $STATUS_HALT
    check machine-left-restart machine_left restart 0
    check machine-left-halt machine_left wait $STATUS_HALT
    check large-file-16 large_file 16 200
    check large-file-8 large_file 8 200
}
