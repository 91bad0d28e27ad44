/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_cache.c - compiling the kernels, and keeping what a driver's compiler made of them and
 * what was found out about the device (gpu.h). A file is called after everything that its contents
 * depend on: device, driver, options, source. It is a line that says what it is, the SHA-256 of the
 * rest, and the rest. It is written whole or not at all, and believed only if its sum is right. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "compute/opencl/gpu.h"

#define MAGIC "masksketch kernels 1\n"
enum { MAGIC_BYTES = sizeof MAGIC - 1, SUM_BYTES = 64, HEAD_BYTES = MAGIC_BYTES + SUM_BYTES };
enum { LARGEST_BINARY = 64 << 20 };

static void sum_bytes(const void *bytes, size_t count, char text[SUM_BYTES + 1]) {
  msk_sha256 hash;
  msk_sha256_begin(&hash);
  msk_sha256_add(&hash, bytes, count);
  msk_sha256_end(&hash, text);
}

/* FOLDER/SUM.bin; false where it does not fit. */
static bool name_file(const msk_gpu *gpu, const char *text, const char *options, const char *folder,
                      char path[PATH_MAX]) {
  const char *const parts[] = {gpu->facts.platform, gpu->facts.name, gpu->facts.driver, options,
                               text};
  char name[SUM_BYTES + 1];
  msk_sha256 hash;
  msk_sha256_begin(&hash);
  /* with their final zeros, so that no two lists of parts run into one */
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    msk_sha256_add(&hash, parts[i], strlen(parts[i]) + 1);
  msk_sha256_end(&hash, name);
  int length = snprintf(path, PATH_MAX, "%s/%s.bin", folder, name);
  return length > 0 && length < PATH_MAX;
}

/* ---- reading ---- */

static bool is_whole(const msk_mapping *file) {
  char sum[SUM_BYTES + 1];
  if (file->byte_count <= HEAD_BYTES || memcmp(file->bytes, MAGIC, MAGIC_BYTES) != 0) return false;
  sum_bytes(file->bytes + HEAD_BYTES, file->byte_count - HEAD_BYTES, sum);
  return memcmp(file->bytes + MAGIC_BYTES, sum, SUM_BYTES) == 0;
}

/* The program from the file, built; false where there is none, or the driver does not take it. */
static bool load(const msk_gpu *gpu, msk_cl_program *program_at, const char *options,
                 const char *path) {
  msk_mapping file;
  if (msk_map_file(&file, path, NULL) != MSK_OK) return false;
  msk_cl_program program = NULL;
  int32_t code = MSK_CL_SUCCESS, state = MSK_CL_SUCCESS;
  if (is_whole(&file)) {
    const unsigned char *binary = file.bytes + HEAD_BYTES;
    const size_t bytes = file.byte_count - HEAD_BYTES;
    program = gpu->cl.CreateProgramWithBinary(gpu->context, 1, &gpu->facts.id, &bytes, &binary,
                                              &state, &code);
  }
  msk_unmap_file(&file);
  if (program == NULL) return false;
  if (code == MSK_CL_SUCCESS && state == MSK_CL_SUCCESS &&
      gpu->cl.BuildProgram(program, 1, &gpu->facts.id, options, NULL, NULL) == MSK_CL_SUCCESS) {
    *program_at = program;
    return true;
  }
  gpu->cl.ReleaseProgram(program);
  return false;
}

/* ---- writing ---- */

/* The folder and those above it. */
static void make_folders(const char *folder) {
  char path[PATH_MAX];
  if (snprintf(path, sizeof path, "%s/", folder) >= (int)sizeof path) return;
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    mkdir(path, 0700); /* what is there already, or cannot be, shows when the file is written */
    *slash = '/';
  }
}

static void write_file(const char *path, const unsigned char *binary, size_t bytes) {
  msk_file_writer writer;
  char sum[SUM_BYTES + 1];
  sum_bytes(binary, bytes, sum);
  if (msk_file_writer_begin(&writer, path, NULL) == MSK_OK &&
      msk_file_writer_write(&writer, MAGIC, MAGIC_BYTES, NULL) == MSK_OK &&
      msk_file_writer_write(&writer, sum, SUM_BYTES, NULL) == MSK_OK &&
      msk_file_writer_write(&writer, binary, bytes, NULL) == MSK_OK)
    msk_file_writer_commit(&writer, NULL);
}

