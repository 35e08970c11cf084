#include "base/alloc.h"
#include "base/clock.h"
#include "tests/unit/tls/certs.h"
#include "tests/unit/tls/link.h"
#include "wire/authority.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int64_t now(void)
{
    return clock_wall_ns();
}

/* A folder below a temporary one, so that it has to be made. */
struct place {
    char *root;
    char folder[256];
    char cert[300];
    char key[300];
};

static void place_init(struct place *p)
{
    p->root = temporary_folder();
    snprintf(p->folder, sizeof(p->folder), "%s/share/wstape", p->root);
    snprintf(p->cert, sizeof(p->cert), "%s/ca.pem", p->folder);
    snprintf(p->key, sizeof(p->key), "%s/ca-key.pem", p->folder);
}

static void place_deinit(struct place *p)
{
    temporary_free(p->root);
}

static struct wire_authority_facts open_it(const struct place *p)
{
    struct wire_authority_facts facts;
    struct err e = { "" };

    if (wire_authority_open(p->folder, now(), &facts, &e) != 0) {
        fail_msg("%s", e.text);
    }
    return facts;
}

static void overwrite(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_TRUNC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static mode_t mode_of(const char *path)
{
    struct stat s;

    assert_int_equal(stat(path, &s), 0);
    return s.st_mode & 0777;
}

/* ---- the authority ---- */

static void is_made_once(void **state)
{
    struct wire_authority_facts first, second;
    struct place p;

    (void)state;
    place_init(&p);
    first = open_it(&p);
    assert_true(first.created);
    assert_string_equal(first.cert_path, p.cert);
    assert_non_null(strstr(first.subject, "O=wstape,CN=wstape local authority ("));
    assert_int_equal(strlen(first.sha256), 95);
    assert_int_equal(strlen(first.not_after), 20);
    assert_int_equal(first.not_after[19], 'Z');
    assert_int_equal(mode_of(p.folder), 0700);
    assert_int_equal(mode_of(p.cert), 0644);
    assert_int_equal(mode_of(p.key), 0600);
    second = open_it(&p);
    assert_false(second.created);
    assert_string_equal(second.sha256, first.sha256);
    place_deinit(&p);
}

static X509 *load_cert(const char *path)
{
    FILE *f = fopen(path, "r");
    X509 *x;

    assert_non_null(f);
    x = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    assert_non_null(x);
    return x;
}

/* RFC 5280, section 4.2.1: what makes it an authority, and a harmless one. */
static void says_what_it_may(void **state)
{
    struct place p;
    NAME_CONSTRAINTS *limits;
    ASN1_INTEGER *path_len;
    BASIC_CONSTRAINTS *basic;
    int critical = 0;
    X509 *x;

    (void)state;
    place_init(&p);
    open_it(&p);
    x = load_cert(p.cert);
    assert_true(X509_check_ca(x) == 1);
    assert_int_equal(X509_get_key_usage(x), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    basic = X509_get_ext_d2i(x, NID_basic_constraints, &critical, NULL);
    assert_int_equal(critical, 1);
    path_len = basic->pathlen;
    assert_non_null(path_len);
    assert_int_equal(ASN1_INTEGER_get(path_len), 0);
    BASIC_CONSTRAINTS_free(basic);
    limits = X509_get_ext_d2i(x, NID_name_constraints, &critical, NULL);
    assert_int_equal(critical, 1);
    assert_true(sk_GENERAL_SUBTREE_num(limits->permittedSubtrees) >= 14);
    NAME_CONSTRAINTS_free(limits);
    X509_free(x);
    place_deinit(&p);
}

/* Processes that start together agree on one authority. */
static void is_made_by_one_of_many(void **state)
{
    enum { PROCESSES = 8 };
    struct wire_authority_facts facts;
    struct place p;
    pid_t children[PROCESSES];
    int made = 0;

    (void)state;
    place_init(&p);
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            int r = wire_authority_open(p.folder, now(), &facts, NULL);

            _exit(r < 0 ? 9 : facts.created);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;

        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
        made += WEXITSTATUS(status);
    }
    assert_int_equal(made, 1);
    assert_false(open_it(&p).created);
    place_deinit(&p);
}

static void fails(const struct place *p, int64_t wall_ns, int code, const char *words)
{
    struct wire_authority_facts facts;
    struct buf chain = { 0 };
    struct buf key = { 0 };
    struct err e = { "" };

    assert_int_equal(wire_authority_open(p->folder, wall_ns, &facts, &e), code);
    if (strstr(e.text, words) == NULL || strstr(e.text, p->folder) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", e.text, words);
    }
    assert_int_equal(
        wire_authority_leaf(p->folder, "localhost", wall_ns, &chain, &key, &e), code);
    assert_int_equal(chain.len, 0);
    buf_deinit(&chain);
    buf_deinit(&key);
}

static void damaged_files_are_named(void **state)
{
    struct place p, other;

    (void)state;
    place_init(&p);
    place_init(&other);
    open_it(&p);
    open_it(&other);
    assert_int_equal(rename(other.key, p.key), 0);
    fails(&p, now(), -EINVAL, "ca-key.pem does not belong to ca.pem");
    overwrite(p.key, "no key");
    fails(&p, now(), -EINVAL, "ca-key.pem is damaged");
    overwrite(p.cert, "");
    fails(&p, now(), -EINVAL, "ca.pem is damaged");
    unlink(p.key);
    fails(&p, now(), -ENOENT, "ca-key.pem is missing: put it back");
    place_deinit(&other);
    place_deinit(&p);
}

/* A crash between the two files leaves a key alone: nobody trusts it yet. */
static void a_key_alone_is_nothing(void **state)
{
    struct place p;

    (void)state;
    place_init(&p);
    open_it(&p);
    unlink(p.cert);
    assert_true(open_it(&p).created);
    assert_false(open_it(&p).created);
    place_deinit(&p);
}

static void expires(void **state)
{
    struct place p;

    (void)state;
    place_init(&p);
    open_it(&p);
    fails(&p, now() + 3700 * INT64_C(86400) * CLOCK_NS_PER_S, -EINVAL,
          "ca.pem has expired; remove both files");
    place_deinit(&p);
}

static void folder_that_cannot_be(void **state)
{
    struct place p;
    struct err e = { "" };
    struct wire_authority_facts facts;

    (void)state;
    place_init(&p);
    snprintf(p.folder, sizeof(p.folder), "%s/file", p.root);
    close(open(p.folder, O_CREAT | O_WRONLY, 0600));
    fails(&p, now(), -ENOTDIR, "Not a directory");
    assert_int_equal(wire_authority_open("", now(), &facts, &e), -ENAMETOOLONG);
    place_deinit(&p);
}

/* ---- leaves ---- */

static int leaf_for(const struct place *p, const char *host, struct buf *chain,
                    struct buf *key, struct err *e)
{
    return wire_authority_leaf(p->folder, host, now(), chain, key, e);
}

/* A real handshake under `name` with a leaf for `host`; the error, or "". */
static void connects(const struct place *p, const char *host, const char *name,
                     const char *words)
{
    const struct wire_tls_client_config config = { .ca_file = p->cert };
    struct wire_tls_context *client = NULL;
    struct wire_tls_context *server = NULL;
    struct buf chain = { 0 };
    struct buf key = { 0 };
    struct err e = { "" };
    struct link l = { 0 };

    assert_int_equal(leaf_for(p, host, &chain, &key, &e), 0);
    assert_int_equal(
        wire_tls_server_context_pem(buf_bytes(&chain), buf_bytes(&key), &server, &e),
        0);
    assert_int_equal(wire_tls_client_context(&config, &client, &e), 0);
    l.client.tls = wire_tls_new(client, name);
    l.server.tls = wire_tls_new(server, NULL);
    link_start(&l);
    if (words == NULL) {
        assert_string_equal(wire_tls_error(l.client.tls), "");
        assert_int_equal(wire_tls_state(l.server.tls), WIRE_TLS_OPEN);
    } else {
        assert_non_null(strstr(wire_tls_error(l.client.tls), words));
    }
    link_deinit(&l);
    wire_tls_context_free(client);
    wire_tls_context_free(server);
    buf_deinit(&chain);
    buf_deinit(&key);
}

static void leaves_convince(void **state)
{
    static const char *const hosts[] = { "localhost",   "0.0.0.0",     "::",
                                         "127.0.0.1",   "192.168.7.8", "fd00::7",
                                         "api.test",    "a.internal",  "10.1.2.3",
                                         "x.localhost", "nas.local",   "169.254.1.1" };
    struct place p;

    (void)state;
    place_init(&p);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        if (i > 2) {
            connects(&p, hosts[i], hosts[i], NULL);
        }
        connects(&p, hosts[i], "localhost", NULL);
        connects(&p, hosts[i], "127.0.0.1", NULL);
        connects(&p, hosts[i], "::1", NULL);
    }
    connects(&p, "0.0.0.0", "api.test", "not for api.test");
    place_deinit(&p);
}

