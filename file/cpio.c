/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Headers of a cpio archive (cpio.h). What they say is compared with what is there in 64 bits, so
 * that nothing can wrap.
 */
#include "cpio.h"

#include <kernel/string.h>

enum { MAGIC_BYTES = 6, DIGITS = 8 };

/* The numbers of a header, in their order, behind the magic. */
enum field {
    INODE,
    MODE,
    USER,
    GROUP,
    LINKS,
    SECONDS,
    DATA_BYTES,
    DEVICE_MAJOR,
    DEVICE_MINOR,
    SPECIAL_MAJOR,
    SPECIAL_MINOR,
    NAME_BYTES,
    CHECKSUM, /* 0 in this format */
    FIELDS
};

_Static_assert((int)CPIO_HEADER_BYTES == MAGIC_BYTES + FIELDS * DIGITS, "nothing else is in it");

static bool read_number(const uint8_t digits[DIGITS], uint32_t *number)
{
    *number = 0;
    for (uint32_t i = 0; i < DIGITS; i++) {
        uint32_t digit = digits[i], letter = digit | 0x20;
        if (digit >= '0' && digit <= '9')
            digit -= '0';
        else if (letter >= 'a' && letter <= 'f')
            digit = letter - 'a' + 10;
        else
            return false;
        *number = *number << 4 | digit;
    }
    return true;
}

static uint64_t align(uint64_t offset)
{
    return (offset + CPIO_ALIGNMENT - 1) & ~(uint64_t)(CPIO_ALIGNMENT - 1);
}

enum kerr cpio_read_header(const uint8_t header[CPIO_HEADER_BYTES], uint32_t at, uint32_t bytes,
                           struct cpio_entry *entry)
{
    uint32_t number[FIELDS];
    if (memcmp(header, "070701", MAGIC_BYTES) != 0)
        return KERR_UNSUPPORTED;
    for (uint32_t i = 0; i < FIELDS; i++)
        if (!read_number(header + MAGIC_BYTES + i * DIGITS, &number[i]))
            return KERR_BAD_VALUE;
    if (number[NAME_BYTES] == 0)
        return KERR_BAD_VALUE;
    uint64_t name_at = (uint64_t)at + CPIO_HEADER_BYTES;
    uint64_t data_at = align(name_at + number[NAME_BYTES]), end = data_at + number[DATA_BYTES];
    if (end > bytes)
        return KERR_BAD_RANGE;
    end = align(end) < bytes ? align(end) : bytes; /* the last padding may be missing */
    *entry = (struct cpio_entry){.mode = number[MODE],
                                 .user = number[USER],
                                 .group = number[GROUP],
                                 .seconds = number[SECONDS],
                                 .links = number[LINKS],
                                 .inode = number[INODE],
                                 .device_major = number[DEVICE_MAJOR],
                                 .device_minor = number[DEVICE_MINOR],
                                 .special_major = number[SPECIAL_MAJOR],
                                 .special_minor = number[SPECIAL_MINOR],
                                 .name_at = (uint32_t)name_at,
                                 .name_bytes = number[NAME_BYTES],
                                 .data_at = (uint32_t)data_at,
                                 .data_bytes = number[DATA_BYTES],
                                 .end = (uint32_t)end};
    return KERR_OK;
}
