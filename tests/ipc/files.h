/*
 * Files for tests of ipc/, in the scratch folder of the test program.
 */
#ifndef WEFT_TESTS_IPC_FILES_H
#define WEFT_TESTS_IPC_FILES_H

#include <sys/types.h>

/* A path that only this test uses; good until the next call but three. */
const char *scratch_path(const char *name);

void write_file(const char *path, const char *contents, mode_t mode);

/* Another file with the same contents; whoever executes it is told apart by its inode. */
void copy_file(const char *from, const char *to);

#endif
