/* The least that a dry run, or a removal, has to ask of the kernel, and nothing else: the measure for regsweep.
 *
 *   minimal scan ROOT THREADS [CANDIDATES]     what garbage-collect -d has to look at; with -m it is the same
 *   minimal unlink ROOT THREADS CANDIDATES     what removing those blobs comes down to
 *
 * scan: for each repository, a listing of its revisions with one look at each `link`, a read of each tag's
 * current/link, a listing of its layer links with one look at each that leads to garbage (a young one protects its
 * blob); a listing of each of the 256 blob prefixes; one open-read-close for
 * each distinct manifest; one statx for each candidate. All through directory handles, spread over threads by
 * repository, by 512 names of one directory, then by blob prefix: one huge repository occupies every thread, too.
 *
 * It knows beforehand what regsweep has to find out: that every manifest hangs on a revision link, and (from a file
 * of hex digests in order, one a line) which blobs are garbage. It parses no manifest, checks no digest, keeps no
 * liveness, sorts nothing, prints nothing, and trusts the tree (sha256 only). So it cannot be matched, only
 * approached. */
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

enum { LISTING = 64 * 1024, READING = 32 * 1024, PREFIXES = 256, PORTION = 512, HEX = 64, LINE = HEX + 1, NAME = 256 };

struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

/* Up to PORTION names of one directory, each ended by a zero, and the file wanted below each. */
struct portion {
    char *directory, *names, *end;
    const char *leaf;
    struct portion *next;
    int count;
};

/* Hex digests side by side. */
struct digests {
    char (*hex)[HEX];
    long count, room;
};

typedef void visitor(int directory, const struct entry *entry, void *with);

static int repositories_handle;
static int prefix_handles[PREFIXES];
static char **repositories, *candidates;
static long repository_count, candidate_starts[PREFIXES + 1];
static _Atomic(struct portion *) portions;
static struct digests manifests[PREFIXES];
static pthread_mutex_t manifests_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_long next_item;
/* Two arrays, for it is the address that tells a revision's link from a layer's. */
static const char link_leaf[] = "/link", layer_leaf[] = "/link", tag_leaf[] = "/current/link";

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void *check(void *memory) {
    if (!memory)
        die("memory");
    return memory;
}

