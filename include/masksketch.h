/* SPDX-License-Identifier: Apache-2.0
 *
 * masksketch.h - the core of MaskSketch's public interface: a sketch and a class in, a photo out.
 * masksketch_tools.h has the rest.
 *
 * In one glance:
 *
 *     msk_model *model;      immutable, shared between threads
 *     msk_session *session;  one generation at a time; owns all working memory
 *     msk_request request;   what is asked; msk_request_init() fills in the defaults
 *     msk_result result;     points into the session; valid until its next call
 *
 *     msk_model_open(&model, "models/default.safetensors", NULL, &error);
 *     msk_request_init(&request, model, MSK_JOB_DRAW, "balanced", &error);
 *     request.picture = &sketch;  request.class_id = 3;
 *     msk_session_open(&session, model, &request, NULL, &error);
 *     msk_run(session, &request, &result, &error);
 *
 * Rules that hold everywhere:
 *   - A function that can fail returns msk_status, takes a caller-owned msk_error last (NULL
 *     allowed), and leaves its out-parameters untouched on failure. The library never prints,
 *     exits, aborts, or keeps mutable global state.
 *   - Structures that a caller fills begin with `size_t size`; the *_init() functions set it. A
 *     structure whose size is unknown to the library is refused, so that a program built against
 *     another version fails clearly.
 *   - A model may be used by any number of threads at once. A session belongs to one thread at a
 *     time.
 *   - After msk_session_open() has returned, running requests that fit it allocates nothing.
 *   - Pictures are RGB, rows from top to bottom. Float pictures are H x W x 3 in [0,1],
 *     unclamped where said so.
 *   - A token is an int32_t: 0..codebook_size-1 is an image code, codebook_size + c is class c,
 *     MSK_MASK_TOKEN is "masked". A sequence is the class token followed by the image tokens row
 *     by row.
 */
#ifndef MASKSKETCH_H
#define MASKSKETCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MSK_VERSION_MAJOR 0
#define MSK_VERSION_MINOR 2
#define MSK_VERSION_PATCH 0
#define MSK_VERSION "0.2.0"

#if defined(__GNUC__) && defined(MSK_BUILDING_LIBRARY)
#define MSK_API __attribute__((visibility("default")))
#else
#define MSK_API
#endif

#define MSK_MASK_TOKEN (-1)
#define MSK_MAX_LAYERS 64     /* structure layers that a recipe can name */
#define MSK_MAX_STEPS 10000   /* of a recipe, and of its tail */
#define MSK_MAX_GUIDANCE 100  /* guidance scale */
#define MSK_MAX_COUNT 65536   /* items of a request */
#define MSK_MAX_CANDIDATES 64 /* candidates that one request can hold */
#define MSK_MAX_THREADS 1024  /* of a model, a session, a CLIP or a judge */
/* largest picture that is read: 64 megapixels */
#define MSK_MAX_PIXELS ((size_t)64 * 1000 * 1000)
#define MSK_MAX_FILE_BYTES ((size_t)64 * 1000 * 1000) /* largest picture file that is read */

/* ---- Errors ---------------------------------------------------------------------------------- */

typedef enum msk_status {
  MSK_OK = 0,
  /* the request is wrong: value out of range, unknown key, wrong combination */
  MSK_ERROR_ARGUMENT = 1,
  /* an input file cannot be read, is damaged, too large, or of the wrong kind */
  MSK_ERROR_FILE = 2,
  MSK_ERROR_OUTPUT = 3,     /* an output cannot be written: no permission, disk full */
  MSK_ERROR_MEMORY = 4,     /* memory was refused */
  MSK_ERROR_CANCELLED = 5,  /* a callback asked to stop */
  MSK_ERROR_UNSUPPORTED = 6 /* this build or machine cannot do it */
} msk_status;

/* `field`: what was refused, where it is one value alone: the name of a member of the structure
 * that was given ("seed", "class_id", "threads"), or a recipe's key ("guidance"); else NULL. Never
 * freed. A program with names of its own for these (flags, members of a JSON) translates it.
 * `message`, one line: what was found, what was expected, a hint. No trailing newline. */
typedef struct msk_error {
  msk_status code;
  const char *field;
  char message[512];
} msk_error;

MSK_API const char *msk_version(void);
/* Names of enumerations' values, here and below: NULL past the end. */
MSK_API const char *msk_status_name(int status);

