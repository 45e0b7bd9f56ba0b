/* SPDX-License-Identifier: MIT */
/*
 * Files by name and by descriptor: open, read, seek, stat, directories, dup, close-on-exec. The one
 * regular file that both systems have is the program itself.
 *
 * run: seconds=30
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "check.h"

enum { PAGE = 4096 };

static const char *const self = "/proc/self/exe";
static char buffer[1 << 17], other[1 << 17];

static void test_errors(void)
{
    static char path[5000];
    CHECK_ERROR(open("/nothing", O_RDONLY), ENOENT);
    CHECK_ERROR(open("", O_RDONLY), ENOENT);
    CHECK_ERROR(open("/nothing/at/all", O_RDONLY), ENOENT);
    CHECK_ERROR(open("/dev/null/x", O_RDONLY), ENOTDIR);
    CHECK_ERROR(open("/dev/null/", O_RDONLY), ENOTDIR);
    CHECK_ERROR(open("/dev/null", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_ERROR(open("/", O_RDWR), EISDIR);
    CHECK_ERROR(open("/dev", O_WRONLY), EISDIR);
    CHECK_ERROR(open("/dev", O_RDONLY | O_CREAT, 0600), EISDIR);
    CHECK_ERROR(open("/dev/null", O_RDONLY | O_CREAT | O_EXCL, 0600), EEXIST);
    CHECK_ERROR(open(self, O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK_ERROR(syscall(SYS_open, 16, O_RDONLY), EFAULT);
    CHECK_ERROR(syscall(SYS_open, 0xC0000000, O_RDONLY), EFAULT);
    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    CHECK_ERROR(open(path, O_RDONLY), ENAMETOOLONG);
    path[257] = '\0';
    CHECK_ERROR(open(path, O_RDONLY), ENAMETOOLONG);
    path[256] = '\0';
    CHECK_ERROR(open(path, O_RDONLY), ENOENT);
    CHECK_ERROR(close(77), EBADF);
    CHECK_ERROR(close(-1), EBADF);
    CHECK_ERROR(read(77, buffer, 1), EBADF);
    CHECK_ERROR(dup(77), EBADF);
    CHECK_ERROR(fcntl(77, F_GETFL), EBADF);
    CHECK_ERROR(openat(77, "x", O_RDONLY), EBADF);
}

static void test_reading(void)
{
    int fd = open(self, O_RDONLY);
    struct stat status;
    CHECK(fd >= 0);
    CHECK(fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 10000);
    CHECK(read(fd, buffer, 4) == 4 && memcmp(buffer, "\177ELF", 4) == 0);
    CHECK(lseek(fd, 0, SEEK_CUR) == 4);
    CHECK(pread(fd, other, 4, 1) == 4 && memcmp(other, "ELF", 3) == 0);
    CHECK(lseek(fd, 0, SEEK_CUR) == 4);
    CHECK(lseek(fd, 0, SEEK_END) == status.st_size);
    CHECK(read(fd, buffer, 10) == 0);
    CHECK(lseek(fd, -3, SEEK_END) == status.st_size - 3);
    CHECK(read(fd, buffer, 10) == 3);
    CHECK(lseek(fd, 100000, SEEK_END) == status.st_size + 100000);
    CHECK(read(fd, buffer, 10) == 0);
    CHECK_ERROR(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK_ERROR(lseek(fd, 0, 99), EINVAL);
    CHECK(lseek(fd, 10, SEEK_DATA) == 10 && lseek(fd, 10, SEEK_HOLE) == status.st_size);
    CHECK_ERROR(lseek(fd, status.st_size, SEEK_DATA), ENXIO);
    CHECK_ERROR(pread(fd, buffer, 1, -1), EINVAL);
    CHECK_ERROR(write(fd, "x", 1), EBADF);

    CHECK(pread(fd, buffer, sizeof(buffer), 0) == sizeof(buffer));
    struct iovec pieces[] = {{other, 1}, {other + 1, 4999}, {other + 5000, 60000}};
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    CHECK(readv(fd, pieces, 3) == 65000);
    CHECK(memcmp(buffer, other, 65000) == 0);
    CHECK(lseek(fd, 0, SEEK_CUR) == 65000);
    int left = 0;
    CHECK(ioctl(fd, FIONREAD, &left) == 0 && left == status.st_size - 65000);
    CHECK(close(fd) == 0);
}

static void test_bad_pointers(void)
{
    int fd = open(self, O_RDONLY);
    char *pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages + 2 * PAGE, PAGE);
    char *end = pages + 2 * PAGE;
    CHECK(pread(fd, end - 10, 100, 0) == 10);
    CHECK(memcmp(end - 10, buffer, 10) == 0);
    CHECK(pread(fd, end - PAGE - 5, 3 * PAGE, 7) == PAGE + 5);
    CHECK_ERROR(pread(fd, end, 100, 0), EFAULT);
    CHECK_ERROR(syscall(SYS_read, fd, 0xC0000000, 100), EFAULT);
    CHECK(lseek(fd, 0, SEEK_CUR) == 0);
    CHECK(read(fd, end - 10, 100) == 10);
    CHECK(lseek(fd, 0, SEEK_CUR) == 10);
    close(fd);
    fd = open("/dev/zero", O_RDWR);
    memset(pages, 'x', 2 * PAGE);
    CHECK(read(fd, end - 10, 100) == 10);
    CHECK(end[-1] == 0 && end[-10] == 0 && end[-11] == 'x');
    CHECK(syscall(SYS_write, fd, 16, 100) == 100);
    CHECK_ERROR(read(fd, end, 1), EFAULT);
    close(fd);
}

static void test_devices(void)
{
    struct stat status;
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);
    CHECK(null >= 0 && zero >= 0);
    CHECK(read(null, buffer, 10) == 0);
    CHECK(write(null, buffer, 12345) == 12345);
    CHECK(lseek(null, 100, SEEK_SET) == 0);
    buffer[0] = 'x';
    CHECK(read(zero, buffer, 10000) == 10000 && buffer[0] == 0 && buffer[9999] == 0);
    CHECK(write(zero, buffer, 5) == 5);
    CHECK(stat("/dev/null", &status) == 0 && S_ISCHR(status.st_mode));
    CHECK(major(status.st_rdev) == 1 && minor(status.st_rdev) == 3);
    CHECK(stat("/dev/zero", &status) == 0 && minor(status.st_rdev) == 5);
    CHECK_ERROR(ioctl(null, TIOCGWINSZ, buffer), ENOTTY);
    char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
    CHECK(pages != MAP_FAILED && pages[5000] == 0);
    pages[5000] = 1;
    CHECK(munmap(pages, 2 * PAGE) == 0);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, null, 0) == MAP_FAILED && errno == ENODEV);
    close(null);
    close(zero);
    null = open("/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0666);
    CHECK(null >= 0);
    CHECK_ERROR(read(null, buffer, 1), EBADF);
    CHECK(fcntl(null, F_GETFL) == (O_WRONLY | (fcntl(null, F_GETFL) & O_LARGEFILE)));
    close(null);
}

static void test_status(void)
{
    struct stat by_name, by_descriptor, link;
    struct statx extended;
    int fd = open(self, O_RDONLY);
    CHECK(stat(self, &by_name) == 0 && fstat(fd, &by_descriptor) == 0);
    CHECK(by_name.st_ino == by_descriptor.st_ino && by_name.st_dev == by_descriptor.st_dev);
    CHECK(by_name.st_size == by_descriptor.st_size && by_name.st_mode == by_descriptor.st_mode);
    CHECK(by_name.st_size == lseek(fd, 0, SEEK_END));
    CHECK((by_name.st_mode & 0111) != 0);
    CHECK(lstat(self, &link) == 0 && S_ISLNK(link.st_mode));
    CHECK(statx(AT_FDCWD, self, 0, STATX_BASIC_STATS, &extended) == 0);
    CHECK(extended.stx_size == (unsigned long long)by_name.st_size);
    CHECK(extended.stx_ino == by_name.st_ino && extended.stx_mode == by_name.st_mode);
    CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &extended) == 0);
    CHECK(extended.stx_ino == by_name.st_ino);
    CHECK_ERROR(statx(fd, "", 0, STATX_BASIC_STATS, &extended), ENOENT);
    CHECK_ERROR(statx(fd, "", 0x10000, STATX_BASIC_STATS, &extended), EINVAL);
    CHECK_ERROR(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0x80000000, &extended), EINVAL);
    CHECK(stat("/", &by_name) == 0 && S_ISDIR(by_name.st_mode));
    CHECK(stat("/dev/..", &by_descriptor) == 0 && by_name.st_ino == by_descriptor.st_ino);
    CHECK_ERROR(stat("/nothing", &by_name), ENOENT);
    CHECK_ERROR(syscall(SYS_stat64, "/", 16), EFAULT);
    CHECK_ERROR(syscall(SYS_fstat64, 77, &by_name), EBADF);
    close(fd);

    CHECK(access(self, R_OK | X_OK) == 0 && access("/dev/null", R_OK | W_OK) == 0);
    CHECK_ERROR(access("/dev/null", X_OK), EACCES);
    CHECK_ERROR(access("/nothing", F_OK), ENOENT);
    CHECK_ERROR(access("/", 8), EINVAL);
    int length = (int)readlink(self, buffer, sizeof(buffer));
    CHECK(length > 1 && buffer[0] == '/');
    CHECK(readlink(self, buffer, 1) == 1);
    CHECK_ERROR(readlink("/dev", buffer, 10), EINVAL);
    CHECK_ERROR(syscall(SYS_readlink, self, buffer, 0), EINVAL);
}

static bool has_entry(DIR *directory, const char *name)
{
    struct dirent *entry;
    rewinddir(directory);
    while ((entry = readdir(directory)) != NULL)
        if (strcmp(entry->d_name, name) == 0)
            return true;
    return false;
}

static void test_directories(void)
{
    DIR *directory = opendir("/dev");
    CHECK(directory != NULL);
    CHECK(has_entry(directory, ".") && has_entry(directory, ".."));
    CHECK(has_entry(directory, "null") && has_entry(directory, "zero"));
    CHECK(!has_entry(directory, "nothing"));
    closedir(directory);
    int fd = open("/dev", O_RDONLY | O_DIRECTORY);
    CHECK_ERROR(read(fd, buffer, 10), EISDIR);
    CHECK_ERROR(syscall(SYS_getdents64, fd, buffer, 5), EINVAL);
    CHECK_ERROR(syscall(SYS_getdents64, fd, 16, 1000), EFAULT);
    CHECK(syscall(SYS_getdents64, fd, buffer, 30) == 24);
    int null = openat(fd, "null", O_RDONLY);
    CHECK(null >= 0);
    CHECK_ERROR(syscall(SYS_getdents64, null, buffer, 1000), ENOTDIR);
    CHECK_ERROR(openat(null, "x", O_RDONLY), ENOTDIR);

    CHECK(getcwd(buffer, sizeof(buffer)) != NULL);
    CHECK(chdir("/dev") == 0);
    CHECK(getcwd(buffer, sizeof(buffer)) != NULL && strcmp(buffer, "/dev") == 0);
    CHECK(access("null", F_OK) == 0 && access("../dev/./null", F_OK) == 0);
    CHECK_ERROR(syscall(SYS_getcwd, buffer, 4), ERANGE);
    CHECK(syscall(SYS_getcwd, buffer, 5) == 5);
    CHECK_ERROR(chdir("null"), ENOTDIR);
    CHECK_ERROR(fchdir(null), ENOTDIR);
    CHECK(chdir("..") == 0 && fchdir(fd) == 0);
    CHECK(getcwd(buffer, sizeof(buffer)) != NULL && strcmp(buffer, "/dev") == 0);
    CHECK(chdir("/") == 0);
    umask(027);
    CHECK(umask(022) == 027);
    close(fd);
    close(null);
}

static void test_descriptors(void)
{
    struct rlimit limit, small = {20, 0};
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(dup2(fd, 10) == 10 && fcntl(10, F_GETFD) == 0);
    CHECK(dup2(fd, fd) == fd && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK_ERROR(dup3(fd, fd, 0), EINVAL);
    CHECK_ERROR(dup3(fd, 11, 0x1000), EINVAL);
    CHECK(dup3(fd, 11, O_CLOEXEC) == 11 && fcntl(11, F_GETFD) == FD_CLOEXEC);
    CHECK(fcntl(fd, F_DUPFD, 11) == 12);
    CHECK(fcntl(fd, F_DUPFD_CLOEXEC, 11) == 13 && fcntl(13, F_GETFD) == FD_CLOEXEC);
    CHECK(fcntl(12, F_SETFD, FD_CLOEXEC) == 0 && fcntl(12, F_GETFD) == FD_CLOEXEC);
    CHECK_ERROR(fcntl(fd, 999), EINVAL);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    CHECK((fcntl(10, F_GETFL) & O_NONBLOCK) != 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_ERROR(dup2(fd, (int)limit.rlim_cur), EBADF);
    CHECK_ERROR(dup2(fd, -1), EBADF);
    CHECK_ERROR(fcntl(fd, F_DUPFD, (int)limit.rlim_cur), EINVAL);
    small.rlim_max = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &small) == 0);
    while (dup(fd) >= 0)
        ;
    CHECK(errno == EMFILE);
    CHECK(fcntl(19, F_GETFD) == 0 && fcntl(20, F_GETFD) == -1);
    CHECK_ERROR(open("/dev/null", O_RDONLY), EMFILE);
    CHECK_ERROR(pipe((int *)buffer), EMFILE);
    close(19);
    CHECK_ERROR(pipe((int *)buffer), EMFILE);
    CHECK(dup(fd) == 19);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(dup2(fd, 900) == 900);
    close(900);
    for (int i = 3; i < 30; i++)
        close(i);
}

static void test_sendfile(void)
{
    int ends[2], fd = open(self, O_RDONLY), null = open("/dev/null", O_RDWR);
    off_t offset = 100;
    CHECK(pipe(ends) == 0);
    CHECK(pread(fd, other, 20000, 0) == 20000);
    CHECK(sendfile(ends[1], fd, &offset, 10000) == 10000);
    CHECK(offset == 10100 && lseek(fd, 0, SEEK_CUR) == 0);
    int got = 0;
    while (got < 10000) {
        int part = (int)read(ends[0], buffer + got, sizeof(buffer));
        if (part <= 0)
            break;
        got += part;
    }
    CHECK(got == 10000);
    CHECK(memcmp(buffer, other + 100, 10000) == 0);
    CHECK(sendfile(null, fd, NULL, 5000) == 5000);
    CHECK(lseek(fd, 0, SEEK_CUR) == 5000);
    CHECK_ERROR(sendfile(ends[0], fd, NULL, 10), EBADF);
    CHECK_ERROR(sendfile(ends[1], ends[0], NULL, 10), EINVAL);
    CHECK_ERROR(syscall(SYS_sendfile, ends[1], fd, 16, 10), EFAULT);
    lseek(fd, 0, SEEK_END);
    CHECK(sendfile(ends[1], fd, NULL, 10) == 0);
    close(ends[0]);
    close(ends[1]);
    close(fd);
    close(null);
}

/* In the program begun anew: what was marked is closed, what was not is open. */
static int after_exec(void)
{
    return fcntl(10, F_GETFD) == -1 && errno == EBADF && fcntl(11, F_GETFD) == 0 ? 42 : 1;
}

