# SPDX-License-Identifier: MIT
# Disks for the guest, full of a pattern, and the judge of what the guest has done to them. Sourced by
# tests/run and tests/matrix, after queue.sh and boot.sh.
#
# The pattern is that of tests/kernel/disk_test.c: it differs from word to word, and from disk to disk
# by the last letter of the disk's name. What the self-tests write, on the one disk that `testdisk=`
# names, is known as well.

DISK_SECTORS=2016 # two cylinders of 16 heads by 63 sectors, as Bochs wants them
DISK_LETTERS=(a b c d)

# The pattern of disk LETTER in FILE, at each FIRST for COUNT sectors; MARK is 128 for the second one.
disk_pattern() { # FILE LETTER MARK [FIRST COUNT]...
    touch "$1"
    perl -e '
        my ($file, $letter, $mark, @ranges) = @ARGV;
        my $add = ord($letter) | $mark;
        open(my $disk, "+<", $file) or die;
        while (my ($first, $count) = splice(@ranges, 0, 2)) {
            seek($disk, $first * 512, 0);
            for my $sector ($first .. $first + $count - 1) {
                my $start = ($sector & 0xffffffff) * 0x01000193 & 0xffffffff;
                print $disk pack("V128",
                    map { (($start + $_ & 0xffffffff) * 0x9E3779B1 + $add) & 0xffffffff } 0 .. 127);
            }
        }
        close($disk) or die' "$@"
}

# Four disks, $image.a.img to $image.d.img, and how they should be when hdLETTER has been written.
disks_make() { # LETTER
    local letter
    for letter in "${DISK_LETTERS[@]}"; do
        disk_pattern "$image.$letter.img" "$letter" 0 0 $DISK_SECTORS
        cp "$image.$letter.img" "$image.$letter.wanted.img"
    done
    [ -z "$1" ] || disk_pattern "$image.$1.wanted.img" "$1" 128 0 64
}

disks_judge() { # LETTER...
    local letter
    for letter in "$@"; do
        cmp "$image.$letter.img" "$image.$letter.wanted.img"
    done
}

# As arguments of QEMU: four disks on the two channels of the machine's own controller. With the floppy
# $image to start from, as the rows of the matrix have it.
disks_of_pc() {
    disks_alone
    arguments+=(-boot a -drive "if=floppy,format=raw,readonly=on,file=$image")
}
disks_alone() {
    local letter index=0
    for letter in "${DISK_LETTERS[@]}"; do
        arguments+=(-drive "if=ide,index=$index,format=raw,file=$image.$letter.img")
        index=$((index + 1))
    done
}

# q35 has another controller: one of the pc's is plugged in, and a floppy drive to start from.
disks_of_q35() {
    local letter index=0
    arguments+=(-device piix3-ide,id=pata)
    for letter in "${DISK_LETTERS[@]}"; do
        arguments+=(-drive "if=none,id=disk$letter,format=raw,file=$image.$letter.img"
            -device "ide-hd,drive=disk$letter,bus=pata.$((index / 2)),unit=$((index % 2))")
        index=$((index + 1))
    done
    arguments+=(-drive "if=none,id=floppy,format=raw,readonly=on,file=$image"
        -device isa-fdc,id=fdc0 -device floppy,drive=floppy,bus=fdc0.0 -boot a)
}

# Whole self-tests and a session at the prompt, on a machine with four disks: not a bit of them changes.
disks_stay() {
    image=$(mktemp "$queue_dir/XXXXXX.img")
    arguments=()
    disks_make ""
    disks_alone
    boot_tests $checked brief -m 64 "${arguments[@]}"
    disks_judge "${DISK_LETTERS[@]}"
    tools/floppy $checked "$image" ""
    QEMU_ARGS="${arguments[*]}" session "$image" \
        'disks\nio\nmem\nreserve 64M\ntouch 4M 1M\nrelease 4M\naudit\ntest disk\ntest block\nio\nhalt\n' \
        "hdd +$DISK_SECTORS +[0-9]+ KiB  DMA" 'nothing is broken' '^# passed [0-9]+ failed 0'
    disks_judge "${DISK_LETTERS[@]}"
}

# A disk so large that sectors have numbers of more than 28 bits; the file has holes.
disk_large_make() { # in $image
    local sectors=$((1 << 29))
    truncate -s $((sectors * 512)) "$image"
    disk_pattern "$image" a 0 0 128 $(((1 << 28) - 64)) 128 $((sectors - 128)) 128
}
disk_large() { # "OPTIONS"
    image=$(mktemp "$queue_dir/XXXXXX.img")
    disk_large_make
    boot_some_tests $checked "test=disk testdisk=hda $1" -m 64 -drive "if=ide,format=raw,file=$image"
}

# FILE gets partition tables: "SECTOR TYPE:FIRST:COUNT..." for each.
disk_tables() { # FILE TABLE...
    perl -e '
        open(my $disk, "+<", shift(@ARGV)) or die;
        for my $table (@ARGV) {
            my ($sector, @entries) = split(" ", $table);
            seek($disk, $sector * 512 + 446, 0);
            print $disk map { pack("x4Cx3VV", split(":", $_)) } @entries;
            seek($disk, $sector * 512 + 510, 0);
            print $disk pack("CC", 0x55, 0xAA);
        }
        close($disk) or die' "$@"
}

