/* SPDX-License-Identifier: Apache-2.0
 * client.c - see client.h. */
#include "client.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_SECONDS = 300 };

int serve_descriptor_limit;

/* ---- The server ---- */

int serve_set_up(void **state) {
  static const char names[] =
      "goldfish, Carassius auratus\nteapot\nmug\nhouse\ntree\ncar\napple\nbird\nfish\nhouse "
      "finch\n";
  msk_error error;
  char tokenizer[256], transformer[256];
  if (set_up_models(state) != 0) return -1;
  if (msk_file_write(in_folder("names.txt"), names, sizeof names - 1, &error) != MSK_OK) return -1;
  snprintf(tokenizer, sizeof tokenizer, "%s", golden_path("tiny/tokenizer_imagenet128_checkpoint"));
  snprintf(transformer, sizeof transformer, "%s",
           golden_path("tiny/maskgit_imagenet128_checkpoint"));
  EXPECT(0, "convert", "--tokenizer", tokenizer, "--transformer", transformer, "--classes",
         in_folder("names.txt"), "-o", in_folder("named.safetensors"), "--quiet");
  return setenv("MASKSKETCH_MODEL", in_folder("named.safetensors"), 1);
}

static int free_port(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
  close(fd);
  return ntohs(address.sin_port);
}

static void become_server(const char *const *options, int port, int output, const char *log) {
  const char *program = getenv("MASKSKETCH_PROGRAM"), *vector[MAX_ARGUMENTS + 8];
  char text[16];
  int count = 0, errors = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  snprintf(text, sizeof text, "%d", port);
  vector[count++] = program;
  vector[count++] = "serve";
  vector[count++] = "--port";
  vector[count++] = text;
  const char *sanitizer = getenv("MSK_TEST_SANITIZER");
  /* threads that wait by spinning are very slow there */
  if (sanitizer != NULL && *sanitizer != 0) {
    vector[count++] = "--threads";
    vector[count++] = "1";
  }
  for (int i = 0; options[i] != NULL && count < MAX_ARGUMENTS; i++) vector[count++] = options[i];
  vector[count] = NULL;
  if (dup2(output, STDOUT_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0) _exit(126);
  for (int i = 3; i < 64; i++) close(i);
  if (serve_descriptor_limit > 0) {
    struct rlimit few = {(rlim_t)serve_descriptor_limit, (rlim_t)serve_descriptor_limit};
    setrlimit(RLIMIT_NOFILE, &few);
  }
  execv(program, (char *const *)(uintptr_t)vector);
  _exit(127);
}

served serve_start(const char *const *options) {
  served s = {.port = free_port()};
  int ends[2];
  char line[128] = "";
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  snprintf(s.log, sizeof s.log, "%s", in_folder("serve-%d.log", s.port));
  s.pid = fork();
  assert_true(s.pid >= 0);
  if (s.pid == 0) become_server(options, s.port, ends[1], s.log);
  close(ends[1]);
  FILE *output = fdopen(ends[0], "r");
  if (output == NULL || fgets(line, sizeof line, output) == NULL) {
    size_t bytes;
    char *log = (char *)test_read_file(s.log, &bytes);
    fail_msg("the server does not start: %.*s", (int)bytes, log);
  }
  fclose(output);
  char ending[32];
  size_t length = (size_t)snprintf(ending, sizeof ending, ":%d/\n", s.port);
  assert_true(strncmp(line, "http://", 7) == 0 && strlen(line) > length);
  assert_string_equal(line + strlen(line) - length, ending);
  return s;
}

int serve_stop(served *s, int signal_number) {
  int status = 0;
  if (signal_number != 0) kill(s->pid, signal_number);
  assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int serve_descriptors(const served *s) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd", (int)s->pid);
  return count_files(path, "");
}

long serve_kilobytes(const served *s) {
  char path[64], line[256];
  long kilobytes = 0;
  snprintf(path, sizeof path, "/proc/%d/status", (int)s->pid);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  while (fgets(line, sizeof line, file) != NULL) sscanf(line, "VmHWM: %ld kB", &kilobytes);
  fclose(file);
  return kilobytes;
}

/* ---- Asking ---- */

int client_connect(const served *s) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)s->port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    if (fd >= 0) close(fd);
    return -1;
  }
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  return fd;
}

bool client_send(int socket, const void *bytes, size_t count) {
  const char *at = bytes;
  while (count > 0) {
    ssize_t n = send(socket, at, count, MSG_NOSIGNAL);
    if (n <= 0) return false;
    at += n;
    count -= (size_t)n;
  }
  return true;
}

const char *reply_header(const reply *r, const char *name) {
  static _Thread_local char buffers[8][1024]; /* the load test asks from many threads */
  static _Thread_local int next;
  char *buffer = buffers[next++ % 8];
  size_t length = strlen(name);
  buffer[0] = 0;
  for (const char *line = r->head; line != NULL && *line != 0;) {
    const char *end = strstr(line, "\r\n");
    if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
      const char *value = line + length + 1 + strspn(line + length + 1, " ");
      int bytes = (int)((end == NULL ? line + strlen(line) : end) - value);
      snprintf(buffer, sizeof buffers[0], "%.*s", bytes, value);
      return buffer;
    }
    line = end == NULL ? NULL : end + 2;
  }
  return buffer;
}

/* Joins the chunks of a body in place. */
static void join_chunks(reply *r) {
  char *from = r->body, *to = r->body, *end = r->body + r->bytes;
  while (from < end) {
    char *rest = NULL;
    size_t size = strtoul(from, &rest, 16);
    rest = strstr(rest, "\r\n");
    if (rest == NULL || size == 0 || (size_t)(end - rest - 2) < size) break;
    memmove(to, rest + 2, size);
    to += size;
    from = rest + 2 + size + 2;
  }
  r->bytes = (size_t)(to - r->body);
  *to = 0;
}

