/* SPDX-License-Identifier: Apache-2.0
 * support.c - see support.h. */
#include "support.h"

#include <math.h>
#include <stdatomic.h>
#include <unistd.h>

const char *golden_path(const char *format, ...) {
  static char buffers[8][512];
  static unsigned next;
  char *buffer = buffers[next++ % 8];
  int used = snprintf(buffer, sizeof buffers[0], "tests/golden/");
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(buffer + used, sizeof buffers[0] - (size_t)used, format, arguments);
  va_end(arguments);
  return buffer;
}

uint8_t *test_read_file(const char *path, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) fail_msg("cannot open %s", path);
  fseek(file, 0, SEEK_END);
  long length = ftell(file);
  rewind(file);
  uint8_t *data = malloc((size_t)length + 1);
  assert_non_null(data);
  assert_int_equal(fread(data, 1, (size_t)length, file), length);
  data[length] = 0;
  fclose(file);
  *bytes = (size_t)length;
  return data;
}

static float half_to_float(uint16_t half) {
  int exponent = half >> 10 & 31, mantissa = half & 1023;
  double value = exponent == 31 ? (mantissa ? (double)NAN : (double)INFINITY)
                 : exponent     ? ldexp(1024 + mantissa, exponent - 25)
                                : ldexp(mantissa, -24);
  return (float)(half >> 15 ? -value : value);
}

static size_t parse_shape(golden_array *array, const char *header) {
  const char *cursor = strstr(header, "'shape': (");
  assert_non_null(cursor);
  cursor += strlen("'shape': (");
  size_t elements = 1;
  while (*cursor != ')') {
    char *end;
    size_t side = strtoul(cursor, &end, 10);
    array->shape[array->rank++] = side;
    elements *= side;
    cursor = end;
    while (*cursor == ',' || *cursor == ' ') cursor++;
  }
  return elements;
}

golden_array golden_load(const char *path) {
  size_t bytes;
  uint8_t *file = test_read_file(path, &bytes);
  assert_true(bytes > 10 && memcmp(file, "\x93NUMPY\x01", 7) == 0);
  size_t header_bytes = (size_t)(file[8] | file[9] << 8), start = 10 + header_bytes;
  char *header = malloc(header_bytes + 1);
  memcpy(header, file + 10, header_bytes);
  header[header_bytes] = 0;
  golden_array array = {0};
  array.elements = parse_shape(&array, header);
  assert_non_null(strstr(header, "'fortran_order': False"));
  static const struct {
    const char *name;
    char kind;
    size_t bytes;
  } types[] = {{"'<f4'", 'f', 4}, {"'<f2'", 'h', 2}, {"'<f8'", 'd', 8}, {"'<i4'", 'i', 4},
               {"'<i8'", 'q', 8}, {"'<u4'", 'u', 4}, {"'|u1'", 'b', 1}, {"'|b1'", 'b', 1}};
  size_t size = 0;
  for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
    if (strstr(header, types[t].name)) array.kind = types[t].kind, size = types[t].bytes;
  }
  if (size == 0) fail_msg("%s: type in %s", path, header);
  assert_int_equal(bytes - start, array.elements * size);
  array.data = malloc(array.elements * (size < 4 && array.kind == 'h' ? 4 : size) + 1);
  if (array.kind == 'h') {
    for (size_t i = 0; i < array.elements; i++) {
      uint16_t half;
      memcpy(&half, file + start + 2 * i, 2);
      ((float *)array.data)[i] = half_to_float(half);
    }
    array.kind = 'f';
  } else {
    memcpy(array.data, file + start, array.elements * size);
  }
  free(header);
  free(file);
  return array;
}

void golden_free(golden_array *array) {
  free(array->data);
  array->data = NULL;
}

double largest_difference(const float *a, const float *b, size_t count) {
  double largest = 0;
  for (size_t i = 0; i < count; i++) {
    if (isnan(a[i]) && isnan(b[i])) continue;
    if (isinf(a[i]) && isinf(b[i]) && (a[i] > 0) == (b[i] > 0)) continue;
    double difference = fabs((double)a[i] - (double)b[i]);
    if (!(difference <= largest)) largest = isnan(difference) ? (double)INFINITY : difference;
  }
  return largest;
}

