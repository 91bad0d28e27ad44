/* SPDX-License-Identifier: Apache-2.0
 * pull_download.c - see pull_download.h. A server is believed in nothing: not in the length that it
 * announces, not in the range that it says it sends, not in the type; redirects are not
 * followed. */
#include "pull_download.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/cancel.h"
#include "app/progress.h"
#include "masksketch_tools.h"

enum { TAG_BYTES = 256, LONGEST_PAUSE = 8 };

/* One try. */
typedef struct try {
  const pull_file *file;
  const download_options *options;
  CURL *curl;
  int part;                  /* descriptor of PATH.part */
  uint64_t start, have;      /* bytes in it: when the try began, now */
  long code;                 /* of the answer, once its headers have come */
  uint64_t range_from, all;  /* of Content-Range; all 0: not said */
  bool ranged, judged, page; /* page: the answer is HTML */
  char tag[TAG_BYTES];       /* of the answer: its strong ETag */
  double last_drawn;
  msk_error failure; /* why this program ended the try; code 0: it did not */
}
try;

/* ---- what the answer says ---- */

static void take_range(try *t, const char *value) {
  uint64_t from, to;
  t->ranged = sscanf(value, " bytes %" SCNu64 "-%" SCNu64 "/%" SCNu64, &from, &to, &t->all) == 3;
  if (t->ranged) t->range_from = from;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *user) {
  try *t = user;
  const int length = (int)(size * count);
  char line[512];
  snprintf(line, sizeof line, "%.*s", length, bytes);
  line[strcspn(line, "\r\n")] = 0;
  char *value = strchr(line, ':');
  if (value == NULL) return size * count;
  *value++ = 0;
  value += strspn(value, " ");
  if (strcasecmp(line, "content-range") == 0) take_range(t, value);
  if (strcasecmp(line, "content-type") == 0) t->page = strncasecmp(value, "text/html", 9) == 0;
  /* a weak one does not promise the same bytes */
  if (strcasecmp(line, "etag") == 0 && *value == '"') snprintf(t->tag, TAG_BYTES, "%s", value);
  return size * count;
}

static msk_status refuse_type(try *t) {
  return app_fail(&t->failure, MSK_ERROR_FILE,
                  "%s answers with a web page, expected a file: is the address right?",
                  t->file->url);
}

static msk_status begin_anew(try *t) {
  t->start = t->have = 0;
  if (ftruncate(t->part, 0) == 0 && lseek(t->part, 0, SEEK_SET) == 0) return MSK_OK;
  return app_fail(&t->failure, MSK_ERROR_OUTPUT, "cannot begin the file anew: %s", strerror(errno));
}

/* Before the first byte is written. */
static msk_status judge(try *t) {
  curl_off_t length = -1;
  curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->code);
  curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  t->judged = true;
  if (t->code != 200 && t->code != 206) return MSK_OK; /* an error's text is read past */
  if (t->page) return refuse_type(t);
  if (t->code == 206 && (!t->ranged || t->range_from != t->start))
    return app_fail(&t->failure, MSK_ERROR_FILE,
                    "%s sends another part of the file than was asked for", t->file->url);
  /* the whole file for a part: the server knows no ranges, or the file is another one now */
  if (t->code == 200 && t->start > 0 && begin_anew(t) != MSK_OK) return t->failure.code;
  const uint64_t whole = length < 0 ? 0 : t->start + (uint64_t)length;
  if (t->file->bytes > 0 && whole > 0 && whole != t->file->bytes)
    return app_fail(&t->failure, MSK_ERROR_FILE,
                    "%s announces %" PRIu64 " bytes, expected %" PRIu64, t->file->url, whole,
                    t->file->bytes);
  return MSK_OK;
}

static msk_status write_all(try *t, const char *bytes, size_t count) {
  while (count > 0) {
    const ssize_t written = write(t->part, bytes, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0)
      return app_fail(&t->failure, MSK_ERROR_OUTPUT, "cannot write the download: %s",
                      strerror(errno));
    bytes += written;
    count -= (size_t)written;
    t->have += (uint64_t)written;
  }
  return MSK_OK;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user) {
  try *t = user;
  if (!t->judged && judge(t) != MSK_OK) return 0;
  if (t->code != 200 && t->code != 206) return size * count;
  if (t->file->bytes > 0 && t->have + size * count > t->file->bytes) {
    app_fail(&t->failure, MSK_ERROR_FILE, "%s sends more than the %" PRIu64 " bytes expected",
             t->file->url, t->file->bytes);
    return 0;
  }
  return write_all(t, bytes, size * count) == MSK_OK ? size * count : 0;
}

