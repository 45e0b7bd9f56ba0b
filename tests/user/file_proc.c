/* SPDX-License-Identifier: MIT */
/*
 * /proc: what it says of this process and its children, as programs read it; and that a text is the same in
 * whatever pieces it is read.
 *
 * run: arguments=first second
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>

#include "file_place.h"

enum { BYTES = 1 << 17 };
static char text[BYTES], other[BYTES];

/* All of file NAME, in reads of PIECE bytes: how much it is, or -1. */
static long read_in_pieces(const char *name, char *to, size_t piece)
{
    long bytes = 0;
    ssize_t got;
    int fd = open(name, O_RDONLY);
    if (fd < 0)
        return -1;
    while ((got = read(fd, to + bytes, piece)) > 0)
        bytes += got;
    close(fd);
    to[bytes] = '\0';
    return got == 0 ? bytes : -1;
}

static long read_all(const char *name)
{
    return read_in_pieces(name, text, 4096);
}

static const char *of_process(pid_t pid, const char *name)
{
    static char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    return path;
}

/* The number behind NAME at the beginning of a line of the text; -1: there is none. */
static long number_of(const char *name)
{
    for (const char *line = text; line != NULL && *line != '\0';
         line = strchr(line, '\n') != NULL ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            return strtol(line + strlen(name), NULL, 10);
    return -1;
}

static int count_entries(const char *name)
{
    int count = 0;
    DIR *directory = opendir(name);
    if (directory == NULL)
        return -1;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static bool has_entry(const char *name, const char *wanted)
{
    bool found = false;
    DIR *directory = opendir(name);
    if (directory == NULL)
        return false;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        found |= strcmp(entry->d_name, wanted) == 0;
    closedir(directory);
    return found;
}

/* ---- who ---- */

static void test_self(char **arguments)
{
    char link[64] = "", number[16];
    struct stat status;
    ssize_t bytes = readlink("/proc/self", link, sizeof(link) - 1);
    snprintf(number, sizeof(number), "%d", (int)getpid());
    CHECK_THAT("self leads to this process", bytes > 0 && strcmp(link, number) == 0);
    CHECK_THAT("it is among the processes", has_entry("/proc", number));
    CHECK(lstat("/proc/self", &status) == 0 && S_ISLNK(status.st_mode));
    CHECK(stat("/proc/self", &status) == 0 && status.st_mode == (S_IFDIR | 0555));
    CHECK(stat("/proc/self/maps", &status) == 0 && status.st_mode == (S_IFREG | 0444) &&
          status.st_size == 0 && status.st_nlink == 1);

    long wanted = 0;
    for (char **argument = arguments; *argument != NULL; argument++) {
        memcpy(other + wanted, *argument, strlen(*argument) + 1);
        wanted += (long)strlen(*argument) + 1;
    }
    CHECK_THAT("cmdline is the arguments, each with a zero behind it",
               read_all("/proc/self/cmdline") == wanted &&
                   memcmp(text, other, (size_t)wanted) == 0);
    CHECK(read_in_pieces("/proc/self/cmdline", text, 1) == wanted &&
          memcmp(text, other, (size_t)wanted) == 0);
}

static void test_status(void)
{
    CHECK(read_all("/proc/self/status") > 0);
    CHECK_THAT("the name comes first", strncmp(text, "Name:\tfile_proc\n", 16) == 0);
    CHECK_EQUAL(number_of("Pid:"), getpid());
    CHECK_EQUAL(number_of("Tgid:"), getpid());
    CHECK_EQUAL(number_of("PPid:"), getppid());
    CHECK_EQUAL(number_of("Threads:"), 1);
    CHECK_THAT("the umask is told", strstr(text, "\nUmask:\t0022\n") != NULL);
    CHECK(number_of("VmSize:") > 0 && number_of("VmRSS:") > 0);
    CHECK(number_of("VmRSS:") <= number_of("VmSize:"));
    CHECK(strstr(text, "\nState:\tR (running)\n") != NULL);

    int pid, parent, group, session;
    char state, name[32];
    CHECK(read_all("/proc/self/stat") > 0);
    CHECK(sscanf(text, "%d (%31[^)]) %c %d %d %d", &pid, name, &state, &parent, &group, &session) ==
          6);
    CHECK(pid == getpid() && strcmp(name, "file_proc") == 0 && state == 'R');
    CHECK(parent == getppid() && group == getpgrp() && session == getsid(0));
    int fields = 1;
    for (const char *at = text; *at != '\0'; at++)
        fields += *at == ' ';
    CHECK_EQUAL(fields, 52);
}

/* Memory that is written to is counted. */
static void test_resident(void)
{
    enum { PAGES = 300, PAGE = 4096 };
    long before[2], after[2];
    char *memory =
        mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    read_all("/proc/self/statm");
    CHECK_EQUAL(sscanf(text, "%ld %ld", &before[0], &before[1]), 2);
    for (int i = 0; i < PAGES; i++)
        memory[i * PAGE] = 1;
    read_all("/proc/self/statm");
    CHECK_EQUAL(sscanf(text, "%ld %ld", &after[0], &after[1]), 2);
    CHECK_EQUAL(after[0], before[0]);
    CHECK(after[1] >= before[1] + PAGES && after[1] < before[1] + 2 * PAGES);
    munmap(memory, PAGES * PAGE);
}

/* ---- maps ---- */

/* The line of maps that holds ADDRESS, or NULL. */
static const char *line_of(const void *address)
{
    unsigned long start, end;
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1)
        if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start <= (unsigned long)address &&
            (unsigned long)address < end)
            return line;
    return NULL;
}