void assert_close_at(const float *a, const float *b, size_t count, double tolerance,
                     const char *what, const char *file, int line) {
  double difference = largest_difference(a, b, count);
  if (difference <= tolerance) return;
  print_error("%s:%d: %s differs by %g, tolerance %g\n", file, line, what, difference, tolerance);
  _fail(file, line);
}

void test_write_filled(const char *from, const char *to, const char *tensor, float value) {
  char key[256];
  size_t count, begin = 0, end = 0;
  uint64_t header;
  uint8_t *bytes = test_read_file(from, &count);
  memcpy(&header, bytes, 8);
  snprintf(key, sizeof key, "\"%s\":{", tensor);
  const uint8_t *at = memmem(bytes + 8, header, key, strlen(key));
  assert_non_null(at);
  const char *offsets = memmem(at, header - (size_t)(at - bytes - 8), "data_offsets", 12);
  assert_int_equal(sscanf(offsets, "data_offsets\":[%zu,%zu]", &begin, &end), 2);
  for (size_t i = begin; i < end; i += sizeof value)
    memcpy(bytes + 8 + header + i, &value, sizeof value);
  FILE *file = fopen(to, "wb");
  assert_true(file != NULL && fwrite(bytes, 1, count, file) == count && fclose(file) == 0);
  free(bytes);
}

/* Before a block its size, behind it bytes that nobody may write to. */
enum { HEADER = 64, GUARD = 64, GUARD_BYTE = 0x5C };

static void *counting_allocate(void *user, size_t bytes) {
  counting_allocator *counting = user;
  long call = __atomic_add_fetch(&counting->calls, 1, __ATOMIC_SEQ_CST);
  if (call == counting->fail_at) return NULL;
  uint8_t *block = aligned_alloc(64, HEADER + (bytes + GUARD + 63) / 64 * 64);
  if (block == NULL) return NULL;
  memcpy(block, &bytes, sizeof bytes);
  memset(block + HEADER, 0xA5, bytes);
  memset(block + HEADER + bytes, GUARD_BYTE, GUARD);
  __atomic_add_fetch(&counting->live, 1, __ATOMIC_SEQ_CST);
  return block + HEADER;
}

static void counting_release(void *user, void *memory) {
  counting_allocator *counting = user;
  uint8_t *block = (uint8_t *)memory - HEADER;
  size_t bytes;
  memcpy(&bytes, block, sizeof bytes);
  for (size_t i = 0; i < GUARD; i++)
    if (block[HEADER + bytes + i] != GUARD_BYTE) fail_msg("written behind %zu bytes", bytes);
  __atomic_sub_fetch(&counting->live, 1, __ATOMIC_SEQ_CST);
  free(block);
}

void counting_allocator_init(counting_allocator *counting) {
  *counting = (counting_allocator){{counting_allocate, counting_release, counting}, 0, 0, 0};
}

uint64_t test_random(uint64_t *state) {
  uint64_t z = (*state += 0x9E3779B97F4A7C15u);
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

float test_uniform(uint64_t *state, float minimum, float maximum) {
  return minimum + (maximum - minimum) * (float)(test_random(state) >> 40) / 16777216.0f;
}

char *test_make_folder(void) {
  const char *parent = getenv("TMPDIR");
  char *path = malloc(512);
  snprintf(path, 512, "%s/masksketch-test-XXXXXX", parent != NULL ? parent : "/tmp");
  assert_non_null(mkdtemp(path));
  return path;
}

void test_remove_folder(char *path) {
  char command[600];
  snprintf(command, sizeof command, "rm -rf '%s'", path);
  assert_int_equal(system(command), 0);
  free(path);
}

char *test_folder;

int set_up_folder(void **state) {
  (void)state;
  test_folder = test_make_folder();
  return 0;
}

int tear_down_folder(void **state) {
  (void)state;
  test_remove_folder(test_folder);
  return 0;
}

const char *in_folder(const char *format, ...) {
  static char buffers[64][4096];
  static int next;
  char *buffer = buffers[next++ % 64];
  int used = snprintf(buffer, sizeof buffers[0], "%s/", test_folder);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(buffer + used, sizeof buffers[0] - (size_t)used, format, arguments);
  va_end(arguments);
  return buffer;
}
