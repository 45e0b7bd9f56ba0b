/* SPDX-License-Identifier: MIT */
/*
 * Host test. The ATA driver on a model of the controller (ata_model.h): random requests to four
 * drives, and each fault at each step of each command, once, twice and for ever.
 *
 * Of every request: it ends, in a bounded time; KERR_OK means that every byte is right; nothing is
 * written but what was asked for; and what comes behind it is served as before.
 */
#include "ata_model.h"
#include "machine.h"
#include "ports.h"

#include <device/block.h>
#include <mm/frame.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RAM_BYTES = 8 << 20, REQUEST_BYTES = BLOCK_FRAMES_MAX * PAGE_BYTES };
enum { COMMAND_MS = 10000, LONG_MS = 31000, TRIES = 3 }; /* as device/ata.h has them */

static uint32_t failures;
static const char *doing = "";

static void expect(bool condition, const char *what)
{
    if (condition || failures++ > 20)
        return;
    printf("not ok - %s: %s\n", doing, what);
}

/* ---- the machine ---- */

static uint8_t medium[MODEL_DRIVES][MODEL_STORE][512], copy[MODEL_DRIVES][MODEL_STORE][512];
static frame_t frames;

static struct block_device *disk_of(unsigned drive)
{
    char name[] = "hda";
    name[2] = (char)('a' + drive);
    return block_find(name);
}

/* What the drives are, and whether the bus master is there. */
struct setting {
    const char *name;
    bool has_pci;
    bool has_lba48, has_dma, has_flush;
    uint8_t multiple_max;
    uint64_t sectors;
};

static void switch_on(const struct setting *setting)
{
    static const struct machine_options options = {RAM_BYTES, true, true};
    static struct boot_info boot;
    for (unsigned i = 0; i < MODEL_DRIVES; i++) {
        for (uint32_t byte = 0; byte < sizeof(medium[i]); byte++)
            ((uint8_t *)medium[i])[byte] = (uint8_t)model_random(256);
        model_drives[i] = (struct model_drive){.is_there = true,
                                               .sectors = setting->sectors,
                                               .has_lba48 = setting->has_lba48,
                                               .has_dma = setting->has_dma,
                                               .has_flush = setting->has_flush,
                                               .multiple_max = setting->multiple_max,
                                               .store = medium[i]};
    }
    memcpy(copy, medium, sizeof(copy));
    machine_boot_info(RAM_BYTES, &boot);
    model_plug_in(setting->has_pci);
    if (machine_boot(&options, &boot) != KERR_OK)
        abort();
    if (frame_alloc_run(&frame_pool, FRAME_ANONYMOUS, 4 * BLOCK_FRAMES_MAX, 1, 0, &frames) !=
        KERR_OK)
        abort();
    for (uint32_t i = 0; i < 4 * BLOCK_FRAMES_MAX * SLOT_PAGES; i++)
        machine_frame_write(FRAME(frames.n + i / SLOT_PAGES), i % SLOT_PAGES,
                            model_random(1u << 24));
    for (unsigned i = 0; i < MODEL_DRIVES; i++)
        expect(block_open_for_writing(disk_of(i), "test") == KERR_OK, "can't be opened");
}

/* ---- requests: up to four, each with frames of its own ---- */

static struct block_request requests[4];
static uint8_t before[4][REQUEST_BYTES]; /* what was in its frames */
static uint8_t after[REQUEST_BYTES];

static void read_frames(const struct block_request *request, uint8_t *bytes)
{
    for (uint32_t i = 0; i < BLOCK_FRAMES_MAX; i++)
        memcpy(bytes + i * PAGE_BYTES, machine_frame(request->frames[i]), PAGE_BYTES);
}

