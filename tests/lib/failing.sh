# SPDX-License-Identifier: MIT
# A disk of which one request fails, each in its turn, in one boot (tests/lib/failing-disk). Sourced by tests/run,
# after queue.sh and boot.sh.

# An ext2 with the files that tests/user/disk_errors.c knows, each of six pages.
failing_make() { # DIRECTORY
    mkdir "$1/root" "$1/root/d" "$1/orders"
    perl -e 'print map { chr((int($_ / 4096) * 11 + $_ % 251) & 255) } 0 .. 24575' > "$1/root/read"
    for name in touched written mapped new; do
        cp "$1/root/read" "$1/root/$name"
    done
    head -c 4096 /dev/zero | sed '1s/^/CONTROL 0 none 0 /' > "$1/orders/control"
    mke2fs -q -F -t ext2 -b 1024 -d "$1/root" "$1/disk" 512K
    mke2fs -q -F -t ext2 -b 1024 -d "$1/orders" "$1/control" 256K
}

# Requests FIRST to LAST fail, a round for each; in the last ones there are none left to fail. What was
# written or flushed in vain was told to somebody; so was what was read in vain, or it was read ahead.
failing_disk() { # KIND FIRST LAST
    local work server
    work=$(mktemp -d "$queue_dir/XXXXXX.dir")
    failing_make "$work"
    tests/lib/failing-disk "$work/socket" "$work/disk" "$work/control" > "$work/failed" &
    server=$!
    tools/disk build/droste-checked.elf "$work/boot.img" init=disk_errors \
        "$user_bin/disk_errors=disk_errors $1 $2 $3"
    while [ ! -e "$work/socket" ]; do sleep 0.05; done
    run_and_find 129 '^init: exited with status 0' '^audit clean' -- -boot c -m 64 -cpu pentium3 \
        -drive "format=raw,snapshot=on,file=$work/boot.img" \
        -blockdev "driver=nbd,server.type=unix,server.path=$work/socket,node-name=data" \
        -device ide-hd,drive=data,bus=ide.0,unit=1,rerror=report,werror=report \
        -drive "if=ide,index=2,format=raw,file=$work/control" | tee "$work/said"
    wait $server
    e2fsck -fn "$work/disk"
    failing_judge "$work" "$3"
    rm -rf "$work"
}

failing_judge() { # DIRECTORY LAST
    local round operation offset rest
    while read -r _ round operation offset rest; do
        [ "$operation" = read ] && continue
        if grep -aqE "^# round $round told:.?$" "$1/said"; then
            echo "### round $round a $operation at $offset failed, and nobody was told"
            return 1
        fi
    done < "$1/failed"
    echo "note: $(wc -l < "$1/failed") requests failed, $(grep -acE 'told: ' "$1/said") rounds told"
    ! grep "^round $((2 * $2)):" "$1/failed" || { echo "### there are more requests than rounds"; return 1; }
}

# More is written than there is memory, to a swap disk on which OPERATION (read, write) fails, of SECTOR or of all. The
# machine answers, HOW the children end is said, and `swap` says TEXT.
failing_swap() { # OPERATION SECTOR HOW TEXT
    local image
    image=$(mktemp "$queue_dir/XXXXXX.img")
    truncate -s 64M "$image"
    mkswap "$image" > /dev/null
    {
        printf '[inject-error]\nerrno = "5"\nevent = "%s_aio"\niotype = "%s"\n' "$1" "$1"
        [ -z "$2" ] || printf 'sector = "%s"\n' "$2"
    } > "$image.bad.img"
    talk_disk "init=swap_errors swap=hdb" "$user_bin/swap_errors=swap_errors"
    talk_begin "${disk[@]}" -m 16 -cpu pentium3 \
        -drive "format=raw,rerror=report,werror=report,file=blkdebug:$image.bad.img:$image"
    await '^# all is written'
    press_key
    ask swap "$4"
    ask audit 'nothing is broken'
    say 'resume\n\n'
    await "$3"
    await '^init: exited with status 0'
    await '^audit clean'
    talk_end 129
    rm -f "$image" "$image.bad.img"
}