static bool line_has(const char *line, const char *wanted)
{
    const char *found = line != NULL ? strstr(line, wanted) : NULL;
    return found != NULL && found < strchr(line, '\n');
}

static void test_maps(void)
{
    unsigned long inode = 0;
    struct stat program;
    int local = 0;
    CHECK(read_all("/proc/self/maps") > 0);
    const char *code = line_of((const void *)(uintptr_t)test_maps), *stack = line_of(&local);
    CHECK_THAT("code may be executed", line_has(code, " r-xp "));
    CHECK_THAT("it is of this file", line_has(code, "file_proc\n"));
    CHECK_THAT("the stack is called so", line_has(stack, " rw-p ") && line_has(stack, "[stack]\n"));
    CHECK_THAT("variables can be written", line_has(line_of(text), " rw-p "));
    CHECK(code != NULL && sscanf(code, "%*s %*s %*s %*s %lu", &inode) == 1);
    CHECK(stat("/proc/self/exe", &program) == 0 && program.st_ino == inode);
}

/* Many regions, so that the text is long. */
static void test_long(void)
{
    enum { REGIONS = 700, PAGE = 4096 };
    char *memory = mmap(NULL, 2 * REGIONS * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < REGIONS; i++)
        mprotect(memory + 2 * i * PAGE, PAGE, PROT_READ);
    long bytes = read_in_pieces("/proc/self/maps", text, sizeof(text) - 1), lines = 0;
    for (long i = 0; i < bytes; i++)
        lines += text[i] == '\n';
    CHECK(lines > 2 * REGIONS - 2);
    static const size_t pieces[] = {1000, 4096, 37, 1};
    for (unsigned i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
        CHECK_THAT("the text is the same in pieces",
                   read_in_pieces("/proc/self/maps", other, pieces[i]) == bytes &&
                       memcmp(text, other, (size_t)bytes) == 0);
    int fd = open("/proc/self/maps", O_RDONLY);
    const long places[] = {bytes - 60, 100, 0, 33333, 4095, bytes - 1000, 4097};
    bool are_same = true;
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        ssize_t got = pread(fd, other, 50, places[i]); /* Linux may end with a line */
        are_same &= got > 0 && memcmp(other, text + places[i], (size_t)got) == 0;
    }
    CHECK_THAT("and at places", are_same);
    CHECK_EQUAL(pread(fd, other, 50, bytes), 0);
    CHECK_EQUAL(pread(fd, other, 50, bytes + 100000), 0);
    CHECK(lseek(fd, 500, SEEK_SET) == 500 && read(fd, other, 10) == 10 &&
          memcmp(other, text + 500, 10) == 0);
    CHECK_ERROR(read(fd, (char *)16, 100), EFAULT);
    CHECK_ERROR(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0, ENODEV);
    close(fd);
    munmap(memory, 2 * REGIONS * PAGE);
}

