/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Private to file/. Archives of cpio in its "newc" format, of which Linux's initramfs are:
 *
 *   header (110 bytes of hexadecimal text) | name, 0 | padding to 4 | data | padding to 4 | header ...
 *
 * An archive ends with the name "TRAILER!!!". Others may follow it, with zeros in between.
 * Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
 */
#ifndef FILE_CPIO_H
#define FILE_CPIO_H

#include <kernel/kerr.h>

enum { CPIO_HEADER_BYTES = 110, CPIO_ALIGNMENT = 4 };

struct cpio_entry {
    uint32_t mode; /* enum file_mode, as the archive has it */
    uint32_t user, group, seconds;
    uint32_t links;                             /* names that the file had; those of one file */
    uint32_t inode, device_major, device_minor; /* have the same of these */
    uint32_t special_major, special_minor;      /* of a device */
    uint32_t name_at, name_bytes;               /* in the archive; the terminator is counted */
    uint32_t data_at, data_bytes;
    uint32_t end; /* where the next header may begin */
};

/*
 * The entry whose HEADER is at AT, a multiple of CPIO_ALIGNMENT, in an archive of BYTES bytes.
 *   returns KERR_OK: name and data lie in the archive; KERR_UNSUPPORTED: it does not begin as it should;
 *   KERR_BAD_VALUE: not with numbers, or without a name; KERR_BAD_RANGE: the archive ends before it does
 */
kerr_t cpio_read_header(const uint8_t header[CPIO_HEADER_BYTES], uint32_t at, uint32_t bytes,
                        struct cpio_entry *entry);

#endif