static int exec_self(void)
{
    int fd = open("/dev/null", O_RDONLY);
    char *const arguments[] = {"file_open", "again", NULL}, *const environment[] = {NULL};
    dup3(fd, 10, O_CLOEXEC);
    dup2(fd, 11);
    execve(self, arguments, environment);
    return 2;
}

/* What a file system says of itself: another one for each, so only what must fit together. */
static void test_file_system(void)
{
    struct statvfs status;
    struct statfs plain;
    int fd = open("/", O_RDONLY);
    CHECK(statvfs("/", &status) == 0);
    CHECK(status.f_bsize >= 512 && status.f_frsize >= 512 && status.f_namemax >= 14);
    CHECK(status.f_blocks > 0 && status.f_bfree <= status.f_blocks &&
          status.f_bavail <= status.f_bfree);
    CHECK(status.f_files > 0 && status.f_ffree <= status.f_files);
    CHECK(fstatvfs(fd, &status) == 0 && status.f_blocks > 0);
    CHECK(syscall(SYS_statfs, "/dev/..", &plain) == 0 && plain.f_blocks > 0 && plain.f_files > 0);
    CHECK(syscall(SYS_fstatfs, fd, &plain) == 0 && plain.f_blocks > 0);
    CHECK_ERROR(syscall(SYS_fstatfs, 99, &plain), EBADF);
    CHECK_ERROR(syscall(SYS_statfs, "/nobody", &plain), ENOENT);
    CHECK_ERROR(syscall(SYS_statfs, "/", 16), EFAULT);
    close(fd);
}

int main(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "again") == 0)
        return after_exec();
    for (int i = 3; i < 30; i++)
        close(i);
    test_errors();
    test_reading();
    test_bad_pointers();
    test_devices();
    test_status();
    test_directories();
    test_descriptors();
    test_sendfile();
    CHECK_EXITS(exec_self, 42);
    test_file_system();
    return check_end();
}