/* Keeps the program, if the driver gives it away. */
static void keep(const msk_gpu *gpu, msk_cl_program program, const char *folder, const char *path) {
  size_t bytes = 0;
  if (gpu->cl.GetProgramInfo(program, MSK_CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) !=
          MSK_CL_SUCCESS ||
      bytes == 0 || bytes > LARGEST_BINARY)
    return;
  unsigned char *binary = msk_allocate(gpu->allocator, bytes, 1);
  if (binary == NULL) return;
  if (gpu->cl.GetProgramInfo(program, MSK_CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) ==
      MSK_CL_SUCCESS) {
    make_folders(folder);
    write_file(path, binary, bytes);
  }
  msk_free(gpu->allocator, binary);
}

/* ---- compiling ---- */

/* What the compiler said; its first line with an error goes into the message. */
static msk_status fail_build(const msk_gpu *gpu, msk_cl_program program, int32_t code,
                             msk_error *error) {
  size_t bytes = 0;
  char *log = NULL;
  if (gpu->cl.GetProgramBuildInfo(program, gpu->facts.id, MSK_CL_PROGRAM_BUILD_LOG, 0, NULL,
                                  &bytes) == MSK_CL_SUCCESS)
    log = msk_allocate_zeroed(gpu->allocator, bytes + 1, 1);
  if (log != NULL)
    gpu->cl.GetProgramBuildInfo(program, gpu->facts.id, MSK_CL_PROGRAM_BUILD_LOG, bytes, log, NULL);
  const char *said = log == NULL ? NULL : strstr(log, "error");
  if (said == NULL) said = log == NULL ? "" : log;
  msk_status status = msk_fail(
      error, MSK_ERROR_DEVICE,
      "the driver of %s does not compile the kernels (%s, %d: %.*s): use the device cpu, or "
      "another driver",
      gpu->name, msk_cl_error_name(code), (int)code, (int)strcspn(said, "\r\n"), said);
  msk_free(gpu->allocator, log);
  return status;
}

static msk_status compile(const msk_gpu *gpu, msk_cl_program *program_at, const char *text,
                          const char *options, msk_error *error) {
  int32_t code = MSK_CL_SUCCESS;
  msk_cl_program program = gpu->cl.CreateProgramWithSource(gpu->context, 1, &text, NULL, &code);
  if (program == NULL || code != MSK_CL_SUCCESS)
    return msk_gpu_fail(gpu, "reading the kernels", code, error);
  code = gpu->cl.BuildProgram(program, 1, &gpu->facts.id, options, NULL, NULL);
  if (code != MSK_CL_SUCCESS) {
    msk_status status = fail_build(gpu, program, code, error);
    gpu->cl.ReleaseProgram(program);
    return status;
  }
  *program_at = program;
  return MSK_OK;
}

msk_status msk_gpu_build(const msk_gpu *gpu, msk_cl_program *program, const char *text,
                         const char *options, const char *cache, bool *kept, msk_error *error) {
  char path[PATH_MAX];
  bool named = cache != NULL && name_file(gpu, text, options, cache, path);
  *kept = named && load(gpu, program, options, path);
  if (*kept) return MSK_OK;
  msk_status status = compile(gpu, program, text, options, error);
  if (status == MSK_OK && named) keep(gpu, *program, cache, path);
  return status;
}

/* ---- what was found out ---- */

bool msk_gpu_recall(const msk_gpu *gpu, const char *text, const char *what, const char *cache,
                    char *value, size_t room) {
  char path[PATH_MAX];
  msk_mapping file;
  if (!name_file(gpu, text, what, cache, path) || msk_map_file(&file, path, NULL) != MSK_OK)
    return false;
  size_t bytes = file.byte_count - HEAD_BYTES;
  bool whole = is_whole(&file) && bytes <= room && file.bytes[file.byte_count - 1] == 0;
  if (whole) memcpy(value, file.bytes + HEAD_BYTES, bytes);
  msk_unmap_file(&file);
  return whole;
}

void msk_gpu_keep(const msk_gpu *gpu, const char *text, const char *what, const char *cache,
                  const void *value, size_t bytes) {
  char path[PATH_MAX];
  if (!name_file(gpu, text, what, cache, path)) return;
  make_folders(cache);
  write_file(path, value, bytes);
}