/* ---- Memory ---------------------------------------------------------------------------------- */

/* All memory of the library goes through one of these. `allocate` returns memory aligned to 64
 * bytes or NULL; `release` takes what it gave (never NULL). Both must be safe to call from any
 * thread. NULL instead of an allocator: the C heap. */
typedef struct msk_allocator {
  void *(*allocate)(void *user, size_t bytes);
  void (*release)(void *user, void *memory);
  void *user;
} msk_allocator;

/* Frees byte buffers, token arrays and pictures' pixels that the functions below hand out. NULL
 * memory is ignored. */
MSK_API void msk_free(const msk_allocator *allocator, void *memory);

/* ---- Pictures -------------------------------------------------------------------------------- */

/* 8-bit RGB, height x width x 3. Owned by whoever holds it; msk_image_free() empties it.
 * `allocator` is the one it came from. */
typedef struct msk_image {
  int width, height;
  uint8_t *pixels;
  const msk_allocator *allocator;
} msk_image;

typedef enum msk_format {
  MSK_FORMAT_AUTO = 0,
  MSK_FORMAT_PNG,
  MSK_FORMAT_JPEG,
  MSK_FORMAT_WEBP
} msk_format;

/* How a picture's aspect ratio is brought to the model's square: stretched; padded with paper
 * colour; cut at the centre; cut to what is drawn, with a margin of 15 % on each side (specks
 * below 0.1 % of the picture are no ink; a sheet with nothing on it is stretched). */
typedef enum msk_fit { MSK_FIT_STRETCH = 0, MSK_FIT_PAD, MSK_FIT_CROP, MSK_FIT_INK } msk_fit;
MSK_API const char *msk_fit_name(int fit);

/* Light lines on dark ground are turned over: when found so, always, never. */
typedef enum msk_invert { MSK_INVERT_AUTO = 0, MSK_INVERT_YES, MSK_INVERT_NO } msk_invert;
MSK_API const char *msk_invert_name(int invert);

/* What is done to the paper of a drawing. Auto: tinted paper is brought to white, a photographed
 * sheet is cleaned as with yes, printed lines, squares and dots are taken off, and drawings on
 * white stay as they are. Yes: it is a photographed drawing: uneven light is removed, the lines
 * are kept. No: everything is taken as it is. */
typedef enum msk_photo { MSK_PHOTO_AUTO = 0, MSK_PHOTO_YES, MSK_PHOTO_NO } msk_photo;
MSK_API const char *msk_photo_name(int photo);

/* What alpha becomes: composited over white (what people expect), or dropped (what Pillow's
 * convert("RGB") does and the authors' code therefore does). ALPHA_DROP also clips 16-bit grey
 * as Pillow does, and leaves EXIF rotation alone. ALPHA_ONLY gives the alpha itself as grey:
 * what is opaque is white, and so is a picture without alpha. ALPHA_SKETCH is as ALPHA_WHITE,
 * but composites over black where all that is drawn is light. */
typedef enum msk_alpha {
  MSK_ALPHA_WHITE = 0,
  MSK_ALPHA_DROP,
  MSK_ALPHA_ONLY,
  MSK_ALPHA_SKETCH
} msk_alpha;

/* Reads a PNG, JPEG or WebP from memory or from a file. EXIF rotation is honoured (unless
 * ALPHA_DROP), 16-bit, palette and grey pictures become 8-bit RGB. Checked against
 * MSK_MAX_PIXELS and MSK_MAX_FILE_BYTES before memory is taken. Errors: MSK_ERROR_FILE with the
 * reason, MSK_ERROR_MEMORY. `name` stands in messages. */
MSK_API msk_status msk_image_decode(msk_image *image, const void *bytes, size_t byte_count,
                                    msk_alpha alpha, const char *name,
                                    const msk_allocator *allocator, msk_error *error);
MSK_API msk_status msk_image_load(msk_image *image, const char *path, msk_alpha alpha,
                                  const msk_allocator *allocator, msk_error *error);
MSK_API msk_status msk_image_create(msk_image *image, int width, int height,
                                    const msk_allocator *allocator, msk_error *error);
MSK_API void msk_image_free(msk_image *image);

/* Options of sketch preparation. msk_prepare_init(): stretch, invert auto, photo_of_paper auto.
 * msk_prepare_plain(): stretch, and nothing else is done to the picture. */
