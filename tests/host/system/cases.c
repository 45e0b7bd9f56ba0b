/* SPDX-License-Identifier: MIT */
/*
 * Host test. What random operations have found, each again alone: `file: condition: expectation`.
 */
#include "operations.h"
#include "programs.h"
#include "tests.h"

#include "../ext2/disk.h"
#include "../machine.h"

#include <file/open_file.h>
#include <process/errno.h>
#include <store/cache.h>
#include <string.h>

enum {
    IMAGE_KIB = 2048,
    MACHINE_MIB = 8,
    PROT_READ_WRITE = 3,
    MAP_SHARED = 1,
    KEEP_SIZE = 1,
    OLD = 0x91,
    NEW = 0x5A,
    NAME = 1000, /* of the texts */
};

static void begin(const struct arguments *arguments, const char *blocks)
{
    system_begin(arguments->seed, MACHINE_MIB, IMAGE_KIB, blocks);
    expect(system_mount(), 0, "mount");
}

static uint32_t open_file(const char *path, uint32_t flags)
{
    int32_t number = call(CALL_OPEN, put_text(NAME, path), flags | O_LARGEFILE, 0644);
    if (number < 0)
        wrong("open of %s: %d", path, number);
    return (uint32_t)number;
}

static void fill(uint32_t number, uint32_t offset, uint32_t bytes, uint8_t value)
{
    uint8_t data[PAGE_BYTES];
    memset(data, value, sizeof(data));
    program_store(BUFFER, data, bytes);
    expect(call(CALL_PWRITE, number, BUFFER, bytes, offset, 0), (int32_t)bytes, "pwrite");
}

static void check(uint32_t number, uint32_t offset, uint32_t bytes, uint8_t value)
{
    uint8_t data[PAGE_BYTES];
    expect(call(CALL_PREAD, number, BUFFER, bytes, offset, 0), (int32_t)bytes, "pread");
    program_load(data, BUFFER, bytes);
    for (uint32_t i = 0; i < bytes; i++)
        if (data[i] != value)
            wrong("byte %u is %02x, and not %02x", offset + i, data[i], value);
}

/* NUMBER is closed, and all of the ext2 comes from the disk again. */
static void come_again(uint32_t number)
{
    expect(call(CALL_CLOSE, number), 0, "close");
    expect(system_unmount(), 0, "umount");
    expect(system_mount(), 0, "mount");
}

static void end(uint32_t number)
{
    expect(call(CALL_CLOSE, number), 0, "close");
    expect(system_unmount(), 0, "umount");
}

/* fallocate: behind the end, then written to: the bytes are on the disk */
static void room_behind_the_end(const struct arguments *arguments)
{
    begin(arguments, "-b 4096");
    uint32_t number = open_file("/tmp/file", O_RDWR | O_CREAT);
    expect(call(CALL_FALLOCATE, number, 0, 0, 0, 2 * PAGE_BYTES, 0), 0, "fallocate");
    fill(number, 100, 50, NEW);
    come_again(number);
    number = open_file("/tmp/file", O_RDONLY);
    check(number, 100, 50, NEW);
    end(number);
}

/* fallocate: of what ends within a page, keeping the length: ends */
static void room_of_a_part(const struct arguments *arguments)
{
    begin(arguments, "-b 1024");
    uint32_t number = open_file("/tmp/file", O_RDWR | O_CREAT);
    fill(number, 51000, 219, NEW);
    expect(call(CALL_FALLOCATE, number, KEEP_SIZE, 0, 0, 60000, 0), 0, "fallocate");
    end(number);
}

/* ftruncate: longer within a dirty page, then written to in memory: the bytes are on the disk */
static void longer_in_a_page(const struct arguments *arguments)
{
    begin(arguments, "-b 1024");
    uint32_t number = open_file("/tmp/file", O_RDWR | O_CREAT);
    fill(number, 0, 1000, OLD);
    expect(call(CALL_FSYNC, number), 0, "fsync");
    expect(call(CALL_FTRUNCATE, number, 900, 0), 0, "ftruncate");
    expect(call(CALL_FTRUNCATE, number, 3000, 0), 0, "ftruncate");
    uint32_t at = (uint32_t)call(CALL_MMAP, 0, PAGE_BYTES, PROT_READ_WRITE, MAP_SHARED, number, 0);
    const uint8_t byte = NEW;
    program_store(at + 2500, &byte, 1);
    expect(call(CALL_MUNMAP, at, PAGE_BYTES), 0, "munmap");
    come_again(number);
    number = open_file("/tmp/file", O_RDONLY);
    check(number, 2500, 1, NEW);
    check(number, 900, 1600, 0);
    end(number);
}

