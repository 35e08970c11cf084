/*
 * cli/ca_folder - where the local authority's files are.
 */
#ifndef WSTAPE_CLI_CA_FOLDER_H
#define WSTAPE_CLI_CA_FOLDER_H

#include "base/err.h"

#include <stddef.h>

/* $WSTAPE_CA_DIR, else $XDG_DATA_HOME/wstape (absolute ones only, as the XDG base
 * directory specification wants it), else $HOME/.local/share/wstape. Empty variables do
 * not count. -ENOENT when there is none of them, -ENAMETOOLONG, with words. */
int cli_ca_folder(char *out, size_t cap, struct err *e);

#endif
