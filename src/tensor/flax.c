/* SPDX-License-Identifier: Apache-2.0
 *
 * flax.c - the reader of Flax checkpoints (flax.serialization's msgpack; import only). Nested
 * maps with string keys; an array is extension 1, whose payload is msgpack again: [shape, dtype
 * name, bytes]; extension 2 is a complex number, 3 a NumPy scalar in the form of an array.
 * Arrays past 2^30 bytes come as a map {"__msgpack_chunked_array__", "shape", "chunks"} with the
 * chunks keyed "0", "1", ...
 *
 * The network's variables may be the whole file, lie under `params`, or deep in a training state
 * beside the optimiser's moments, which have the same names. So a first walk over the whole
 * document looks for maps that hold the modules of one of the two networks and ranks their
 * paths; a second collects the arrays below the best one. The store has both done twice, once
 * to measure and once to place.
 * Recursion is as deep as the maps are nested, at most MAX_DEPTH. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "tensor/msgpack.h"
#include "tensor/weight_store.h"

enum { MAX_DEPTH = 24, LONGEST_NAME = 255, MOST_KEYS = 16384, FEW_KEYS = 64, MOST_CHUNKS = 256 };

typedef struct map_place { /* a map in the file: its pairs come at `reader` */
  msk_reader reader;
  uint64_t pairs;
} map_place;

typedef struct flax_walk {
  msk_store *store;
  bool collecting; /* arrays are handed to the store; otherwise networks are looked for */
  char path[LONGEST_NAME + 1];
  size_t path_length;
  /* fallback: the deepest `params` or `target`, where no network is recognised */
  map_place best, fallback;
  int best_rank, fallback_depth, rivals;
  char best_path[LONGEST_NAME + 1], rival_path[LONGEST_NAME + 1];
} flax_walk;

static msk_status damaged(const flax_walk *w, const char *what) {
  return msk_fail(w->store->error, MSK_ERROR_FILE, "%s is damaged: %s%s%s", w->store->path,
                  w->path_length > 0 ? w->path : "", w->path_length > 0 ? ": " : "", what);
}

static bool text_is(const msk_msgpack *value, const char *text) {
  return value->kind == MSK_MSGPACK_STRING && value->length == strlen(text) &&
         memcmp(value->bytes, text, value->length) == 0;
}

/* ---- Arrays ---- */

static bool find_dtype(const msk_msgpack *name, msk_dtype *dtype) {
  static const struct {
    const char *name;
    msk_dtype dtype;
  } names[] = {{"float32", MSK_DTYPE_F32}, {"float16", MSK_DTYPE_F16}, {"bfloat16", MSK_DTYPE_BF16},
               {"float64", MSK_DTYPE_F64}, {"int8", MSK_DTYPE_I8},     {"int32", MSK_DTYPE_I32},
               {"int64", MSK_DTYPE_I64},   {"uint8", MSK_DTYPE_U8},    {"uint32", MSK_DTYPE_U32},
               {"bool", MSK_DTYPE_BOOL}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (text_is(name, names[i].name)) {
      *dtype = names[i].dtype;
      return true;
    }
  }
  return false;
}

static bool parse_shape(msk_reader *r, msk_tensor *tensor) {
  msk_msgpack head, side;
  if (!msk_msgpack_next(r, &head) || head.kind != MSK_MSGPACK_ARRAY || head.number > MSK_MAX_RANK)
    return false;
  for (uint64_t d = 0; d < head.number; d++) {
    if (!msk_msgpack_next(r, &side) || side.kind != MSK_MSGPACK_UNSIGNED || side.number > SIZE_MAX)
      return false;
    tensor->shape[d] = (size_t)side.number;
  }
  tensor->rank = (int)head.number;
  return true;
}

/* The payload of extension 1 or 3. */
static msk_status parse_array(flax_walk *w, const msk_msgpack *value, msk_tensor *tensor) {
  msk_reader r = {value->bytes, value->length};
  msk_msgpack head, name, data;
  *tensor = (msk_tensor){.rank = 0};
  if (!msk_msgpack_next(&r, &head) || head.kind != MSK_MSGPACK_ARRAY || head.number != 3 ||
      !parse_shape(&r, tensor) || !msk_msgpack_next(&r, &name) || !msk_msgpack_next(&r, &data) ||
      data.kind != MSK_MSGPACK_BINARY || r.left != 0) {
    return damaged(w, "an array that is not [shape of at most 8, dtype, bytes]");
  }
  if (!find_dtype(&name, &tensor->dtype))
    return damaged(w,
                   "an array of a type that is not read (float16, bfloat16, float32, float64, "
                   "int8, int32, ...)");
  if (!msk_shape_size(tensor->rank, tensor->shape, tensor->dtype, &tensor->elements,
                      &tensor->bytes) ||
      tensor->bytes != data.length) {
    return damaged(w, "an array whose shape does not agree with its number of bytes");
  }
  tensor->data = data.bytes;
  return MSK_OK;
}

