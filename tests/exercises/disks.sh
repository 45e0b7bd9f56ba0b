# SPDX-License-Identifier: MIT
# Exercises of docs/disks.md. Words: tests/lib/exercises.sh, and the disks of tests/lib/disk.sh.

# The tests of disks fail as NAMEs say, and no others.
disk_tests_fail() { # NAME...
    local log=$image.log.img
    tools/floppy "$(kernel checked)" "$image.floppy.img" test=disk
    wants_status $STATUS_FAIL qemu "${with_serial[@]}" -m 64 -boot a \
        -drive "if=floppy,format=raw,readonly=on,file=$image.floppy.img" \
        -drive "if=ide,format=raw,file=$image" | tee "$log" || return 1
    diff <(printf '%s\n' "$@") <(tr -d '\r' < "$log" | sed -nE 's/^not ok [0-9]+ - disk: //p')
}

# Ask once.
disks_1() {
    changed disks-1
    image=$(mktemp "$queue_dir/XXXXXX.img")
    disk_pattern "$image" a 0 0 $DISK_SECTORS
    disk_tests_fail 'a write that got into the queue of a closed disk: refused by the driver, too'
}

# 28 bits.
disks_2() {
    changed disks-2
    image=$(mktemp "$queue_dir/XXXXXX.img")
    disk_large_make
    disk_tests_fail 'full of a pattern, read in pieces of all sizes: every word is right, none beside them'
    disk_pattern "$image.small.img" a 0 0 $DISK_SECTORS
    boot_some_tests "$(kernel checked)" test=disk -m 64 -drive "if=ide,format=raw,file=$image.small.img"
}

# Silence.
disks_3() {
    disk_silent ""
}