static void make(uint32_t number, unsigned drive, enum block_operation operation, uint64_t sector,
                 uint32_t sectors, uint32_t offset)
{
    struct block_request *request = &requests[number];
    uint32_t turn = model_random(BLOCK_FRAMES_MAX);
    memset(request, 0, sizeof(*request));
    request->device = disk_of(drive);
    request->operation = operation;
    request->sector = sector;
    request->sectors = sectors;
    request->offset = offset;
    for (uint32_t i = 0; i < BLOCK_FRAMES_MAX; i++)
        request->frames[i] =
            FRAME(frames.n + number * BLOCK_FRAMES_MAX + (i * 7 + turn) % BLOCK_FRAMES_MAX);
    read_frames(request, before[number]);
}

/* A request somewhere in the sectors that have a place in the model. */
static void make_random(uint32_t number, unsigned drive, enum block_operation operation)
{
    uint64_t sectors = disk_of(drive)->sectors;
    uint32_t offset = 512 * model_random(8), most = BLOCK_SECTORS_MAX - offset / 512;
    uint32_t count = 1 + model_random(model_random(2) != 0 ? 8 : most);
    uint32_t place = model_random(MODEL_STORE / 2 - count);
    bool is_high = sectors > 0x10000000 && model_random(2) != 0;
    /* Around the first sector that needs more than 28 bits. */
    uint64_t first = is_high ? 0x10000000 - MODEL_STORE / 2 + model_random(MODEL_STORE - count)
                             : MODEL_STORE / 2 + place;
    if (sectors <= MODEL_STORE)
        first = place;
    make(number, drive, operation, first, count, offset);
}

static uint8_t *place_of(uint8_t store[MODEL_STORE][512], uint64_t sector)
{
    return store[sector % MODEL_STORE];
}

/* What came of it, in memory and on the medium. */
static void judge(uint32_t number, unsigned drive)
{
    const struct block_request *request = &requests[number];
    uint8_t *wanted = before[number];
    bool is_done = request->status == KERR_OK;
    expect(is_done || request->status == KERR_IO, "another error than KERR_IO");
    read_frames(request, after);
    for (uint32_t i = 0; i < request->sectors && request->operation != BLOCK_FLUSH; i++) {
        uint32_t at = request->offset + i * 512;
        uint8_t *now = place_of(medium[drive], request->sector + i);
        uint8_t *former = place_of(copy[drive], request->sector + i);
        if (request->operation == BLOCK_READ) /* what a failed one leaves is nobody's */
            memcpy(wanted + at, is_done ? former : after + at, 512);
        else if (is_done)
            expect(memcmp(now, wanted + at, 512) == 0, "other bytes are on the medium");
        if (request->operation == BLOCK_WRITE)
            memcpy(former, now, 512);
    }
    expect(memcmp(after, wanted, REQUEST_BYTES) == 0, "memory holds other bytes");
}

static void expect_rest_unchanged(void)
{
    expect(memcmp(copy, medium, sizeof(copy)) == 0, "sectors have changed that nobody wrote");
}

/* Interrupts as they come, now and then a tick; or somebody polls. LIMIT of milliseconds. */
static void wait_for(uint32_t count, bool by_polling, uint64_t limit)
{
    uint64_t since = ports_ms;
    for (uint32_t i = 0; i < count; i++) {
        struct channel *channel = &requests[i].channel;
        while (requests[i].status == KERR_MUST_WAIT && ports_ms - since < limit) {
            for (unsigned c = 0; c < 2; c++)
                if (!by_polling && model_is_raised(c))
                    ports_interrupt(14 + c);
            if (!by_polling && model_random(16) == 0)
                block_poll();
            if (by_polling)
                channel->is_ready(channel);
        }
        expect(requests[i].status != KERR_MUST_WAIT, "it does not end");
        if (requests[i].status == KERR_MUST_WAIT)
            exit(1);
    }
}

/* ---- without faults ---- */

static uint32_t requests_made;

