/* SPDX-License-Identifier: MIT */
/*
 * Several pieces at a place, from file to file, with every combination of what is copied.
 *
 * run: ext2=1024
 */
#define _GNU_SOURCE
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "file_place.h"

static char buffer[1 << 17], other[1 << 17];

static void test_pieces(void)
{
    char a[3], b[5000], c[10];
    struct iovec pieces[] = {{a, 3}, {NULL, 0}, {b, sizeof(b)}, {c, 10}};
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    memset(a, 'a', sizeof(a));
    memset(b, 'b', sizeof(b));
    memset(c, 'c', sizeof(c));
    CHECK_EQUAL(writev(fd, pieces, 4), 5013);
    CHECK_EQUAL(pwritev(fd, pieces, 4, 4090), 5013);
    CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 5013);
    CHECK_EQUAL(file_status("file").st_size, 4090 + 5013);
    CHECK(pread(fd, buffer, sizeof(buffer), 0) == 9103);
    CHECK(memcmp(buffer, "aaab", 4) == 0 && memcmp(buffer + 4088, "bbaaabb", 7) == 0);
    CHECK(memcmp(buffer + 9092, "bcccccccccc", 11) == 0);
    memset(b, 0, sizeof(b));
    CHECK_EQUAL(preadv(fd, pieces, 4, 4085), 5013);
    CHECK(memcmp(a, "bbb", 3) == 0 && memcmp(b, "bbaaab", 6) == 0);
    CHECK_EQUAL(preadv(fd, pieces, 1, 9103), 0);
    CHECK_ERROR(preadv(fd, pieces, 1, -1), EINVAL);
    CHECK_ERROR(preadv(77, pieces, 1, 0), EBADF);
    CHECK_EQUAL(preadv2(fd, pieces, 1, 9100, 0), 3);
    CHECK_EQUAL(lseek(fd, 9100, SEEK_SET), 9100);
    CHECK_EQUAL(preadv2(fd, pieces, 1, -1, 0), 3);
    CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 9103);
    int ends[2];
    CHECK_EQUAL(pipe(ends), 0);
    CHECK_ERROR(preadv(ends[0], pieces, 1, 0), ESPIPE);
    close(ends[0]);
    close(ends[1]);
    close(fd);
    unlink("file");
}

static void test_send(void)
{
    int from = open("/proc/self/exe", O_RDONLY), to = open("to", O_RDWR | O_CREAT, 0600);
    off_t offset = 10;
    CHECK_EQUAL(pread(from, buffer, sizeof(buffer), 0), sizeof(buffer));
    CHECK_EQUAL(sendfile(to, from, &offset, 100000), 100000);
    CHECK_EQUAL(offset, 100010);
    CHECK_EQUAL(lseek(to, 0, SEEK_CUR), 100000);
    CHECK(pread(to, other, 100000, 0) == 100000 && memcmp(other, buffer + 10, 100000) == 0);
    CHECK_EQUAL(ftruncate(to, 0), 0);
    CHECK_EQUAL(lseek(to, 7, SEEK_SET), 7);
    CHECK_EQUAL(sendfile(to, from, NULL, 5000), 5000);
    CHECK_EQUAL(lseek(from, 0, SEEK_CUR), 5000);
    CHECK(pread(to, other, 10000, 0) == 5007 && memcmp(other + 7, buffer, 5000) == 0);
    int sparse = open("sparse", O_RDWR | O_CREAT, 0600);
    CHECK_EQUAL(ftruncate(sparse, 9000), 0);
    CHECK_EQUAL(lseek(to, 0, SEEK_SET), 0);
    CHECK_EQUAL(sendfile(to, sparse, NULL, 20000), 9000);
    memset(buffer, 0, 9000);
    CHECK(pread(to, other, 10000, 0) == 9000 && memcmp(other, buffer, 9000) == 0);
    int append = open("to", O_WRONLY | O_APPEND);
    CHECK_ERROR(sendfile(append, from, NULL, 10), EINVAL);
    close(append);
    close(sparse);
    close(from);
    close(to);
    unlink("sparse");
    unlink("to");
}

static void test_sync(void)
{
    int fd = open("file", O_RDWR | O_CREAT | O_SYNC, 0600), ends[2];
    CHECK_EQUAL(write(fd, "safe", 4), 4);
    CHECK_EQUAL(fcntl(fd, F_GETFL) & O_SYNC, O_SYNC);
    CHECK_EQUAL(fsync(fd), 0);
    CHECK_EQUAL(fdatasync(fd), 0);
    CHECK_EQUAL(syscall(SYS_sync_file_range, fd, 0, 0, 0, 0, 7), 0);
    CHECK_ERROR(syscall(SYS_sync_file_range, fd, 0, 0, 0, 0, 8), EINVAL);
    CHECK_ERROR(syscall(SYS_sync_file_range, 77, 0, 0, 0, 0, 7), EBADF);
    CHECK_EQUAL(syncfs(fd), 0);
    CHECK_ERROR(syncfs(77), EBADF);
    CHECK_EQUAL(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
    CHECK_EQUAL(posix_fadvise(fd, 0, 0, 99), EINVAL);
    CHECK_EQUAL(readahead(fd, 0, 100), 0);
    CHECK_EQUAL(pipe(ends), 0);
    CHECK_ERROR(fsync(ends[0]), EINVAL);
    CHECK_EQUAL(posix_fadvise(ends[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
    CHECK_ERROR(syscall(SYS_sync_file_range, ends[0], 0, 0, 0, 0, 7), ESPIPE);
    close(ends[0]);
    close(ends[1]);
    close(fd);
    fd = open(".", O_RDONLY);
    CHECK_EQUAL(fsync(fd), 0);
    close(fd);
    sync();
    unlink("file");
}

int main(void)
{
    file_place_enter("vectors");
    test_pieces();
    test_send();
    test_sync();
    file_place_leave();
    return check_end();
}
