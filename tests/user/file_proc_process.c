/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID: the environment, what of a region is real and shared (smaps), signals, tasks, descriptors (fdinfo),
 * mounts.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "check.h"

enum { BYTES = 1 << 17, PAGE = 4096 };
static char text[BYTES];

static long read_all(const char *name)
{
    long bytes = 0;
    ssize_t got;
    int fd = open(name, O_RDONLY);
    if (fd < 0)
        return -1;
    while ((got = read(fd, text + bytes, sizeof(text) - 1 - (size_t)bytes)) > 0)
        bytes += got;
    close(fd);
    text[bytes] = '\0';
    return bytes;
}

/* The number behind KEY in the lines from FROM on. */
static long number_at(const char *from, const char *key)
{
    const char *found = from != NULL ? strstr(from, key) : NULL;
    return found != NULL ? strtol(found + strlen(key), NULL, 10) : -1;
}

static unsigned long long set_of(const char *key)
{
    const char *found = strstr(text, key);
    return found != NULL ? strtoull(found + strlen(key), NULL, 16) : ~0ull;
}

static void test_environment(void)
{
    char *arguments[] = {"self", "child", NULL}, *variables[] = {"ONE=1", "TWO=and two", "", NULL};
    int status;
    pid_t child = fork();
    if (child == 0) {
        execve("/proc/self/exe", arguments, variables);
        _exit(99);
    }
    CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 0);
    struct stat file;
    CHECK(stat("/proc/self/environ", &file) == 0 && file.st_mode == (S_IFREG | 0400));
}

/* In the child with that environment. */
static int check_environment(void)
{
    static const char wanted[] = "ONE=1\0TWO=and two\0";
    long bytes = read_all("/proc/self/environ");
    return bytes == sizeof(wanted) && memcmp(text, wanted, sizeof(wanted)) == 0 ? 0 : 1;
}

/* The text of the region that begins at MAP, in smaps. */
static const char *region_at(const void *map)
{
    char start[16];
    snprintf(start, sizeof(start), "%08lx-", (unsigned long)map);
    const char *found = read_all("/proc/self/smaps") > 0 ? strstr(text, start) : NULL;
    return found;
}

static void test_smaps(void)
{
    enum { PAGES = 100, TOUCHED = 7 };
    /* Alone: regions that are alike grow together. */
    unsigned char *room =
        mmap(NULL, (PAGES + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char *map = room + PAGE;
    mprotect(map, PAGES * PAGE, PROT_READ | PROT_WRITE);
    for (int i = 0; i < TOUCHED; i++)
        map[i * 3 * PAGE] = 1;
    const char *region = region_at(map);
    CHECK(region != NULL);
    CHECK_EQUAL(number_at(region, "\nSize:"), PAGES * 4);
    CHECK_EQUAL(number_at(region, "\nRss:"), TOUCHED * 4);
    CHECK_EQUAL(number_at(region, "\nPss:"), TOUCHED * 4);
    CHECK_EQUAL(number_at(region, "\nPrivate_Dirty:"), TOUCHED * 4);
    CHECK_EQUAL(number_at(region, "\nShared_Dirty:"), 0);
    CHECK_EQUAL(number_at(region, "\nAnonymous:"), TOUCHED * 4);
    CHECK_EQUAL(number_at(region, "\nSwap:"), 0);
    CHECK(strstr(region, "\nVmFlags: rd wr") != NULL);

    int ends[2];
    char byte;
    CHECK_EQUAL(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        _exit((int)read(ends[0], &byte, 1));
    }
    region = region_at(map);
    CHECK_EQUAL(number_at(region, "\nRss:"), TOUCHED * 4);
    CHECK_EQUAL(number_at(region, "\nPss:"), TOUCHED * 2);
    CHECK_EQUAL(number_at(region, "\nShared_Dirty:"), TOUCHED * 4);
    CHECK_EQUAL(number_at(region, "\nPrivate_Dirty:"), 0);
    map[0] = 2;
    region = region_at(map);
    CHECK_EQUAL(number_at(region, "\nRss:"), TOUCHED * 4);
    CHECK_EQUAL(number_at(region, "\nPrivate_Dirty:"), 4);
    CHECK_EQUAL(number_at(region, "\nShared_Dirty:"), (TOUCHED - 1) * 4);
    close(ends[1]);
    waitpid(child, NULL, 0);
    munmap(room, (PAGES + 2) * PAGE);
    CHECK(region_at(map) == NULL);
}

static void test_smaps_shared(void)
{
    enum { PAGES = 8 };
    unsigned char *one =
        mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    one[0] = one[PAGE] = 1;
    const char *region = region_at(one);
    CHECK_EQUAL(number_at(region, "\nRss:"), 8);
    CHECK_EQUAL(number_at(region, "\nPss:"), 8);
    CHECK(strstr(region, "\nVmFlags: rd wr sh") != NULL);
    CHECK(read_all("/proc/self/smaps_rollup") > 0 && strstr(text, "[rollup]\nRss:") != NULL);
    CHECK(number_at(text, "\nRss:") >= 8 && number_at(text, "\nPss:") >= 8);
    munmap(one, PAGES * PAGE);
}

static void handler(int signal)
{
    (void)signal;
}

static void test_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMAX);
    sigprocmask(SIG_SETMASK, &set, NULL);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR2, handler);
    raise(SIGUSR1);
    CHECK(read_all("/proc/self/status") > 0);
    CHECK(set_of("\nSigBlk:\t") == (1ull << (SIGUSR1 - 1) | 1ull << (SIGRTMAX - 1)));
    /* Of SIGHUP, SIGUSR1 and SIGUSR2: others may have been ignored before this program began. */
    CHECK((set_of("\nSigIgn:\t") & 0xA01) == 1ull << (SIGHUP - 1));
    CHECK(set_of("\nSigCgt:\t") == 1ull << (SIGUSR2 - 1));
    CHECK((set_of("\nSigPnd:\t") | set_of("\nShdPnd:\t")) == 1ull << (SIGUSR1 - 1));
    CHECK(number_at(text, "\nThreads:\t") == 1 && number_at(text, "\nVmSwap:\t") == 0);
    signal(SIGUSR1, SIG_IGN);
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
}