typedef struct msk_prepare_options {
  size_t size;
  msk_fit fit;
  msk_invert invert;
  msk_photo photo_of_paper;
} msk_prepare_options;
MSK_API void msk_prepare_init(msk_prepare_options *options);
MSK_API void msk_prepare_plain(msk_prepare_options *options);

/* Brings a picture to width x height. Resizing is Pillow's antialiased bicubic (a = -0.5), bit
 * for bit. `out` is a new picture of the caller's. */
MSK_API msk_status msk_image_prepare(msk_image *out, const msk_image *in, int width, int height,
                                     const msk_prepare_options *options,
                                     const msk_allocator *allocator, msk_error *error);

/* What a prepared sketch shows. */
typedef enum msk_sketch_kind {
  MSK_SKETCH_DRAWING = 0,
  MSK_SKETCH_EMPTY,  /* nothing is drawn */
  MSK_SKETCH_DARK,   /* dark nearly everywhere */
  MSK_SKETCH_PHOTO,  /* shades and colours: a photo or a painting */
  MSK_SKETCH_WRITING /* lines of text */
} msk_sketch_kind;
MSK_API const char *msk_sketch_kind_name(int kind);
/* Judges what msk_image_prepare() made. Any sketch can be drawn; one that is no drawing gives
 * pictures that follow nothing. */
MSK_API msk_status msk_sketch_judge(msk_sketch_kind *kind, const msk_image *sketch,
                                    const msk_allocator *allocator, msk_error *error);
/* One line that says what was found and what helps; NULL for a drawing. */
MSK_API const char *msk_sketch_kind_warning(msk_sketch_kind kind);

/* A key and its value in a PNG's text chunks. UTF-8, no NUL. */
typedef struct msk_text {
  const char *key, *value;
} msk_text;

/* Float picture -> 8-bit picture as the authors do it: clamped to [0,1], times 255, rounded to
 * nearest. */
MSK_API msk_status msk_image_from_float(msk_image *image, const float *pixels, int width,
                                        int height, const msk_allocator *allocator,
                                        msk_error *error);

/* Encodes a picture. `quality` 1..100 is for JPEG and lossy WebP (0: 92 for JPEG, lossless
 * WebP). Texts go into PNG only. *bytes is allocated; free it with msk_free(). The same input
 * gives the same bytes. */
MSK_API msk_status msk_image_encode(const msk_image *image, msk_format format, int quality,
                                    const msk_text *texts, size_t text_count, void **bytes,
                                    size_t *byte_count, const msk_allocator *allocator,
                                    msk_error *error);
/* The format that a path's suffix asks for (.png .jpg .jpeg .webp, any case); MSK_FORMAT_AUTO
 * where it is none of these. */
MSK_API msk_format msk_format_of_path(const char *path);

/* The value of a text chunk of a PNG (tEXt, iTXt, zTXt; at most 1 MiB), or *value = NULL where
 * the key is missing. */
MSK_API msk_status msk_png_text(const void *bytes, size_t byte_count, const char *key, char **value,
                                const msk_allocator *allocator, msk_error *error);

/* ---- Files ----------------------------------------------------------------------------------- */

/* Writes a file whole or not at all: temporary file beside it, fsync, rename. An existing file
 * is replaced. */
MSK_API msk_status msk_file_write(const char *path, const void *bytes, size_t byte_count,
                                  msk_error *error);
/* Reads a whole regular file of at most `limit` bytes. */
MSK_API msk_status msk_file_read(const char *path, size_t limit, void **bytes, size_t *byte_count,
                                 const msk_allocator *allocator, msk_error *error);

/* ---- Models ---------------------------------------------------------------------------------- */

typedef struct msk_model msk_model;

/* OF_FILE, of the transformer only: int8 for a model file whose matrices are stored in 8 bits,
 * else fp32. */
typedef enum msk_precision {
  MSK_PRECISION_FP32 = 0,
  MSK_PRECISION_INT8,
  MSK_PRECISION_OF_FILE
} msk_precision;
MSK_API const char *msk_precision_name(int precision); /* "fp32", "int8"; NULL past the end */

