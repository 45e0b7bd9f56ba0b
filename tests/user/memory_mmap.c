/* SPDX-License-Identifier: MIT */
/*
 * mmap: the corner cases of the manual page, and what is in the pages afterwards.
 */
#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { PAGE = 4096, ANON = MAP_PRIVATE | MAP_ANONYMOUS, RW = PROT_READ | PROT_WRITE };

static const char *self_path;

static char *map(size_t bytes, int protection, int flags)
{
    return mmap(NULL, bytes, protection, flags, -1, 0);
}

/* mmap with all six words as they are: an offset in pages. */
static long raw(unsigned long address, unsigned long bytes, int protection, int flags, int fd,
                unsigned long page)
{
    return syscall(SYS_mmap2, address, bytes, protection, flags, fd, page);
}

/* The bits of protection that an access needs, by what a child gets. */
static char *volatile target;
static int read_target(void)
{
    return *target == 0 ? 0 : 1;
}
static int write_target(void)
{
    *target = 1;
    return 0;
}

/* A 64-bit kernel counts pages in 64 bits, and sees nothing wrong. */
static bool overflows(int fd, int flags)
{
    return raw(0, 2 * PAGE, PROT_READ, flags, fd, 0xFFFFFFFF) != -1 || errno == EOVERFLOW;
}

