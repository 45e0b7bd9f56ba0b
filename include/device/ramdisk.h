/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. Uses: layers 0-2, block. Used by: layer 6, layer 9 (modules as files), tests.
 *
 * A disk that is a range of RAM: a module of the boot loader, which `ramdisk=NAME` chooses. What is
 * written to it is gone with the machine.
 */
#ifndef DEVICE_RAMDISK_H
#define DEVICE_RAMDISK_H

#include <device/block.h>
#include <kernel/boot_info.h>

struct ramdisk {
    struct block_device device;
    paddr_t start;
    bool is_working; /* its queue is being carried out: who adds to it need not */
};

/*
 * RAMDISK becomes the disk NAME of the whole sectors in the BYTES bytes of RAM from START on (any
 * alignment), which are the caller's and stay. It is not registered.
 */
void ramdisk_init(struct ramdisk *ramdisk, const char *name, paddr_t start, uint32_t bytes);

/* MODULE is the one that `ramdisk=` has chosen: it is a disk, and not a file. */
bool ramdisk_is_module(const struct boot_module *module);

#endif