typedef struct msk_model_options {
  size_t size;
  const char *isa; /* kernel set: NULL chooses the best that works; else one of msk_isa_name() */
  msk_precision precision; /* of the transformer's linear layers; OF_FILE if not set */
  /* of the convolutions that turn tokens into pixels; int8 is taken only where it is faster */
  msk_precision decode_precision;
  int threads; /* for packing weights; 0: all processors that this process may use */
  const msk_allocator *allocator; /* must outlive the model and its sessions */
} msk_model_options;
MSK_API void msk_model_options_init(msk_model_options *options);

/* The kernel sets that this machine can run, best last ("ref" is always there). */
MSK_API const char *msk_isa_name(int index); /* NULL past the end */
MSK_API int msk_default_threads(void);       /* affinity and cgroup quota honoured */

/* Opens a run-time model file (safetensors made by `convert`). It is mapped, checked, and its
 * matrices packed. */
MSK_API msk_status msk_model_open(msk_model **model, const char *path,
                                  const msk_model_options *options, msk_error *error);
MSK_API void msk_model_close(msk_model *model); /* after all its sessions; NULL is ignored */

typedef struct msk_model_info {
  int image_size;                 /* pixels a side */
  int latent_size;                /* tokens a side */
  int tokens;                     /* sequence length, class token included */
  int codebook_size, class_count; /* class_count counts hidden ones and the null class too */
  int null_class;                 /* trained "no class" label, or -1 */
  int layers, hidden, heads, intermediate;
  int codebook_dim, filters, stem; /* stem: pixel-shuffle factor, 1 = none */
  size_t parameters;
  const char *isa;                           /* kernel set in use */
  msk_precision precision, decode_precision; /* FP32 or INT8, as in msk_model_options */
  const char *name, *hash; /* from the file; SHA-256 of its tensors as 64 hex digits */
} msk_model_info;
MSK_API void msk_model_get_info(const msk_model *model, msk_model_info *info);
/* What the user should be told about this machine, NULL for nothing: at opening, the kernel set
 * is held against the reference on small shapes; one that computes wrong results is left out for
 * the next best. */
MSK_API const char *msk_model_warning(const msk_model *model);
/* An entry of the model file (name, licence, provenance, defaults, ...), or NULL. */
MSK_API const char *msk_model_metadata(const msk_model *model, const char *key);

/* Class names, NULL out of range. Hidden classes (null class, style labels) are left out of search
 * and listings. */
MSK_API const char *msk_model_class_name(const msk_model *model, int class_id);
MSK_API int msk_model_class_hidden(const msk_model *model, int class_id);
/* A number, a name, or the beginning of one if it is the only one (letter case and accents
 * aside, any of a name's comma-separated synonyms). Several candidates or none:
 * MSK_ERROR_ARGUMENT with the nearest names. */
MSK_API msk_status msk_model_class_find(const msk_model *model, const char *text, int *class_id,
                                        msk_error *error);
/* Writes up to `limit` ids of classes that match `word` (all if NULL), best first; returns how
 * many match in all. */
MSK_API int msk_model_class_search(const msk_model *model, const char *word, int *class_ids,
                                   int limit);

/* ---- Recipes --------------------------------------------------------------------------------- */

typedef enum msk_job { MSK_JOB_DRAW = 0, MSK_JOB_GENERATE, MSK_JOB_EDIT } msk_job;
MSK_API const char *msk_job_name(int job);
/* How the mask rate falls over the steps (docs/recipes.md). */
typedef enum msk_schedule {
  MSK_SCHEDULE_UNIFORM = 0,
  MSK_SCHEDULE_COSINE,
  MSK_SCHEDULE_POW,
  MSK_SCHEDULE_LOG,
  MSK_SCHEDULE_EXP
} msk_schedule;
/* What stands at a masked place in the conditional and unconditional passes of draw: the mask
 * token (the published way), or the sketch's own token, for models that were trained to read it
 * there. */
typedef enum msk_placeholder { MSK_PLACEHOLDER_MASK = 0, MSK_PLACEHOLDER_SKETCH } msk_placeholder;
/* How alike two attention rows are (all negated so that higher is more alike): the authors'
 * symmetric cross-entropy, symmetric Kullback-Leibler divergence, Jensen-Shannon divergence. */
typedef enum msk_distance {
  MSK_DISTANCE_CROSS_ENTROPY = 0,
  MSK_DISTANCE_SYMMETRIC_KL,
  MSK_DISTANCE_JENSEN_SHANNON
} msk_distance;
/* What guidance moves away from: a random other class (new for each item and step), or the
 * model's trained null class. */
