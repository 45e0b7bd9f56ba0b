# SPDX-License-Identifier: MIT
# Roots out of an archive (initramfs=). Sourced by tests/run, after queue.sh, boot.sh and talk.sh.
#
# What Debian's cpio packs is what Droste unpacks: a program that says all of a tree says the same of the
# directory here and of what came out of the archive there.

list_tree=build/user/tests/list_tree

# A directory with everything that needs no rights to be made: $tree.
initramfs_make_tree() {
    tree=$(mktemp -d "$queue_dir/XXXXXX.dir")
    mkdir -p "$tree/bin" "$tree/a/b/c" "$tree/empty" "$tree/closed"
    cp $list_tree "$tree/bin/list_tree"
    : > "$tree/a/empty"
    printf 'some text\n' > "$tree/a/text"
    printf 'odd' > "$tree/a/b/odd"
    perl -e 'print map { pack("V", $_ * 0x9E3779B1 & 0xffffffff) } 0 .. 199999' > "$tree/a/b/c/large"
    head -c 4096 "$tree/a/b/c/large" > "$tree/a/page"
    ln "$tree/a/b/c/large" "$tree/a/large-again"
    ln "$tree/a/b/c/large" "$tree/large-once-more"
    ln "$tree/a/empty" "$tree/empty-again"
    ln -s a/text "$tree/link"
    ln -s "$(printf '%0900d' 0)" "$tree/long-link"
    ln "$tree/link" "$tree/link-again" 2> /dev/null || true # not each file system can
    mkfifo "$tree/a/fifo"
    : > "$tree/$(printf 'n%.0s' {1..255})"
    : > "$tree/a/ with blanks, umläut and *"
    chmod 4751 "$tree/a/text"
    chmod 1777 "$tree/a/b"
    chmod 0700 "$tree/closed"
    touch -h -d @1000000007 "$tree/link" "$tree/a/text"
    touch -d @86400 "$tree/a/b/odd" "$tree/a/b/c"
    touch -d @4000000000 "$tree/a" # after 2038
}

initramfs_pack() { # DIRECTORY OUT
    (cd "$1" && find . | LC_ALL=C sort | cpio --quiet -o -H newc) > "$2"
}

# ARCHIVE's files, as process 1 sees them: the lines that begin with "/" to OUT.
initramfs_list() { # ARCHIVE OUT TEXT...
    local image archive=$1 out=$2 text log
    shift 2
    image=$(mktemp "$queue_dir/XXXXXX.img")
    log=$(mktemp "$queue_dir/XXXXXX.img")
    tools/disk build/droste-checked.elf "$image" 'initramfs=root init=/bin/list_tree' "$archive=root"
    qemu "${with_serial[@]}" -boot c -drive "format=raw,snapshot=on,file=$image" -m 64 \
        < /dev/null > "$log" || true # the program's status is 0, the machine's never
    rm -f "$image"
    tr -d '\r' < "$log" > "$log.text.img"
    grep -av '^/' "$log.text.img"
    for text in '^init: exited with status 0' '^audit clean' "$@"; do
        found_in "$log.text.img" "$text"
    done
    grep -a '^/' "$log.text.img" > "$out"
}

# As Linux has the directory: plain, and packed with gzip, which GRUB unpacks.
initramfs_tree() { # PACKER...
    local archive tree
    if ! build/user/hello > /dev/null 2>&1; then
        echo "skip: this host runs no i386 programs"
        return 0
    fi
    initramfs_make_tree
    archive=$(mktemp "$queue_dir/XXXXXX.img")
    initramfs_pack "$tree" "$archive.plain.img"
    "$@" < "$archive.plain.img" > "$archive"
    $list_tree "$tree" > "$archive.linux.img"
    initramfs_list "$archive" "$archive.droste.img" '^initramfs: [0-9]+ files from [0-9]+ KiB$'
    echo "note: $(wc -l < "$archive.linux.img") names"
    [ "$(wc -l < "$archive.linux.img")" -ge 20 ]
    diff "$archive.linux.img" "$archive.droste.img"
    rm -rf "$tree"
}

# ---- archives by hand ----

