/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Private to file/. A tree of files out of an archive.
 */
#ifndef FILE_INITRAMFS_H
#define FILE_INITRAMFS_H

#include <file/inode.h>

/* An archive: BYTES bytes, wherever they are. */
struct archive {
    uint32_t bytes;
    /* Copy BYTES bytes, which it has, from OFFSET on to TO. Uses TEMP_FRAME. */
    void (*read)(struct archive *archive, uint32_t offset, void *to, uint32_t bytes);
    /* What is before OFFSET is not read any more. */
    void (*pass)(struct archive *archive, uint32_t offset);
};

struct initramfs_counts {
    uint32_t files;    /* entries that are there now */
    uint32_t left_out; /* and those that are not, each for a reason of its own */
};

/*
 * What ARCHIVE has (cpio.h) comes below ROOT, the root of a tmpfs, file system of the archive's own: what
 * is mounted over its directories is not looked into. Directories that are there get the archive's
 * rights and times; anything else of a name that comes again is replaced. Each entry that can't be
 * made, and what ends the whole, is a line of its own, at most a few.
 *   returns KERR_OK, whatever was left out; KERR_BAD_VALUE: from some byte on it is no archive;
 *   KERR_NO_MEMORY, KERR_NO_SPACE, KERR_NO_ROOM: it does not fit. What came before stays
 */
kerr_t initramfs_unpack(struct archive *archive, struct inode *root,
                        struct initramfs_counts *counts);

#endif