typedef enum msk_unconditional {
  MSK_UNCONDITIONAL_RANDOM = 0,
  MSK_UNCONDITIONAL_NULL
} msk_unconditional;
/* How much of the guidance scale acts, p being the share of steps taken, this one included: all;
 * p; half of 1 - cos(pi p^2); nothing in the first half of the steps and all in the second. */
typedef enum msk_guidance_schedule {
  MSK_GUIDANCE_CONSTANT = 0,
  MSK_GUIDANCE_LINEAR,
  MSK_GUIDANCE_POWER_COSINE,
  MSK_GUIDANCE_LATE
} msk_guidance_schedule;
/* What takes the place of confidence where it chooses: itself; the Halton sequence of positions;
 * lots. */
typedef enum msk_order { MSK_ORDER_CONFIDENCE = 0, MSK_ORDER_HALTON, MSK_ORDER_RANDOM } msk_order;
/* Which tokens draw may mask again, and what their confidence is: any token, by its present
 * probability; only those that the step drew; any token, by the probability that it had when it
 * was drawn. */
typedef enum msk_remask { MSK_REMASK_ANY = 0, MSK_REMASK_DRAWN, MSK_REMASK_RECORDED } msk_remask;
/* How random words are laid out over an array: as JAX does it by default, or with
 * jax_threefry_partitionable. */
typedef enum msk_rng_layout { MSK_RNG_ORIGINAL = 0, MSK_RNG_PARTITIONABLE } msk_rng_layout;
MSK_API const char *msk_rng_layout_name(int layout);

/* A named row of settings. Set fields directly or by key with msk_recipe_set(), which also
 * checks ranges. */
typedef struct msk_recipe {
  size_t size;
  char name[32];
  int official;   /* 1: the authors' code to the token, its defects included */
  int steps;      /* 1..MSK_MAX_STEPS */
  int start_step; /* 0..steps-1: first step taken (editing) */
  msk_schedule schedule;
  double schedule_power; /* X of "powX" */
  /* 0..1: share of the re-masked tokens chosen by structure */
  double lambda_structure;
  double min_mask_rate, max_mask_rate;                  /* 0..1 */
  double temperature_structure, temperature_confidence; /* Gumbel noise on the two scores, 0..100 */
  double token_temperature;                             /* of the categorical, > 0 .. 10 */
  /* the token temperature of the first step, and over how many it falls linearly to
   * token_temperature; 0 and 0: it is the same in all */
  double start_temperature;
  int start_temperature_steps;
  double choice_temperature; /* MaskGIT's tau, 0..100 */
  double guidance;           /* 0..MSK_MAX_GUIDANCE */
  msk_guidance_schedule guidance_schedule;
  /* 0..1: no unconditional pass in steps where less than this share of the guidance acts */
  double guidance_skip;
  /* 1..1000: the unconditional pass is made in every k-th step, what it showed serves the others */
  int unconditional_every;
  msk_unconditional unconditional;
  /* 1..1000: the structure pass is made in every k-th step, its score serves the others */
  int structure_every;
  msk_order order;
  msk_remask remask;
  msk_distance distance;
  int layers[MSK_MAX_LAYERS], layer_count; /* structure layers, 0-based, ascending */
  /* 1: 1 - max_mask_rate of the sketch's tokens are visible at the start (the authors' way) */
  int visible_sketch;
  /* 0..1: share of the sketch's tokens visible at the start; 0: visible_sketch decides */
  double sketch_share;
  msk_placeholder placeholder; /* what the network sees at masked places */
  /* first steps over which visible tokens of the sketch are masked again; 0: as any other token */
  int sketch_steps;
  /* extra MaskGIT steps from the last mask rate to 0; 0: stop there */
  int tail;
} msk_recipe;

/* Fills in a recipe by name for a job: the table's row, overlaid with the model's own defaults
 * (model may be NULL). */
MSK_API msk_status msk_recipe_find(msk_recipe *recipe, const msk_model *model, msk_job job,
                                   const char *name, msk_error *error);
MSK_API const char *msk_recipe_name(int index); /* NULL past the end */
MSK_API const char *msk_recipe_description(int index);
/* Sets a field from text. Unknown key or value out of range: MSK_ERROR_ARGUMENT naming what is
 * valid. `job` decides which keys have an effect; one without effect is refused. */
