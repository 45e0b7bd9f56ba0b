/* SPDX-License-Identifier: MIT */
/*
 * process_vm_readv and process_vm_writev: a parent in the memory of its child.
 */
#include "check.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE };

static char *room;

static int child(int from_parent, int to_parent)
{
    char c;
    memset(room, 'c', 3 * PAGE);
    munmap(room + 4 * PAGE, PAGE);
    if (write(to_parent, "x", 1) != 1 || read(from_parent, &c, 1) != 1)
        return 1;
    return room[0] == 'c' && room[7] == 'W' && room[PAGE] == 'V' && room[2 * PAGE] == 'c' ? 0 : 2;
}

int main(void)
{
    int down[2], up[2], status = -1;
    char c, copy[4 * PAGE];
    room = mmap(NULL, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(room, 'p', 8 * PAGE);
    CHECK(pipe(down) == 0 && pipe(up) == 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(child(down[0], up[1]));
    CHECK(read(up[0], &c, 1) == 1);

    struct iovec here = {copy, sizeof(copy)}, there = {room + 100, 3 * PAGE};
    CHECK(process_vm_readv(pid, &here, 1, &there, 1, 0) == 3 * PAGE);
    CHECK(copy[0] == 'c' && copy[3 * PAGE - 101] == 'c' && copy[3 * PAGE - 100] == 'p');
    struct iovec heres[2] = {{copy, 5}, {copy + 100, 5}},
                 theres[3] = {{room, 3}, {room + PAGE, 0}, {room + 3 * PAGE - 3, 100}};
    memset(copy, 0, sizeof(copy));
    CHECK(process_vm_readv(pid, heres, 2, theres, 3, 0) == 10);
    CHECK(memcmp(copy, "ccccc", 6) == 0 && memcmp(copy + 100, "cpppp", 6) == 0);
    there = (struct iovec){room + 3 * PAGE, 2 * PAGE};
    CHECK_THAT("up to what is not there", process_vm_readv(pid, &here, 1, &there, 1, 0) == PAGE);
    there = (struct iovec){room + 4 * PAGE, PAGE};
    CHECK_ERROR(process_vm_readv(pid, &here, 1, &there, 1, 0), EFAULT);
    here = (struct iovec){(void *)8, 10};
    there = (struct iovec){room, 10};
    CHECK_ERROR(process_vm_readv(pid, &here, 1, &there, 1, 0), EFAULT);
    here = (struct iovec){copy, 10};
    CHECK_ERROR(process_vm_readv(pid, &here, 1, &there, 1, 1), EINVAL);
    CHECK_ERROR(process_vm_readv(pid, &here, 5000, &there, 1, 0), EINVAL);
    CHECK_ERROR(process_vm_readv(4000000, &here, 1, &there, 1, 0), ESRCH);
    CHECK(process_vm_readv(pid, &here, 0, &there, 1, 0) == 0);

    struct iovec bad[2] = {{copy, 5}, {copy + 5, (size_t)-1}};
    there = (struct iovec){room, 10};
    memset(copy, '.', 10);
    CHECK_ERROR(process_vm_readv(pid, bad, 2, &there, 1, 0), EINVAL);
    bad[0] = (struct iovec){room, 5};
    CHECK_ERROR(process_vm_readv(pid, &here, 1, bad, 2, 0), EINVAL);
    CHECK_ERROR(process_vm_readv(pid, &here, 1, bad, 5000, 0), EINVAL);
    CHECK_ERROR(process_vm_readv(pid, &here, 1, (void *)8, 1, 0), EFAULT);
    CHECK_THAT("nothing is copied before all has been looked at",
               memcmp(copy, "..........", 10) == 0);
    CHECK_THAT("no bytes are wanted: nobody is asked",
               process_vm_readv(4000000, &here, 0, bad, 2, 0) == 0 &&
                   process_vm_readv(4000000, &here, 1, bad, 0, 0) == 0);

    struct iovec self_made[2] = {{copy, 8}, {copy + 100, 8}};
    self_made[0].iov_base = self_made; /* the list is written over, and has been read before */
    there = (struct iovec){room, 16};
    memset(copy, 0, sizeof(copy));
    CHECK(process_vm_readv(pid, self_made, 2, &there, 1, 0) == 16 && copy[100] == 'c');

    memcpy(copy, "WV", 2);
    heres[0] = (struct iovec){copy, 1};
    heres[1] = (struct iovec){copy + 1, 1};
    theres[0] = (struct iovec){room + 7, 1};
    theres[1] = (struct iovec){room + PAGE, 1};
    CHECK(process_vm_writev(pid, heres, 2, theres, 2, 0) == 2);
    CHECK_THAT("one's own is untouched", room[7] == 'p' && room[PAGE] == 'p');
    CHECK(write(down[1], "y", 1) == 1 && waitpid(pid, &status, 0) == pid);
    CHECK_EQUAL(status, 0);
    CHECK_ERROR(process_vm_readv(pid, &here, 1, &there, 1, 0), ESRCH);
    return check_end();
}
