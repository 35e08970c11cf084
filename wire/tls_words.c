#include "base/text.h"
#include "wire/tls_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

enum {
    MOST_NAMES = 5,   /* of a certificate, in a message */
    NAME_LIMIT = 100, /* bytes of one name */
};

/* All of these append to t->error; when memory runs out the text is cut, which still
 * says more than nothing. */

static void say(struct buf *out, const char *text)
{
    (void)buf_put_text(out, text);
}

static void say_foreign(struct buf *out, const void *at, size_t len)
{
    (void)text_put_escaped(out, bytes_make(at, len), NAME_LIMIT);
}

static void finish(struct buf *out)
{
    if (buf_put_byte(out, 0) < 0) {
        buf_deinit(out); /* wire_tls_error has words for that */
    }
}

/* ---- parts of certificates ---- */

static void say_time(struct buf *out, const ASN1_TIME *at)
{
    struct tm tm;
    char text[64];

    if (at == NULL || ASN1_TIME_to_tm(at, &tm) != 1 ||
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm) == 0) {
        say(out, "an unreadable time");
        return;
    }
    say(out, text);
}

/* The common name, else the organisation, else all of it. */
static void say_person(struct buf *out, X509_NAME *name)
{
    static const int kinds[] = { NID_commonName, NID_organizationName };
    char *line;

    say(out, "\"");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        int at = X509_NAME_get_index_by_NID(name, kinds[i], -1);
        const ASN1_STRING *s =
            at < 0 ? NULL : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));

        if (s != NULL) {
            say_foreign(out, ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
            say(out, "\"");
            return;
        }
    }
    line = X509_NAME_oneline(name, NULL, 0);
    if (line != NULL) {
        say_foreign(out, line, strlen(line));
        OPENSSL_free(line);
    }
    say(out, "\"");
}

static void say_address(struct buf *out, const ASN1_OCTET_STRING *ip)
{
    int len = ASN1_STRING_length(ip);
    char text[INET6_ADDRSTRLEN] = "?";

    if (len == 4 || len == 16) {
        inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(ip), text,
                  sizeof(text));
    }
    say(out, text);
}

static bool say_general_name(struct buf *out, const GENERAL_NAME *n, bool first)
{
    if (n->type != GEN_DNS && n->type != GEN_IPADD) {
        return false;
    }
    if (!first) {
        say(out, ", ");
    }
    if (n->type == GEN_DNS) {
        say_foreign(out, ASN1_STRING_get0_data(n->d.dNSName),
                    (size_t)ASN1_STRING_length(n->d.dNSName));
    } else {
        say_address(out, n->d.iPAddress);
    }
    return true;
}

/* What the certificate is for: its subjectAltNames (RFC 5280, section 4.2.1.6). */
static void say_names(struct buf *out, X509 *cert)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int said = 0;

    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        if (said == MOST_NAMES) {
            say(out, ", ...");
            break;
        }
        said += say_general_name(out, sk_GENERAL_NAME_value(all, i), said == 0);
    }
    if (said == 0) {
        say_person(out, X509_get_subject_name(cert));
    }
    GENERAL_NAMES_free(all);
}

/* ---- a certificate that does not convince ---- */

static void say_validity(struct buf *out, X509 *cert, int depth, bool expired)
{
    if (depth == 0) {
        say(out, "the certificate");
    } else {
        say(out, "the certificate of the authority ");
        say_person(out, X509_get_subject_name(cert));
    }
    say(out, expired ? " expired on " : " is not valid before ");
    say_time(out, expired ? X509_get0_notAfter(cert) : X509_get0_notBefore(cert));
    if (!expired) {
        say(out, " (is the clock of this machine right?)");
    }
}

static void say_unknown_issuer(struct buf *out, X509 *cert)
{
    say(out, "the certificate was issued by ");
    say_person(out, X509_get_issuer_name(cert));
    say(out, ", which is not known here: give that authority's certificate with "
             "--upstream-ca FILE, or --upstream-insecure (or the server does not send "
             "its intermediate certificates)");
}

static void say_untrusted_root(struct buf *out, X509 *cert)
{
    say(out, "the certificate comes from the authority ");
    say_person(out, X509_get_subject_name(cert));
    say(out,
        ", which is not trusted here: give its certificate with --upstream-ca FILE, "
        "or --upstream-insecure");
}

static void say_wrong_name(struct wire_tls *t, X509 *cert)
{
    say(&t->error, "the certificate is for ");
    say_names(&t->error, cert);
    say(&t->error, ", not for ");
    say_foreign(&t->error, t->name, strlen(t->name));
}

