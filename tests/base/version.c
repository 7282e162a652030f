/*
 * The version is written down twice, in configure.ac and in a header; here they meet.
 */
#include "tests/test.h"

#include <stdio.h>

Test(version, is_that_of_the_header_and_of_the_build)
{
	char header[64];

	snprintf(header, sizeof(header), "%d.%d.%d", WEFT_VERSION_MAJOR,
		 WEFT_VERSION_MINOR, WEFT_VERSION_PATCH);
	cr_expect_str_eq(weft_version(), header);
	cr_expect_str_eq(weft_version(), PACKAGE_VERSION, "configure.ac says %s",
			 PACKAGE_VERSION);
}
