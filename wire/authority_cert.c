#include "wire/authority_cert.h"

#include "base/random.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

enum {
    HOUR_S = 60 * 60,
    DAY_S = 24 * HOUR_S,
    AUTHORITY_DAYS = 3652,
    LEAF_DAYS = 7,
    COMMON_NAME_MAX = 64, /* ub-common-name of RFC 5280, appendix A.1 */
};

#define LOCAL_NAMES                                                                    \
    "critical,permitted;DNS:localhost,permitted;DNS:local,permitted;DNS:test,"         \
    "permitted;DNS:internal,permitted;DNS:lan,permitted;DNS:home.arpa,"                \
    "permitted;IP:127.0.0.0/255.0.0.0,permitted;IP:10.0.0.0/255.0.0.0,"                \
    "permitted;IP:172.16.0.0/255.240.0.0,permitted;IP:192.168.0.0/255.255.0.0,"        \
    "permitted;IP:169.254.0.0/255.255.0.0,"                                            \
    "permitted;IP:::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,"                        \
    "permitted;IP:fc00::/fe00::,permitted;IP:fe80::/ffc0::"

void authority_deinit(struct authority *a)
{
    X509_free(a->cert);
    EVP_PKEY_free(a->key);
    *a = (struct authority){ 0 };
}

/* ---- the parts of a certificate; each returns 1, or 0 for want of memory ---- */

static int set_serial(X509 *cert)
{
    unsigned char bytes[16];
    BIGNUM *n = NULL;
    int ok = random_fill(bytes, sizeof(bytes)) == 0;

    if (ok) {
        n = BN_bin2bn(bytes, sizeof(bytes), NULL);
        ok = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
    }
    BN_free(n);
    return ok;
}

static int set_times(X509 *cert, int64_t from_s, int64_t to_s)
{
    return ASN1_TIME_set(X509_getm_notBefore(cert), from_s) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(cert), to_s) != NULL;
}

static int set_subject(X509 *cert, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(cert);

    return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
                                      (const unsigned char *)"wstape", -1, -1,
                                      0) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                      (const unsigned char *)common_name, -1, -1,
                                      0) == 1;
}

static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *x;
    int ok;

    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    x = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    ok = x != NULL && X509_add_ext(cert, x, -1) == 1;
    X509_EXTENSION_free(x);
    return ok;
}

/* May stand in a list of names behind "DNS:". */
static bool is_plain_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789-_.";

    return name[0] != '\0' && name[strspn(name, letters)] == '\0';
}

static int add_constraints(X509 *cert, const char *machine)
{
    char value[sizeof(LOCAL_NAMES) + 300];
    bool named = is_plain_name(machine) && strlen(machine) < 256;

    snprintf(value, sizeof(value), "%s%s%s", LOCAL_NAMES,
             named ? ",permitted;DNS:" : "", named ? machine : "");
    return add_extension(cert, cert, NID_name_constraints, value);
}

/* ---- subjectAltName ---- */

static int push_name(GENERAL_NAMES *all, int type, ASN1_STRING *value)
{
    GENERAL_NAME *n = GENERAL_NAME_new();

    if (n == NULL || value == NULL) {
        GENERAL_NAME_free(n);
        ASN1_STRING_free(value);
        return 0;
    }
    GENERAL_NAME_set0_value(n, type, value);
    if (sk_GENERAL_NAME_push(all, n) == 0) {
        GENERAL_NAME_free(n);
        return 0;
    }
    return 1;
}

static int push_dns(GENERAL_NAMES *all, const char *host)
{
    ASN1_STRING *value = ASN1_IA5STRING_new();

    if (value != NULL && ASN1_STRING_set(value, host, -1) != 1) {
        ASN1_STRING_free(value);
        value = NULL;
    }
    return push_name(all, GEN_DNS, value);
}

static int push_host(GENERAL_NAMES *all, const char *host)
{
    ASN1_STRING *address = a2i_IPADDRESS(host);

    if (address != NULL) {
        return push_name(all, GEN_IPADD, address);
    }
    ERR_clear_error();
    return push_dns(all, host);
}

bool authority_can_name(const char *host)
{
    ASN1_STRING *address = a2i_IPADDRESS(host);

    ASN1_STRING_free(address);
    ERR_clear_error();
    return address != NULL || is_plain_name(host);
}

