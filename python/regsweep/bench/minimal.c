/* The least that a dry run, or a removal, has to ask of the kernel, and nothing else: the measure for regsweep.
 *
 *   minimal scan ROOT THREADS [CANDIDATES]     what regsweep garbage-collect -d has to look at
 *   minimal unlink ROOT THREADS CANDIDATES     what removing those blobs comes down to
 *
 * It knows beforehand what regsweep has to find out: that every manifest hangs on a revision link, and (from a file
 * of hex digests, one a line) which blobs are garbage. It parses no manifest, checks no digest, keeps no liveness,
 * sorts nothing, prints nothing, and trusts the tree. So it cannot be matched, only approached.
 *
 * scan: for each repository, a listing of its revisions with one look at each `link`, a read of each tag's
 * current/link, a listing of its layer links; one open-read-close for each distinct manifest; a listing of each of
 * the 256 blob prefixes; one statx for each candidate. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LISTING = 64 * 1024, READING = 32 * 1024, PREFIXES = 256 };

struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

typedef void visitor(int directory, const char *name, int type, void *with);

static char **repositories;
static int repository_count;
static int prefix_handles[PREFIXES];
static char (*candidates)[65];
static long candidate_count;
static long candidate_starts[PREFIXES + 1];
static atomic_int next_item;

/* Revisions seen, by their first 60 bits: each manifest is read once. */
static _Atomic uint64_t *seen;
static const uint64_t seen_size = 1 << 24;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void list(int at, const char *path, visitor *visit, void *with) {
    char buffer[LISTING];
    int directory = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0)
        return;
    long count;
    while ((count = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
        for (long offset = 0; offset < count;) {
            struct entry *entry = (struct entry *)(buffer + offset);
            offset += entry->length;
            if (visit && entry->name[0] != '.')
                visit(directory, entry->name, entry->type, with);
        }
    }
    close(directory);
}

