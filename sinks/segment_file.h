/* The last steps of a file that is whole or absent, shared by single segments and batches. */
#pragma once
#include "core/err.h"

/* Brings a file or (directory) a folder's entries to the disk. */
MUST_CHECK bool segment_file_sync(const char *path, bool directory, struct err *e);
MUST_CHECK bool segment_file_name(const char *aside, const char *path, struct err *e);
