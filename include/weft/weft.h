/*
 * weft: asyncio for C, on every core.
 *
 * This includes everything. Each header below can be included alone, and begins with the model
 * that its functions share; start with task.h.
 */
#ifndef WEFT_WEFT_H
#define WEFT_WEFT_H

#include <weft/base.h>
#include <weft/loop.h>
#include <weft/task.h>
#include <weft/group.h>
#include <weft/timeout.h>
#include <weft/sync.h>
#include <weft/queue.h>
#include <weft/channel.h>
#include <weft/executor.h>
#include <weft/signal.h>
#include <weft/serve.h>
#include <weft/report.h>
#include <weft/debug.h>
#include <weft/resolver.h>
#include <weft/stream.h>
#include <weft/http.h>
#include <weft/test.h>

#endif