/* ---- links ---- */

static void test_descriptors(void)
{
    char link[128] = "", wanted[64];
    struct stat one, same;
    file_make("open", "text");
    int before = count_entries("/proc/self/fd");
    int fd = open("open", O_RDONLY), ends[2] = {-1, -1};
    CHECK_EQUAL(pipe(ends), 0);
    CHECK_EQUAL(count_entries("/proc/self/fd"), before + 3);
    CHECK(readlink(of_process(getpid(), "exe"), link, sizeof(link) - 1) > 0 &&
          strstr(link, "/file_proc") != NULL);
    snprintf(wanted, sizeof(wanted), "fd/%d", fd);
    memset(link, 0, sizeof(link));
    CHECK(readlink(of_process(getpid(), wanted), link, sizeof(link) - 1) > 0 &&
          strcmp(link + strlen(link) - 5, "/open") == 0);
    CHECK(stat(of_process(getpid(), wanted), &one) == 0 && fstat(fd, &same) == 0 &&
          one.st_ino == same.st_ino && one.st_dev == same.st_dev);
    int again = open(of_process(getpid(), wanted), O_RDONLY);
    CHECK(again >= 0 && read(again, link, 4) == 4 && memcmp(link, "text", 4) == 0);
    close(again);
    snprintf(wanted, sizeof(wanted), "fd/%d", ends[0]);
    CHECK(readlink(of_process(getpid(), wanted), link, sizeof(link) - 1) > 0 &&
          memcmp(link, "pipe:[", 6) == 0);
    close(ends[0]);
    close(ends[1]);
    CHECK_ERROR(readlink(of_process(getpid(), wanted), link, sizeof(link)), ENOENT);
    CHECK_ERROR(readlink("/proc/self/fd/01", link, sizeof(link)), ENOENT);
    CHECK_ERROR(readlink("/proc/self/fd/x", link, sizeof(link)), ENOENT);
    close(fd);
    unlink("open");
    memset(link, 0, sizeof(link));
    CHECK(readlink("/proc/self/cwd", link, sizeof(link) - 1) > 0 && strcmp(link, file_place) == 0);
    CHECK(readlink("/proc/self/root", link, sizeof(link)) == 1 && link[0] == '/');
}

/* ---- others ---- */

