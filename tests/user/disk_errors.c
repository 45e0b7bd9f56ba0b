/* SPDX-License-Identifier: MIT */
/*
 * One request of a disk fails, each in its turn, while programs use the ext2 on it: /dev/hdb, whose
 * requests tests/lib/failing-disk serves; /dev/hdc is where it gets its orders. Who asked for what could not be
 * had is told, and nothing else is wrong: what was written before is there in the end.
 * Arguments: KIND FIRST LAST, requests.
 *
 * run: on=never
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "check.h"

enum { PAGE = 4096, PAGES = 6, BYTES = PAGES * PAGE };

static char buffer[BYTES];

/* ---- what was said ---- */

static char told[300];
static bool is_wrong;

static void tell(const char *what)
{
    if (strlen(told) + strlen(what) + 2 < sizeof(told)) {
        strcat(told, " ");
        strcat(told, what);
    }
}

__attribute__((format(printf, 1, 2))) static void wrong(const char *format, ...)
{
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    check_note("wrong: %s (errno %d)", text, errno);
    is_wrong = true;
}

/* True: it went well. An error of the disk's is told to us, and any other one is wrong. */
static bool went(long result, const char *what)
{
    if (result >= 0)
        return true;
    if (errno != EIO)
        wrong("%s", what);
    tell(what);
    return false;
}

/* ---- orders ---- */

static int control;

static void order(unsigned round, const char *kind, unsigned n)
{
    char text[64] = {0};
    snprintf(text, sizeof(text), "CONTROL %u %s %u ", round, kind, n);
    if (pwrite(control, text, sizeof(text), 0) != sizeof(text) || fdatasync(control) != 0)
        wrong("no order can be given");
}

/* ---- what programs do ---- */

static char byte_of(unsigned version, unsigned at)
{
    return (char)(version * 37 + at / PAGE * 11 + at % 251);
}

static void fill(unsigned version)
{
    for (unsigned i = 0; i < BYTES; i++)
        buffer[i] = byte_of(version, i);
}

static bool is_version(const char *bytes, unsigned version, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++)
        if (bytes[i] != byte_of(version, i))
            return false;
    return true;
}

/* Page by page: the page, or an error. */
static void read_file(const char *name)
{
    int fd = open(name, O_RDONLY);
    if (!went(fd, "open"))
        return;
    for (unsigned i = 0; i < PAGES; i++) {
        ssize_t bytes = pread(fd, buffer + i * PAGE, PAGE, (off_t)i * PAGE);
        if (went(bytes, "read") &&
            (bytes != PAGE || !is_version(buffer, 0, i * PAGE, (i + 1) * PAGE)))
            wrong("%s: page %u holds something else", name, i);
    }
    close(fd);
}

static sigjmp_buf landing;
static volatile int signal_code;

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    signal_code = info->si_code;
    siglongjmp(landing, 1);
}

/* The same, by memory. */
static void touch_file(const char *name)
{
    int fd = open(name, O_RDONLY);
    if (!went(fd, "open"))
        return;
    const char *map = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED) {
        wrong("mmap");
        return;
    }
    for (volatile unsigned i = 0; i < PAGES; i++)
        if (sigsetjmp(landing, 1) != 0) {
            tell("SIGBUS");
            if (signal_code != BUS_ADRERR)
                wrong("SIGBUS has code %d", signal_code);
        } else if (!is_version(map, 0, i * PAGE, (i + 1) * PAGE)) {
            wrong("%s: mapped page %u holds something else", name, i);
        }
    munmap((void *)map, BYTES);
}

/* What should be in "written", "mapped" and "new"; 0: not made. */
static unsigned written, mapped, made;

/* Two have it open: an error of writing back is told to both, once. */
static void write_file(unsigned version)
{
    int fd = open("written", O_RDWR), other = open("written", O_RDONLY);
    if (went(fd, "open") && went(other, "open")) {
        fill(version);
        ssize_t bytes = pwrite(fd, buffer, BYTES, 0);
        if (went(bytes, "write") && bytes == BYTES) {
            written = version;
            bool first = went(fsync(fd), "fsync"),
                 second = went(fsync(other), "fsync-of-the-other");
            (void)first;
            (void)second;
        } else {
            written = 0; /* in part */
        }
    }
    close(fd);
    close(other);
}

