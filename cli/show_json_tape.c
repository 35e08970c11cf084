#include "cli/show_json.h"

#include "base/text.h"

#include <stdio.h>

void show_json_tls(struct show_object *j, const char *key,
                   const struct capture_tls_facts *f)
{
    struct show_object tls;

    if (!f->on) {
        show_object_null(j, key);
        return;
    }
    tls = show_object_member(j, key);
    show_object_text(&tls, "version", f->tls.version);
    show_object_text(&tls, "cipher", f->tls.cipher);
    show_object_text(&tls, "alpn", f->tls.alpn);
    show_object_text(&tls, "server_name", f->tls.server_name);
    show_object_close(&tls);
}

static void put_count(struct show_object *j, const char *key, uint64_t value)
{
    if (value > 0) {
        show_object_number(j, key, value);
    }
}

int show_json_tape(struct show *s)
{
    const struct capture_overview *o = &s->overview;
    struct show_object j = show_object_begin(&s->out, "tape");

    show_object_number(&j, "version", s->header->version);
    if (s->header->wall_ns != 0) {
        struct buf utc = { 0 };

        show_out_note(&s->out, text_put_utc(&utc, s->header->wall_ns));
        show_object_text(&j, "created", buf_bytes(&utc));
        buf_deinit(&utc);
    }
    show_object_text(&j, "program", s->header->program);
    show_object_text(&j, "listen", s->header->listen);
    show_object_text(&j, "upstream", s->header->upstream);
    show_object_number(&j, "seed", s->header->seed);
    show_object_number(&j, "size", s->size);
    show_object_bool(&j, "complete", o->complete);
    if (s->options.follow) {
        show_object_bool(&j, "following", true);
        return show_object_end(&j);
    }
    show_object_number(&j, "records", o->records);
    show_object_number(&j, "connections", o->count);
    show_object_time(&j, "duration", o->last_ns);
    put_count(&j, "torn", o->torn);
    put_count(&j, "damaged", o->damaged);
    put_count(&j, "missing", o->missing_count);
    put_count(&j, "gaps", o->gaps);
    return show_object_end(&j);
}

static void put_side(struct show_object *j, const char *key,
                     const struct capture_side_facts *f)
{
    struct show_object side = show_object_member(j, key);

    show_object_number(&side, "messages", f->messages);
    show_object_number(&side, "frames", f->frames);
    show_object_number(&side, "bytes", f->bytes);
    show_object_close(&side);
}

static void put_ended(struct show_object *j, const char *key,
                      const struct capture_side_facts *f)
{
    char words[32];

    if (f->close_code != 0) {
        snprintf(words, sizeof(words), "close %d", f->close_code);
        show_object_words(j, key, words);
    } else if (f->end != 0) {
        show_object_words(j, key, capture_end_name(f->end));
    } else {
        show_object_null(j, key);
    }
}

static void put_errors(struct show_object *j, const struct capture_connection *c)
{
    bool first = true;

    show_object_array(j, "errors");
    for (unsigned i = 0; i < c->error_count; i++) {
        show_object_add(j, &first, c->errors[i]);
    }
    show_object_array_end(j);
}

static void put_rules_facts(struct show_object *j, const struct capture_connection *c)
{
    struct show_object faults;

    if (c->faults == 0 && c->faults_failed == 0) {
        return;
    }
    faults = show_object_member(j, "faults");
    show_object_number(&faults, "applied", c->faults);
    show_object_number(&faults, "failed", c->faults_failed);
    show_object_close(&faults);
}

static int put_connection(struct show *s, const struct capture_connection *c)
{
    struct show_object j = show_object_begin(&s->out, "connection"), ended;

    show_object_number(&j, "connection", c->number);
    show_object_text(&j, "client", c->client);
    show_object_text(&j, "listen", c->listen);
    show_object_text(&j, "upstream", c->upstream);
    show_object_text(&j, "path", c->path);
    show_object_text(&j, "method", c->method);
    show_object_number(&j, "status", c->status);
    if (c->by_wstape) {
        show_object_bool(&j, "by_wstape", true);
    }
    show_object_words(&j, "kind", capture_kind_name(c->kind));
    show_object_time(&j, "opened", c->opened_ns);
    show_object_time(&j, "duration", c->last_ns - c->opened_ns);
    show_object_text(&j, "subprotocol", c->subprotocol);
    show_object_text(&j, "extensions", c->extensions);
    show_json_tls(&j, "tls", &c->tls);
    show_json_tls(&j, "upstream_tls", &c->upstream_tls);
    show_object_number(&j, "requests", c->requests);
    put_side(&j, "from_client", &c->side[CLIENT]);
    put_side(&j, "from_server", &c->side[SERVER]);
    ended = show_object_member(&j, "ended");
    put_ended(&ended, "client", &c->side[CLIENT]);
    put_ended(&ended, "server", &c->side[SERVER]);
    show_object_close(&ended);
    put_errors(&j, c);
    put_rules_facts(&j, c);
    return show_object_end(&j);
}

int show_json_connections(struct show *s)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < s->overview.count; i++) {
        const struct capture_connection *c = s->overview.connections[i];

        if (show_ranges_hold(&s->options.connections, c->number)) {
            r = put_connection(s, c);
        }
    }
    return r == 0 ? show_json_rules(s) : r;
}
