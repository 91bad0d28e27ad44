/* SPDX-License-Identifier: Apache-2.0
 *
 * command_krita.c - krita --install [FOLDER]: writes the plug-in for Krita, whose files are built
 * into the program (integrations/krita), to where Krita looks for plug-ins. */
#include <string.h>

#include "app/embedded.h"
#include "app/model_path.h"
#include "app/output.h"
#include "commands.h"

#define PACKAGE "masksketch"

extern const embedded_file krita_files[];
extern const int krita_files_count;

/* Krita's folder of plug-ins as its own documentation names it for Linux. */
static msk_status default_folder(char path[MAX_PATH_BYTES], msk_error *error) {
  if (!model_path_user_data(path, "krita/pykrita"))
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "there is no home folder: name Krita's folder of plug-ins (pykrita)");
  return MSK_OK;
}

/* The .desktop file is what Krita finds; the rest is the package that it names. */
static msk_status file_path(char path[MAX_PATH_BYTES], const char *folder, const char *name,
                            msk_error *error) {
  const bool entry = strstr(name, ".desktop") != NULL;
  int length = snprintf(path, MAX_PATH_BYTES, "%s/%s%s", folder, entry ? "" : PACKAGE "/", name);
  if (length >= MAX_PATH_BYTES)
    return app_fail(error, MSK_ERROR_ARGUMENT, "%.80s...: the path is too long", folder);
  return MSK_OK;
}

static msk_status install(const char *folder, msk_error *error) {
  char path[MAX_PATH_BYTES];
  msk_status status = file_path(path, folder, "", error);
  if (status == MSK_OK) status = output_make_folders(path, error);
  for (int i = 0; status == MSK_OK && i < krita_files_count; i++) {
    const embedded_file *file = &krita_files[i];
    status = file_path(path, folder, file->name, error);
    if (status == MSK_OK) status = msk_file_write(path, file->bytes, file->count, error);
  }
  return status;
}

static msk_status action(const cli_line *line, msk_error *error) {
  char folder[MAX_PATH_BYTES];
  msk_status status = MSK_OK;
  if (line->input_count == 0) {
    status = default_folder(folder, error);
  } else if (snprintf(folder, sizeof folder, "%s", line->inputs[0]) >= (int)sizeof folder) {
    status = app_fail(error, MSK_ERROR_ARGUMENT, "%.80s...: the path is too long", line->inputs[0]);
  }
  if (status != MSK_OK) return status;
  if (!cli_given(line, "install")) {
    printf("%s is where the plug-in goes: masksketch krita --install\n", folder);
    return app_flush_stdout(error);
  }
  status = install(folder, error);
  if (status != MSK_OK) return status;
  printf(
      "%s: the plug-in is in place. In Krita: Settings > Configure Krita > Python Plugin Manager,\n"
      "tick MaskSketch, start Krita anew, then Settings > Dockers > MaskSketch.\n",
      folder);
  return app_flush_stdout(error);
}

static const cli_option rows[] = {
    {"install", 0, .type = CLI_MARK,
     .help = "write the plug-in's files, over those of an older one"},
    {.type = CLI_END},
};

const cli_usage krita_usage = {"[--install] [FOLDER]", 0, 1, rows, .action = action};
