/* SPDX-License-Identifier: MIT */
#include "disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[64];

static void remove_all(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    if (getenv("KEEP") == NULL && system(command) != 0)
        fprintf(stderr, "%s stays\n", directory);
}

static int owner;
static void at_exit(void)
{
    if (getpid() == owner)
        remove_all();
}

const char *disk_directory(void)
{
    if (directory[0] == '\0') {
        strcpy(directory,
               access("/dev/shm", W_OK) == 0 ? "/dev/shm/ext2.XXXXXX" : "/tmp/ext2.XXXXXX");
        if (mkdtemp(directory) == NULL)
            abort();
        owner = getpid();
        atexit(at_exit);
    }
    return directory;
}

static void show(const char *path)
{
    char line[512];
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        fprintf(stderr, "    %s", line);
    if (file != NULL)
        fclose(file);
}

int disk_run(unsigned wanted, const char *format, ...)
{
    char command[1024], whole[1200], log[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    snprintf(log, sizeof(log), "%s/log", disk_directory());
    snprintf(whole, sizeof(whole), "PATH=$PATH:/sbin:/usr/sbin; (%s) > %s 2>&1", command, log);
    int status = system(whole);
    status = WIFEXITED(status) ? WEXITSTATUS(status) : 127;
    if (status < 32 && (wanted >> status & 1))
        return status;
    fprintf(stderr, "%s: status %d\n", command, status);
    show(log);
    abort();
}

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", disk_directory(), name);
    return path;
}

uint8_t *disk_load_path(const char *path, uint64_t *bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        abort();
    *bytes = (uint64_t)ftell(file);
    rewind(file);
    uint8_t *image = malloc(*bytes);
    if (fread(image, 1, *bytes, file) != *bytes)
        abort();
    fclose(file);
    return image;
}

uint8_t *disk_load(const char *name, uint64_t *bytes)
{
    return disk_load_path(path_of(name), bytes);
}

void disk_store(const char *name, const uint8_t *image, uint64_t bytes)
{
    int file = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || write(file, image, bytes) != (ssize_t)bytes || close(file) != 0)
        abort();
}

uint8_t *disk_make(uint32_t kib, const char *options)
{
    uint64_t bytes;
    /* What is free is not zeros. */
    disk_run(1,
             "rm -f %s; head -c %uK /dev/zero | tr '\\0' '\\377' > %s && "
             "mke2fs -q -F -t ext2 -E nodiscard %s %s %uK",
             path_of("new"), kib, path_of("new"), options, path_of("new"), kib);
    return disk_load("new", &bytes);
}

void disk_check(const uint8_t *image, uint64_t bytes)
{
    disk_store("check", image, bytes);
    disk_run(1, "e2fsck -fn %s", path_of("check"));
}

enum disk_state disk_repair(uint8_t *image, uint64_t bytes, bool may_ask)
{
    disk_store("repair", image, bytes);
    int status = disk_run(may_ask ? 0x13 : 0x3, "e2fsck -p %s", path_of("repair"));
    if (status == 4)
        disk_run(0x3, "e2fsck -y %s", path_of("repair"));
    if (status == 0) /* it may have been believed, as it said that it was clean */
        disk_run(0x1, "e2fsck -fn %s", path_of("repair"));
    FILE *file = fopen(path_of("repair"), "rb");
    if (file == NULL || fread(image, 1, bytes, file) != bytes)
        abort();
    fclose(file);
    return status == 0 ? DISK_WHOLE : status == 4 ? DISK_ASKED : DISK_REPAIRED;
}

void disk_extract(const uint8_t *image, uint64_t bytes, const char *name)
{
    char to[256];
    snprintf(to, sizeof(to), "%s", path_of(name));
    disk_store("extract", image, bytes);
    disk_run(1, "rm -rf %s && mkdir %s && debugfs -R 'rdump / %s' %s", to, to, to,
             path_of("extract"));
}

enum extracted disk_type(const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return EXTRACTED_NOTHING;
    return S_ISREG(status.st_mode)   ? EXTRACTED_FILE
           : S_ISDIR(status.st_mode) ? EXTRACTED_DIRECTORY
           : S_ISLNK(status.st_mode) ? EXTRACTED_LINK
                                     : EXTRACTED_NOTHING;
}

uint32_t disk_entries(const char *path)
{
    uint32_t count = 0;
    DIR *opened = opendir(path);
    while (opened != NULL && readdir(opened) != NULL)
        count++;
    if (opened != NULL)
        closedir(opened);
    return count - 2;
}

bool disk_same_file(const char *path, const uint8_t *bytes, uint64_t length)
{
    struct stat status;
    uint8_t *found = malloc(length + 1);
    int file = open(path, O_RDONLY);
    bool same = file >= 0 && fstat(file, &status) == 0 && (uint64_t)status.st_size == length &&
                read(file, found, length) == (ssize_t)length &&
                (length == 0 || memcmp(found, bytes, length) == 0);
    if (file >= 0)
        close(file);
    free(found);
    return same;
}

bool disk_same_link(const char *path, const char *target)
{
    char found[4097];
    ssize_t length = readlink(path, found, sizeof(found) - 1);
    if (length < 0)
        return false;
    found[length] = '\0';
    return strcmp(found, target) == 0;
}