/* pwrite: behind the end, out of a page that has to come first: the gap is zeros */
static void write_that_waits(const struct arguments *arguments)
{
    begin(arguments, "-b 2048");
    uint32_t number = open_file("/tmp/old", O_RDWR | O_CREAT), freed;
    for (uint32_t page = 0; page < 300; page++)
        fill(number, page * PAGE_BYTES, PAGE_BYTES, OLD);
    expect(call(CALL_FSYNC, number), 0, "fsync");
    expect(call(CALL_FTRUNCATE, number, 4 * PAGE_BYTES, 0), 0, "ftruncate");
    expect(call(CALL_SYNC), 0, "sync");
    uint32_t at = (uint32_t)call(CALL_MMAP, 0, PAGE_BYTES, PROT_READ_WRITE, MAP_SHARED, number, 2);
    for (uint32_t i = 0; i < 4; i++) {
        enum kerr ignored = store_reclaim(1000, &freed);
        (void)ignored;
    }
    uint32_t other = open_file("/tmp/new", O_RDWR | O_CREAT);
    expect(call(CALL_PWRITE, other, at, 100, PAGE_BYTES + 3000, 0), 100, "pwrite");
    check(other, PAGE_BYTES, 3000, 0);
    check(other, PAGE_BYTES + 3000, 100, OLD);
    expect(call(CALL_MUNMAP, at, PAGE_BYTES), 0, "munmap");
    expect(call(CALL_CLOSE, other), 0, "close");
    end(number);
}

static void forget_clean_pages(void)
{
    for (struct cache *cache = cache_next(NULL); cache != NULL; cache = cache_next(cache)) {
        uint32_t from = 0;
        expect(cache_forget_clean(cache, &from), KERR_OK, "what is clean goes");
    }
}

static int32_t mount_with(uint32_t flags)
{
    return call(CALL_MOUNT, put_text(NAME, "/dev/hda"), put_text(NAME + 100, "/tmp"),
                put_text(NAME + 200, "ext2"), flags, 0);
}

/* mount: from read only to writable and back: e2fsck is content with what was not unmounted */
static void remounted(const struct arguments *arguments)
{
    enum { MS_RDONLY = 1, MS_REMOUNT = 32 };
    const uint32_t create = O_RDWR | O_CREAT | O_LARGEFILE;
    begin(arguments, "-b 1024");
    expect(system_unmount(), 0, "umount");
    expect(mount_with(MS_RDONLY), 0, "mount, read only");
    uint32_t path = put_text(NAME + 300, "/tmp/file");
    expect(call(CALL_OPEN, path, create, 0644), -EROFS, "open");
    expect(mount_with(MS_REMOUNT), 0, "mount, writable");
    uint32_t number = open_file("/tmp/file", create);
    fill(number, 0, PAGE_BYTES, NEW);
    expect(mount_with(MS_REMOUNT | MS_RDONLY), -EBUSY, "mount, read only, while a file is open");
    expect(call(CALL_CLOSE, number), 0, "close");
    expect(mount_with(MS_REMOUNT | MS_RDONLY), 0, "mount, read only");
    disk_check(system_disk.image, system_disk.bytes);
    expect(call(CALL_UNLINK, path), -EROFS, "unlink");
    number = open_file("/tmp/file", O_RDONLY);
    check(number, 0, PAGE_BYTES, NEW);
    expect(call(CALL_CLOSE, number), 0, "close");
    expect(mount_with(MS_REMOUNT), 0, "mount, writable");
    expect(call(CALL_UNLINK, path), 0, "unlink");
    expect(system_unmount(), 0, "umount");
    disk_check(system_disk.image, system_disk.bytes);
}

static uint32_t writes_seen;