static void test_errors(void)
{
    CHECK_ERROR(raw(0, 0, RW, ANON, -1, 0), EINVAL);
    CHECK_ERROR(raw(0, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERROR(raw(0, PAGE, RW, MAP_ANONYMOUS | MAP_SHARED_VALIDATE, -1, 0), EINVAL);
    CHECK_ERROR(raw(0, PAGE, RW, MAP_ANONYMOUS | 4, -1, 0), EINVAL);
    CHECK_ERROR(raw(0, PAGE, RW, MAP_ANONYMOUS | MAP_SHARED | MAP_GROWSDOWN, -1, 0), EINVAL);
    CHECK_ERROR(raw(0x40000001, PAGE, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
    CHECK_ERROR(raw(0x40000800, PAGE, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
    CHECK_ERROR(raw(0, 0xFFFFFFFF, RW, ANON, -1, 0), ENOMEM);
    CHECK_ERROR(raw(0, 0xFFFFF000, RW, ANON, -1, 0), ENOMEM);
    CHECK_ERROR(raw(0x40000000, 0xE0000000, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
    CHECK_ERROR(raw(0xFFFFF000, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
    CHECK_ERROR(raw(0xFFFFF000, PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
    CHECK_THAT("an offset that overflows", overflows(-1, ANON));
    CHECK_ERROR(raw(0, PAGE, RW, MAP_PRIVATE, -1, 0), EBADF);
    CHECK_ERROR(raw(0, PAGE, RW, MAP_PRIVATE, 77, 0), EBADF);
    CHECK_ERROR(raw(0, PAGE, RW, MAP_SHARED, 77, 0), EBADF);
    CHECK_THAT("the last page number is no overflow with one page",
               raw(0, PAGE, RW, ANON, -1, 0xFFFFFFFE) != -1);
}

/* The old call: six words in memory, an offset in bytes. */
static void test_old_call(void)
{
    unsigned long words[6] = {0, PAGE, RW, ANON, (unsigned long)-1, 0};
    char *page = (char *)syscall(SYS_mmap, words);
    CHECK_THAT("the old mmap maps", page != MAP_FAILED && page[PAGE - 1] == 0);
    CHECK(munmap(page, PAGE) == 0);
    words[5] = 1;
    CHECK_ERROR(syscall(SYS_mmap, words), EINVAL);
    CHECK_ERROR(syscall(SYS_mmap, 4), EFAULT);
}

static void test_zeros_and_rounding(void)
{
    char *page = map(1, RW, ANON);
    CHECK_THAT("one byte is one page", page != MAP_FAILED && page[0] == 0 && page[PAGE - 1] == 0);
    page[PAGE - 1] = 7;
    CHECK(munmap(page, 1) == 0);
    target = page;
    CHECK_KILLED(read_target, SIGSEGV);

    char *large = map(64 << 20, RW, ANON);
    int sum = 0;
    CHECK(large != MAP_FAILED);
    for (size_t i = 0; i < 64 << 20; i += PAGE)
        sum += large[i];
    CHECK_EQUAL(sum, 0);
    for (size_t i = 0; i < 64 << 20; i += 1 << 20)
        large[i + 123] = (char)(i >> 20);
    for (size_t i = 0; i < 64 << 20; i += 1 << 20)
        sum += large[i + 123] == (char)(i >> 20);
    CHECK_EQUAL(sum, 64);
    CHECK(munmap(large, 64 << 20) == 0);
}

static void test_protection(void)
{
    target = map(PAGE, PROT_NONE, ANON);
    CHECK_KILLED(read_target, SIGSEGV);
    CHECK_KILLED(write_target, SIGSEGV);
    target = map(PAGE, PROT_READ, ANON);
    CHECK_EXITS(read_target, 0);
    CHECK_KILLED(write_target, SIGSEGV);
    target = map(PAGE, PROT_WRITE, ANON);
    CHECK_EXITS(write_target, 0);
    CHECK_EXITS(read_target, 0);
    target = map(PAGE, PROT_EXEC, ANON);
    CHECK_EXITS(read_target, 0);
    target = map(8 << 20, PROT_READ, ANON) + (4 << 20);
    CHECK_EXITS(read_target, 0);
    CHECK_KILLED(write_target, SIGSEGV);
}

static void test_hints(void)
{
    char *room = map(16 * PAGE, RW, ANON);
    CHECK(munmap(room, 16 * PAGE) == 0);
    CHECK_THAT("a free hint is taken",
               mmap(room + 2 * PAGE, PAGE, RW, ANON, -1, 0) == room + 2 * PAGE);
    CHECK_THAT("a hint is rounded down to its page",
               mmap(room + 4 * PAGE + 5, PAGE, RW, ANON, -1, 0) == room + 4 * PAGE);
    char *elsewhere = mmap(room + 2 * PAGE, PAGE, RW, ANON, -1, 0);
    CHECK_THAT("a hint that is taken leads elsewhere",
               elsewhere != MAP_FAILED && elsewhere != room + 2 * PAGE);
    elsewhere = mmap(room + PAGE, 2 * PAGE, RW, ANON, -1, 0);
    CHECK_THAT("a hint that overlaps leads elsewhere",
               elsewhere != MAP_FAILED && elsewhere != room + PAGE);
    CHECK_THAT("a hint in the last page of all leads elsewhere",
               raw(0xFFFFF000, 2 * PAGE, RW, ANON, -1, 0) != -1);
}

static void test_fixed(void)
{
    char *room = map(16 * PAGE, RW, ANON);
    memset(room, 1, 16 * PAGE);
    CHECK(mmap(room + 4 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0) == room + 4 * PAGE);
    CHECK_THAT("MAP_FIXED replaces its pages, and no others",
               room[4 * PAGE - 1] == 1 && room[4 * PAGE] == 0 && room[8 * PAGE - 1] == 0 &&
                   room[8 * PAGE] == 1);
    room[5 * PAGE] = 2;
    CHECK(munmap(room + 6 * PAGE, PAGE) == 0);
    CHECK(mmap(room + 3 * PAGE, 7 * PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0) == room + 3 * PAGE);
    CHECK_THAT("also across a hole and other regions",
               room[3 * PAGE - 1] == 1 && room[3 * PAGE] == 0 && room[5 * PAGE] == 0 &&
                   room[6 * PAGE] == 0 && room[10 * PAGE] == 1);
    CHECK_ERROR(raw((unsigned long)room, PAGE, RW, MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
    CHECK_ERROR(raw((unsigned long)room, PAGE, RW, MAP_PRIVATE | MAP_FIXED, 77, 0), EBADF);
    CHECK_THAT("a MAP_FIXED that fails takes nothing away", room[0] == 1);

    CHECK_ERROR(raw((unsigned long)room, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    CHECK_ERROR(raw((unsigned long)room - PAGE, 3 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0),
                EEXIST);
    CHECK(munmap(room, 16 * PAGE) == 0);
    CHECK(mmap(room, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == room);
    CHECK_ERROR(raw((unsigned long)room + 1, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EINVAL);
    CHECK(munmap(room, PAGE) == 0);

    char *large = map(24 << 20, RW, ANON);
    for (size_t i = 0; i < 24 << 20; i += PAGE)
        large[i] = 3;
    CHECK(mmap(large + (5 << 20), 14 << 20, RW, ANON | MAP_FIXED, -1, 0) == large + (5 << 20));
    CHECK_THAT("MAP_FIXED over many tables",
               large[(5 << 20) - PAGE] == 3 && large[5 << 20] == 0 && large[10 << 20] == 0 &&
                   large[(19 << 20) - PAGE] == 0 && large[19 << 20] == 3);
    CHECK(munmap(large, 24 << 20) == 0);
}

/* As a program without privileges: page 0 is nobody's. */
static int map_page_zero(void)
{
    if (syscall(SYS_setuid32, 65534) != 0 && !check_on_droste())
        return 1;
    errno = 0;
    return raw(0, PAGE, RW, ANON | MAP_FIXED, -1, 0) == -1 && errno == EPERM ? 0 : 2;
}

static void test_files(void)
{
    int fd = open(self_path, O_RDONLY);
    char head[16], *page = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(fd >= 0 && page != MAP_FAILED);
    CHECK(read(fd, head, sizeof(head)) == sizeof(head));
    CHECK_THAT("a file is seen", memcmp(page, head, sizeof(head)) == 0);
    char *second = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
    CHECK_THAT("from any page on", second != MAP_FAILED && memcmp(second, page + PAGE, PAGE) == 0);
    CHECK_ERROR(raw(0, PAGE, RW, MAP_SHARED, fd, 0), EACCES);
    CHECK_ERROR(raw(0, PAGE, PROT_WRITE, MAP_SHARED_VALIDATE, fd, 0), EACCES);
    CHECK_ERROR(raw(0, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0), EOPNOTSUPP);
    CHECK_ERROR(raw(0, PAGE, PROT_READ, 0, fd, 0), EINVAL);
    CHECK_ERROR(raw(0, 0, PROT_READ, MAP_PRIVATE, fd, 0), EINVAL);
    CHECK_THAT("an offset that overflows, of a file", overflows(fd, MAP_PRIVATE));
    CHECK_ERROR(raw(0, PAGE, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, fd, 0), EINVAL);

    char *private = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);
    private[0] = 'x';
    CHECK_THAT("a private copy is one's own",
               private[0] == 'x' && page[0] == head[0] && private[1] == head[1]);
    CHECK(close(fd) == 0);
    CHECK_THAT("a mapping outlives its descriptor", memcmp(page, head, sizeof(head)) == 0);

    int pipes[2];
    CHECK(pipe(pipes) == 0);
    CHECK_ERROR(raw(0, PAGE, PROT_READ, MAP_PRIVATE, pipes[0], 0), ENODEV);
    CHECK_ERROR(raw(0, PAGE, PROT_READ, MAP_PRIVATE, pipes[1], 0), EACCES);
    int zero = open("/dev/zero", O_RDWR);
    char *zeros = mmap(NULL, PAGE, RW, MAP_PRIVATE, zero, 0);
    CHECK_THAT("/dev/zero is anonymous memory", zeros != MAP_FAILED && zeros[5] == 0);
    zeros[5] = 1;
    zeros = mmap(NULL, PAGE, RW, MAP_SHARED, zero, 0);
    CHECK_THAT("shared, too", zeros != MAP_FAILED && zeros[5] == 0);
    close(zero);
}

static void test_many_flags(void)
{
    static const int flags[] = {MAP_NORESERVE, MAP_POPULATE,  MAP_LOCKED,
                                MAP_STACK,     MAP_GROWSDOWN, MAP_POPULATE | MAP_NONBLOCK,
                                MAP_DENYWRITE, MAP_EXECUTABLE};
    for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        char *page = map(8 * PAGE, RW, ANON | flags[i]);
        page[3] = 5;
        CHECK_THAT("a flag that says how leaves what it is",
                   page != MAP_FAILED && page[3] == 5 && page[8 * PAGE - 1] == 0);
        CHECK(munmap(page, 8 * PAGE) == 0);
    }
}

/* A thousand regions that don't merge; then every second one goes. */
static void test_many_regions(void)
{
    enum { COUNT = 1000 };
    char *room = map(COUNT * PAGE, PROT_NONE, ANON);
    int wrong = 0;
    for (int i = 0; i < COUNT; i++)
        wrong += mmap(room + i * PAGE, PAGE, i & 1 ? RW : PROT_READ, ANON | MAP_FIXED, -1, 0) !=
                 room + i * PAGE;
    CHECK_EQUAL(wrong, 0);
    for (int i = 1; i < COUNT; i += 2)
        room[i * PAGE] = (char)i;
    for (int i = 0; i < COUNT; i += 2)
        wrong += munmap(room + i * PAGE, PAGE) != 0;
    for (int i = 1; i < COUNT; i += 2)
        wrong += room[i * PAGE] != (char)i;
    CHECK_EQUAL(wrong, 0);
    CHECK(munmap(room, COUNT * PAGE) == 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    self_path = argv[0];
    test_errors();
    test_old_call();
    test_zeros_and_rounding();
    test_protection();
    test_hints();
    test_fixed();
    CHECK_EXITS(map_page_zero, 0);
    test_files();
    test_many_flags();
    test_many_regions();
    return check_end();
}