static void write_map(unsigned version)
{
    int fd = open("mapped", O_RDWR);
    if (!went(fd, "open"))
        return;
    char *map = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        wrong("mmap to write");
    } else if (sigsetjmp(landing, 1) != 0) {
        tell("SIGBUS-of-a-write");
        mapped = 0;
    } else {
        mapped = 0;
        fill(version);
        memcpy(map, buffer, BYTES);
        mapped = version;
        went(msync(map, BYTES, MS_SYNC), "msync");
    }
    if (map != MAP_FAILED)
        munmap(map, BYTES);
    close(fd);
}

static void make_files(unsigned version)
{
    if (!went(unlink("new"), "unlink"))
        return;
    made = 0;
    int fd = open("beside", O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (!went(fd, "create"))
        return;
    fill(version);
    ssize_t bytes = write(fd, buffer, BYTES);
    bool is_whole = went(bytes, "write-new") && bytes == BYTES;
    went(fsync(fd), "fsync-new");
    went(close(fd), "close");
    if (went(rename("beside", "new"), "rename"))
        made = is_whole ? version : 0;
    fd = open("d", O_RDONLY);
    if (went(fd, "open-directory")) {
        bool is_there = went(mkdir("d/e", 0755), "mkdir");
        went(fsync(fd), "fsync-directory");
        if (is_there)
            went(symlink("somewhere", "d/e/link"), "symlink");
        went(syncfs(fd), "syncfs");
        if (unlink("d/e/link") != 0 && errno != ENOENT)
            went(-1, "unlink-link");
        if (rmdir("d/e") != 0 && errno != ENOENT)
            went(-1, "rmdir");
        close(fd);
    }
}

/* ---- what is there in the end ---- */

static void check_file(const char *name, unsigned version)
{
    int fd = open(name, O_RDONLY);
    ssize_t bytes = pread(fd, buffer, BYTES, 0);
    if (version != 0 && (bytes != BYTES || !is_version(buffer, version, 0, BYTES)))
        wrong("%s: %d bytes, not those of version %u", name, (int)bytes, version);
    close(fd);
}

static bool attach(void)
{
    if (mount("/dev/hdb", "/disk", "ext2", 0, "") == 0)
        return chdir("/disk") == 0;
    if (errno != EIO && errno != EINVAL)
        wrong("mount");
    tell("mount");
    return false;
}

static void detach(bool must)
{
    if (chdir("/") == 0 && umount("/disk") == 0)
        return;
    if (must || errno != EIO)
        wrong("umount");
    tell("umount");
}

/* Nothing fails from here on: all is written, and is found. */
static void look_at_it(unsigned round)
{
    order(2 * round + 1, "none", 0);
    if (access("/disk/d", F_OK) == 0)
        detach(true);
    if (!attach()) {
        wrong("it can't be mounted any more");
        return;
    }
    read_file("read");
    check_file("written", written);
    check_file("mapped", mapped);
    check_file("new", made);
    if (access("d/e", F_OK) == 0 && (unlink("d/e/link"), rmdir("d/e") != 0))
        wrong("d/e stays");
    if (unlink("beside") != 0 && errno != ENOENT)
        wrong("beside stays");
    int fd = open("new", O_WRONLY | O_CREAT, 0644); /* for the next round */
    close(fd);
    detach(true);
}

static void one_round(unsigned round, const char *kind, unsigned n)
{
    told[0] = '\0';
    order(2 * round, kind, n);
    if (attach()) {
        read_file("read");
        touch_file("touched");
        write_file(round);
        write_map(round);
        make_files(round);
        detach(false);
    }
    look_at_it(round);
    check_note("round %u: told:%s", 2 * round, told);
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    unsigned first = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
    unsigned last = argc > 3 ? (unsigned)atoi(argv[3]) : 10;
    sigaction(SIGBUS, &action, NULL);
    mkdir("/disk", 0755);
    mkdir("/control", 0755);
    if (mount("/dev/hdc", "/control", "ext2", 0, "") != 0)
        wrong("no orders can be given");
    control = open("/control/control", O_RDWR);
    for (unsigned n = first; n <= last && !is_wrong; n++)
        one_round(n, argc > 1 ? argv[1] : "once", n);
    close(control);
    return is_wrong;
}
