/*
 * The version of the library that runs, which may differ from that of the headers. Any
 * thread.
 */
#include "base/base.h"

#define TEXT(x)			     #x
#define VERSION(major, minor, patch) TEXT(major) "." TEXT(minor) "." TEXT(patch)

const char *weft_version(void)
{
	return VERSION(WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR, WEFT_VERSION_PATCH);
}