# A module as a disk with a partition, which is no file then.
ramdisk_session() {
    image=$(mktemp "$queue_dir/XXXXXX.img")
    truncate -s 40900 "$image.disk.img"
    disk_tables "$image.disk.img" '0 131:20:30'
    tools/floppy $checked "$image" "ramdisk=root.img" "$image.disk.img=dir/root.img one"
    session "$image" 'disks\naudit\ntest ramdisk\nio\nhalt\n' 'ram0 +79 +39 KiB  RAM  root.img' \
        'ram0p1 +30 +15 KiB' 'nothing is broken' '^# passed [0-9]+ failed 0' 'ram0 +1 +0 +0 +0 +0'
}

# $image is a disk with partitions whose sector SECTOR can't be read, ONCE (on) or ever (off).
session_with_bad_sector() { # SECTOR ONCE TEXT...
    local sector=$1 once=$2 floppy_image
    shift 2
    image=$(mktemp "$queue_dir/XXXXXX.img")
    floppy_image=$(mktemp "$queue_dir/XXXXXX.img")
    truncate -s 2M "$image"
    disk_tables "$image" '0 131:63:500 5:1000:2000' '1000 131:10:400 5:900:1000' '1900 131:10:300'
    printf '[inject-error]\nevent = "read_aio"\nerrno = "5"\nsector = "%s"\nonce = "%s"\n' "$sector" \
        "$once" > "$image.bad.img"
    tools/floppy $checked "$floppy_image" ""
    QEMU_ARGS="-drive if=ide,format=raw,rerror=report,werror=report,file=blkdebug:$image.bad.img:$image" \
        session "$floppy_image" 'disks\nio\nhalt\n' "$@"
}

# What goes wrong on the disk that the self-tests "disk-trouble" write: EVENT and what else blkdebug is
# told, and TEXTs that must be in the report.
disk_trouble() { # "EVENT and MORE LINES" "OPTIONS" TEXT...
    local lines=$1 options=$2 text log
    shift 2
    image=$(mktemp "$queue_dir/XXXXXX.img")
    log=$image.log.img
    disk_pattern "$image" a 0 0 $DISK_SECTORS
    printf '[inject-error]\nerrno = "5"\n%s\n' "$lines" > "$image.bad.img"
    boot_some_tests $checked "test=disk-trouble testdisk=hda $options" -m 64 -drive \
        "if=ide,format=raw,rerror=report,werror=report,file=blkdebug:$image.bad.img:$image" | tee "$log"
    for text in "$@"; do
        found_in "$log" "$text"
    done
}

# A disk that takes seconds for a sector, on a machine whose clock runs faster than ours: no answer.
disk_silent() { # "OPTIONS"
    image=$(mktemp "$queue_dir/XXXXXX.img")
    disk_pattern "$image" a 0 0 $DISK_SECTORS
    tools/floppy $checked "$image.floppy.img" "$1"
    QEMU_ARGS="-icount shift=10,sleep=off -drive if=ide,format=raw,throttling.bps-total=10,file=$image" \
        session "$image.floppy.img" 'io\nhalt\n' 'hda: read of .*: no answer: reset' \
        'hda: read of .*: given up' 'hda: partitions: a device could not' \
        'hda +1 +0 +0 +0 +0 +1 +2 +3 +3'
}

disk_checks() {
    local bad_sector=$'event = "write_aio"\niotype = "write"\nsector = "100"'
    check ramdisk ramdisk_session
    check disk-stays-unchanged disks_stay
    check disk-large disk_large ""
    check disk-large-pio disk_large ata=pio
    check disk-bad-once session_with_bad_sector 1900 on 'hda6 +300' 'hda +3 +1 +0 +0 +0 +0 +1 +0 +0'
    check disk-bad-sector session_with_bad_sector 1900 off 'hda5 +400' \
        'hda: read of sectors 1900 \+ 1: given up' 'hda: partitions: a device could not' \
        'hda +3 +1 +0 +0 +0 +1 +2 +0 +0'
    check disk-trouble-write disk_trouble "$bad_sector"$'\nonce = "on"' "" \
        'hda: errors 0, retries 1, time-outs 0'
    check disk-trouble-write-pio disk_trouble "$bad_sector"$'\nonce = "on"' ata=pio \
        'hda: errors 0, retries 1, time-outs 0'
    check disk-trouble-write-ever disk_trouble "$bad_sector" "" \
        'hda: write of sectors 100 \+ 1: given up' 'hda: errors 1, retries 2, time-outs 0'
    check disk-trouble-flush disk_trouble $'event = "flush_to_disk"\niotype = "flush"\nonce = "on"' "" \
        'hda: flush: given up' 'hda: errors 1, retries 0, time-outs 0'
    check disk-trouble-flush-ever disk_trouble $'event = "flush_to_disk"\niotype = "flush"' "" \
        'hda: errors 8, retries 0, time-outs 0'
    check disk-silent disk_silent ""
    check disk-silent-pio disk_silent ata=pio
}
