/* SPDX-License-Identifier: MIT */
/*
 * Process 1 switches the machine off, or starts it again, without a sync: what it wrote is on the disk, though it and a child
 * have files open, one without a name among them. tests/lib/store.sh looks at the disk.
 *
 *   power_off off|restart|wait
 *
 * run: on=never
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORDS = 60000, GONE_BYTES = 5000 };

static void must(int is_so, const char *what)
{
    if (!is_so) {
        printf("not ok: %s\n", what);
        exit(1);
    }
}

/* A line for each number, into a file that stays open. */
static void write_numbers(const char *path)
{
    FILE *file = fopen(path, "w");
    must(file != NULL, path);
    for (int i = 1; i <= WORDS; i++)
        fprintf(file, "%d\n", i);
    must(fflush(file) == 0, "flush");
}

int main(int count, char **words)
{
    static const char text[GONE_BYTES];
    char byte = 0;
    int ends[2];
    must(count == 2, "arguments");
    must(pipe(ends) == 0, "pipe");
    must(mkdir("/d", 0755) == 0, "mkdir");
    if (fork() == 0) {
        must(chdir("/d") == 0, "chdir");
        write_numbers("child");
        int fd = open("gone", O_RDWR | O_CREAT, 0600);
        must(write(fd, text, sizeof(text)) == sizeof(text) && unlink("gone") == 0, "gone");
        must(write(ends[1], &byte, 1) == 1, "write");
        for (;;)
            pause();
    }
    must(read(ends[0], &byte, 1) == 1, "read");
    write_numbers("/parent");
    printf("all is written\n");
    if (strcmp(words[1], "off") == 0)
        reboot(RB_POWER_OFF);
    else if (strcmp(words[1], "restart") == 0)
        reboot(RB_AUTOBOOT);
    for (;;)
        pause();
}