void wire_tls_say_verify(struct wire_tls *t, X509_STORE_CTX *x)
{
    int error = X509_STORE_CTX_get_error(x);
    int depth = X509_STORE_CTX_get_error_depth(x);
    X509 *cert = X509_STORE_CTX_get_current_cert(x);

    buf_clear(&t->error);
    if (cert == NULL) {
        say(&t->error, X509_verify_cert_error_string(error));
        finish(&t->error);
        return;
    }
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        say_validity(&t->error, cert, depth, error == X509_V_ERR_CERT_HAS_EXPIRED);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        say(&t->error, "the certificate is self-signed: give its authority with "
                       "--upstream-ca FILE, or --upstream-insecure");
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        say_untrusted_root(&t->error, cert);
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        say_unknown_issuer(&t->error, cert);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        say_wrong_name(t, cert);
        break;
    case X509_V_ERR_INVALID_PURPOSE:
        say(&t->error, "the certificate is not one for servers (its extended key usage "
                       "names other purposes)");
        break;
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
        say(&t->error, "the authority ");
        say_person(&t->error, X509_get_issuer_name(cert));
        say(&t->error, " may not issue certificates for this name (name constraints)");
        break;
    default:
        say(&t->error, "the certificate is no good: ");
        say(&t->error, X509_verify_cert_error_string(error));
        break;
    }
    finish(&t->error);
}

/* ---- a connection that failed ---- */

static const char *client_alert(int alert)
{
    switch (alert) {
    case SSL_AD_HANDSHAKE_FAILURE:
        return "no TLS version or cipher in common, or it wants a client certificate "
               "(--upstream-cert)";
    case SSL_AD_CERTIFICATE_REQUIRED:
        return "it wants a client certificate: give one with --upstream-cert and "
               "--upstream-key";
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
        return "it does not accept the client certificate (--upstream-cert)";
    case SSL_AD_PROTOCOL_VERSION:
        return "it does not speak TLS 1.2 or later";
    case SSL_AD_UNRECOGNIZED_NAME:
        return "it does not know that host name";
    case SSL_AD_NO_APPLICATION_PROTOCOL:
        return "it does not speak http/1.1";
    default:
        return NULL;
    }
}

static const char *server_alert(int alert)
{
    switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
        return "it does not trust the listening certificate (\"wstape ca\" says how to "
               "make it)";
    case SSL_AD_CERTIFICATE_EXPIRED:
        return "the listening certificate has expired, it says";
    case SSL_AD_PROTOCOL_VERSION:
        return "it does not speak TLS 1.2 or later";
    default:
        return NULL;
    }
}

static void say_alert(struct wire_tls *t, int alert)
{
    bool is_server = t->context->is_server;
    const char *why = is_server ? server_alert(alert) : client_alert(alert);

    say(&t->error,
        is_server ? "the client refused: alert " : "the server refused: alert ");
    say(&t->error, SSL_alert_desc_string_long(alert));
    if (why != NULL) {
        say(&t->error, " (");
        say(&t->error, why);
        say(&t->error, ")");
    }
}

static const char *listening_words(int reason)
{
    switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
        return "the client spoke plain HTTP on a TLS port";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_UNEXPECTED_MESSAGE:
        return "what the client sent is not TLS";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
        return "the client does not speak TLS 1.2 or later";
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
        return "the client has no cipher in common with us";
    default:
        return NULL;
    }
}

static const char *connecting_words(int reason)
{
    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_BAD_RECORD_TYPE:
        return "the server does not speak TLS on this port: use ws:// for it";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
        return "the server does not speak TLS 1.2 or later";
    default:
        return NULL;
    }
}

bool wire_tls_out_of_memory(void)
{
    return ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE ||
           ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
}

static void say_reason(struct wire_tls *t, unsigned long code)
{
    int reason = ERR_GET_REASON(code);
    const char *words =
        t->context->is_server ? listening_words(reason) : connecting_words(reason);
    const char *theirs = ERR_reason_error_string(code);

    if (words != NULL) {
        say(&t->error, words);
        return;
    }
    say(&t->error, t->context->is_server ? "TLS with the client failed: "
                                         : "TLS with the server failed: ");
    say(&t->error, theirs != NULL ? theirs : "no reason given");
}

void wire_tls_say_failure(struct wire_tls *t)
{
    unsigned long code = ERR_peek_error();
    int alert = ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET;

    if (t->error.len > 0) {
        return; /* verification has said why */
    }
    t->state = WIRE_TLS_FAILED;
    if (wire_tls_peer_is_plain_http(t)) {
        say(&t->error, "the client spoke plain HTTP on a TLS port");
    } else if (ERR_GET_LIB(code) == ERR_LIB_SSL && alert >= 0 && alert <= 255) {
        say_alert(t, alert);
    } else {
        say_reason(t, code);
    }
    finish(&t->error);
}
