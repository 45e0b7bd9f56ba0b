/* SPDX-License-Identifier: MIT */
/*
 * A mixed workload on the ext2 of /dev/hdb, and what was promised of it: after an fsync, fdatasync, msync,
 * sync, or a write with O_SYNC, the promise goes to a file of the same disk (tests/host/ext2/promise.h).
 * The power goes later, behind each write in QEMU's log, and tests/host/ext2/replay.c looks.
 * Arguments: SEED OPERATIONS.
 *
 * run: on=never
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "../host/ext2/promise.h"
#include "check.h"

static uint32_t state;
static uint32_t below(uint32_t limit)
{
    state = state * 1664525 + 1013904223;
    return (state >> 8) % limit;
}

#define MUST(call) must((long)(call), #call)
static int must(long result, const char *call)
{
    if (result >= 0)
        return (int)result;
    check_note("%s: %s", call, strerror(errno));
    exit(2);
}

static char *name_of(const char *format, uint32_t number)
{
    static char names[4][PROMISE_PLACE_BYTES];
    static uint32_t next;
    char *name = names[next++ % 4];
    snprintf(name, sizeof(names[0]), format, number);
    return name;
}

/* ---- promises ---- */

static int promises;
static uint32_t serial;

static void promise(uint32_t kind, uint32_t which, uint32_t value, const char *place,
                    const char *other)
{
    union {
        struct promise promise;
        char bytes[PROMISE_BYTES];
    } slot;
    memset(&slot, 0, sizeof(slot));
    slot.promise = (struct promise){
        .magic = PROMISE_MAGIC, .serial = ++serial, .kind = kind, .which = which, .value = value};
    strcpy(slot.promise.place[0], place);
    strcpy(slot.promise.place[1], other);
    slot.promise.check = promise_sum(&slot.promise);
    off_t offset = (off_t)(kind * PROMISE_FILES + which) * PROMISE_BYTES;
    MUST(pwrite(promises, slot.bytes, sizeof(slot), offset) == sizeof(slot) ? 0 : -1);
    MUST(fdatasync(promises));
}

/* From here on it need not be so. */
static void promise_less(uint32_t kind, uint32_t which)
{
    static const char nothing[PROMISE_BYTES];
    off_t offset = (off_t)(kind * PROMISE_FILES + which) * PROMISE_BYTES;
    MUST(pwrite(promises, nothing, sizeof(nothing), offset) == sizeof(nothing) ? 0 : -1);
    MUST(fdatasync(promises));
}

static void begin_promises(void)
{
    static const char nothing[PROMISE_KINDS * PROMISE_FILES * PROMISE_BYTES];
    promises = MUST(open(PROMISES_FILE, O_RDWR | O_CREAT, 0644));
    MUST(write(promises, nothing, sizeof(nothing)) == sizeof(nothing) ? 0 : -1);
    MUST(fsync(promises));
}

static void flush_directory(const char *name)
{
    int fd = MUST(open(name, O_RDONLY | O_DIRECTORY));
    MUST(fsync(fd));
    close(fd);
}

/* ---- what is done ---- */

static uint8_t bytes[PROMISE_VERSION_BYTES_MAX + 200], log_bytes[PROMISE_LOG_BYTES_MAX];
static uint32_t versions[PROMISE_FILES], log_length;

static void write_all(int fd, const uint8_t *from, uint32_t length, off_t offset)
{
    MUST(pwrite(fd, from, length, offset) == (ssize_t)length ? 0 : -1);
}

/* 0, 1: written beside, flushed, and renamed over what was there. */
static void save(void)
{
    uint32_t which = below(2), length = promise_version(bytes, which, ++versions[which]);
    char *name = name_of("saved%u", which);
    int fd = MUST(open("new", O_WRONLY | O_CREAT | O_EXCL, 0644));
    write_all(fd, bytes, length, 0);
    MUST(fsync(fd));
    close(fd);
    MUST(rename("new", name));
    if (below(3) != 0)
        return;
    flush_directory(".");
    promise(PROMISE_SAVED, which, versions[which], name, "");
}

/* 2: written over in place. 3: the same through a mapping. */
static void write_over(void)
{
    uint32_t which = 2 + below(2), length = promise_version(bytes, which, ++versions[which]);
    char *name = name_of("over%u", which);
    promise_less(PROMISE_SAVED, which);
    int fd = MUST(open(name, O_RDWR | O_CREAT, 0644));
    MUST(ftruncate(fd, length));
    if (which == 2) {
        write_all(fd, bytes, length, 0);
        MUST(below(2) ? fsync(fd) : fdatasync(fd));
    } else {
        MUST(fsync(fd));
        uint8_t *map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        MUST(map == MAP_FAILED ? -1 : 0);
        memcpy(map, bytes, length);
        MUST(msync(map, length, MS_SYNC));
        MUST(munmap(map, length));
    }
    close(fd);
    promise(PROMISE_SAVED, which, versions[which], name, "");
}