static void play(const struct setting *setting, uint32_t rounds)
{
    doing = setting->name;
    switch_on(setting);
    for (uint32_t round = 0; round < rounds; round++) {
        unsigned drives[4];
        uint32_t count = 1 + model_random(4);
        for (uint32_t i = 0; i < count; i++) {
            /* Reads and writes of one sector at once are for whoever submits them to avoid. */
            drives[i] = (round + i) % MODEL_DRIVES;
            make_random(i, drives[i], (enum block_operation)model_random(BLOCK_OPERATIONS));
            expect(block_submit(&requests[i]) == KERR_OK, "not taken");
        }
        wait_for(count, round % 2 != 0, COMMAND_MS);
        for (uint32_t i = 0; i < count; i++) {
            expect(requests[i].status == KERR_OK, "an error without a fault");
            judge(i, drives[i]);
        }
        requests_made += count;
        expect_rest_unchanged();
    }
    for (unsigned i = 0; i < MODEL_DRIVES; i++) {
        const struct model_drive *drive = &model_drives[i];
        bool is_dma = setting->has_pci && setting->has_dma;
        expect((drive->dma_transfers > 0) == is_dma && (drive->blocks > 0) == !is_dma,
               "data were moved in the wrong way");
        expect((drive->flushes > 0) == setting->has_flush, "flushes");
        expect((drive->extended > 0) == setting->has_lba48, "commands of 48 bits");
        expect(disk_of(i)->counts.retries == 0 && disk_of(i)->counts.time_outs == 0, "retries");
    }
}

static const struct setting settings[] = {
    {"DMA, LBA48", true, true, true, true, 16, 0x10000000ull + MODEL_STORE},
    {"DMA, LBA28", true, false, true, true, 16, MODEL_STORE},
    {"PIO by 16, LBA48", false, true, true, true, 16, 0x10000000ull + MODEL_STORE},
    {"PIO by 1, LBA28, no flush", false, false, false, false, 0, MODEL_STORE},
    {"PIO by 8 of at most 15, with a bus master", true, false, false, true, 15, MODEL_STORE},
};

/* An empty plug, a CD drive, a disk behind another channel's. */
static void plugs(void)
{
    struct setting setting = settings[1];
    doing = "plugs";
    switch_on(&setting);
    expect(strcmp(disk_of(0)->model, "MODEL OF ATA") == 0, "the model");
    model_drives[0].is_packet = true;
    model_drives[1].is_there = false;
    model_drives[2].is_there = false;
    static struct boot_info boot;
    static const struct machine_options options = {RAM_BYTES, true, true};
    machine_boot_info(RAM_BYTES, &boot);
    model_plug_in(true);
    expect(machine_boot(&options, &boot) == KERR_OK, "the boot");
    expect(disk_of(0) == NULL && disk_of(1) == NULL && disk_of(2) == NULL,
           "found what is not there");
    expect(disk_of(3) != NULL, "hdd is not found");
}

/* ---- each fault at each step ---- */

static const char *const fault_names[FAULTS] = {
    [FAULT_ERROR] = "an error",         [FAULT_DEFECT] = "a defect",
    [FAULT_SILENT] = "silence",         [FAULT_NO_DATA] = "a command is forgotten",
    [FAULT_BUS] = "a bus error",        [FAULT_SHORT] = "a short transfer",
    [FAULT_INTERRUPT] = "no interrupt", [FAULT_DEAD] = "death",
};

/* What the driver owes: the third try is by PIO, where the bus can't fail. */
static enum kerr wanted_status(enum model_fault fault, uint32_t times,
                               enum block_operation operation)
{
    if (fault == FAULT_INTERRUPT)
        return KERR_OK;
    if (fault == FAULT_DEAD)
        return KERR_IO;
    if (operation == BLOCK_FLUSH)
        return fault == FAULT_NO_DATA ? KERR_OK : KERR_IO; /* the drive looks done */
    if (fault == FAULT_BUS || fault == FAULT_SHORT)
        return KERR_OK;
    return times < TRIES ? KERR_OK : KERR_IO;
}

/* A drive that forgets a command behind the last block looks done; then all must be there. */
static bool is_wanted(enum kerr status, enum model_fault fault, uint32_t times,
                      enum block_operation operation)
{
    return status == wanted_status(fault, times, operation) ||
           (status == KERR_OK && fault == FAULT_NO_DATA);
}