static int on_progress(void *user, curl_off_t all, curl_off_t now, curl_off_t a, curl_off_t b) {
  try *t = user;
  (void)all, (void)now, (void)a, (void)b;
  if (!t->options->quiet && progress_is_terminal() && progress_clock() - t->last_drawn > 0.2) {
    t->last_drawn = progress_clock();
    fprintf(stderr, "\r\033[K%.1f", 1e-6 * (double)t->have);
    if (t->file->bytes > 0) fprintf(stderr, " of %.1f", 1e-6 * (double)t->file->bytes);
    fputs(" MB", stderr);
  }
  return cancel_requested();
}

/* ---- a try ---- */

static void set_up(try *t, struct curl_slist **headers, const char *tag) {
  char text[TAG_BYTES + 32];
  const char *authorities = getenv("CURL_CA_BUNDLE");
  curl_easy_setopt(t->curl, CURLOPT_URL, t->file->url);
  curl_easy_setopt(t->curl, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(t->curl, CURLOPT_CONNECTTIMEOUT, (long)t->options->patience);
  curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_TIME, (long)t->options->patience);
  curl_easy_setopt(t->curl, CURLOPT_USERAGENT, "masksketch/" MSK_VERSION);
  curl_easy_setopt(t->curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(t->curl, CURLOPT_HEADERDATA, t);
  curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
  curl_easy_setopt(t->curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(t->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(t->curl, CURLOPT_XFERINFODATA, t);
  if (authorities != NULL) curl_easy_setopt(t->curl, CURLOPT_CAINFO, authorities);
  if (t->start == 0) return;
  snprintf(text, sizeof text, "Range: bytes=%" PRIu64 "-", t->start);
  *headers = curl_slist_append(*headers, text);
  /* where the file has changed meanwhile, all of it is wanted */
  snprintf(text, sizeof text, "If-Range: %s", tag);
  if (*tag != 0) *headers = curl_slist_append(*headers, text);
  curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, *headers);
}

/* Whether it is worth another try. */
typedef enum outcome { TRY_DONE, TRY_AGAIN, TRY_NO_MORE } outcome;

static outcome fail_with(try *t, msk_error *error, const char *why) {
  app_fail(error, MSK_ERROR_FILE, "%s: %s", t->file->url, why);
  return TRY_NO_MORE;
}

static outcome judge_end(try *t, CURLcode end, msk_error *error) {
  char why[256];
  char *target = NULL;
  if (t->failure.code != MSK_OK) {
    *error = t->failure;
    return TRY_NO_MORE;
  }
  if (end == CURLE_ABORTED_BY_CALLBACK) {
    app_fail(error, MSK_ERROR_CANCELLED,
             "cancelled; what has come is kept, and taken up next time");
    return TRY_NO_MORE;
  }
  curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->code);
  curl_easy_getinfo(t->curl, CURLINFO_REDIRECT_URL, &target);
  snprintf(why, sizeof why, "%s", curl_easy_strerror(end));
  app_fail(error, MSK_ERROR_FILE, "%s: %s", t->file->url, why);
  if (end == CURLE_PEER_FAILED_VERIFICATION || end == CURLE_SSL_CACERT_BADFILE ||
      end == CURLE_UNSUPPORTED_PROTOCOL || end == CURLE_URL_MALFORMAT)
    return TRY_NO_MORE;
  if (end != CURLE_OK) return TRY_AGAIN;
  if (target != NULL) {
    snprintf(why, sizeof why,
             "leads to %.180s, expected the file itself: redirects are not followed", target);
    return fail_with(t, error, why);
  }
  /* the part is longer than the file: it is another file's */
  if (t->code == 416) return begin_anew(t) == MSK_OK ? TRY_AGAIN : TRY_NO_MORE;
  if (t->code == 200 || t->code == 206)
    return t->judged || judge(t) == MSK_OK ? TRY_DONE : TRY_NO_MORE;
  snprintf(why, sizeof why, "the server answers with the status %ld", t->code);
  fail_with(t, error, why);
  return t->code >= 500 || t->code == 429 || t->code == 408 ? TRY_AGAIN : TRY_NO_MORE;
}

/* The tag of the file that PATH.part is of stands beside it, in PATH.tag. */
static void read_tag(char tag[TAG_BYTES], const char *path) {
  FILE *file = fopen(path, "r");
  tag[0] = 0;
  if (file != NULL && fgets(tag, TAG_BYTES, file) == NULL) tag[0] = 0;
  if (file != NULL) fclose(file);
  tag[strcspn(tag, "\n")] = 0;
}

/* A part of unknown origin is not continued, unless the whole will be held against a hash. */
static msk_status open_part(try *t, const char *part, const char *tag, msk_error *error) {
  struct stat about;
  t->part = open(part, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (t->part < 0 || fstat(t->part, &about) != 0)
    return app_fail(error, MSK_ERROR_OUTPUT, "cannot write %s: %s", part, strerror(errno));
  t->start = t->have = (uint64_t)about.st_size;
  const bool useless = *tag == 0 && t->file->hash == NULL;
  const bool complete = t->file->bytes > 0 && t->start > t->file->bytes;
  if ((useless || complete) && begin_anew(t) != MSK_OK) {
    *error = t->failure;
    return error->code;
  }
  if (lseek(t->part, 0, SEEK_END) >= 0) return MSK_OK;
  return app_fail(error, MSK_ERROR_OUTPUT, "cannot write %s: %s", part, strerror(errno));
}

/* *gained: bytes that came. */
static outcome try_once(const char *path, const pull_file *file, const download_options *options,
                        uint64_t *gained, msk_error *error) {
  char part[MAX_PATH_BYTES + 8], tag_path[MAX_PATH_BYTES + 8], tag[TAG_BYTES];
  struct curl_slist *headers = NULL;
  try t = {.file = file, .options = options, .part = -1, .curl = curl_easy_init()};
  outcome end = TRY_NO_MORE;
  snprintf(part, sizeof part, "%s.part", path);
  snprintf(tag_path, sizeof tag_path, "%s.tag", path);
  read_tag(tag, tag_path);
  if (t.curl == NULL) {
    app_fail(error, MSK_ERROR_MEMORY, "out of memory for the download");
  } else if (open_part(&t, part, tag, error) == MSK_OK) {
    const uint64_t before =
        t.have; /* what was begun anew has gained nothing until it is past that */
    if (file->bytes > 0 && t.start == file->bytes) {
      end = TRY_DONE;
    } else {
      set_up(&t, &headers, tag);
      end = judge_end(&t, curl_easy_perform(t.curl), error);
    }
    *gained = t.have > before ? t.have - before : 0;
    if (t.judged && strcmp(t.tag, tag) != 0 && t.code == 200)
      msk_file_write(tag_path, t.tag, strlen(t.tag), NULL);
    if (fsync(t.part) != 0 && end == TRY_DONE) {
      app_fail(error, MSK_ERROR_OUTPUT, "cannot write %s: %s", part, strerror(errno));
      end = TRY_NO_MORE;
    }
  }
  if (t.part >= 0) close(t.part);
  curl_slist_free_all(headers);
  curl_easy_cleanup(t.curl);
  return end;
}

/* ---- the file ---- */

/* What is complete is either right, and gets its name, or goes. */
static msk_status finish(char hash[HASH_BYTES], const char *path, const pull_file *file,
                         msk_error *error) {
  char part[MAX_PATH_BYTES + 8], tag[MAX_PATH_BYTES + 8];
  struct stat about;
  snprintf(part, sizeof part, "%s.part", path);
  snprintf(tag, sizeof tag, "%s.tag", path);
  msk_status status = msk_file_hash(hash, part, error);
  if (status != MSK_OK) return status;
  if (file->bytes > 0 && (stat(part, &about) != 0 || (uint64_t)about.st_size != file->bytes))
    status = app_fail(error, MSK_ERROR_FILE, "%s sent %lld bytes, expected %" PRIu64, file->url,
                      (long long)about.st_size, file->bytes);
  if (status == MSK_OK && file->hash != NULL && strcmp(hash, file->hash) != 0)
    status =
        app_fail(error, MSK_ERROR_FILE, "%s has the SHA-256 %s, expected %s: it is thrown away",
                 file->url, hash, file->hash);
  unlink(tag);
  if (status != MSK_OK) unlink(part);
  if (status == MSK_OK && rename(part, path) != 0)
    status = app_fail(error, MSK_ERROR_OUTPUT, "cannot write %s: %s", path, strerror(errno));
  return status;
}

/* Short at first, so that a cut is hardly noticed; cancelled within a tenth of a second. */
static void pause_before(int failures) {
  const int seconds = failures < 3 ? failures : LONGEST_PAUSE;
  for (int i = 0; i < 10 * seconds && !cancel_requested(); i++) usleep(100000);
}

msk_status download(char hash[HASH_BYTES], const char *path, const pull_file *file,
                    const download_options *options, msk_error *error) {
  outcome end = TRY_AGAIN;
  curl_global_init(CURL_GLOBAL_DEFAULT);
  for (int failures = 0; end == TRY_AGAIN && failures < options->tries;) {
    uint64_t gained = 0;
    end = try_once(path, file, options, &gained, error);
    failures = gained > 0 ? 0 : failures + 1;
    if (end == TRY_AGAIN) pause_before(failures);
  }
  curl_global_cleanup();
  if (!options->quiet && progress_is_terminal()) fputs("\r\033[K", stderr);
  return end == TRY_DONE ? finish(hash, path, file, error) : error->code;
}
