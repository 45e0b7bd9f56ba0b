/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Commands for files and what stands behind their pages: the page cache, and mounts.
 */
#include <file/file.h>
#include <file/inode.h>
#include <kernel/printk.h>
#include <mm/heap.h>
#include <prompt/prompt.h>
#include <store/cache.h>

/* "/bin/sh", or "hda: disk" for what has no name. TEXT has room for a path. */
static void print_name(const struct cache *cache, char *text)
{
    if (cache->object->owner != NULL)
        printk("%s\n", file_path_of_object(cache->object, text, PATH_BYTES_MAX));
    else
        printk("%s: %s\n", cache->device->name, cache->operations->name);
}

static void print_cache(const struct cache *cache, char *text)
{
    printk("  %8u %8u %7u %7u %7u  ", (unsigned)cache->object->pages,
           (unsigned)cache->object->real_pages, (unsigned)cache->dirty_pages,
           (unsigned)cache->busy_pages, (unsigned)cache->write_errors);
    print_name(cache, text);
}

COMMAND("cache", "", "files whose pages come from a disk: what is here, what is dirty")
{
    uint32_t pages = 0, caches = 0;
    void *text;
    enum kerr error = kmalloc(PATH_BYTES_MAX, &text);
    if (error != KERR_OK) {
        printk("%s\n", kerr_text(error));
        return false;
    }
    printk("     PAGES     HERE   DIRTY  ON WAY  ERRORS  WHAT\n");
    for (const struct cache *cache = cache_next(NULL); cache != NULL; cache = cache_next(cache)) {
        pages += cache->object->real_pages;
        caches++;
        if (cache->object->real_pages > 0)
            print_cache(cache, text);
    }
    kfree(text);
    printk("  pages here: %u of %u files, dirty: %u; given back: %u\n", (unsigned)pages,
           (unsigned)caches, (unsigned)store_dirty_pages(), (unsigned)store_counts.pages_reclaimed);
    printk("  pages read: %u, of these ahead: %u; written: %u\n", (unsigned)store_counts.pages_read,
           (unsigned)store_counts.pages_ahead, (unsigned)store_counts.pages_written);
    printk("  requests: %u reads, %u writes, %u flushes; failed: %u, %u\n",
           (unsigned)store_counts.reads, (unsigned)store_counts.writes,
           (unsigned)store_counts.flushes, (unsigned)store_counts.read_errors,
           (unsigned)store_counts.write_errors);
    return true;
}

COMMAND("mounts", "", "file systems, and where they are mounted")
{
    void *text;
    enum kerr error = kmalloc(PATH_BYTES_MAX, &text);
    if (error != KERR_OK) {
        printk("%s\n", kerr_text(error));
        return false;
    }
    for (const struct mount *mount = mount_next(NULL); mount != NULL; mount = mount_next(mount)) {
        uint32_t bytes = 0;
        bool has_path =
            mount->covered != NULL && file_path_text(mount->root, text, &bytes) == KERR_OK;
        printk("  %-12s %-9s %.*s%s%s\n", mount->source, mount->file_system->name, (int)bytes,
               (const char *)text,
               has_path              ? ""
               : mount == mount_root ? "/, from boot on"
                                     : "nowhere",
               mount->flags & MOUNT_READ_ONLY ? "  (read-only)" : "");
    }
    kfree(text);
    return true;
}
