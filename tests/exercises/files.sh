# SPDX-License-Identifier: MIT
# Exercises of docs/files.md. Words: tests/lib/exercises.sh, and the archives of tests/lib/initramfs.sh.

# Keep what was read.
files_1() {
    changed files-1
    image=$(mktemp "$queue_dir/XXXXXX.img")
    initramfs_make_large "$image.archive.img"
    tools/disk "$(kernel checked)" "$image" initramfs=root "$image.archive.img=root"
    printf 'audit\nhalt\n' | run_and_find $STATUS_FAIL '^initramfs: the rest is left out' \
        '"a frame in use has an owner" is not true' -- -boot c -drive "format=raw,snapshot=on,file=$image" -m 32
}
