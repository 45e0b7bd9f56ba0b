/* SPDX-License-Identifier: MIT */
/*
 * The terminal as programs ask for it: settings, sizes, groups, reads that do not wait. On Linux a
 * pseudo-terminal stands in for it. What keys do is tested in the kernel (terminal_test.c).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>

#include "check.h"

static int terminal;

/* Standard input, if it is a terminal of Droste's; else a pseudo-terminal. */
static int open_terminal(void)
{
    char name[32];
    int number, unlock = 0;
    if (check_on_droste())
        return open("/dev/tty", O_RDWR);
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) != 0 ||
        ioctl(master, TIOCGPTN, &number) != 0)
        return -1;
    setsid();
    snprintf(name, sizeof(name), "/dev/pts/%d", number);
    return open(name, O_RDWR);
}

static void test_settings(void)
{
    struct termios settings, raw, again;
    CHECK(isatty(terminal) == 1);
    CHECK(tcgetattr(terminal, &settings) == 0);
    CHECK((settings.c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG));
    CHECK((settings.c_iflag & ICRNL) != 0 && (settings.c_oflag & (OPOST | ONLCR)) != 0);
    CHECK(settings.c_cc[VINTR] == 3 && settings.c_cc[VEOF] == 4 && settings.c_cc[VERASE] == 0x7F);
    CHECK(cfgetospeed(&settings) == B38400);
    raw = settings;
    cfmakeraw(&raw);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    CHECK(tcsetattr(terminal, TCSANOW, &raw) == 0);
    CHECK(tcgetattr(terminal, &again) == 0);
    CHECK(again.c_lflag == raw.c_lflag && again.c_iflag == raw.c_iflag);
    CHECK(again.c_cc[VMIN] == 0);
    char byte;
    CHECK(read(terminal, &byte, 1) == 0);
    raw.c_cc[VTIME] = 2;
    CHECK(tcsetattr(terminal, TCSADRAIN, &raw) == 0);
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    CHECK(read(terminal, &byte, 1) == 0);
    clock_gettime(CLOCK_MONOTONIC, &after);
    long waited =
        (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
    CHECK_THAT("TIME 2 is 200 ms", waited >= 190 && waited < 2000);
    CHECK(tcsetattr(terminal, TCSAFLUSH, &settings) == 0);
    CHECK(tcflush(terminal, TCIFLUSH) == 0 && tcdrain(terminal) == 0);
    CHECK_ERROR(tcflush(terminal, 99), EINVAL);
    CHECK_ERROR(syscall(SYS_ioctl, terminal, TCGETS, 16), EFAULT);
    CHECK_ERROR(syscall(SYS_ioctl, terminal, TCSETS, 16), EFAULT);
}

static void test_reading(void)
{
    char byte;
    struct pollfd entry = {terminal, POLLIN | POLLOUT, 0};
    int left = 77, flags = fcntl(terminal, F_GETFL);
    CHECK((flags & O_ACCMODE) == O_RDWR);
    CHECK(fcntl(terminal, F_SETFL, flags | O_NONBLOCK) == 0);
    CHECK_ERROR(read(terminal, &byte, 1), EAGAIN);
    CHECK(read(terminal, &byte, 0) == 0);
    CHECK(fcntl(terminal, F_SETFL, flags) == 0);
    CHECK(poll(&entry, 1, 0) == 1 && entry.revents == POLLOUT);
    CHECK(ioctl(terminal, FIONREAD, &left) == 0 && left == 0);
    CHECK(write(terminal, "", 0) == 0);
    CHECK_ERROR(syscall(SYS_write, terminal, 16, 4), EFAULT);
    CHECK_ERROR(lseek(terminal, 0, SEEK_SET), ESPIPE);
    CHECK_ERROR(pread(terminal, &byte, 1, 0), ESPIPE);
}

static void test_requests(void)
{
    struct winsize size = {0}, bigger = {50, 132, 0, 0};
    struct stat status;
    CHECK(ioctl(terminal, TIOCSWINSZ, &bigger) == 0);
    CHECK(ioctl(terminal, TIOCGWINSZ, &size) == 0 && size.ws_row == 50 && size.ws_col == 132);
    bigger.ws_row = 25;
    bigger.ws_col = 80;
    CHECK(ioctl(terminal, TIOCSWINSZ, &bigger) == 0);
    CHECK_ERROR(ioctl(terminal, 0x5499, &size), ENOTTY);
    CHECK(fstat(terminal, &status) == 0 && S_ISCHR(status.st_mode));
    CHECK(tcgetpgrp(terminal) == getpgrp());
    CHECK(tcgetsid(terminal) == getsid(0));
    CHECK(tcsetpgrp(terminal, getpgrp()) == 0);
    CHECK_ERROR(tcsetpgrp(terminal, 30011), ESRCH);
    CHECK_ERROR(tcsetpgrp(terminal, -1), EINVAL);
    int null = open("/dev/null", O_RDWR);
    CHECK(isatty(null) == 0 && errno == ENOTTY);
    CHECK_ERROR(tcgetpgrp(null), ENOTTY);
    close(null);
}

int main(void)
{
    terminal = open_terminal();
    if (terminal < 0 && !check_on_droste())
        check_skip("this host gives no pseudo-terminal");
    if (!CHECK(terminal >= 0))
        return check_end();
    test_settings();
    test_reading();
    test_requests();
    return check_end();
}