/* A request of 20 sectors to hda meets the fault; hdb has one at the same time, which waits. */
static bool meet_fault(enum model_fault fault, uint32_t step, uint32_t times,
                       enum block_operation operation, bool by_polling)
{
    const uint64_t limit = TRIES * (COMMAND_MS + LONG_MS) + LONG_MS;
    make(0, 0, operation, 100, 20, 1024);
    make(1, 1, BLOCK_READ, 7, 9, 0);
    model_fail(fault, step, times);
    expect(block_submit(&requests[0]) == KERR_OK, "not taken");
    expect(block_submit(&requests[1]) == KERR_OK, "not taken");
    wait_for(1, by_polling, limit);
    bool has_failed = model_has_failed();
    model_fail(fault == FAULT_DEAD ? fault : FAULT_NONE, 0, 0);
    wait_for(2, by_polling, limit);
    judge(0, 0);
    judge(1, 1);
    expect_rest_unchanged();
    if (!has_failed)
        return false;
    expect(is_wanted(requests[0].status, fault, times, operation), "the status");
    expect(requests[1].status == (fault == FAULT_DEAD ? KERR_IO : KERR_OK), "the other drive");
    return true;
}

/* Afterwards the channel serves as before, or fails at once; the other channel has seen nothing. */
static void expect_service(enum model_fault fault, bool by_polling)
{
    uint64_t since = ports_ms;
    for (unsigned drive = 0; drive < MODEL_DRIVES; drive++) {
        make(0, drive, BLOCK_READ, 40 + drive, 30, 512);
        expect(block_submit(&requests[0]) == KERR_OK, "not taken");
        wait_for(1, by_polling, COMMAND_MS);
        expect(requests[0].status == (fault == FAULT_DEAD && drive < 2 ? KERR_IO : KERR_OK),
               "what comes behind it");
        judge(0, drive);
    }
    expect(ports_ms - since < COMMAND_MS, "it takes long");
}

static uint32_t faults_met;

/* The step is one that there is. */
static bool fault_at(const struct setting *setting, enum model_fault fault, uint32_t step,
                     uint32_t times, enum block_operation operation)
{
    static char text[200];
    bool by_polling = (step + times) % 2 != 0;
    snprintf(text, sizeof(text), "%s: %s of 20 sectors, %s at step %u, %u times", setting->name,
             operation == BLOCK_READ    ? "read"
             : operation == BLOCK_WRITE ? "write"
                                        : "flush",
             fault_names[fault], step, times);
    doing = text;
    machine_restore();
    model_restore();
    memcpy(copy, medium, sizeof(copy));
    bool is_there = meet_fault(fault, step, times, operation, by_polling);
    if (!is_there)
        return false;
    faults_met++;
    expect_service(fault, by_polling);
    return true;
}

static void all_faults(const struct setting *setting)
{
    switch_on(setting);
    machine_save();
    model_save();
    for (int fault = FAULT_NONE + 1; fault < FAULTS; fault++)
        for (int operation = 0; operation < BLOCK_OPERATIONS; operation++)
            for (uint32_t times = 1; times <= TRIES; times++)
                for (uint32_t step = 0;
                     step < 30 && fault_at(setting, (enum model_fault)fault, step, times,
                                           (enum block_operation)operation);
                     step++)
                    ;
}

int main(int argc, char **argv)
{
    uint32_t seed = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 20261128;
    machine_set_output(OUTPUT_HIDDEN);
    printf("# seed %u\n", seed);
    model_seed(seed);
    plugs();
    for (unsigned i = 0; i < ARRAY_LENGTH(settings); i++)
        play(&settings[i], 200);
    for (unsigned i = 0; i < ARRAY_LENGTH(settings); i++)
        all_faults(&settings[i]);
    printf("note: %u requests, %u faults, %u failed\n", requests_made, faults_met, failures);
    return failures != 0 || faults_met < 100;
}