static void add_tensor(flax_walk *w, msk_tensor *tensor) {
  char *name = msk_store_text(w->store, w->path_length + 1);
  if (name != NULL) memcpy(name, w->path, w->path_length + 1);
  tensor->name = name;
  msk_store_tensor(w->store, tensor);
}

/* ---- Paths ---- */

/* Lengthens the path by a key; false if the key is empty, too long, no UTF-8, or holds a NUL. */
static bool push_key(flax_walk *w, const msk_msgpack *key) {
  size_t dot = w->path_length > 0;
  if (key->kind != MSK_MSGPACK_STRING || key->length == 0 ||
      key->length > LONGEST_NAME - w->path_length - dot)
    return false;
  if (memchr(key->bytes, 0, key->length) != NULL || !msk_utf8_valid(key->bytes, key->length))
    return false;
  if (dot) w->path[w->path_length++] = '.';
  memcpy(w->path + w->path_length, key->bytes, key->length);
  w->path_length += key->length;
  w->path[w->path_length] = 0;
  return w->path_length < LONGEST_NAME;
}

static void pop_to(flax_walk *w, size_t length) {
  w->path_length = length;
  w->path[length] = 0;
}

static bool listed(const char *name, size_t length, const char *const *list) {
  for (; *list != NULL; list++) {
    if (strlen(*list) == length && memcmp(*list, name, length) == 0) return true;
  }
  return false;
}

/* How little a path looks like the one that holds the weights: its number of keys; more by 100
 * where a key is not one that training states use; -1 for optimiser state. *last_plain: its last
 * key is one under which parameters lie. */
static int rank_path(const char *path, bool *last_plain) {
  static const char *const plain[] = {"params", "target",    "optimizer",   "state",
                                      "model",  "variables", "train_state", NULL};
  static const char *const moments[] = {"opt_state", "param_states", "mu",        "nu",
                                        "trace",     "grads",        "gradients", "batch_stats",
                                        "grad_ema",  "grad_sq_ema",  NULL};
  static const char *const last[] = {"params", "target", NULL};
  int rank = 0;
  bool strange = false;
  *last_plain = false;
  while (*path != 0) {
    size_t length = strcspn(path, ".");
    if (listed(path, length, moments)) return -1;
    strange |= !listed(path, length, plain);
    *last_plain = listed(path, length, last);
    rank++;
    path += length + (path[length] == '.');
  }
  return strange ? rank + 100 : rank;
}

/* ---- Maps ---- */

enum { HAS_ENCODER = 1, HAS_DECODER = 2, HAS_EMBEDDING = 4, HAS_LAYER = 8, HAS_CHUNKS = 16 };

static int feature_of(const msk_msgpack *key) {
  static const struct {
    const char *key;
    int feature;
  } features[] = {{"encoder", HAS_ENCODER},
                  {"decoder", HAS_DECODER},
                  {"Embed_0", HAS_EMBEDDING},
                  {"TransformerLayer_0", HAS_LAYER},
                  {"__msgpack_chunked_array__", HAS_CHUNKS}};
  for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
    if (text_is(key, features[i].key)) return features[i].feature;
  }
  return 0;
}

typedef struct key_span {
  const uint8_t *bytes;
  size_t length;
} key_span;

static int compare_spans(const void *left, const void *right) {
  const key_span *a = left, *b = right;
  int order = memcmp(a->bytes, b->bytes, a->length < b->length ? a->length : b->length);
  if (order != 0) return order;
  return a->length < b->length ? -1 : a->length > b->length;
}

/* Looks a map over: whole, keys are strings, none twice; *features tells which known keys there
 * are, *end where the map ends. */
