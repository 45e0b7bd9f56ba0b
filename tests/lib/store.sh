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

# PROGRAM needs more memory than there is. With instructions as the clock, no event of the kernel is longer than the aim
# of `make bench` for one, 20 million: so long, at most, a key waits (include/process/events.h). The option names the swap.
events_of_swap() { # PROGRAM "OPTIONS"
    local work
    work=$(mktemp -d "$queue_dir/XXXXXX.dir")
    truncate -s 64M "$work/swap"
    mkswap "$work/swap" > /dev/null
    tools/disk build/droste.elf "$work/boot.img" "init=$1 events $2" "$user_bin/$1=$1"
    wants_status 129 qemu "${with_serial[@]}" -boot c -m 16 -cpu pentium3 -icount shift=0,sleep=off \
        -drive "format=raw,snapshot=on,file=$work/boot.img" -drive "format=raw,file=$work/swap" \
        < /dev/null > "$work/said"
    tr -d '\r' < "$work/said" | awk '
        /^event_[a-z0-9_]+ [0-9]+ cyc$/ { print; if ($2 > longest) { longest = $2; name = $1 } }
        END {
            print "note: the longest event: " longest + 0 " instructions (" name ")"
            exit longest == 0 || longest > 20000000
        }'
    rm -rf "$work"
}

store_build() {
    make_quietly "$host/ext2/ext2" "$user_bin"/{power_cuts,disk_errors,large_file,power_off} \
        "$user_bin"/swap_{errors,pressure,ram} \
        build/droste.elf build/droste-checked.elf
}

store_checks() {
    printf '%s\n' power-cuts-{1024,4096-pio} failing-disk-{once,ever} failing-swap-{read,write,dead} \
        events-swap-{disk,ram} large-file-{16,8} machine-left-{off,restart,halt} |
        grep -E -- "$queue_pattern" > /dev/null || return 0
    check_first build-store store_build
    check power-cuts-1024 power_cuts 1 60 1024 50 40
    check power-cuts-4096-pio power_cuts 2 60 4096 50 40 -M isapc
    check failing-disk-once failing_disk once 1 90
    check failing-disk-ever failing_disk ever 1 90
    check machine-left-off machine_left off $STATUS_HALT
    check machine-left-restart machine_left restart 0
    check machine-left-halt machine_left wait $STATUS_HALT
    check failing-swap-read failing_swap read 8000 'SIGBUS: 1, no memory: 0' 'hdb +16383 +0 '
    check failing-swap-write failing_swap write 8000 'SIGBUS: 0, no memory: 0' 'hdb +16383 +1 '
    check failing-swap-dead failing_swap write '' 'SIGBUS: 0, no memory: [1-9]' hdb
    check events-swap-disk events_of_swap swap_pressure swap=hdb
    check events-swap-ram events_of_swap swap_ram swap=ram
    check large-file-16 large_file 16 200
    check large-file-8 large_file 8 200
}
