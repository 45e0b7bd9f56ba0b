/* SPDX-License-Identifier: MIT */
/* Host test of ext2: what is left after a power cut, and is in it what was promised? (promise.h) */
#include "promise.h"

#include "disk.h"
#include "tests.h"
#include "tree.h"

#include <stdlib.h>

static uint8_t *read_or_fail(const char *path, uint64_t *length, const struct promise *promised)
{
    uint8_t *bytes = tree_read_path(path, length);
    if (bytes == NULL)
        world_fail("%s is gone, which was promised (%u, at write %u)", path, promised->serial,
                   promised->at);
    return bytes;
}

static void check_saved(const struct promise *promised)
{
    static uint8_t wanted[PROMISE_VERSION_BYTES_MAX + 200];
    uint64_t length;
    uint32_t version;
    uint8_t *bytes = read_or_fail(promised->place[0], &length, promised);
    memcpy(&version, bytes, sizeof(version));
    if (length < sizeof(version) || version < promised->value ||
        promise_version(wanted, promised->which, version) != length ||
        memcmp(bytes, wanted, length) != 0)
        world_fail("%s: %llu bytes of version %u, but %u was promised at write %u",
                   promised->place[0], (unsigned long long)length, version, promised->value,
                   promised->at);
    free(bytes);
}

static void check_log(const struct promise *promised)
{
    uint64_t length;
    uint8_t *bytes = read_or_fail(promised->place[0], &length, promised);
    bool is_right =
        promised->kind == PROMISE_LENGTH ? length == promised->value : length >= promised->value;
    for (uint32_t i = 0; i < promised->value && is_right; i++)
        is_right = bytes[i] == promise_log_byte(i);
    if (!is_right)
        world_fail("%s: %llu bytes, but %u were promised at write %u", promised->place[0],
                   (unsigned long long)length, promised->value, promised->at);
    free(bytes);
}

static void check_moved(const struct promise *promised)
{
    static uint8_t wanted[PROMISE_VERSION_BYTES_MAX + 200];
    uint64_t length;
    uint8_t *bytes = tree_read_path(promised->place[0], &length);
    if (bytes == NULL)
        bytes = read_or_fail(promised->place[1], &length, promised);
    if (length != promise_moved(wanted, promised->which) || memcmp(bytes, wanted, length) != 0)
        world_fail("%s has other bytes", promised->place[0]);
    free(bytes);
}

static void check_there(const struct promise *promised)
{
    uint64_t length;
    const char *target = promised->place[1];
    uint8_t *bytes = read_or_fail(promised->place[0], &length, promised);
    if (*target != '\0' && (length != strlen(target) || memcmp(bytes, target, length) != 0))
        world_fail("%s is no link to %s", promised->place[0], target);
    free(bytes);
}

static void check_gone(const struct promise *promised)
{
    uint64_t length;
    uint8_t *bytes = tree_read_path(promised->place[0], &length);
    if (bytes != NULL)
        world_fail("%s is there, which was gone at write %u", promised->place[0], promised->at);
}

void promise_check(const struct promise *promised)
{
    static void (*const checks[PROMISE_KINDS])(const struct promise *) = {
        [PROMISE_SAVED] = check_saved, [PROMISE_LOG] = check_log,   [PROMISE_MOVED] = check_moved,
        [PROMISE_THERE] = check_there, [PROMISE_GONE] = check_gone, [PROMISE_LENGTH] = check_log};
    if (promised->kind < PROMISE_KINDS && checks[promised->kind] != NULL)
        checks[promised->kind](promised);
}

enum disk_state judge_image(const uint8_t *image, uint64_t bytes, uint32_t cut, bool may_ask,
                            void (*check)(uint32_t cut))
{
    uint8_t *repaired = malloc(bytes);
    memcpy(repaired, image, bytes);
    disk_store("cut", image, bytes); /* to look at, if it stays (KEEP) */
    enum disk_state found = disk_repair(repaired, bytes, may_ask);
    world_begin(repaired, bytes);
    if (tree_mount_it(MOUNT_READ_ONLY) != KERR_OK)
        world_fail("it can't be mounted again");
    check(cut);
    if (tree_unmount() != KERR_OK)
        world_fail("it can't be unmounted again");
    return found;
}