static void list(int at, const char *path, visitor *visit, void *with) {
    char buffer[LISTING] __attribute__((aligned(8)));
    int directory = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0)
        return;
    long count;
    while ((count = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0)
        for (long offset = 0; visit && offset < count;) {
            struct entry *entry = (struct entry *)(buffer + offset);
            offset += entry->length;
            if (entry->name[0] != '.')
                visit(directory, entry, with);
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

static void add(struct digests *digests, const char *hex) {
    if (digests->count == digests->room) {
        digests->room = digests->room * 2 + 64;
        digests->hex = check(realloc(digests->hex, (size_t)digests->room * HEX));
    }
    memcpy(digests->hex[digests->count++], hex, HEX);
}

static void find_repositories(int directory, const struct entry *entry, void *with) {
    char path[4096];
    if (entry->type != DT_DIR)
        return;
    if (strcmp(entry->name, "_manifests") == 0) {
        if ((repository_count & (repository_count + 1)) == 0)
            repositories = check(realloc(repositories, (size_t)(repository_count * 2 + 2) * sizeof *repositories));
        repositories[repository_count++] = check(strdup(with));
    }
    if (entry->name[0] == '_')
        return;
    snprintf(path, sizeof path, "%s%s%s", (char *)with, *(char *)with ? "/" : "", entry->name);
    list(directory, entry->name, find_repositories, path);
}

/* Puts a name into the portion being filled, or begins another one. */
static void see_name(int directory, const struct entry *entry, void *with) {
    (void)directory;
    struct portion *filling = with, *next = filling->next;
    size_t length = strlen(entry->name) + 1;
    if (!next || next->count == PORTION) {
        next = check(malloc(sizeof *next));
        *next = (struct portion){.directory = filling->directory, .leaf = filling->leaf};
        next->names = next->end = check(malloc(PORTION * (next->leaf == tag_leaf ? NAME : LINE)));
        next->next = portions;
        while (!atomic_compare_exchange_weak(&portions, &next->next, next))
            ;
        filling->next = next;
    }
    next->end = (char *)memcpy(next->end, entry->name, length) + length;
    next->count++;
}

static int is_candidate(const char *name) {
    int prefix = prefix_of(name);
    long low = candidate_starts[prefix], high = candidate_starts[prefix + 1];
    while (low < high) {
        long middle = low + (high - low) / 2;
        int order = memcmp(candidates + middle * LINE, name, HEX);
        if (order == 0)
            return 1;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

static void see_layer(int directory, const struct entry *entry, void *with) {
    if (strlen(entry->name) == HEX && is_candidate(entry->name))
        see_name(directory, entry, with);
}

static void list_names(const char *repository, const char *below, const char *leaf, visitor *visit) {
    struct portion filling = {.directory = check(malloc(4096)), .leaf = leaf};
    snprintf(filling.directory, 4096, "%s/%s", repository, below);
    list(repositories_handle, filling.directory, visit, &filling);
}

static int list_repository(long item) {
    if (item >= repository_count)
        return 0;
    list_names(repositories[item], "_manifests/revisions/sha256", link_leaf, see_name);
    list_names(repositories[item], "_manifests/tags", tag_leaf, see_name);
    list_names(repositories[item], "_layers/sha256", layer_leaf, see_layer);
    return 1;
}

static int look_at_portion(long item) {
    (void)item;
    char path[2 * NAME];
    struct statx stat;
    struct portion *portion = portions;
    while (portion && !atomic_compare_exchange_weak(&portions, &portion, portion->next))
        ;
    if (!portion)
        return 0;
    int directory = openat(repositories_handle, portion->directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    char *there[PORTION];
    int count = 0;
    for (char *name = portion->names; name < portion->end; name += strlen(name) + 1) {
        strcpy(stpcpy(path, name), portion->leaf);
        if (portion->leaf == tag_leaf)
            read_file(directory, path);
        else if (statx(directory, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_MTIME, &stat) == 0 &&
                 portion->leaf == link_leaf)
            there[count++] = name;
    }
    close(directory);
    pthread_mutex_lock(&manifests_lock);
    for (int i = 0; i < count; i++)
        add(&manifests[prefix_of(there[i])], there[i]);
    pthread_mutex_unlock(&manifests_lock);
    return 1;
}

/* Reads the distinct ones among the manifests of a prefix: a small set of their first 64 bits after the prefix. */
static void read_manifests(int prefix) {
    struct digests *revisions = &manifests[prefix];
    char path[HEX + 8] = {0};
    size_t size = 64;
    while (size < (size_t)revisions->count * 2)
        size *= 2;
    uint64_t *seen = check(calloc(size, sizeof *seen));
    for (long i = 0; i < revisions->count; i++) {
        uint64_t key = 0;
        for (int digit = 2; digit < 18; digit++)
            key = key << 4 | (uint64_t)hex(revisions->hex[i][digit]);
        key |= !key;
        size_t slot = key & (size - 1);
        while (seen[slot] && seen[slot] != key)
            slot = (slot + 1) & (size - 1);
        if (seen[slot] == key)
            continue;
        seen[slot] = key;
        memcpy(path, revisions->hex[i], HEX);
        strcpy(path + HEX, "/data");
        read_file(prefix_handles[prefix], path);
    }
    free(seen);
}

static const char *candidate(long index, char *path) {
    memcpy(path, candidates + index * LINE, HEX);
    strcpy(path + HEX, "/data");
    return path;
}

static int scan_prefix(long prefix) {
    char path[HEX + 8];
    struct statx stat;
    if (prefix >= PREFIXES)
        return 0;
    list(prefix_handles[prefix], ".", NULL, NULL);
    read_manifests((int)prefix);
    for (long i = candidate_starts[prefix]; i < candidate_starts[prefix + 1]; i++)
        if (statx(prefix_handles[prefix], candidate(i, path), AT_SYMLINK_NOFOLLOW, STATX_SIZE | STATX_MTIME, &stat))
            die(path);
    return 1;
}

static int unlink_prefix(long prefix) {
    char path[HEX + 8];
    if (prefix >= PREFIXES)
        return 0;
    for (long i = candidate_starts[prefix]; i < candidate_starts[prefix + 1]; i++) {
        if (unlinkat(prefix_handles[prefix], candidate(i, path), 0))
            die(path);
        path[HEX] = 0;
        if (unlinkat(prefix_handles[prefix], path, AT_REMOVEDIR))
            die(path);
    }
    return 1;
}

static int aside_handles[PREFIXES];

/* Into a directory for each prefix beside the registry, or back again, never over anything. */
static int move_prefix(long prefix, int back) {
    char path[HEX + 8], name[HEX + 1] = {0};
    if (prefix >= PREFIXES)
        return 0;
    for (long i = candidate_starts[prefix]; i < candidate_starts[prefix + 1]; i++) {
        memcpy(name, candidates + i * LINE, HEX);
        candidate(i, path);
        int failed = back
            ? renameat2(aside_handles[prefix], name, prefix_handles[prefix], path, RENAME_NOREPLACE)
            : renameat2(prefix_handles[prefix], path, aside_handles[prefix], name, RENAME_NOREPLACE);
        if (failed)
            die(path);
    }
    return 1;
}

static int set_aside_prefix(long prefix) {
    return move_prefix(prefix, 0);
}

static int bring_back_prefix(long prefix) {
    return move_prefix(prefix, 1);
}

static void open_aside(const char *root) {
    char path[4096];
    snprintf(path, sizeof path, "%s/.minimal", root);
    mkdir(path, 0777);
    for (int prefix = 0; prefix < PREFIXES; prefix++) {
        snprintf(path, sizeof path, "%s/.minimal/%02x", root, prefix);
        mkdir(path, 0777);
        aside_handles[prefix] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
}

static void *work(void *with) {
    while ((*(int (**)(long))with)(next_item++))
        ;
    return NULL;
}

static void in_threads(int threads, int (*one)(long)) {
    pthread_t handles[64];
    next_item = 0;
    for (int i = 0; i < threads; i++)
        if (pthread_create(&handles[i], NULL, work, &one))
            die("pthread_create");
    for (int i = 0; i < threads; i++)
        pthread_join(handles[i], NULL);
}

static void load_candidates(const char *path) {
    struct stat stat;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &stat))
        die(path);
    candidates = check(malloc((size_t)stat.st_size + 1));
    for (long count, have = 0; have < stat.st_size; have += count)
        if ((count = read(file, candidates + have, (size_t)(stat.st_size - have))) <= 0)
            die(path);
    close(file);
    long count = stat.st_size / LINE;
    for (long i = 0, prefix = 0; prefix <= PREFIXES; prefix++) {
        candidate_starts[prefix] = i;
        while (i < count && prefix_of(candidates + i * LINE) <= prefix)
            i++;
    }
    if (candidate_starts[PREFIXES] != count)
        die("candidates are not in order");
}

int main(int count, char **arguments) {
    char path[4096];
    if (count < 4) {
        fprintf(stderr, "usage: minimal scan|unlink|aside|back ROOT THREADS [CANDIDATES]\n");
        return 2;
    }
    int threads = atoi(arguments[3]);
    threads = threads < 1 ? 1 : threads > 64 ? 64 : threads;
    for (int prefix = 0; prefix < PREFIXES; prefix++) {
        snprintf(path, sizeof path, "%s/docker/registry/v2/blobs/sha256/%02x", arguments[2], prefix);
        prefix_handles[prefix] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (count > 4)
        load_candidates(arguments[4]);
    if (strcmp(arguments[1], "unlink") == 0) {
        in_threads(threads, unlink_prefix);
        return 0;
    }
    if (strcmp(arguments[1], "aside") == 0 || strcmp(arguments[1], "back") == 0) {
        open_aside(arguments[2]);
        in_threads(threads, arguments[1][0] == 'a' ? set_aside_prefix : bring_back_prefix);
        return 0;
    }
    snprintf(path, sizeof path, "%s/docker/registry/v2/repositories", arguments[2]);
    repositories_handle = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    list(repositories_handle, ".", find_repositories, "");
    in_threads(threads, list_repository);
    in_threads(threads, look_at_portion);
    in_threads(threads, scan_prefix);
    return 0;
}
