#include "wire/authority.h"

#include "wire/authority_cert.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CERT_NAME "ca.pem"
#define KEY_NAME  "ca-key.pem"

enum { NS_PER_S = 1000000000, MOST_FILE = 64 * 1024 };

/* ---- files of the folder ---- */

static int make_folder(const char *folder, struct err *e)
{
    char path[1024];
    size_t len = strlen(folder);

    if (len == 0 || len >= sizeof(path)) {
        return err_set(e, -ENAMETOOLONG, "the authority's folder \"%.80s\" %s", folder,
                       len == 0 ? "has no name" : "has too long a name");
    }
    memcpy(path, folder, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        path[i] = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST) {
            return err_set(e, -errno, "cannot make the folder %s: %s", path,
                           strerror(errno));
        }
        path[i] = folder[i];
    }
    return 0;
}

/* The folder, locked until it is closed: one process at a time makes an authority. */
static int open_folder(const char *folder, struct err *e)
{
    int r = make_folder(folder, e);
    int fd;

    if (r < 0) {
        return r;
    }
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX) < 0) {
        r = err_set(e, -errno, "cannot use the folder %s: %s", folder, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return r;
    }
    return fd;
}

/* -ENOENT without words when it is not there. */
static int read_file(int folder, const char *name, const char *path, struct buf *out,
                     struct err *e)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    ssize_t n;
    int r;

    if (fd < 0) {
        return errno == ENOENT ? -ENOENT
                               : err_set(e, -errno, "cannot read %s/%s: %s", path, name,
                                         strerror(errno));
    }
    r = buf_reserve(out, MOST_FILE);
    if (r == 0) {
        n = read(fd, out->at, MOST_FILE);
        r = n < 0 ? -errno : 0;
        out->len = n < 0 ? 0 : (size_t)n;
    }
    close(fd);
    return r < 0 ? err_set(e, r, "cannot read %s/%s: %s", path, name, strerror(-r)) : 0;
}

static int write_whole(int fd, struct bytes b)
{
    while (b.len > 0) {
        ssize_t n = write(fd, b.at, b.len);

        if (n < 0) {
            return -errno;
        }
        b = bytes_from(b, (size_t)n);
    }
    return fsync(fd) < 0 ? -errno : 0;
}

/* Whole or not at all. */
static int write_file(int folder, const char *name, const char *path, mode_t mode,
                      struct bytes b, struct err *e)
{
    char temporary[64];
    int fd;
    int r;

    snprintf(temporary, sizeof(temporary), "%s.new", name);
    unlinkat(folder, temporary, 0);
    fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return err_set(e, -errno, "cannot write %s/%s: %s", path, name,
                       strerror(errno));
    }
    r = fchmod(fd, mode) < 0 ? -errno : write_whole(fd, b);
    close(fd);
    if (r == 0 && renameat(folder, temporary, folder, name) < 0) {
        r = -errno;
    }
    if (r < 0) {
        unlinkat(folder, temporary, 0);
        return err_set(e, r, "cannot write %s/%s: %s", path, name, strerror(-r));
    }
    return 0;
}

/* ---- PEM ---- */

static int no_memory(struct err *e)
{
    ERR_clear_error();
    return err_set(e, -ENOMEM, "out of memory");
}

static int take_bio(BIO *b, struct buf *out)
{
    char *at = NULL;
    long len = BIO_get_mem_data(b, &at);

    return len < 0 ? -ENOMEM : buf_put(out, bytes_make(at, (size_t)len));
}

static int put_cert(struct buf *out, X509 *cert)
{
    BIO *b = BIO_new(BIO_s_mem());
    int r = -ENOMEM;

    if (b != NULL && PEM_write_bio_X509(b, cert) == 1) {
        r = take_bio(b, out);
    }
    BIO_free(b);
    return r;
}

static int put_key(struct buf *out, EVP_PKEY *key)
{
    BIO *b = BIO_new(BIO_s_secmem());
    int r = -ENOMEM;

    if (b != NULL && PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL) == 1) {
        r = take_bio(b, out);
    }
    BIO_free(b);
    return r;
}

static X509 *parse_cert(const struct buf *pem)
{
    BIO *b = BIO_new_mem_buf(pem->at, (int)pem->len);
    X509 *cert = b == NULL ? NULL : PEM_read_bio_X509(b, NULL, NULL, NULL);

    BIO_free(b);
    return cert;
}

static int no_passphrase(char *out, int cap, int writing, void *arg)
{
    (void)out;
    (void)cap;
    (void)writing;
    (void)arg;
    return -1;
}

static EVP_PKEY *parse_key(const struct buf *pem)
{
    BIO *b = BIO_new_mem_buf(pem->at, (int)pem->len);
    EVP_PKEY *key =
        b == NULL ? NULL : PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL);

    BIO_free(b);
    return key;
}