/* What is done now must end before MANY writes. */
static void count_writes(uint64_t sector, const uint8_t *data, uint32_t bytes)
{
    enum { MANY = 60 };
    (void)sector;
    (void)data;
    (void)bytes;
    if (++writes_seen == MANY)
        wrong("a call is repeated for ever");
}

/* Whenever something was written, memory is short, and what can be brought again goes. */
static void memory_is_short(uint64_t sector, const uint8_t *data, uint32_t bytes)
{
    count_writes(sector, data, bytes);
    forget_clean_pages();
}

/* pwrite: of a page that goes while room is made for it: comes to an end */
static void source_that_goes(const struct arguments *arguments)
{
    enum { BEHIND_DIRECT = 3 * PAGE_BYTES };
    begin(arguments, "-b 1024");
    uint32_t from = open_file("/tmp/from", O_RDWR | O_CREAT);
    uint32_t to = open_file("/tmp/to", O_RDWR | O_CREAT);
    fill(from, 0, PAGE_BYTES, NEW);
    for (uint32_t offset = 0; offset < BEHIND_DIRECT; offset += PAGE_BYTES)
        fill(to, offset, PAGE_BYTES, OLD);
    expect(call(CALL_SYNC), 0, "sync");
    uint32_t at = (uint32_t)call(CALL_MMAP, 0, PAGE_BYTES, PROT_READ_WRITE, MAP_SHARED, from, 0);
    forget_clean_pages();
    writes_seen = 0;
    system_disk.on_write = memory_is_short;
    expect(call(CALL_PWRITE, to, at, PAGE_BYTES, BEHIND_DIRECT, 0), PAGE_BYTES, "pwrite");
    system_disk.on_write = NULL;
    check(to, BEHIND_DIRECT, PAGE_BYTES, NEW);
    expect(call(CALL_MUNMAP, at, PAGE_BYTES), 0, "munmap");
    expect(call(CALL_CLOSE, from), 0, "close");
    end(to);
}

/* All the room of the disk goes to /tmp/NAME: direct blocks and those behind them. */
static void fill_disk(const char *name)
{
    enum { BLOCK = 1024 };
    uint32_t number = open_file(name, O_RDWR | O_CREAT), offset = 0;
    for (;; offset += BLOCK) {
        int32_t result = call(CALL_PWRITE, number, BUFFER, BLOCK, offset, 0);
        if (result == -ENOSPC)
            break;
        expect(result, BLOCK, "pwrite");
    }
    expect(call(CALL_CLOSE, number), 0, "close");
}

/* symlink: in a directory that lost a name, on a full disk with blocks that were released: gets one of these */
static void room_of_a_name(const struct arguments *arguments)
{
    char target[100];
    begin(arguments, "-b 1024");
    uint32_t number = open_file("/tmp/other", O_RDWR | O_CREAT);
    fill(number, 0, PAGE_BYTES, OLD);
    expect(call(CALL_CLOSE, number), 0, "close");
    fill_disk("/tmp/all");
    expect(call(CALL_SYNC), 0, "sync");
    expect(call(CALL_UNLINK, put_text(NAME, "/tmp/other")), 0, "unlink");
    memset(target, 'x', sizeof(target) - 1);
    target[sizeof(target) - 1] = '\0';
    uint32_t text = put_text(NAME, target);
    writes_seen = 0;
    system_disk.on_write = count_writes;
    expect(call(CALL_SYMLINK, text, put_text(NAME + 200, "/tmp/link")), 0, "symlink");
    system_disk.on_write = NULL;
    expect(system_unmount(), 0, "umount");
    disk_check(system_disk.image, system_disk.bytes);
}