static void read_file(int at, const char *path) {
    char buffer[READING];
    int file = openat(at, path, O_RDONLY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
    if (file < 0 || read(file, buffer, sizeof buffer) < 0)
        die(path);
    close(file);
}

static int hex(char digit) { return digit <= '9' ? digit - '0' : digit - 'a' + 10; }

static int prefix_of(const char *digest) { return hex(digest[0]) << 4 | hex(digest[1]); }

static int first_time(const char *digest) {
    uint64_t key = 0;
    for (int i = 0; i < 15; i++)
        key = key << 4 | (uint64_t)hex(digest[i]);
    key |= 1ull << 60;
    for (uint64_t slot = key % seen_size;; slot = (slot + 1) % seen_size) {
        uint64_t found = 0;
        if (atomic_compare_exchange_strong(&seen[slot], &found, key))
            return 1;
        if (found == key)
            return 0;
    }
}

static void see_revision(int directory, const char *name, int type, void *with) {
    (void)type, (void)with;
    char path[128];
    struct statx stat;
    snprintf(path, sizeof path, "%s/link", name);
    if (statx(directory, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_MTIME, &stat) == 0 && first_time(name)) {
        snprintf(path, sizeof path, "%s/data", name);
        read_file(prefix_handles[prefix_of(name)], path);
    }
}

static void see_tag(int directory, const char *name, int type, void *with) {
    (void)type, (void)with;
    char path[300];
    snprintf(path, sizeof path, "%s/current/link", name);
    read_file(directory, path);
}

static void find_repositories(int directory, const char *name, int type, void *with) {
    (void)directory;
    char path[4096];
    if (type != DT_DIR)
        return;
    if (strcmp(name, "_manifests") == 0) {
        repositories = realloc(repositories, (size_t)(repository_count + 1) * sizeof *repositories);
        repositories[repository_count++] = strdup(with);
    }
    if (name[0] == '_')
        return;
    snprintf(path, sizeof path, "%s/%s", (char *)with, name);
    list(AT_FDCWD, path, find_repositories, path);
}

static void scan_repository(const char *repository) {
    char path[4096];
    snprintf(path, sizeof path, "%s/_manifests/revisions/sha256", repository);
    list(AT_FDCWD, path, see_revision, NULL);
    snprintf(path, sizeof path, "%s/_manifests/tags", repository);
    list(AT_FDCWD, path, see_tag, NULL);
    snprintf(path, sizeof path, "%s/_layers/sha256", repository);
    list(AT_FDCWD, path, NULL, NULL);
}

static void scan_prefix(int prefix) {
    char path[128];
    struct statx stat;
    list(prefix_handles[prefix], ".", NULL, NULL);
    for (long i = candidate_starts[prefix]; i < candidate_starts[prefix + 1]; i++) {
        snprintf(path, sizeof path, "%s/data", candidates[i]);
        if (statx(prefix_handles[prefix], path, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_SIZE | STATX_MTIME, &stat))
            die(path);
    }
}

static void *scan(void *with) {
    (void)with;
    for (;;) {
        int item = next_item++;
        if (item < repository_count)
            scan_repository(repositories[item]);
        else if (item < repository_count + PREFIXES)
            scan_prefix(item - repository_count);
        else
            return NULL;
    }
}

static void *remove_candidates(void *with) {
    (void)with;
    char path[128];
    for (int prefix; (prefix = next_item++) < PREFIXES;) {
        for (long i = candidate_starts[prefix]; i < candidate_starts[prefix + 1]; i++) {
            snprintf(path, sizeof path, "%s/data", candidates[i]);
            if (unlinkat(prefix_handles[prefix], path, 0) || unlinkat(prefix_handles[prefix], candidates[i], AT_REMOVEDIR))
                die(path);
        }
    }
    return NULL;
}

static int by_text(const void *one, const void *other) { return strcmp(one, other); }

static void load_candidates(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file)
        die(path);
    long room = 0;
    char digest[128];
    while (fscanf(file, "%127s", digest) == 1) {
        if (candidate_count == room)
            candidates = realloc(candidates, (size_t)(room = room * 2 + 1024) * sizeof *candidates);
        snprintf(candidates[candidate_count++], sizeof *candidates, "%.64s", digest);
    }
    fclose(file);
    if (candidate_count)
        qsort(candidates, (size_t)candidate_count, sizeof *candidates, by_text);
    for (long i = 0, prefix = 0; prefix < PREFIXES; prefix++) {
        candidate_starts[prefix] = i;
        while (i < candidate_count && prefix_of(candidates[i]) == prefix)
            i++;
        candidate_starts[prefix + 1] = i;
    }
}

int main(int count, char **arguments) {
    char path[4096];
    if (count < 4) {
        fprintf(stderr, "usage: minimal scan|unlink ROOT THREADS [CANDIDATES]\n");
        return 2;
    }
    int removing = strcmp(arguments[1], "unlink") == 0;
    int threads = atoi(arguments[3]);
    for (int prefix = 0; prefix < PREFIXES; prefix++) {
        snprintf(path, sizeof path, "%s/docker/registry/v2/blobs/sha256/%02x", arguments[2], prefix);
        prefix_handles[prefix] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (count > 4)
        load_candidates(arguments[4]);
    if (!removing) {
        seen = calloc(seen_size, sizeof *seen);
        snprintf(path, sizeof path, "%s/docker/registry/v2/repositories", arguments[2]);
        list(AT_FDCWD, path, find_repositories, path);
    }
    pthread_t handles[64];
    threads = threads < 1 ? 1 : threads > 64 ? 64 : threads;
    for (int i = 0; i < threads; i++)
        if (pthread_create(&handles[i], NULL, removing ? remove_candidates : scan, NULL))
            die("pthread_create");
    for (int i = 0; i < threads; i++)
        pthread_join(handles[i], NULL);
    return 0;
}