/* ---- the authority ---- */

static int save(const struct authority *a, int folder, const char *path, struct err *e)
{
    struct buf cert = { 0 };
    struct buf key = { 0 };
    int r = put_cert(&cert, a->cert);

    if (r == 0) {
        r = put_key(&key, a->key);
    }
    if (r < 0) {
        r = no_memory(e);
    }
    /* The certificate last: a key without one is as good as nothing there. */
    if (r == 0) {
        r = write_file(folder, KEY_NAME, path, 0600, buf_bytes(&key), e);
    }
    if (r == 0) {
        r = write_file(folder, CERT_NAME, path, 0644, buf_bytes(&cert), e);
    }
    if (key.at != NULL) {
        OPENSSL_cleanse(key.at, key.len);
    }
    buf_deinit(&key);
    buf_deinit(&cert);
    return r;
}

static int make(int folder, const char *path, int64_t wall_s, struct authority *out,
                struct err *e)
{
    const struct passwd *user = getpwuid(getuid());
    struct authority a;
    char machine[256] = "";
    int r;

    if (gethostname(machine, sizeof(machine) - 1) < 0 || machine[0] == '\0') {
        snprintf(machine, sizeof(machine), "localhost");
    }
    r = authority_make(user == NULL ? "unknown" : user->pw_name, machine, wall_s, &a);
    if (r < 0) {
        return no_memory(e);
    }
    r = save(&a, folder, path, e);
    if (r < 0) {
        authority_deinit(&a);
        return r;
    }
    *out = a;
    return 0;
}

static int check_files(const struct authority *a, const char *path, int64_t wall_s,
                       struct err *e)
{
    time_t now = (time_t)wall_s;
    const char *bad = a->cert == NULL  ? CERT_NAME " is damaged"
                      : a->key == NULL ? KEY_NAME " is damaged"
                      : X509_check_private_key(a->cert, a->key) != 1 ? KEY_NAME
                          " does not belong to " CERT_NAME
                      : X509_cmp_time(X509_get0_notAfter(a->cert), &now) < 0 ? CERT_NAME
                          " has expired"
                                                                             : NULL;

    ERR_clear_error();
    if (bad == NULL) {
        return 0;
    }
    return err_set(e, -EINVAL,
                   "the authority in %s is of no use: %s; remove both files, and "
                   "\"wstape ca\" makes a new one",
                   path, bad);
}

static int load(const struct buf *cert, const struct buf *key, const char *path,
                int64_t wall_s, struct authority *out, struct err *e)
{
    struct authority a = { parse_cert(cert), parse_key(key) };
    int r = check_files(&a, path, wall_s, e);

    if (r < 0) {
        authority_deinit(&a);
        return r;
    }
    *out = a;
    return 0;
}

static int load_or_make(int folder, const char *path, int64_t wall_s,
                        struct authority *out, bool *created, struct err *e)
{
    struct buf cert = { 0 };
    struct buf key = { 0 };
    int r = read_file(folder, CERT_NAME, path, &cert, e);

    *created = r == -ENOENT;
    if (r == -ENOENT) {
        r = make(folder, path, wall_s, out, e);
    } else if (r == 0) {
        r = read_file(folder, KEY_NAME, path, &key, e);
        if (r == -ENOENT) {
            err_set(e, r,
                    "%s/" KEY_NAME " is missing: put it back, or remove " CERT_NAME
                    " too, and \"wstape ca\" makes a new authority",
                    path);
        } else if (r == 0) {
            r = load(&cert, &key, path, wall_s, out, e);
        }
    }
    if (key.at != NULL) {
        OPENSSL_cleanse(key.at, key.len);
    }
    buf_deinit(&key);
    buf_deinit(&cert);
    return r;
}

static int open_authority(const char *path, int64_t wall_s, struct authority *out,
                          bool *created, struct err *e)
{
    int folder = open_folder(path, e);
    int r;

    if (folder < 0) {
        return folder;
    }
    r = load_or_make(folder, path, wall_s, out, created, e);
    close(folder);
    return r;
}

/* ---- facts ---- */

static void put_fingerprint(const X509 *cert, char *out, size_t cap)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    out[0] = '\0';
    if (X509_digest(cert, EVP_sha256(), digest, &len) != 1) {
        return;
    }
    for (unsigned i = 0; i < len; i++) {
        size_t at = (size_t)i * 3;

        snprintf(out + at, cap - at, i + 1 < len ? "%02X:" : "%02X", digest[i]);
    }
}