/* Names every leaf has, and "any address", which is none that a client asks for. */
static int says_nothing_new(const char *host)
{
    static const char *const known[] = { "localhost", "127.0.0.1", "::1", "0.0.0.0",
                                         "::" };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(host, known[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

static int add_names(X509 *cert, const char *host)
{
    GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
    int ok = all != NULL;

    if (ok && !says_nothing_new(host)) {
        ok = push_host(all, host);
    }
    ok = ok && push_dns(all, "localhost") == 1 && push_host(all, "127.0.0.1") == 1 &&
         push_host(all, "::1") == 1 &&
         X509_add1_ext_i2d(cert, NID_subject_alt_name, all, 0, 0) == 1;
    GENERAL_NAMES_free(all);
    return ok;
}

/* ---- certificates ---- */

/* A key and the frame of a certificate for it. */
static int begin(struct authority *a)
{
    a->key = EVP_EC_gen("P-256");
    a->cert = X509_new();
    return a->key != NULL && a->cert != NULL &&
           X509_set_version(a->cert, X509_VERSION_3) == 1 && set_serial(a->cert) == 1 &&
           X509_set_pubkey(a->cert, a->key) == 1;
}

static int finish(struct authority *a, int ok, struct authority *out)
{
    ERR_clear_error();
    if (ok == 0) {
        authority_deinit(a);
        return -ENOMEM;
    }
    *out = *a;
    return 0;
}

static int add_authority_extensions(X509 *cert, const char *machine)
{
    return add_extension(cert, cert, NID_basic_constraints,
                         "critical,CA:TRUE,pathlen:0") == 1 &&
           add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") ==
               1 &&
           add_extension(cert, cert, NID_subject_key_identifier, "hash") == 1 &&
           add_extension(cert, cert, NID_authority_key_identifier, "keyid:always") ==
               1 &&
           add_constraints(cert, machine) == 1;
}

int authority_make(const char *user, const char *machine, int64_t wall_s,
                   struct authority *out)
{
    struct authority a = { 0 };
    char name[COMMON_NAME_MAX + 1];
    int ok;

    snprintf(name, sizeof(name), "wstape local authority (%.15s@%.*s)", user,
             (int)strcspn(machine, ".") < 20 ? (int)strcspn(machine, ".") : 20,
             machine);
    ok = begin(&a) == 1 && set_subject(a.cert, name) == 1 &&
         X509_set_issuer_name(a.cert, X509_get_subject_name(a.cert)) == 1 &&
         set_times(a.cert, wall_s - DAY_S, wall_s + (int64_t)AUTHORITY_DAYS * DAY_S) ==
             1 &&
         add_authority_extensions(a.cert, machine) == 1 &&
         X509_sign(a.cert, a.key, EVP_sha256()) != 0;
    return finish(&a, ok, out);
}

static int add_only_name(X509 *cert, const char *host)
{
    char value[300];

    snprintf(value, sizeof(value), "DNS:%s", host);
    return add_extension(cert, cert, NID_subject_alt_name, value);
}

static int add_leaf_extensions(X509 *cert, X509 *issuer, const char *host, bool only)
{
    return add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE") ==
               1 &&
           add_extension(cert, issuer, NID_key_usage, "critical,digitalSignature") ==
               1 &&
           add_extension(cert, issuer, NID_ext_key_usage, "serverAuth") == 1 &&
           add_extension(cert, issuer, NID_subject_key_identifier, "hash") == 1 &&
           add_extension(cert, issuer, NID_authority_key_identifier, "keyid:always") ==
               1 &&
           (only ? add_only_name(cert, host) : add_names(cert, host)) == 1;
}

/* `by` NULL: signed by itself. `only`: for no other name than `host`. */
static int make_leaf(const struct authority *by, const char *host, bool only,
                     int64_t wall_s, struct authority *out)
{
    struct authority a = { 0 };
    const char *name =
        says_nothing_new(host) || strlen(host) > COMMON_NAME_MAX ? "localhost" : host;
    int ok = begin(&a) == 1 && set_subject(a.cert, name) == 1;

    if (by == NULL) {
        by = &a;
    }
    ok = ok && X509_set_issuer_name(a.cert, X509_get_subject_name(by->cert)) == 1 &&
         set_times(a.cert, wall_s - HOUR_S, wall_s + (int64_t)LEAF_DAYS * DAY_S) == 1 &&
         add_leaf_extensions(a.cert, by->cert, host, only) == 1 &&
         X509_sign(a.cert, by->key, EVP_sha256()) != 0;

    return finish(&a, ok, out);
}

int authority_make_leaf(const struct authority *by, const char *host, int64_t wall_s,
                        struct authority *out)
{
    return make_leaf(by, host, false, wall_s, out);
}

int authority_make_faulty_leaf(const struct authority *by, enum wire_leaf_fault fault,
                               int64_t wall_s, struct authority *out)
{
    switch (fault) {
    case WIRE_LEAF_EXPIRED:
        return make_leaf(by, "localhost", false, wall_s - 2 * LEAF_DAYS * DAY_S, out);
    case WIRE_LEAF_SELF_SIGNED:
        return make_leaf(NULL, "localhost", false, wall_s, out);
    case WIRE_LEAF_WRONG_HOST:
        return make_leaf(by, "wrong-host.test", true, wall_s, out);
    }
    return -EINVAL;
}

int authority_check(const struct authority *by, const struct authority *leaf,
                    int64_t wall_s)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *x = X509_STORE_CTX_new();
    int r = X509_V_ERR_OUT_OF_MEM;

    if (store != NULL && x != NULL && X509_STORE_add_cert(store, by->cert) == 1 &&
        X509_STORE_CTX_init(x, store, leaf->cert, NULL) == 1 &&
        X509_STORE_CTX_set_default(x, "ssl_server") == 1) {
        X509_STORE_CTX_set_time(x, 0, wall_s);
        r = X509_verify_cert(x) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(x);
    }
    X509_STORE_CTX_free(x);
    X509_STORE_free(store);
    ERR_clear_error();
    return r;
}