MSK_API msk_status msk_recipe_set(msk_recipe *recipe, msk_job job, const char *key,
                                  const char *value, msk_error *error);
/* The value of a field as text that msk_recipe_set() takes; MSK_ERROR_ARGUMENT for an unknown
 * key or a short buffer. */
MSK_API msk_status msk_recipe_get(const msk_recipe *recipe, const char *key, char *text,
                                  size_t text_bytes, msk_error *error);
/* The keys that have an effect in a job, in order; NULL past the end. */
MSK_API const char *msk_recipe_key(int index, msk_job job, const char **help);

/* ---- Requests and results -------------------------------------------------------------------- */

typedef enum msk_dtype {
  MSK_DTYPE_F32 = 0,
  MSK_DTYPE_F16,
  MSK_DTYPE_BF16,
  MSK_DTYPE_I8,
  MSK_DTYPE_I32,
  MSK_DTYPE_I64,
  MSK_DTYPE_U8,
  MSK_DTYPE_U32,
  MSK_DTYPE_BOOL,
  MSK_DTYPE_F64
} msk_dtype;
MSK_API const char *msk_dtype_name(int dtype); /* as safetensors calls them: "F32", "BOOL" */
#define MSK_MAX_RANK 8
/* An array with its shape; C order, little-endian. */
typedef struct msk_array {
  msk_dtype dtype;
  int rank;
  size_t shape[MSK_MAX_RANK];
  void *data;
} msk_array;

/* What the callbacks are told. */
typedef struct msk_step_info {
  int step, step_count; /* step 0..step_count-1 has been done; the tail counts */
  /* first item of the request that this step belongs to, and how many run together */
  int item, item_count;
  int masked;            /* tokens still masked in the first item */
  double seconds;        /* since the request began */
  const int32_t *tokens; /* items x tokens: completed sequences */
  /* decoded picture of the first item, H x W x 3 unclamped, or NULL (see preview_every) */
  const float *preview;
} msk_step_info;

typedef struct msk_callbacks {
  void *user;
  int (*on_step)(void *user, const msk_step_info *info); /* nonzero: stop, MSK_ERROR_CANCELLED */
  /* A quantity of a step, under the names of docs/exactness.md; `array` is valid during the
   * call. */
  int (*on_trace)(void *user, const char *name, int step, const msk_array *array);
  /* An operation of a network has run. pass: "encode", "target", "logits" (conditional and
   * unconditional), "score" (structure), "decode". flop: multiplications and additions of the
   * plain algorithm (a convolution counts as direct, whatever computes it); 0 where bytes count. */
  void (*on_operation)(void *user, const char *pass, const char *name, double seconds, double flop);
} msk_callbacks;

typedef struct msk_box {
  int top, left, height, width;
} msk_box;

typedef struct msk_request {
  size_t size;
  msk_job job;
  msk_recipe recipe;
  /* draw: the prepared sketch; edit: the photo; image_size x image_size. generate: NULL */
  const msk_image *picture;
  const int32_t *picture_tokens; /* instead of `picture`: its image tokens (tokens - 1 of them) */
  const msk_image *edit_mask;    /* edit: white = repaint, any size; or NULL and */
  msk_box edit_box;              /*   the box to repaint, in pixels of the picture */
  /* draw: white = lambda_structure, black = 0, between = scaled; any size; NULL: white */
  const msk_image *lambda_map;
  int class_id;
  uint64_t seed; /* official: 0..2^32-1 as PRNGKey(seed) */
  /* items first_item .. first_item+count-1 of the seed; official: first_item is 0, count is the
   * batch */
  int first_item, count;
  msk_rng_layout rng_layout;
  /* draw, not official: candidates for one picture, of which msk_result.candidates tells. With
   * guidance_count > 0 each of the items is drawn with each of these scales in the place of the
   * recipe's. With finish > 0 only so many are drawn to the end: by and by the weaker half is
   * dropped (successive halving), by structure score and confidence_weight times confidence.
   * Each result is what it would be alone. At most MSK_MAX_CANDIDATES; all of them are in memory
   * at once. */
  const double *guidance_scales;
  int guidance_count, finish;
  /* 0..1: share of the steps that all candidates take (0.75: earlier their scores do not tell;
   * docs/selection.md) */
  double drop_from;
  double confidence_weight; /* 0..100, both as deviations from the mean; 0: by structure alone */
  int preview_every;        /* 0: none; k: the first item is decoded after every k-th step */
  int no_pictures;          /* 1: tokens only */
  msk_callbacks callbacks;
} msk_request;
/* Defaults: the recipe as msk_recipe_find() gives it, class 0, seed 0, one item. recipe_name
 * NULL: "balanced". */