static void test_child(void)
{
    int ends[2], status;
    char byte;
    CHECK_EQUAL(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        _exit((int)read(ends[0], &byte, 1));
    }
    int fd = open(of_process(child, "stat"), O_RDONLY);
    int directory = open(of_process(child, ""), O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0 && directory >= 0);
    CHECK(read_all(of_process(child, "status")) > 0 && number_of("PPid:") == getpid());
    CHECK(read_all(of_process(child, "cmdline")) > 0 && strstr(text, "file_proc") != NULL);
    CHECK(read_all(of_process(child, "maps")) > 0 && line_of(text) != NULL);
    close(ends[1]);
    close(ends[0]);
    siginfo_t info;
    CHECK_EQUAL(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    CHECK(read_all(of_process(child, "status")) > 0 &&
          strstr(text, "\nState:\tZ (zombie)\n") != NULL);
    CHECK_EQUAL(read_all(of_process(child, "maps")), 0);
    CHECK_EQUAL(read_all(of_process(child, "cmdline")), 0);
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_ERROR(open(of_process(child, "stat"), O_RDONLY), ENOENT);
    CHECK_ERROR(open(of_process(child, ""), O_RDONLY), ENOENT);
    CHECK_ERROR(read(fd, text, 100), ESRCH);
    CHECK_THAT("nothing is in its directory", openat(directory, "stat", O_RDONLY) < 0);
    close(fd);
    close(directory);
    CHECK_ERROR(open("/proc/0/stat", O_RDONLY), ENOENT);
    CHECK_ERROR(open("/proc/99999999999/stat", O_RDONLY), ENOENT);
}

/* ---- the system ---- */

static void test_memory(void)
{
    static const char *const names[] = {
        "MemFree:", "MemAvailable:", "Buffers:",   "Cached:", "SwapTotal:", "SwapFree:",
        "Dirty:",   "Writeback:",    "AnonPages:", "Slab:",   "PageTables:"};
    struct sysinfo information;
    sysinfo(&information);
    CHECK(read_all("/proc/meminfo") > 0);
    CHECK_EQUAL(number_of("MemTotal:"),
                (long)((unsigned long long)information.totalram * information.mem_unit / 1024));
    bool are_there = true;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        are_there &= number_of(names[i]) >= 0 && number_of(names[i]) <= number_of("MemTotal:");
    CHECK_THAT("fields of meminfo", are_there);
    CHECK(strncmp(text, "MemTotal: ", 10) == 0 && strstr(text, " kB\nMemFree: ") != NULL);
}

static void test_system(void)
{
    double up, idle;
    long long user, nice_, system_, idle_ticks;
    struct statfs room;
    CHECK(read_all("/proc/uptime") > 0 && sscanf(text, "%lf %lf", &up, &idle) == 2 && up > 0);
    CHECK(read_all("/proc/loadavg") > 0 &&
          sscanf(text, "%*f %*f %*f %lld/%lld", &user, &nice_) == 2);
    CHECK(read_all("/proc/stat") > 0 &&
          sscanf(text, "cpu  %lld %lld %lld %lld", &user, &nice_, &system_, &idle_ticks) == 4);
    CHECK(strstr(text, "\ncpu0 ") != NULL && number_of("btime ") > 1000000 &&
          number_of("processes ") > 0 && number_of("procs_running ") > 0);
    CHECK(read_all("/proc/version") > 0 && strncmp(text, "Linux version ", 14) == 0);
    CHECK(read_all("/proc/filesystems") > 0 && strstr(text, "nodev\ttmpfs\n") != NULL &&
          strstr(text, "nodev\tproc\n") != NULL);
    CHECK(read_all("/proc/cpuinfo") > 0 && strncmp(text, "processor\t: 0\n", 14) == 0);
    CHECK(read_all("/proc/partitions") > 0 &&
          strncmp(text, "major minor  #blocks  name\n\n", 28) == 0);
    CHECK(read_all("/proc/diskstats") >= 0);
    CHECK(read_all("/proc/swaps") > 0 && strncmp(text, "Filename\t", 9) == 0);
    CHECK(read_all("/proc/vmstat") > 0 && number_of("nr_free_pages ") > 0);
    CHECK(read_all("/proc/sys/kernel/pid_max") > 0 && atoi(text) >= 32768);
    CHECK(read_all("/proc/mounts") > 0 && strstr(text, " /proc proc rw") != NULL);
    CHECK(strstr(text, " /dev/shm tmpfs rw") != NULL && strstr(text, "(deleted)") == NULL);
    CHECK(read_in_pieces("/proc/self/mounts", other, 7) > 0 && strcmp(text, other) == 0);
    CHECK(statfs("/proc", &room) == 0 && room.f_type == 0x9FA0);
}

static void test_changes(void)
{
    CHECK_ERROR(mkdir("/proc/new", 0755), ENOENT);
    CHECK_ERROR(open("/proc/new", O_RDWR | O_CREAT, 0644), ENOENT);
    CHECK_ERROR(unlink("/proc/meminfo"), EPERM);
    CHECK_ERROR(rmdir("/proc/self/fd"), EPERM);
}

int main(int count, char **arguments)
{
    (void)count;
    if (access("/proc/self/stat", R_OK) != 0)
        check_skip("there is no /proc");
    file_place_enter("proc");
    test_self(arguments);
    test_status();
    test_resident();
    test_maps();
    test_long();
    test_descriptors();
    test_child();
    test_memory();
    test_system();
    test_changes();
    file_place_leave();
    return check_end();
}
