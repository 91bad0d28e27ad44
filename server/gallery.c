/* SPDX-License-Identifier: Apache-2.0
 * gallery.c - see gallery.h. */
#include "gallery.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Names of msk_file_write()'s temporary files. */
static bool is_leftover(const char *name) {
  static const char head[] = ".masksketch-", tail[] = ".tmp";
  size_t length = strlen(name);
  return length > sizeof head + sizeof tail && strncmp(name, head, sizeof head - 1) == 0 &&
         strcmp(name + length - 4, tail) == 0;
}

static void tidy(int folder) {
  int copy = dup(folder);
  DIR *directory = copy < 0 ? NULL : fdopendir(copy);
  if (directory == NULL) {
    if (copy >= 0) close(copy);
    return;
  }
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    if (is_leftover(entry->d_name)) unlinkat(folder, entry->d_name, 0);
  }
  closedir(directory);
}

msk_status gallery_open(const char *path, int *folder, msk_error *error) {
  (void)mkdir(path, 0777); /* where that fails, and it is not there, opening says so */
  int opened = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0)
    return app_fail(error, MSK_ERROR_ARGUMENT, "--gallery names %s: %s, expected a folder", path,
                    strerror(errno));
  if (flock(opened, LOCK_EX | LOCK_NB) != 0) {
    close(opened);
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "another server writes to the gallery %s, expected a folder of our own", path);
  }
  if (faccessat(opened, ".", W_OK | X_OK, 0) != 0) {
    close(opened);
    return app_fail(error, MSK_ERROR_OUTPUT,
                    "the gallery %s is closed to us, expected a folder that can be written to",
                    path);
  }
  tidy(opened);
  *folder = opened;
  return MSK_OK;
}

/* 20261125-223005-teapot-7-0-5f0c1b2a.png */
msk_status gallery_write(const server *s, const job *j, const job_image *image, msk_error *error) {
  char path[MAX_PATH_BYTES], class_name[40], day[32];
  const char *name = msk_model_class_name(s->model, j->order.request.class_id);
  size_t used = 0;
  /* a name may be several with commas between them: the first, with nothing in it that a path could
   * mean */
  for (; name != NULL && name[used] != 0 && name[used] != ',' && used + 1 < sizeof class_name;
       used++)
    class_name[used] = (char)(isalnum((unsigned char)name[used]) ? name[used] : '_');
  class_name[used] = 0;
  time_t now = time(NULL);
  struct tm parts;
  strftime(day, sizeof day, "%Y%m%d-%H%M%S", gmtime_r(&now, &parts));
  int length = snprintf(path, sizeof path, "%s/%s-%s-%llu-%d-%.8s.png", s->config.gallery, day,
                        class_name, (unsigned long long)image->seed, image->item, j->id);
  if (length >= (int)sizeof path)
    return app_fail(error, MSK_ERROR_OUTPUT, "the gallery's name is too long");
  return msk_file_write(path, image->bytes, image->byte_count, error);
}