static void append(void)
{
    uint32_t length = 1 + below(3000), how = below(3);
    if (log_length + length > sizeof(log_bytes))
        return;
    int fd = MUST(open("log", O_WRONLY | O_CREAT | O_APPEND | (how == 0 ? O_SYNC : 0), 0644));
    MUST(write(fd, log_bytes + log_length, length) == (ssize_t)length ? 0 : -1);
    log_length += length;
    if (how == 1)
        MUST(fdatasync(fd));
    close(fd);
    if (how != 2)
        promise(PROMISE_LOG, 0, log_length, "log", "");
}

static void shorten(void)
{
    uint32_t which = below(PROMISE_FILES), length = below(20000), keep = below(length + 1);
    char *name = name_of("short%u", which);
    promise_less(PROMISE_LENGTH, which);
    int fd = MUST(open(name, O_WRONLY | O_CREAT, 0644));
    write_all(fd, log_bytes, length, 0);
    if (below(2) == 0)
        MUST(fsync(fd));
    MUST(ftruncate(fd, keep));
    MUST(fsync(fd));
    close(fd);
    promise(PROMISE_LENGTH, which, keep, name, "");
}

static char moved[PROMISE_FILES][PROMISE_PLACE_BYTES];

static void move(void)
{
    static uint32_t number;
    uint32_t which = below(PROMISE_FILES);
    char to[PROMISE_PLACE_BYTES];
    snprintf(to, sizeof(to), "d%u/m%u.%u", below(3), which, ++number);
    promise(PROMISE_MOVED, which, 0, moved[which], to);
    MUST(rename(moved[which], to));
    flush_directory(name_of("d%u", (uint32_t)(to[1] - '0')));
    flush_directory(name_of("d%u", (uint32_t)(moved[which][1] - '0')));
    strcpy(moved[which], to);
    promise(PROMISE_MOVED, which, 0, to, to);
}

/* A directory, or a link, comes and goes. */
static void come_and_go(void)
{
    static bool is_there[PROMISE_FILES];
    static char targets[PROMISE_FILES][PROMISE_PLACE_BYTES];
    uint32_t which = below(PROMISE_FILES), above = which % 3;
    char name[PROMISE_PLACE_BYTES];
    snprintf(name, sizeof(name), "d%u/there%u", above, which);
    if (is_there[which]) {
        promise_less(PROMISE_THERE, which);
        MUST(targets[which][0] != '\0' ? unlink(name) : rmdir(name));
    } else {
        promise_less(PROMISE_GONE, which);
        targets[which][0] = '\0';
        if (below(2))
            snprintf(targets[which], sizeof(targets[0]), "target%u%s", serial,
                     below(2) ? "" : "-and-a-long-way-to-go-behind-it-so-that-it");
        MUST(targets[which][0] != '\0' ? symlink(targets[which], name) : mkdir(name, 0755));
    }
    is_there[which] = !is_there[which];
    flush_directory(name_of("d%u", above));
    promise(is_there[which] ? PROMISE_THERE : PROMISE_GONE, which, 0, name,
            is_there[which] ? targets[which] : "");
}

/* Nobody promises anything of these. */
static void churn(void)
{
    for (uint32_t i = 0; i < 6; i++) {
        char *name = name_of("d%u", below(3));
        snprintf(strchr(name, '\0'), 20, "/small%u", below(12));
        if (unlink(name) == 0)
            continue;
        int fd = MUST(open(name, O_WRONLY | O_CREAT, 0644));
        if (below(2) == 0)
            write_all(fd, log_bytes, below(9000), below(2) * 20000);
        if (below(3) == 0)
            MUST(fsync(fd));
        close(fd);
    }
}

static void sync_all(void)
{
    sync();
    for (uint32_t i = 0; i < 2; i++)
        if (versions[i] > 0)
            promise(PROMISE_SAVED, i, versions[i], name_of("saved%u", i), "");
    if (log_length > 0)
        promise(PROMISE_LOG, 0, log_length, "log", "");
}

static void begin_files(void)
{
    for (uint32_t i = 0; i < sizeof(log_bytes); i++)
        log_bytes[i] = promise_log_byte(i);
    for (uint32_t i = 0; i < 3; i++)
        MUST(mkdir(name_of("d%u", i), 0755));
    begin_promises();
    for (uint32_t i = 0; i < PROMISE_FILES; i++) {
        snprintf(moved[i], sizeof(moved[i]), "d0/m%u", i);
        int fd = MUST(open(moved[i], O_WRONLY | O_CREAT, 0644));
        write_all(fd, bytes, promise_moved(bytes, i), 0);
        MUST(fsync(fd));
        close(fd);
        promise(PROMISE_MOVED, i, 0, moved[i], moved[i]);
    }
}

int main(int argc, char **argv)
{
    static void (*const operations[])(void) = {save,    save,        write_over, append, append,
                                               shorten, move,        move,       churn,  churn,
                                               churn,   come_and_go, sync_all};
    uint32_t count = argc > 2 ? (uint32_t)atoi(argv[2]) : 50;
    state = argc > 1 ? (uint32_t)atoi(argv[1]) : 1;
    MUST(mkdir("/disk", 0755));
    MUST(mount("/dev/hdb", "/disk", "ext2", 0, ""));
    MUST(chdir("/disk"));
    begin_files();
    for (uint32_t i = 0; i < count; i++)
        operations[below(sizeof(operations) / sizeof(operations[0]))]();
    check_note("%u promises", serial);
    return 0;
}