# ENTRIES to standard output. An entry is "NAME MODE KEY=NUMBER...", MODE in octal; KEYs are a header's
# (ino uid gid links time size major minor namesize), `data=TEXT`, and `magic=TEXT`.
initramfs_entries() { # ENTRY...
    perl -e '
        for my $entry (@ARGV) {
            my ($name, $mode, @more) = split(" ", $entry);
            my %key = (links => 1, magic => "070701", map { split("=", $_, 2) } @more);
            $name =~ s/%(..)/chr(hex($1))/ge;
            $name =~ s/\{(.)x(\d+)\}/$1 x $2/ge;
            my $data = $key{data} // "";
            my $head = $key{magic} . join("", map { sprintf("%08X", $_ // 0) } $key{ino}, oct($mode),
                $key{uid}, $key{gid}, $key{links}, $key{time}, $key{size} // length($data), 0, 0,
                $key{major}, $key{minor}, $key{namesize} // length($name) + 1, 0) . "$name\0";
            print $head . "\0" x (-length($head) % 4) . $data . "\0" x (-length($data) % 4);
        }' "$@"
}
initramfs_end='TRAILER!!! 0'

# The kernel says TEXTs of the archive on standard input, and goes on: the prompt, an audit.
initramfs_session() { # MEMORY TEXT...
    local image archive
    image=$(mktemp "$queue_dir/XXXXXX.img")
    archive=$(mktemp "$queue_dir/XXXXXX.img")
    cat > "$archive"
    tools/floppy build/droste-checked.elf "$image" initramfs=root "$archive=root"
    MEM=$1 session "$image" 'mem\naudit\nhalt\n' 'nothing is broken' "${@:2}"
}

# Devices, owners, data that come with the first of two names, an archive behind an archive.
initramfs_by_hand() {
    local archive
    archive=$(mktemp "$queue_dir/XXXXXX.img")
    {
        initramfs_entries 'bin 040755' "bin/one 0100644 ino=7 links=2 uid=12 gid=34 time=5 data=text" \
            'bin/two 0100644 ino=7 links=2 uid=12 gid=34 time=5' '/disk 060640 major=3 minor=65' \
            './zero 020666 major=1 minor=5' 'far 020600 major=300 minor=70000' 'socket 0140755' \
            "$initramfs_end"
        head -c 1000 /dev/zero
        initramfs_entries 'bin/three 0100644 ino=7 links=2 data=other' "$initramfs_end"
    } > "$archive"
    mkdir -p "$archive.dir/bin" && cp $list_tree "$archive.dir/bin"
    initramfs_pack "$archive.dir" "$archive.program.img"
    truncate -s %4 "$archive"
    cat "$archive.program.img" >> "$archive"
    rm -rf "$archive.dir"
    initramfs_list "$archive" "$archive.droste.img" '^initramfs: 11 files from'
    cat "$archive.droste.img"
    for text in '/bin/one 100644 2 12:34 5 4 bde64e3e' '/bin/two 100644 2 12:34 5 4 bde64e3e' '/disk 60640 1 0:0 0 3:65' \
        '/zero 20666 1 0:0 0 1:5' '/far 20600 1 0:0 0 300:70000' '/socket 140755 1 0:0 0' \
        '/bin/three 100644 1 0:0 0 5 '; do
        found_in "$archive.droste.img" "^$text"
    done
}

# What is wrong is said, and is left out; or nothing behind it is believed. The kernel goes on.
initramfs_bad() {
    local good='good 0100644 data=x' wrong='070701: no header'
    initramfs_entries "$good" '../up 0100644' 'd 040755' 'd/../b 0100644' 'none/x 0100644' 'good/x 0100644' \
        '{nx256} 0100644' '{nx5000} 0100644' 'link 0120777' 'odd 0' 'ends 0100644 namesize=3' 'proc 0100644' \
        "$initramfs_end" | initramfs_session 64 '/up: a name leads upwards' 'd/../b: a name leads upwards' \
        'none/x: its directory is not there' 'good/x: what should be its directory is none' \
        'nnnnn: the name is too long' 'link: the target has a wrong length' 'odd: of no type that there is' \
        'proc: it is in use' '^initramfs: 2 files from 6 KiB, 10 left out'
    initramfs_entries "$good" "$good" 'd 040755' 'd 0100644' "$initramfs_end" |
        initramfs_session 64 'good: is there twice: the first one goes' '^initramfs: 4 files'
    initramfs_entries "$good" 'x 0100644 magic=070799' | initramfs_session 64 \
        'at byte 120 of 232: no header of cpio' '^initramfs: 1 files'
    initramfs_entries "$good" 'x 0100644 magic=07070y' | initramfs_session 64 'no header of cpio'
    initramfs_entries "$good" 'x 0100644 size=4294967295' | initramfs_session 64 \
        'at byte 120 of 232: the archive ends before this entry does'
    initramfs_entries "$good" 'x 0100644 namesize=4294967295' | initramfs_session 64 'archive ends before'
    initramfs_entries "$good" 'x 0100644 namesize=0' | initramfs_session 64 'a header without sense'
    initramfs_entries "$good" | initramfs_session 64 'at byte 120 of 120: the archive ends before'
    initramfs_entries "$good" | head -c 100 | initramfs_session 64 'at byte 0 of 100: the archive ends'
    initramfs_entries "$good" "$initramfs_end" | gzip | initramfs_session 64 'it is packed with gzip'
    echo tests/user/run | cpio --quiet -o -H odc | initramfs_session 64 'another format of cpio'
    head -c 4 /dev/zero | initramfs_session 64 'initramfs: at byte 4 of 4: the archive ends'
}

# More than fits: files, and bytes. Many lines are few.
initramfs_too_much() {
    local i many=()
    for ((i = 0; i < 4000; i++)); do
        many+=("f$i 0100644 data=x")
    done
    initramfs_entries "${many[@]}" "$initramfs_end" | initramfs_session 8 \
        'initramfs: the rest is left out: ' '^initramfs: [0-9]+ files from 468 KiB, 1 left out'
    for ((i = 0; i < 50; i++)); do
        many[i]="../f$i 0100644"
    done
    initramfs_entries "${many[@]:0:50}" "$initramfs_end" |
        initramfs_session 64 '^initramfs: ... and 40 more lines' '^initramfs: 0 files from 5 KiB, 50 left out'
}

# An archive with a file of 20 MB.
initramfs_make_large() { # OUT
    mkdir "$1.dir"
    head -c 20000000 /dev/zero | tr '\0' x > "$1.dir/large"
    initramfs_pack "$1.dir" "$1"
    rm -rf "$1.dir"
}

# More than half of the memory: its frames are given back while it is unpacked.
initramfs_large() {
    local image archive
    image=$(mktemp "$queue_dir/XXXXXX.img")
    archive=$(mktemp "$queue_dir/XXXXXX.img")
    initramfs_make_large "$archive"
    tools/disk build/droste-checked.elf "$image" initramfs=root "$archive=root"
    printf 'mem\naudit\nhalt\n' | run_and_find $STATUS_HALT '^initramfs: 2 files from 195[0-9]{2} KiB.?$' \
        'nothing is broken' -- -boot c -drive "format=raw,snapshot=on,file=$image" -m 32
}

# With a disk for the root the archive stays a file; a RAM disk is no archive; a name that is none.
initramfs_with_others() {
    local archive image
    image=$(mktemp "$queue_dir/XXXXXX.img")
    archive=$(mktemp "$queue_dir/XXXXXX.img")
    initramfs_entries 'file 0100644 data=x' "$initramfs_end" > "$archive"
    tools/floppy build/droste-checked.elf "$image" 'initramfs=root ramdisk=root' "$archive=root"
    session "$image" 'disks\naudit\nhalt\n' 'ram0' 'nothing is broken'
    tools/floppy build/droste-checked.elf "$image" 'initramfs=other' "$archive=root"
    run_and_find $STATUS_FAIL 'option initramfs=other: there is nothing of this name' -- -m 64 \
        -boot a -drive "if=floppy,format=raw,readonly=on,file=$image"
}

# As `make run INITRAMFS=` makes the medium: of a packed archive GRUB unpacks what it is told to.
initramfs_by_iso() {
    local image
    image=$(mktemp "$queue_dir/XXXXXX.iso")
    initramfs_entries 'one 0100644 data=x' 'two 0100644' "$initramfs_end" | gzip > "$image.gz.img"
    COMMAND_LINE=initramfs=root tools/iso "$image" build/droste.elf build/droste-checked.elf \
        iso/grub.cfg "+$image.gz.img=root" "$image.gz.img=packed"
    session "$image" 'mem\nhalt\n' '^initramfs: 2 files from 0 KiB' 'F file +2 '
    rm -f "$image"
}

initramfs_checks() {
    check initramfs-by-iso initramfs_by_iso
    check initramfs-tree initramfs_tree cat
    check initramfs-tree-gzip initramfs_tree gzip
    check initramfs-by-hand initramfs_by_hand
    check initramfs-bad initramfs_bad
    check initramfs-too-much initramfs_too_much
    check initramfs-large initramfs_large
    check initramfs-with-others initramfs_with_others
}
