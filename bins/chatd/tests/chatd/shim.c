// Falsifies what the system tells a program: its wall clock, how long a sync takes, and whether it fails. `LD_PRELOAD` loads it in
// front of the C library. The files that the variables name are read at each call, so that a test can change them while the program runs.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

// The number in a file; 0 where there is none.
static long number(const char *variable) {
    const char *path = getenv(variable);
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    char text[32] = {0};
    if (file < 0) return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    return length > 0 ? strtol(text, NULL, 10) : 0;
}

// A sync by `real` on the disk that the files describe.
static int sync_by(int (*real)(int), int file) {
    long milliseconds = number("SHIM_SYNC_MILLISECONDS");
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    if (milliseconds > 0) nanosleep(&time, NULL);
    int outcome = real(file);
    long error = number("SHIM_SYNC_ERROR");
    if (error == 0) return outcome;
    errno = (int)error;
    return -1;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int outcome = real(clock, time);
    if (outcome == 0 && clock == CLOCK_REALTIME) time->tv_sec += number("SHIM_CLOCK_SECONDS");
    return outcome;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    static int (*real)(struct timeval *, void *);
    if (!real) real = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
    int outcome = real(time, zone);
    if (outcome == 0) time->tv_sec += number("SHIM_CLOCK_SECONDS");
    return outcome;
}

int fsync(int file) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return sync_by(real, file);
}

int fdatasync(int file) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return sync_by(real, file);
}