MSK_API msk_status msk_request_init(msk_request *request, const msk_model *model, msk_job job,
                                    const char *recipe_name, msk_error *error);
/* Whether the request can be run on the model: every rule about single fields and about how they
 * go together is here and nowhere else. MSK_ERROR_ARGUMENT, with error->field, where not. Takes
 * no memory; opening a session and beginning a request call it too. */
MSK_API msk_status msk_request_check(const msk_request *request, const msk_model *model,
                                     msk_error *error);

typedef struct msk_times { /* seconds; conditional counts the unconditional half too */
  double encode, targets, conditional, structure, sampling, decode, total;
} msk_times;

/* What became of a candidate. */
typedef struct msk_candidate_info {
  int item;                    /* of the seed */
  double guidance;             /* its scale */
  int steps;                   /* taken before it was dropped, or all */
  float structure, confidence; /* means over the image's tokens, as last measured while drawing */
  int result;                  /* its place among the results, or -1: dropped */
} msk_candidate_info;

/* All pointers point into the session and are valid until its next call. */
typedef struct msk_result {
  int count, tokens_per_item, step_count;
  const int32_t *tokens;      /* count x tokens: class token first */
  const int32_t *step_tokens; /* generate and edit: step_count x count x tokens; else NULL */
  /* draw and edit: the picture's image tokens, tokens_per_item - 1 of them; else NULL */
  const int32_t *picture_tokens;
  const float *pixels;    /* count x H x W x 3 unclamped; edit: composited; NULL with no_pictures */
  const float *structure; /* draw: count: mean structure score (higher is more alike); else NULL */
  /* candidate_count of them, dropped ones included, item by item; NULL where none were asked for */
  const msk_candidate_info *candidates;
  int candidate_count;
  msk_times times;
  size_t passes; /* sequences through the transformer: what the job cost, whatever the machine */
  size_t memory; /* bytes of the session */
} msk_result;

/* ---- Sessions -------------------------------------------------------------------------------- */

typedef struct msk_session msk_session;

typedef struct msk_session_options {
  size_t size;
  int threads; /* 0: msk_default_threads() */
} msk_session_options;
MSK_API void msk_session_options_init(msk_session_options *options);

/* Memory that a session for this request takes, before it is taken. */
MSK_API msk_status msk_session_bytes(size_t *bytes, const msk_model *model,
                                     const msk_request *request, const msk_session_options *options,
                                     msk_error *error);
/* Opens a session large enough for `request` and every request that needs no more (job, count,
 * steps, layers). */
MSK_API msk_status msk_session_open(msk_session **session, const msk_model *model,
                                    const msk_request *request, const msk_session_options *options,
                                    msk_error *error);
MSK_API void msk_session_close(msk_session *session);
/* Whether a session can run a request: *fits is 1, or 0 where it was opened for smaller ones.
 * Takes no memory. */
MSK_API msk_status msk_session_fits(int *fits, const msk_session *session,
                                    const msk_request *request, msk_error *error);

/* The whole job. The same request gives the same result whatever the thread count, the batch, or
 * what ran before. */
MSK_API msk_status msk_run(msk_session *session, const msk_request *request, msk_result *result,
                           msk_error *error);

/* The same, step by step: begin; step until *done; end decodes. The request must stay valid
 * until the end. */
MSK_API msk_status msk_begin(msk_session *session, const msk_request *request, msk_error *error);
MSK_API msk_status msk_step(msk_session *session, int *done, msk_error *error);
MSK_API msk_status msk_end(msk_session *session, msk_result *result, msk_error *error);
/* How the candidates of the running request stand after the last step; NULL, and 0, where it has
 * none. Valid until the session's next call. */
MSK_API const msk_candidate_info *msk_session_candidates(const msk_session *session, int *count);

#ifdef __cplusplus
}
#endif
#endif
