/* Loaded into the service (LD_PRELOAD): a clock that is wrong, a disk that is full, a disk that does not sync.

   The real program knows nothing of it. What is wrong is read from a small file that the tests map too, so it begins and ends while the
   service runs: three 64-bit numbers, in the order of `struct faults`. A full disk is one on which no file can grow, as on a real one:
   what is written over what is there still succeeds. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct faults {
    int64_t clock_offset_s;
    int64_t disk_is_full;
    int64_t sync_fails;
};

static volatile struct faults none, *faults = &none;

__attribute__((constructor)) static void load(void) {
    const char *path = getenv("SOAK_FAULTS");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof(struct faults), PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) faults = mapped;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static __typeof__(&clock_gettime) real;
    if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, "clock_gettime");
    int outcome = real(clock, now);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += faults->clock_offset_s;
    return outcome;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    static __typeof__(&gettimeofday) real;
    if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, "gettimeofday");
    int outcome = real(now, zone);
    now->tv_sec += faults->clock_offset_s;
    return outcome;
}

time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into) *into = now.tv_sec;
    return now.tv_sec;
}

/* Whether a write up to `end` would make a regular file longer than the full disk lets it be. */
static int has_no_room(int file, off_t end) {
    struct stat about;
    if (!faults->disk_is_full || fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) return 0;
    if (end <= about.st_size) return 0;
    errno = ENOSPC;
    return 1;
}

/* Numeric work has the lowest priority, and on a busy machine a fit would wait behind everything else for minutes. */
int setpriority(__priority_which_t which, id_t who, int priority) {
    (void)which, (void)who, (void)priority;
    return 0;
}

static off_t position(int file) {
    off_t here = lseek(file, 0, SEEK_CUR);
    return here < 0 ? 0 : here;
}

#define WRITES(type, name, declared, called, end)                       \
    type name declared {                                                \
        static __typeof__(&name) real;                                  \
        if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, #name);    \
        if (faults->disk_is_full && has_no_room(file, end)) return -1;  \
        return real called;                                             \
    }

WRITES(ssize_t, write, (int file, const void *bytes, size_t n), (file, bytes, n), position(file) + (off_t)n)
WRITES(ssize_t, pwrite, (int file, const void *bytes, size_t n, off_t at), (file, bytes, n, at), at + (off_t)n)
WRITES(ssize_t, pwrite64, (int file, const void *bytes, size_t n, off64_t at), (file, bytes, n, at), at + (off_t)n)
WRITES(int, ftruncate, (int file, off_t size), (file, size), size)
WRITES(int, ftruncate64, (int file, off64_t size), (file, size), size)

int posix_fallocate(int file, off_t at, off_t n) {
    static __typeof__(&posix_fallocate) real;
    if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, "posix_fallocate");
    return has_no_room(file, at + n) ? ENOSPC : real(file, at, n);
}

#define SYNCS(name)                                                     \
    int name(int file) {                                                \
        static __typeof__(&name) real;                                  \
        if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, #name);    \
        if (faults->sync_fails) return errno = EIO, -1;                 \
        return real(file);                                              \
    }

SYNCS(fsync)
SYNCS(fdatasync)
