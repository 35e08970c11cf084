#include "tests/unit/tls/certs.h"

#include "base/alloc.h"

#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void add(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *e;

    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

static void fill(X509 *x, X509 *issuer, const struct cert_wants *w)
{
    static long serial = 1;
    X509_NAME *name = X509_get_subject_name(x);

    assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), (long)w->from_days * 86400);
    X509_gmtime_adj(X509_getm_notAfter(x),
                    (long)(w->to_days == 0 ? 30 : w->to_days) * 86400);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                                (const unsigned char *)w->name, -1, -1,
                                                0),
                     1);
    assert_int_equal(X509_set_issuer_name(x, X509_get_subject_name(issuer)), 1);
}

struct cert cert_make(const struct cert_wants *w, const struct cert *by)
{
    struct cert c = { X509_new(), EVP_EC_gen("P-256") };
    X509 *issuer = by == NULL ? c.x : by->x;

    assert_non_null(c.x);
    assert_non_null(c.key);
    fill(c.x, issuer, w);
    assert_int_equal(X509_set_pubkey(c.x, c.key), 1);
    add(c.x, issuer, NID_basic_constraints,
        w->authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add(c.x, issuer, NID_subject_key_identifier, "hash");
    if (w->names != NULL) {
        add(c.x, issuer, NID_subject_alt_name, w->names);
    }
    if (w->usage != NULL) {
        add(c.x, issuer, NID_ext_key_usage, w->usage);
    }
    assert_true(X509_sign(c.x, by == NULL ? c.key : by->key, EVP_sha256()) > 0);
    return c;
}

void cert_free(struct cert *c)
{
    X509_free(c->x);
    EVP_PKEY_free(c->key);
    *c = (struct cert){ 0 };
}

static void take(BIO *b, struct buf *out)
{
    char *at = NULL;
    long len = BIO_get_mem_data(b, &at);

    assert_int_equal(buf_put(out, bytes_make(at, (size_t)len)), 0);
    BIO_free(b);
}

void cert_put(struct buf *out, const struct cert *c)
{
    BIO *b = BIO_new(BIO_s_mem());

    assert_int_equal(PEM_write_bio_X509(b, c->x), 1);
    take(b, out);
}

void cert_put_key(struct buf *out, const struct cert *c, const char *passphrase)
{
    BIO *b = BIO_new(BIO_s_mem());

    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(
                         b, c->key, passphrase == NULL ? NULL : EVP_aes_128_cbc(),
                         passphrase, passphrase == NULL ? 0 : (int)strlen(passphrase),
                         NULL, NULL),
                     1);
    take(b, out);
}

char *temporary_file(struct bytes in)
{
    char path[] = "/tmp/wstape-test-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, in.at, in.len), (ssize_t)in.len);
    close(fd);
    return alloc_text(path, strlen(path));
}

char *temporary_folder(void)
{
    char path[] = "/tmp/wstape-test-XXXXXX";

    assert_non_null(mkdtemp(path));
    return alloc_text(path, strlen(path));
}

static void remove_entries(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *one;

    while (d != NULL && (one = readdir(d)) != NULL) {
        char name[1024];

        snprintf(name, sizeof(name), "%s/%s", path, one->d_name);
        if (strcmp(one->d_name, ".") != 0 && strcmp(one->d_name, "..") != 0 &&
            unlink(name) < 0) {
            remove_entries(name);
            rmdir(name);
        }
    }
    if (d != NULL) {
        closedir(d);
    }
}

void temporary_free(char *path)
{
    if (unlink(path) < 0) {
        remove_entries(path);
        rmdir(path);
    }
    alloc_free(path);
}
