/* SPDX-License-Identifier: MIT */
/*
 * User tests of files that are made: a directory of their own, on a tmpfs, which Linux has as well; or
 * below /ext2, where the root is one (run: ext2=BYTES).
 */
#ifndef TESTS_USER_FILE_PLACE_H
#define TESTS_USER_FILE_PLACE_H

#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>

static char file_place[64];

/* Work in an empty directory. */
CHECK_HELPER void file_place_enter(const char *name)
{
    const char *place = access("/ext2", F_OK) == 0 ? "/ext2" : "/dev/shm";
    snprintf(file_place, sizeof(file_place), "%s/droste-%s-%d", place, name, (int)getpid());
    if (mkdir(file_place, 0755) != 0 || chdir(file_place) != 0)
        check_skip("there is no tmpfs at /dev/shm");
    umask(022);
}

/* It is empty again: nothing was left behind. */
CHECK_HELPER void file_place_leave(void)
{
    CHECK_THAT("the directory can be left", chdir("/") == 0);
    CHECK_THAT("the directory is empty at the end", rmdir(file_place) == 0);
}

/* A file NAME that holds TEXT. */
CHECK_HELPER void file_make(const char *name, const char *text)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        check_say(false, "a file can be made", __FILE__, __LINE__);
    close(fd);
}

/* File NAME holds exactly TEXT. */
CHECK_HELPER bool file_holds(const char *name, const char *text)
{
    char buffer[256];
    int fd = open(name, O_RDONLY);
    ssize_t bytes = fd < 0 ? -1 : read(fd, buffer, sizeof(buffer));
    if (fd >= 0)
        close(fd);
    return bytes == (ssize_t)strlen(text) && memcmp(buffer, text, (size_t)bytes) == 0;
}

CHECK_HELPER bool file_is_there(const char *name)
{
    struct stat status;
    return lstat(name, &status) == 0;
}

CHECK_HELPER struct stat file_status(const char *name)
{
    struct stat status;
    memset(&status, 0xFF, sizeof(status));
    if (lstat(name, &status) != 0)
        check_say(false, "a file has a status", __FILE__, __LINE__);
    return status;
}

CHECK_HELPER void file_nothing(int number)
{
    (void)number;
}

/* From now on whatever sleeps is interrupted, again and again, until EVERY is 0: however late it begins. */
CHECK_HELPER void file_interrupt(int every)
{
    struct sigaction action = {.sa_handler = file_nothing};
    struct itimerval timer = {{0, every}, {0, every}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

#endif