static void this_machine_may_be_named(void **state)
{
    char machine[256] = "";
    struct place p;

    (void)state;
    assert_int_equal(gethostname(machine, sizeof(machine) - 1), 0);
    place_init(&p);
    connects(&p, machine, machine, NULL);
    place_deinit(&p);
}

static void others_are_not_vouched_for(void **state)
{
    static const char *const hosts[] = { "example.com", "8.8.8.8", "notlocalhost",
                                         "2001:db8::1" };
    struct place p;

    (void)state;
    place_init(&p);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct buf chain = { 0 };
        struct buf key = { 0 };
        struct err e = { "" };

        assert_int_equal(leaf_for(&p, hosts[i], &chain, &key, &e), -EPERM);
        assert_non_null(strstr(e.text, "may not vouch for"));
        assert_non_null(strstr(e.text, hosts[i]));
        assert_non_null(strstr(e.text, "--tls-cert"));
        assert_int_equal(chain.len, 0);
        assert_int_equal(key.len, 0);
    }
    place_deinit(&p);
}

static void only_hosts_get_leaves(void **state)
{
    static const char *const hosts[] = { "", "a.test,DNS:evil.com", "a b.test" };
    struct place p;

    (void)state;
    place_init(&p);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct err e = { "" };

        assert_int_equal(leaf_for(&p, hosts[i], NULL, NULL, &e), -EINVAL);
        assert_non_null(strstr(e.text, "is no host name or address"));
    }
    place_deinit(&p);
}

