/*
 * The sub-commands of `weft`, each defined in a file of its own and listed in weft.c.
 */
#ifndef WEFT_TOOLS_COMMANDS_H
#define WEFT_TOOLS_COMMANDS_H

#include "tools/options.h"

extern const struct command demo_command;
extern const struct command demo_server_command;

#endif