/* ftruncate: shorter, to within a page that has a hole, on a full disk: wants no room; the hole gets it later */
static void shorter_without_room(const struct arguments *arguments)
{
    enum { DATA = 100, END = 1500, IN_HOLE = 1200 };
    const uint8_t byte = NEW;
    begin(arguments, "-b 1024");
    uint32_t number = open_file("/tmp/sparse", O_RDWR | O_CREAT);
    fill(number, 0, DATA, OLD);
    expect(call(CALL_FSYNC, number), 0, "fsync");
    expect(call(CALL_FTRUNCATE, number, PAGE_BYTES, 0), 0, "ftruncate");
    come_again(number);
    number = open_file("/tmp/sparse", O_RDWR);
    fill_disk("/tmp/all");
    expect(call(CALL_FTRUNCATE, number, END, 0), 0, "ftruncate");
    expect(call(CALL_UNLINK, put_text(NAME, "/tmp/all")), 0, "unlink");
    uint32_t at = (uint32_t)call(CALL_MMAP, 0, PAGE_BYTES, PROT_READ_WRITE, MAP_SHARED, number, 0);
    program_store(at + IN_HOLE, &byte, 1);
    expect(call(CALL_MUNMAP, at, PAGE_BYTES), 0, "munmap");
    come_again(number);
    number = open_file("/tmp/sparse", O_RDONLY);
    check(number, 0, DATA, OLD);
    check(number, DATA, IN_HOLE - DATA, 0);
    check(number, IN_HOLE, 1, NEW);
    end(number);
}

/* fsync: no memory to find out where a dirty page stands: that is no error of the disk */
static void place_without_memory(const struct arguments *arguments)
{
    enum { BEHIND_DIRECT = 5 * PAGE_BYTES };
    begin(arguments, "-b 1024");
    uint32_t number = open_file("/tmp/file", O_RDWR | O_CREAT);
    fill(number, BEHIND_DIRECT, PAGE_BYTES, OLD);
    expect(call(CALL_FSYNC, number), 0, "fsync");
    fill(number, BEHIND_DIRECT, PAGE_BYTES, NEW);
    forget_clean_pages(); /* the block of names among them */
    struct cache *cache = cache_next(NULL);
    while (cache->object->pages != BEHIND_DIRECT / PAGE_BYTES + 1)
        cache = cache_next(cache);
    machine_fail_allocation(1, FAIL_FROM_THERE_ON);
    expect(cache_write_back(cache, 0, cache->object->pages), KERR_NO_MEMORY, "write-back");
    machine_fail_allocation(0, FAIL_ONCE);
    expect(call(CALL_FSYNC, number), 0, "fsync");
    expect((int32_t)cache->write_errors, 0, "errors of the disk");
    come_again(number);
    number = open_file("/tmp/file", O_RDONLY);
    check(number, BEHIND_DIRECT, PAGE_BYTES, NEW);
    end(number);
}

/* write: a quarter of memory is dirty, and nothing can be written: EIO, not a wait for ever; then the disk is well again */
static void writes_to_a_dead_disk(const struct arguments *arguments)
{
    enum { DISK_KIB = 1024 * MACHINE_MIB, PAGES = 700 }; /* of the 2048 of memory */
    int32_t result = PAGE_BYTES;
    uint32_t page = 0;
    system_begin(arguments->seed, MACHINE_MIB, DISK_KIB, "-b 4096");
    expect(system_mount(), 0, "mount");
    uint32_t number = open_file("/tmp/file", O_RDWR | O_CREAT);
    for (; page < PAGES; page++)
        fill(number, page * PAGE_BYTES, PAGE_BYTES, OLD);
    expect(call(CALL_SYNC), 0, "sync");
    system_disk.fail_number = system_disk.done + 1;
    system_disk.fails_for_ever = true;
    system_disk.fail_kinds = 1u << BLOCK_WRITE;
    for (page = 0; page < PAGES && result == PAGE_BYTES; page++)
        result = call(CALL_PWRITE, number, BUFFER, PAGE_BYTES, page * PAGE_BYTES, 0);
    expect(result, -EIO, "pwrite");
    disk_heal(&system_disk);
    expect(call(CALL_FSYNC, number), -EIO, "fsync");
    expect(call(CALL_FSYNC, number), 0, "fsync");
    fill(number, page * PAGE_BYTES, PAGE_BYTES, NEW);
    check(number, page * PAGE_BYTES, PAGE_BYTES, NEW);
    end(number);
}

void test_cases(const struct arguments *arguments)
{
    room_behind_the_end(arguments);
    room_of_a_part(arguments);
    longer_in_a_page(arguments);
    write_that_waits(arguments);
    place_without_memory(arguments);
    source_that_goes(arguments);
    shorter_without_room(arguments);
    remounted(arguments);
    room_of_a_name(arguments);
    writes_to_a_dead_disk(arguments);
}
