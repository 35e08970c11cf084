#include "wire/accept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check(const char *key, const char *due)
{
    struct buf out = { 0 };

    assert_int_equal(wire_accept_put(&out, bytes_of(key)), 0);
    assert_true(bytes_equal(buf_bytes(&out), bytes_of(due)));
    buf_deinit(&out);
}

/* RFC 6455, section 1.3; no key at all gives the digest of the GUID. */
static void answers_the_key_of_the_rfc(void **state)
{
    (void)state;
    check("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    check("", "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w=");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(answers_the_key_of_the_rfc) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