static msk_status survey(flax_walk *w, const map_place *map, int *features, msk_reader *end) {
  key_span few[FEW_KEYS], *keys = few;
  const msk_allocator *allocator = w->store->file->allocator;
  if (map->pairs > MOST_KEYS) return damaged(w, "a map of more than 16384 entries");
  if (map->pairs > FEW_KEYS) keys = msk_allocate(allocator, (size_t)map->pairs, sizeof *keys);
  if (keys == NULL)
    return msk_fail(w->store->error, MSK_ERROR_MEMORY, "out of memory for reading %s",
                    w->store->path);
  const char *complaint = NULL;
  *features = 0;
  *end = map->reader;
  for (uint64_t i = 0; i < map->pairs && complaint == NULL; i++) {
    msk_msgpack key;
    if (!msk_msgpack_next(end, &key) || key.kind != MSK_MSGPACK_STRING || !msk_msgpack_skip(end)) {
      complaint = "it is cut off, or no map with text keys";
      break;
    }
    *features |= feature_of(&key);
    keys[i] = (key_span){key.bytes, key.length};
  }
  /* sorted, so that a hostile map costs no time squared */
  if (complaint == NULL) msk_sort(keys, (size_t)map->pairs, sizeof *keys, compare_spans);
  for (uint64_t i = 1; i < map->pairs && complaint == NULL; i++) {
    if (compare_spans(&keys[i - 1], &keys[i]) == 0) complaint = "a map with the same key twice";
  }
  if (keys != few) msk_free(allocator, keys);
  return complaint == NULL ? MSK_OK : damaged(w, complaint);
}

/* Notes a map as the place of the weights if it looks more like it than the best so far. */
static void consider(flax_walk *w, const map_place *map, int features) {
  bool network = (features & (HAS_ENCODER | HAS_DECODER)) == (HAS_ENCODER | HAS_DECODER) ||
                 (features & (HAS_EMBEDDING | HAS_LAYER)) == (HAS_EMBEDDING | HAS_LAYER);
  bool last_plain;
  int rank = rank_path(w->path, &last_plain);
  if (rank >= 0 && rank < 100 && last_plain && rank > w->fallback_depth) {
    w->fallback = *map;
    w->fallback_depth = rank;
  }
  if (!network || rank < 0) return;
  if (w->best_rank >= 0 && rank > w->best_rank) return;
  /* two places equally plain: a guess could be wrong, so only a plainer one can settle it */
  if (rank == w->best_rank) {
    w->rivals++;
    memcpy(w->rival_path, w->path, sizeof w->rival_path);
    return;
  }
  w->best = *map;
  w->best_rank = rank;
  w->rivals = 0;
  memcpy(w->best_path, w->path, sizeof w->best_path);
}

/* The value of a text key in a surveyed map; false if it is missing. */
static bool find_value(const map_place *map, const char *name, msk_reader *at) {
  msk_reader r = map->reader;
  for (uint64_t i = 0; i < map->pairs; i++) {
    msk_msgpack key;
    if (!msk_msgpack_next(&r, &key)) return false;
    if (text_is(&key, name)) {
      *at = r;
      return true;
    }
    if (!msk_msgpack_skip(&r)) return false;
  }
  return false;
}

/* The index-th item of a tuple, which Flax writes as a map keyed "0", "1", ...; a plain array is
 * taken too. *count: its length. */
static bool tuple_item(msk_reader at, uint64_t index, msk_reader *item, uint64_t *count) {
  msk_msgpack head;
  char name[24];
  if (!msk_msgpack_next(&at, &head)) return false;
  *count = head.number;
  if (head.kind == MSK_MSGPACK_ARRAY) {
    for (uint64_t i = 0; i < index; i++) {
      if (!msk_msgpack_skip(&at)) return false;
    }
    *item = at;
    return index < head.number;
  }
  /* Flax writes a tuple as a map with the keys "0", "1", ... */
  snprintf(name, sizeof name, "%llu", (unsigned long long)index);
  map_place map = {at, head.number};
  return head.kind == MSK_MSGPACK_MAP && find_value(&map, name, item);
}

/* Joins the chunks at `chunks` in the store and checks that they make up `tensor`, whose dtype
 * the first one gives. Each chunk's room follows the one before it. */
static msk_status join_chunks(flax_walk *w, msk_reader chunks, msk_tensor *tensor) {
  uint64_t count = 1;
  size_t bytes = 0;
  for (uint64_t i = 0; i < count; i++) {
    msk_reader item;
    msk_msgpack value;
    msk_tensor chunk;
    if (!tuple_item(chunks, i, &item, &count) || count > MOST_CHUNKS ||
        !msk_msgpack_next(&item, &value) || value.kind != MSK_MSGPACK_EXTENSION ||
        value.extension != 1) {
      return damaged(w, "a chunked array without its chunks");
    }
    msk_status status = parse_array(w, &value, &chunk);
    if (status != MSK_OK) return status;
    if (i > 0 && chunk.dtype != tensor->dtype)
      return damaged(w, "a chunked array of several types");
    uint8_t *room = msk_store_joined(w->store, chunk.bytes);
    if (room != NULL && chunk.bytes > 0) memcpy(room, chunk.data, chunk.bytes);
    /* the store places one piece behind the other, so the first chunk's place is the array's */
    if (i == 0) tensor->data = room;
    tensor->dtype = chunk.dtype;
    bytes += chunk.bytes;
  }
  if (!msk_shape_size(tensor->rank, tensor->shape, tensor->dtype, &tensor->elements,
                      &tensor->bytes) ||
      tensor->bytes != bytes) {
    return damaged(w, "a chunked array whose shape does not agree with its chunks");
  }
  return MSK_OK;
}

