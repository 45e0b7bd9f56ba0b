/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. The modules of the boot loader become files of the root; the one that `initramfs=` names is an
 * archive of such files.
 *
 * A module is a run of frames that the loader has filled: its object takes them over as they are,
 * so that a program can be mapped straight onto them. That needs whole frames: one that begins in
 * the middle of a frame, or shares a frame with something else, is copied (GRUB aligns modules
 * where the multiboot header asks for it). What is behind the end in the last frame is cleared.
 * Its name is the last part of the first word of the module string.
 *
 * An archive is unpacked, which copies its data: they lie on no boundary of pages there. Each of its
 * frames is given back once all of it has been read, so that the whole needs little more than once
 * its room.
 */
#include <arch/i386/entry.h>
#include <device/ramdisk.h>
#include <kernel/boot_info.h>
#include <kernel/layer.h>
#include <kernel/option.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/frame.h>
#include <mm/heap.h>

#include "initramfs.h"
#include "open_file.h"
#include "tmpfs.h"

static bool module_exists(const char *name);
OPTION(initramfs, "initramfs", OPTION_TEXT, .exists = module_exists);

static uint32_t pages_of(const struct boot_module *module)
{
    return (module->bytes + PAGE_BYTES - 1) / PAGE_BYTES;
}

/* MODULE has a byte in FRAME. */
static bool touches(const struct boot_module *module, frame_t frame)
{
    uint32_t first = module->start.v >> PAGE_SHIFT;
    uint32_t last = (module->start.v + module->bytes - 1) >> PAGE_SHIFT;
    return module->bytes > 0 && frame.n >= first && frame.n <= last;
}

/* FRAME belongs to MODULE and to nothing else. */
static bool owns_frame(const struct boot_info *boot, const struct boot_module *module,
                       frame_t frame)
{
    if (frame.n >= frame_pool.frames || frame_kind(&frame_pool, frame) != FRAME_FILE)
        return false;
    for (uint32_t i = 0; i < boot->module_count; i++)
        if (&boot->modules[i] != module && touches(&boot->modules[i], frame))
            return false;
    return true;
}

static bool can_stay(const struct boot_info *boot, const struct boot_module *module)
{
    if (module->start.v % PAGE_BYTES != 0 && module->bytes > 0)
        return false;
    for (uint32_t i = 0; i < pages_of(module); i++)
        if (!owns_frame(boot, module, FRAME(paddr_to_frame(module->start).n + i)))
            return false;
    return true;
}

/* Copy the BYTES bytes of RAM from START on, which may lie in several frames, to TO. */
static void read_physical(void *to, paddr_t start, uint32_t bytes)
{
    uint8_t *at = to;
    while (bytes > 0) {
        uint32_t in_frame = start.v % PAGE_BYTES;
        uint32_t part = bytes < PAGE_BYTES - in_frame ? bytes : PAGE_BYTES - in_frame;
        const uint8_t *view = temp_map(TEMP_FRAME, paddr_to_frame(start));
        memcpy(at, view + in_frame, part);
        temp_unmap(TEMP_FRAME);
        at += part;
        start.v += part;
        bytes -= part;
    }
}

/* A copy of MODULE in whole frames, the rest of the last one cleared. What it is copied from stays
 * claimed: something else may be in the same frames. */
static kerr_t copy_module(const struct boot_module *module, frame_t *first)
{
    void *page;
    uint32_t pages = pages_of(module);
    enum kerr error = kmalloc(PAGE_BYTES, &page);
    if (error != KERR_OK)
        return error;
    error = frame_alloc_run(&frame_pool, FRAME_FILE, pages, 1, 0, first);
    for (uint32_t i = 0; i < pages && error == KERR_OK; i++) {
        uint32_t done = i * PAGE_BYTES, left = module->bytes - done;
        memset(page, 0, PAGE_BYTES);
        read_physical(page, PADDR(module->start.v + done), left < PAGE_BYTES ? left : PAGE_BYTES);
        memcpy(temp_map(TEMP_FRAME, FRAME(first->n + i)), page, PAGE_BYTES);
        temp_unmap(TEMP_FRAME);
    }
    kfree(page);
    return error;
}

static void clear_tail(const struct boot_module *module)
{
    uint32_t in_page = module->bytes % PAGE_BYTES;
    if (in_page == 0)
        return;
    uint8_t *page =
        temp_map(TEMP_FRAME, paddr_to_frame(PADDR(module->start.v + module->bytes - 1)));
    memset(page + in_page, 0, PAGE_BYTES - in_page);
    temp_unmap(TEMP_FRAME);
}

/* "bin/hello one two" -> "hello" */
static void name_module(char *name, const struct boot_module *module, uint32_t number)
{
    size_t length;
    const char *file = boot_module_file(module, &length);
    if (length == 0)
        format_text(name, BOOT_MODULE_NAME_BYTES, "module%u", number);
    else
        format_text(name, BOOT_MODULE_NAME_BYTES, "%.*s", (int)length, file);
}

/* OBJECT, whose reference is taken over, becomes the file of MODULE, the one of NUMBER, unless there is
 * one of that name. */
