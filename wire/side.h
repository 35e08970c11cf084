/*
 * wire/side - the two ends of a recorded conversation.
 *
 * "from CLIENT" names the direction client to server everywhere.
 */
#ifndef WSTAPE_WIRE_SIDE_H
#define WSTAPE_WIRE_SIDE_H

enum side { CLIENT = 0, SERVER = 1 };

static inline enum side side_other(enum side s)
{
    return s == CLIENT ? SERVER : CLIENT;
}

static inline const char *side_name(enum side s)
{
    return s == CLIENT ? "client" : "server";
}

#endif