static void test_tasks(void)
{
    char path[64], one[64];
    int found = 0, others = 0;
    DIR *directory = opendir("/proc/self/task");
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        found += atoi(entry->d_name) == getpid() && entry->d_type == DT_DIR;
        others += entry->d_name[0] != '.' && atoi(entry->d_name) != getpid();
    }
    if (directory != NULL)
        closedir(directory);
    CHECK(found == 1 && others == 0);
    CHECK(read_all("/proc/self/comm") > 0);
    snprintf(one, sizeof(one), "%.*s", (int)sizeof(one) - 1, text);
    snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", getpid(), getpid());
    CHECK(read_all(path) > 0 && strcmp(one, text) == 0);
    snprintf(path, sizeof(path), "/proc/self/task/%d/fd/1", getpid());
    CHECK(access(path, F_OK) == 0);
    snprintf(path, sizeof(path), "/proc/self/task/%d/task", getpid());
    CHECK_ERROR(access(path, F_OK), ENOENT);
    CHECK_ERROR(access("/proc/self/task/1000000", F_OK), ENOENT);
    CHECK_ERROR(access("/proc/self/task/stat", F_OK), ENOENT);
    CHECK_ERROR(mkdir("/proc/self/task/1000000", 0700), ENOENT);
}

/* The lines of fdinfo/FD. */
static void read_information(int fd, long long *position, unsigned *flags, unsigned *mount)
{
    char name[32];
    *position = -1;
    *flags = *mount = ~0u;
    snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
    CHECK(read_all(name) > 0);
    CHECK(sscanf(text, "pos: %lld flags: %o mnt_id: %u", position, flags, mount) == 3);
}

static void test_information(void)
{
    long long position;
    unsigned flags, mount, of_root;
    int ends[2], found = 0, fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    lseek64(fd, 0x123456789ll, SEEK_SET);
    read_information(fd, &position, &flags, &mount);
    CHECK(position == 0x123456789ll);
    CHECK_EQUAL(flags & (O_ACCMODE | O_CLOEXEC | O_APPEND), O_RDONLY | O_CLOEXEC);
    CHECK(strncmp(text, "pos:\t4886718345\nflags:\t0", 24) == 0);
    fcntl(fd, F_SETFD, 0);
    fcntl(fd, F_SETFL, O_APPEND);
    read_information(fd, &position, &flags, &mount);
    CHECK_EQUAL(flags & (O_ACCMODE | O_CLOEXEC | O_APPEND), O_APPEND);
    close(fd);
    CHECK_ERROR(access("/proc/self/fdinfo/1000", F_OK), ENOENT);
    CHECK_ERROR(access("/proc/self/fdinfo/01", F_OK), ENOENT);

    CHECK_EQUAL(pipe(ends), 0);
    read_information(ends[1], &position, &flags, &mount);
    CHECK(position == 0 && (flags & O_ACCMODE) == O_WRONLY);
    close(ends[0]);
    close(ends[1]);

    fd = open("/proc", O_RDONLY | O_DIRECTORY);
    read_information(fd, &position, &flags, &mount);
    CHECK((flags & O_DIRECTORY) != 0);
    CHECK(read_all("/proc/self/mountinfo") > 0);
    const char *line = strstr(text, " / /proc rw");
    while (line != NULL && line > text && line[-1] != '\n')
        line--;
    CHECK(line != NULL && sscanf(line, "%u", &of_root) == 1 && of_root == mount);
    close(fd);

    DIR *directory = opendir("/proc/self/fdinfo");
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;)
        found += strcmp(entry->d_name, "1") == 0 && entry->d_type == DT_REG;
    CHECK_EQUAL(found, 1);
    closedir(directory);
    struct stat status;
    CHECK(stat("/proc/self/fdinfo/1", &status) == 0 && S_ISREG(status.st_mode));
    CHECK(stat("/proc/self/fdinfo", &status) == 0 && status.st_nlink == 2);
}

/* "ID PARENT MAJOR:MINOR ROOT PLACE OPTIONS - TYPE SOURCE OPTIONS" */
static void test_mounts(void)
{
    CHECK(read_all("/proc/self/mountinfo") > 0);
    const char *found = strstr(text, " / /proc rw");
    CHECK(found != NULL && strstr(found, " - proc proc rw") != NULL);
    struct stat status;
    unsigned major = 0, minor = 0;
    while (found != NULL && found > text && found[-1] != '\n')
        found--;
    CHECK(found != NULL && sscanf(found, "%*u %*u %u:%u", &major, &minor) == 2);
    CHECK(stat("/proc", &status) == 0 && status.st_dev == (major << 8 | minor));
}

int main(int count, char **arguments)
{
    if (access("/proc/self/stat", R_OK) != 0)
        check_skip("there is no /proc");
    if (count == 2 && strcmp(arguments[1], "child") == 0)
        return check_environment();
    test_environment();
    test_smaps();
    test_smaps_shared();
    test_signals();
    test_tasks();
    test_information();
    test_mounts();
    return check_end();
}