static void put_time(const ASN1_TIME *at, char *out, size_t cap)
{
    struct tm tm = { 0 };

    if (ASN1_TIME_to_tm(at, &tm) != 1 ||
        strftime(out, cap, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        out[0] = '\0';
    }
}

static int put_subject(const X509 *cert, char *out, size_t cap)
{
    BIO *b = BIO_new(BIO_s_mem());
    int n;

    if (b == NULL) {
        return -ENOMEM;
    }
    n = X509_NAME_print_ex(b, X509_get_subject_name(cert), 0,
                           XN_FLAG_RFC2253 & ~XN_FLAG_DN_REV);
    n = n < 0 ? n : BIO_read(b, out, (int)cap - 1);
    out[n < 0 ? 0 : n] = '\0';
    BIO_free(b);
    return n < 0 ? -ENOMEM : 0;
}

int wire_authority_open(const char *folder, int64_t wall_ns,
                        struct wire_authority_facts *out, struct err *e)
{
    struct wire_authority_facts facts = { .created = false };
    struct authority a;
    int r = open_authority(folder, wall_ns / NS_PER_S, &a, &facts.created, e);

    if (r < 0) {
        return r;
    }
    if (snprintf(facts.cert_path, sizeof(facts.cert_path), "%s/%s", folder,
                 CERT_NAME) >= (int)sizeof(facts.cert_path)) {
        r = err_set(e, -ENAMETOOLONG, "the path of %s is too long", CERT_NAME);
    } else if (put_subject(a.cert, facts.subject, sizeof(facts.subject)) < 0) {
        r = no_memory(e);
    } else {
        put_fingerprint(a.cert, facts.sha256, sizeof(facts.sha256));
        put_time(X509_get0_notAfter(a.cert), facts.not_after, sizeof(facts.not_after));
        *out = facts;
    }
    authority_deinit(&a);
    return r;
}

/* ---- leaves ---- */

static int say_refused(struct err *e, int why, const char *host)
{
    if (why == X509_V_ERR_OUT_OF_MEM) {
        return no_memory(e);
    }
    if (why == X509_V_ERR_PERMITTED_VIOLATION) {
        return err_set(e, -EPERM,
                       "the local authority may not vouch for %s: only for local names "
                       "and private addresses; listen on one, or give a certificate "
                       "with --tls-cert and --tls-key",
                       host);
    }
    return err_set(e, -EINVAL,
                   "the local authority's certificate for %s is no good: %s", host,
                   X509_verify_cert_error_string(why));
}

/* Append both or nothing. */
static int put_leaf(const struct authority *ca, const struct authority *leaf,
                    struct buf *chain, struct buf *key)
{
    size_t chain_len = chain->len;
    size_t key_len = key->len;

    if (put_cert(chain, leaf->cert) == 0 && put_cert(chain, ca->cert) == 0 &&
        put_key(key, leaf->key) == 0) {
        return 0;
    }
    chain->len = chain_len;
    key->len = key_len;
    return -ENOMEM;
}

int wire_authority_leaf(const char *folder, const char *host, int64_t wall_ns,
                        struct buf *chain, struct buf *key, struct err *e)
{
    struct authority ca = { 0 };
    struct authority leaf = { 0 };
    bool created;
    int why;
    int r;

    if (!authority_can_name(host)) {
        return err_set(e, -EINVAL, "\"%s\" is no host name or address", host);
    }
    r = open_authority(folder, wall_ns / NS_PER_S, &ca, &created, e);
    if (r < 0) {
        return r;
    }
    r = authority_make_leaf(&ca, host, wall_ns / NS_PER_S, &leaf);
    if (r < 0) {
        r = no_memory(e);
        goto out;
    }
    why = authority_check(&ca, &leaf, wall_ns / NS_PER_S);
    if (why != X509_V_OK) {
        r = say_refused(e, why, host);
        goto out;
    }
    r = put_leaf(&ca, &leaf, chain, key);
    if (r < 0) {
        r = no_memory(e);
    }
out:
    authority_deinit(&leaf);
    authority_deinit(&ca);
    return r;
}

int wire_authority_faulty_leaf(const char *folder, enum wire_leaf_fault fault,
                               int64_t wall_ns, struct buf *chain, struct buf *key,
                               struct err *e)
{
    struct authority ca = { 0 };
    struct authority leaf = { 0 };
    bool created;
    int r = open_authority(folder, wall_ns / NS_PER_S, &ca, &created, e);

    if (r < 0) {
        return r;
    }
    r = authority_make_faulty_leaf(&ca, fault, wall_ns / NS_PER_S, &leaf);
    if (r == 0) {
        r = put_leaf(&ca, &leaf, chain, key);
    }
    if (r < 0) {
        r = no_memory(e);
    }
    authority_deinit(&leaf);
    authority_deinit(&ca);
    return r;
}