reply client_receive(int socket) {
  reply r = {0};
  char *all = malloc(1);
  size_t used = 0;
  for (;;) {
    char *larger = realloc(all, used + 65537);
    assert_non_null(larger);
    all = larger;
    ssize_t n = recv(socket, all + used, 65536, 0);
    if (n <= 0) break;
    used += (size_t)n;
  }
  all[used] = 0;
  char *split = strstr(all, "\r\n\r\n");
  while (split != NULL && strncmp(all, "HTTP/1.1 100", 12) == 0) { /* "go on" */
    size_t skipped = (size_t)(split + 4 - all);
    memmove(all, split + 4, used - skipped + 1);
    used -= skipped;
    split = strstr(all, "\r\n\r\n");
  }
  if (split == NULL) {
    free(all);
    return r;
  }
  *split = 0;
  r.head = all;
  r.body = split + 4;
  r.bytes = used - (size_t)(r.body - all);
  sscanf(all, "HTTP/1.1 %d", &r.status);
  if (strcmp(reply_header(&r, "Transfer-Encoding"), "chunked") == 0) join_chunks(&r);
  return r;
}

void reply_free(reply *r) {
  free(r->head);
  *r = (reply){0};
}

reply ask_bytes(const served *s, const char *method, const char *path, const char *headers,
                const char *type, const void *body, size_t count) {
  char head[4096];
  int length =
      snprintf(head, sizeof head, "%s %s HTTP/1.1\r\n%s%sConnection: close\r\n", method, path,
               headers != NULL && strstr(headers, "Host:") != NULL ? "" : "Host: localhost\r\n",
               headers == NULL ? "" : headers);
  if (type != NULL)
    length += snprintf(head + length, sizeof head - (size_t)length,
                       "Content-Type: %s\r\nContent-Length: %zu\r\n", type, count);
  length += snprintf(head + length, sizeof head - (size_t)length, "\r\n");
  int fd = client_connect(s);
  assert_true(fd >= 0);
  if (client_send(fd, head, (size_t)length)) client_send(fd, body, count);
  reply r = client_receive(fd);
  close(fd);
  return r;
}

reply ask(const served *s, const char *method, const char *path, const char *headers,
          const char *json) {
  return ask_bytes(s, method, path, headers, json == NULL ? NULL : "application/json",
                   json == NULL ? "" : json, json == NULL ? 0 : strlen(json));
}

json_t *reply_json(reply *r) {
  json_error_t error;
  json_t *value = r->body == NULL ? NULL : json_loadb(r->body, r->bytes, 0, &error);
  if (value == NULL)
    fail_msg("no JSON in an answer with status %d: %.200s", r->status,
             r->body == NULL ? "" : r->body);
  reply_free(r);
  return value;
}

const char *text_of(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text == NULL ? "" : text;
}

void expect_problem(reply r, int status, const char *word, const char *file, int line) {
  if (r.status != status ||
      strcmp(reply_header(&r, "Content-Type"), "application/problem+json") != 0) {
    print_error("status %d and %s, expected the problem %d: %.300s\n", r.status,
                reply_header(&r, "Content-Type"), status, r.body == NULL ? "" : r.body);
    _fail(file, line);
  }
  json_t *problem = reply_json(&r);
  bool good = json_integer_value(json_object_get(problem, "status")) == status &&
              text_of(problem, "title")[0] != 0 &&
              strcmp(text_of(problem, "type"), "about:blank") == 0 &&
              strstr(text_of(problem, "detail"), word) != NULL;
  if (!good) {
    print_error("the problem's detail is \"%s\", expected \"%s\" in it\n",
                text_of(problem, "detail"), word);
    _fail(file, line);
  }
  json_decref(problem);
}

json_t *run_job(const served *s, const char *path, const char *json) {
  reply r = POST(s, path, json);
  if (r.status != 202)
    fail_msg("%s: status %d: %.300s", path, r.status, r.body == NULL ? "" : r.body);
  assert_string_equal(reply_header(&r, "Content-Type"), "application/json");
  char url[128], events[160];
  snprintf(url, sizeof url, "%s", reply_header(&r, "Location"));
  reply_free(&r);
  snprintf(events, sizeof events, "%s/events", url);
  r = GET(s, events); /* until the end */
  assert_int_equal(r.status, 200);
  reply_free(&r);
  r = GET(s, url);
  assert_int_equal(r.status, 200);
  return reply_json(&r);
}

char *with_file(const char *format, const char *path) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t count, used = 0;
  uint8_t *bytes = test_read_file(path, &count);
  char *text = calloc(1, count / 3 * 4 + 8), *out = NULL;
  assert_non_null(text);
  for (size_t i = 0; i < count; i += 3) {
    size_t left = count - i;
    unsigned group = (unsigned)bytes[i] << 16 | (left > 1 ? (unsigned)bytes[i + 1] << 8 : 0) |
                     (left > 2 ? bytes[i + 2] : 0);
    for (size_t k = 0; k < 4; k++)
      text[used++] = k <= left ? letters[group >> (18 - 6 * k) & 63] : '=';
  }
  size_t room = strlen(format) + used + 1;
  out = malloc(room);
  assert_non_null(out);
  const char *mark = strstr(format, "%s");
  assert_non_null(mark);
  snprintf(out, room, "%.*s%s%s", (int)(mark - format), format, text, mark + 2);
  free(text);
  free(bytes);
  return out;
}
