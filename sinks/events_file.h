/* A compressed file of lines that is whole or absent: written aside, fsynced, renamed. */
#pragma once
#include "core/text.h"

struct events_file;

/* Creates a temporary file in `dir`, to become DIR/NAME. Caller owns `*f`. */
MUST_CHECK bool events_file_new(struct events_file **f, const char *dir, const char *name,
                                int zstd_level, struct err *e);

/* The buffer to append one line to; events_file_line takes it. A failure is kept: later lines go
 * nowhere, and events_file_commit tells of it. */
struct text_sink *events_file_text(struct events_file *f);
void events_file_line(struct events_file *f);

/* Puts the file in its place. Where NAME exists: with the same lines it stays, with others it is
 * replaced only if `force`, else the call fails. */
MUST_CHECK bool events_file_commit(struct events_file *f, bool force, struct err *e);

/* Frees; removes what was not committed. NULL is harmless. */
void events_file_free(struct events_file *f);