static X509 *first_of(const struct buf *pem)
{
    BIO *b = BIO_new_mem_buf(pem->at, (int)pem->len);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);

    BIO_free(b);
    assert_non_null(x);
    return x;
}

static void leaves_differ_and_are_short_lived(void **state)
{
    struct place p;
    struct buf chain[2] = { { 0 }, { 0 } };
    struct buf key = { 0 };
    struct err e = { "" };
    X509 *x[2];
    int days, seconds;

    (void)state;
    place_init(&p);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(leaf_for(&p, "localhost", &chain[i], &key, &e), 0);
        x[i] = first_of(&chain[i]);
        assert_int_equal(X509_get_key_usage(x[i]), KU_DIGITAL_SIGNATURE);
        assert_int_equal(X509_get_extended_key_usage(x[i]), XKU_SSL_SERVER);
        assert_int_equal(X509_check_ca(x[i]), 0);
        assert_int_equal(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(x[i]),
                                        X509_get0_notAfter(x[i])),
                         1);
        assert_int_equal(days, 7);
        assert_int_equal(seconds, 3600);
    }
    assert_true(ASN1_INTEGER_cmp(X509_get0_serialNumber(x[0]),
                                 X509_get0_serialNumber(x[1])) != 0);
    X509_free(x[0]);
    X509_free(x[1]);
    buf_deinit(&chain[0]);
    buf_deinit(&chain[1]);
    buf_deinit(&key);
    place_deinit(&p);
}