static enum kerr add_file(const struct boot_module *module, struct object *object, uint32_t number)
{
    static const struct inode_wish wish = {.mode = S_IFREG | 0755};
    char name[BOOT_MODULE_NAME_BYTES];
    struct inode *inode;
    name_module(name, module, number);
    enum kerr error = inode_make(mount_root->root, name, &wish, &inode);
    if (error == KERR_EXISTS) {
        printk("files: a second file named /%s is not seen\n", name);
        return KERR_OK; /* its frames stay the loader's */
    }
    if (error != KERR_OK)
        return error;
    tmpfs_adopt(inode, object, module->bytes);
    inode_put(inode);
    return KERR_OK;
}

/* ---- the archive ---- */

static bool module_exists(const char *name)
{
    return boot_module_find(&boot_info, name) != NULL;
}

/* NULL: there is none, or a disk is the root, or the module is one. */
static const struct boot_module *find_initramfs(const struct boot_info *boot)
{
    if (!initramfs_option.is_given)
        return NULL;
    const struct boot_module *module = boot_module_find(boot, initramfs_option.text);
    bool is_not_needed = root_is_disk() || module == NULL || ramdisk_is_module(module);
    return is_not_needed ? NULL : module;
}

struct module_archive {
    struct archive archive;
    const struct boot_module *module;
    bool is_given_back; /* its frames go, one after another; */
    uint32_t gone;      /* and so many have gone */
};

static void read_archive(struct archive *archive, uint32_t offset, void *to, uint32_t bytes)
{
    const struct module_archive *from = container_of(archive, struct module_archive, archive);
    read_physical(to, PADDR(from->module->start.v + offset), bytes);
}

/* A frame goes when all of it is passed; the last one at the end, full or not. */
static void pass_archive(struct archive *archive, uint32_t offset)
{
    struct module_archive *from = container_of(archive, struct module_archive, archive);
    uint32_t pages = offset == archive->bytes ? pages_of(from->module) : offset / PAGE_BYTES;
    for (; from->is_given_back && from->gone < pages; from->gone++)
        frame_put(&frame_pool, FRAME(paddr_to_frame(from->module->start).n + from->gone));
}

/* What is there then is there, whether it is all or not: what init= names will be found, or not. */
static void unpack_initramfs(const struct boot_info *boot, const struct boot_module *module)
{
    struct module_archive from = {.archive = {module->bytes, read_archive, pass_archive},
                                  .module = module,
                                  .is_given_back = can_stay(boot, module)};
    struct initramfs_counts counts;
    if (from.is_given_back)
        frame_end_claim_of_file(paddr_to_frame(module->start));
    tmpfs_allow_pages(mount_root, pages_of(module));
    enum kerr error = initramfs_unpack(&from.archive, mount_root->root, &counts);
    if (error != KERR_OK && error != KERR_BAD_VALUE) /* of which a line has told more */
        printk("initramfs: the rest is left out: %s\n", kerr_text(error));
    pass_archive(&from.archive, module->bytes);
    printk("initramfs: %u files from %u KiB", (unsigned)counts.files,
           (unsigned)(module->bytes / 1024));
    printk(counts.left_out > 0 ? ", %u left out\n" : "\n", (unsigned)counts.left_out);
}

/* ---- all of them ---- */

/* The modules that are files. Returns how many. */
static uint32_t choose(const struct boot_info *boot, const struct boot_module **modules)
{
    const struct boot_module *initramfs = find_initramfs(boot);
    uint32_t count = 0;
    for (uint32_t i = 0; i < boot->module_count; i++)
        if (!ramdisk_is_module(&boot->modules[i]) && &boot->modules[i] != initramfs)
            modules[count++] = &boot->modules[i];
    return count;
}

/* All that must be copied is copied before the first byte behind a module is cleared. */
static enum kerr files_init(const struct boot_info *boot)
{
    const struct boot_module *modules[BOOT_MODULES_MAX];
    const uint32_t count = choose(boot, modules);
    frame_t first[BOOT_MODULES_MAX];
    enum kerr error = KERR_OK;
    for (uint32_t i = 0; i < count && error == KERR_OK; i++) {
        const struct boot_module *module = modules[i];
        first[i] = paddr_to_frame(module->start);
        if (!can_stay(boot, module))
            error = copy_module(module, &first[i]);
    }
    for (uint32_t i = 0; i < count && error == KERR_OK; i++) {
        const struct boot_module *module = modules[i];
        struct object *object;
        if (first[i].n == paddr_to_frame(module->start).n)
            clear_tail(module);
        error = object_create_file(first[i], pages_of(module), &object);
        if (error != KERR_OK)
            continue;
        if (can_stay(boot, module))
            frame_end_claim_of_file(first[i]);
        error = add_file(module, object, i);
    }
    const struct boot_module *initramfs = find_initramfs(boot);
    if (error == KERR_OK && initramfs != NULL)
        unpack_initramfs(boot, initramfs);
    return error;
}

LAYER(09c, "files", files_init);