static msk_status read_chunked(flax_walk *w, const map_place *map) {
  msk_tensor tensor = {.rank = 0};
  msk_reader shape, chunks, item;
  msk_msgpack side;
  uint64_t rank = 1;
  if (map->pairs != 3 || !find_value(map, "shape", &shape) || !find_value(map, "chunks", &chunks))
    return damaged(w, "a chunked array without shape and chunks");
  /* tuple_item() tells with each side how many there are */
  while ((uint64_t)tensor.rank < rank) {
    if (!tuple_item(shape, (uint64_t)tensor.rank, &item, &rank) || rank > MSK_MAX_RANK ||
        !msk_msgpack_next(&item, &side) || side.kind != MSK_MSGPACK_UNSIGNED ||
        side.number > SIZE_MAX) {
      return damaged(w, "a chunked array whose shape is no tuple of at most 8 numbers");
    }
    tensor.shape[tensor.rank++] = (size_t)side.number;
  }
  msk_status status = join_chunks(w, chunks, &tensor);
  if (status == MSK_OK) add_tensor(w, &tensor);
  return status;
}

static msk_status walk_map(flax_walk *w, const map_place *map, int depth);

/* One value below the path: a map is walked, an array collected, anything else (step counters,
 * complex numbers) passed over. */
static msk_status walk_value(flax_walk *w, msk_reader at, int depth) {
  msk_msgpack value;
  if (!msk_msgpack_next(&at, &value)) return damaged(w, "it is cut off");
  if (value.kind == MSK_MSGPACK_MAP) return walk_map(w, &(map_place){at, value.number}, depth + 1);
  if (!w->collecting || value.kind != MSK_MSGPACK_EXTENSION ||
      (value.extension != 1 && value.extension != 3))
    return MSK_OK;
  msk_tensor tensor;
  msk_status status = parse_array(w, &value, &tensor);
  if (status == MSK_OK) add_tensor(w, &tensor);
  return status;
}

static msk_status walk_map(flax_walk *w, const map_place *map, int depth) {
  if (depth > MAX_DEPTH) return damaged(w, "maps nested deeper than 24");
  int features;
  msk_reader r, end;
  msk_status status = survey(w, map, &features, &end);
  if (status != MSK_OK) return status;
  /* a map by form only: one array, too large for msgpack's binary */
  if (features & HAS_CHUNKS) return w->collecting ? read_chunked(w, map) : MSK_OK;
  if (!w->collecting) consider(w, map, features);
  size_t length = w->path_length;
  r = map->reader;
  for (uint64_t i = 0; i < map->pairs; i++) {
    msk_msgpack key;
    if (!msk_msgpack_next(&r, &key) || !push_key(w, &key))
      return damaged(w, "a key below this that is empty, too long, or no text");
    status = walk_value(w, r, depth);
    if (status != MSK_OK) return status;
    pop_to(w, length);
    if (!msk_msgpack_skip(&r)) return damaged(w, "it is cut off");
  }
  return MSK_OK;
}

msk_status msk_flax_read(msk_store *store, const uint8_t *bytes, size_t byte_count) {
  flax_walk w = {.store = store, .best_rank = -1};
  msk_reader r = {bytes, byte_count}, whole = r;
  msk_msgpack root;
  /* the whole first: nothing of a file that is cut off is looked at */
  if (!msk_msgpack_skip(&whole)) return damaged(&w, "it is cut off, or no msgpack");
  if (whole.left != 0) return damaged(&w, "something follows the end of its msgpack");
  if (!msk_msgpack_next(&r, &root) || root.kind != MSK_MSGPACK_MAP)
    return damaged(&w, "it is no map");
  const map_place top = {r, root.number};
  w.fallback = top;
  msk_status status = walk_map(&w, &top, 0);
  if (status != MSK_OK) return status;
  if (w.rivals > 0) {
    return msk_fail(
        store->error, MSK_ERROR_FILE,
        "%s holds several sets of weights (%s and %s): save the one that is meant alone",
        store->path, w.best_path, w.rival_path);
  }
  w.collecting = true;
  pop_to(&w, 0);
  map_place place = w.best_rank >= 0 ? w.best : w.fallback;
  return walk_map(&w, &place, 0);
}