/* A handshake as localhost with a leaf that is wrong on purpose. */
static void refuses(const struct place *p, enum wire_leaf_fault fault,
                    const char *words)
{
    const struct wire_tls_client_config config = { .ca_file = p->cert };
    struct wire_tls_context *client = NULL, *server = NULL;
    struct buf chain = { 0 }, key = { 0 };
    struct err e = { "" };
    struct link l = { 0 };

    assert_int_equal(
        wire_authority_faulty_leaf(p->folder, fault, now(), &chain, &key, &e), 0);
    assert_int_equal(
        wire_tls_server_context_pem(buf_bytes(&chain), buf_bytes(&key), &server, &e),
        0);
    assert_int_equal(wire_tls_client_context(&config, &client, &e), 0);
    l.client.tls = wire_tls_new(client, "localhost");
    l.server.tls = wire_tls_new(server, NULL);
    link_start(&l);
    assert_int_equal(wire_tls_state(l.client.tls), WIRE_TLS_FAILED);
    if (strstr(wire_tls_error(l.client.tls), words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", wire_tls_error(l.client.tls), words);
    }
    link_deinit(&l);
    wire_tls_context_free(client);
    wire_tls_context_free(server);
    buf_deinit(&chain);
    buf_deinit(&key);
}

static void faulty_leaves_convince_nobody(void **state)
{
    struct place p;

    (void)state;
    place_init(&p);
    open_it(&p);
    refuses(&p, WIRE_LEAF_EXPIRED, "the certificate expired on");
    refuses(&p, WIRE_LEAF_SELF_SIGNED, "self-signed");
    refuses(&p, WIRE_LEAF_WRONG_HOST, "is for wrong-host.test, not for localhost");
    overwrite(p.cert, "");
    assert_int_equal(wire_authority_faulty_leaf(p.folder, WIRE_LEAF_EXPIRED, now(),
                                                NULL, NULL, NULL),
                     -EINVAL);
    place_deinit(&p);
}

/* Nobody is asked for a passphrase: such a key is as good as none. */
static void key_with_a_passphrase(void **state)
{
    const struct cert_wants wants = { .name = "root", .authority = true };
    struct cert c = cert_make(&wants, NULL);
    struct buf key = { 0 };
    struct place p;

    (void)state;
    place_init(&p);
    open_it(&p);
    cert_put_key(&key, &c, "secret");
    assert_int_equal(buf_put_byte(&key, 0), 0);
    overwrite(p.key, (const char *)key.at);
    fails(&p, now(), -EINVAL, "ca-key.pem is damaged");
    buf_deinit(&key);
    cert_free(&c);
    place_deinit(&p);
}

/* ---- want of memory ---- */

static void fill_error_ring(void)
{
    for (int i = 0; i < 2 * ERR_NUM_ERRORS; i++) {
        ERR_raise_data(ERR_LIB_USER, 1, "a text");
    }
    ERR_clear_error();
}

/* Whatever fails, the folder holds a whole authority or none. */
static void allocations_fail(void **state)
{
    bool hit = true;
    long live;

    (void)state;
    fill_error_ring();
    live = alloc_live();
    for (unsigned long nth = 0; hit; nth += 1 + nth / 32) {
        struct buf chain = { 0 };
        struct buf key = { 0 };
        struct place p;
        int r;

        place_init(&p);
        alloc_fail_at(nth);
        r = leaf_for(&p, "api.test", &chain, &key, NULL);
        hit = alloc_fail_clear();
        assert_true(hit || r == 0);
        assert_true(r == 0 || (chain.len == 0 && key.len == 0));
        buf_deinit(&chain);
        buf_deinit(&key);
        connects(&p, "api.test", "api.test", NULL);
        place_deinit(&p);
    }
    assert_int_equal(alloc_live(), live);
}

static int set_up(void **state)
{
    (void)state;
    return wire_tls_setup();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_made_once),
        cmocka_unit_test(says_what_it_may),
        cmocka_unit_test(is_made_by_one_of_many),
        cmocka_unit_test(damaged_files_are_named),
        cmocka_unit_test(a_key_alone_is_nothing),
        cmocka_unit_test(expires),
        cmocka_unit_test(folder_that_cannot_be),
        cmocka_unit_test(leaves_convince),
        cmocka_unit_test(this_machine_may_be_named),
        cmocka_unit_test(others_are_not_vouched_for),
        cmocka_unit_test(only_hosts_get_leaves),
        cmocka_unit_test(leaves_differ_and_are_short_lived),
        cmocka_unit_test(faulty_leaves_convince_nobody),
        cmocka_unit_test(key_with_a_passphrase),
        cmocka_unit_test(allocations_fail),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
