#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/ca_folder.h"
#include "cli/options.h"
#include "wire/authority.h"
#include "wire/tls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char more[] =
    "`wstape record --listen wss://...` without --tls-cert serves a certificate of\n"
    "the local authority. Clients accept it once they trust the authority: this\n"
    "command makes it (if there is none yet) and says how. It lives in\n"
    "$WSTAPE_CA_DIR, else $XDG_DATA_HOME/wstape, else ~/.local/share/wstape.\n"
    "\n"
    "  wstape ca\n"
    "  curl --cacert \"$(wstape ca --path)\" https://localhost:8001/health\n";

/* How each client is told; the path takes the place of @. */
static const char how[] =
    "Let clients trust it, whichever you use:\n"
    "\n"
    "  curl              curl --cacert @ https://localhost:8001/\n"
    "  Node              export NODE_EXTRA_CA_CERTS=@\n"
    "  Python            export SSL_CERT_FILE=@\n"
    "                    (then only this authority counts), or in code\n"
    "                    ssl.create_default_context(cafile=...)\n"
    "  requests          export REQUESTS_CA_BUNDLE=@\n"
    "  Chromium (Linux)  certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n wstape -i @\n"
    "                    (package libnss3-tools)\n"
    "  Firefox           Settings, Privacy & Security, View Certificates, "
    "Authorities,\n"
    "                    Import\n"
    "  Debian, Ubuntu    sudo cp @ /usr/local/share/ca-certificates/wstape.crt\n"
    "                    sudo update-ca-certificates\n"
    "  Fedora            sudo trust anchor @\n"
    "  macOS             sudo security add-trusted-cert -d -r trustRoot \\\n"
    "                      -k /Library/Keychains/System.keychain @\n"
    "\n"
    "It may vouch for local names and private addresses only (localhost, *.test,\n"
    "*.internal, 10.0.0.0/8 and the like). Keep ca-key.pem, next to it, to yourself.\n";

/* As a shell takes it for one word. */
static int put_word(struct buf *out, const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789/._-+,:@%";
    int r = 0;

    if (path[strspn(path, plain)] == '\0') {
        return buf_put_text(out, path);
    }
    r = buf_put_byte(out, '\'');
    for (; r == 0 && *path != '\0'; path++) {
        r = *path == '\'' ? buf_put_text(out, "'\\''")
                          : buf_put_byte(out, (uint8_t)*path);
    }
    return r < 0 ? r : buf_put_byte(out, '\'');
}

static int put_how(struct buf *out, const char *path)
{
    const char *at = how;

    for (;;) {
        size_t len = strcspn(at, "@");
        int r = buf_put(out, bytes_make(at, len));

        if (r < 0 || at[len] == '\0') {
            return r;
        }
        r = put_word(out, path);
        if (r < 0) {
            return r;
        }
        at += len + 1;
    }
}

static int put_text(struct buf *out, const struct wire_authority_facts *f)
{
    int r = buf_put_format(
        out,
        "%s\n"
        "  file         %s\n"
        "  subject      %s\n"
        "  SHA-256      %s\n"
        "  valid until  %s\n\n",
        f->created ? "Made a local authority:" : "The local authority:", f->cert_path,
        f->subject, f->sha256, f->not_after);

    return r < 0 ? r : put_how(out, f->cert_path);
}

static int put_member(struct buf *out, const char *name, const char *value)
{
    int r = buf_put_format(out, ",\"%s\":", name);

    return r < 0 ? r : text_put_json(out, bytes_of(value));
}

static int put_json(struct buf *out, const struct wire_authority_facts *f)
{
    int r = buf_put_text(out, "{\"record\":\"authority\"");

    r = r < 0 ? r : put_member(out, "path", f->cert_path);
    r = r < 0 ? r : put_member(out, "subject", f->subject);
    r = r < 0 ? r : put_member(out, "sha256", f->sha256);
    r = r < 0 ? r : put_member(out, "not_after", f->not_after);
    return r < 0 ? r
                 : buf_put_format(out, ",\"created\":%s}\n",
                                  f->created ? "true" : "false");
}

static int print(const struct wire_authority_facts *f, bool path_only, bool json)
{
    struct err e = { "out of memory" };
    struct buf out = { 0 };
    int status = CLI_OK;
    int r;

    if (json) {
        r = put_json(&out, f);
    } else if (path_only) {
        r = buf_put_format(&out, "%s\n", f->cert_path);
    } else {
        r = put_text(&out, f);
    }
    if (r < 0) {
        status = cli_fail(CLI_FAILED, &e);
    } else if (fwrite(out.at, 1, out.len, stdout) != out.len || fflush(stdout) != 0) {
        err_set(&e, -errno, "cannot print: %s", strerror(errno));
        status = cli_fail(CLI_FAILED, &e);
    }
    buf_deinit(&out);
    return status;
}

int cmd_ca(int argc, char **argv)
{
    static const struct cli_command command = {
        .name = "ca",
        .usage = "[options]",
        .summary =
            "Make the local authority if there is none; show it and how to trust it.",
        .more = more,
    };
    bool path_only = false;
    bool json = false;
    const struct cli_option table[] = {
        { .name = "path",
          .kind = CLI_FLAG,
          .help = "print the path of its certificate, and nothing else",
          .to = &path_only },
        { .name = "json",
          .kind = CLI_FLAG,
          .help = "print one JSON object",
          .to = &json },
        { .name = NULL },
    };
    struct wire_authority_facts facts;
    struct cli_parsed parsed;
    struct err e = { "" };
    char folder[1024];
    int r = cli_parse(&command, table, argc, argv, &parsed, &e);

    if (r != 0) {
        return r == CLI_HELP ? CLI_OK : cli_fail(CLI_USAGE, &e);
    }
    r = wire_tls_setup();
    if (r < 0) {
        err_set(&e, r, "out of memory");
    } else {
        r = cli_ca_folder(folder, sizeof(folder), &e);
    }
    if (r == 0) {
        r = wire_authority_open(folder, clock_wall_ns(), &facts, &e);
    }
    return r < 0 ? cli_fail(CLI_FAILED, &e) : print(&facts, path_only, json);
}
