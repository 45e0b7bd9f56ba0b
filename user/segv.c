/* SPDX-License-Identifier: MIT */
/*
 * A program that answers its own page faults. Memory without rights is touched; the handler of
 * SIGSEGV sees the address, opens that page, fills it, and lets the instruction run again: a pager
 * in user mode, as garbage collectors and databases have them.
 *
 *   make run INIT=build/user/segv
 *
 * Change this and see: let the handler return without the mprotect() (Ctrl-C ends the program).
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 8 };

static char *area;
static volatile sig_atomic_t faults;

/* Only calls that a handler may make: no printf here. */
static void answer(int signal, siginfo_t *info, void *context)
{
    uintptr_t page = (uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1);
    static const char message[] = "  (the handler brings a page in)\n";

    (void)signal, (void)context;
    if (page - (uintptr_t)area >= PAGES * PAGE)
        _exit(2); /* a bug of our own */
    faults++;
    if (write(1, message, sizeof(message) - 1) < 0 ||
        mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE) != 0)
        _exit(3);
    memset((void *)page, 'a' + (int)((page - (uintptr_t)area) / PAGE), PAGE);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO};

    setvbuf(stdout, NULL, _IONBF, 0);
    area = mmap(NULL, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED || sigaction(SIGSEGV, &action, NULL) != 0) {
        perror("segv");
        return 1;
    }
    for (int i = 0; i < PAGES; i += 2)
        printf("read  page %d: '%c'\n", i, area[i * PAGE + 17]);
    for (int i = 0; i < PAGES; i++) {
        area[i * PAGE] = '!';
        printf("write page %d: it holds \"%.3s...\"\n", i, area + i * PAGE);
    }
    printf("%d pages, %d faults answered.\n", PAGES, (int)faults);
    return faults == PAGES ? 0 : 1;
}
