/* SPDX-License-Identifier: Apache-2.0
 *
 * masksketch.h - the core of MaskSketch's public interface: a sketch and a class in, a photo out.
 * masksketch_recipe.h, included here, has a recipe's fields; masksketch_tools.h has the rest.
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
 *   - Structures that a caller fills begin with `size_t size`, which *_init() sets; one of another
 *     version's size is refused. Options that are NULL: the defaults of *_init().
 *   - A model may be used by any number of threads at once, a session by one at a time.
 *   - After msk_session_open(), running requests that fit the session allocates nothing.
 *   - Pictures are RGB, rows from top to bottom. Float pictures are H x W x 3 in [0,1], unclamped
 *     where said so.
 *   - A token is an int32_t: 0..codebook_size-1 is an image code, codebook_size + c is class c,
 *     MSK_MASK_TOKEN is "masked". A sequence is the class token, then the image tokens row by row.
 */
#ifndef MASKSKETCH_H
#define MASKSKETCH_H

#include <stddef.h>
#include <stdint.h>
#include "masksketch_recipe.h"

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
#define MSK_MAX_COUNT 65536                           /* items of a request */
#define MSK_MAX_CANDIDATES 64                         /* candidates that one request can hold */
#define MSK_MAX_THREADS 1024                          /* of a model, a session, a CLIP, a judge */
#define MSK_MAX_PIXELS ((size_t)64 * 1000 * 1000)     /* of a picture that is read */
#define MSK_MAX_SIDE 65535                            /* pixels of its width, and of its height */
#define MSK_MAX_FILE_BYTES ((size_t)64 * 1000 * 1000) /* of a picture's file */

MSK_API const char *msk_version(void);

/* ---- Errors and memory ----------------------------------------------------------------------- */

typedef enum msk_status {
  MSK_OK = 0,
  MSK_ERROR_ARGUMENT = 1,  /* value out of range, unknown key, wrong combination */
  MSK_ERROR_FILE = 2,      /* an input cannot be read, is damaged, too large, or of another kind */
  MSK_ERROR_OUTPUT = 3,    /* an output cannot be written: no permission, disk full */
  MSK_ERROR_MEMORY = 4,    /* memory was refused */
  MSK_ERROR_CANCELLED = 5, /* a callback asked to stop */
  MSK_ERROR_UNSUPPORTED = 6, /* this build or machine cannot do it */
  MSK_ERROR_DEVICE = 7       /* a GPU: there is none of that name, or it failed; the CPU would do */
} msk_status;

/* `field`: the one value that was refused, where it is one: a member of the structure that was
 * given ("seed", "class_id"), or a recipe's key ("guidance"); else NULL. Never freed.
 * `message`, one line without a newline: what was found, what was expected, a hint. */
typedef struct msk_error {
  msk_status code;
  const char *field;
  char message[512];
} msk_error;

/* All memory goes through one of these; NULL: the C heap. `allocate` returns memory aligned to 64
 * bytes or NULL; `release` takes what it gave (never NULL). Both are called from any thread. */
typedef struct msk_allocator {
  void *(*allocate)(void *user, size_t bytes);
  void (*release)(void *user, void *memory);
  void *user;
} msk_allocator;

/* Frees what functions hand out as allocated. NULL memory is ignored. */
MSK_API void msk_free(const msk_allocator *allocator, void *memory);

/* ---- Pictures -------------------------------------------------------------------------------- */

/* 8-bit RGB, height x width x 3; msk_image_free() empties it. `allocator`: where it came from.
 * `warning`: what is odd about the file that it was read from, or NULL; never freed. */
typedef struct msk_image {
  int width, height;
  uint8_t *pixels;
  const msk_allocator *allocator;
  const char *warning;
} msk_image;

/* What alpha becomes. WHITE: composited over white. DROP: dropped, as the authors' code does by
 * way of Pillow; 16-bit grey is then clipped as there, and EXIF rotation left alone. ONLY: alpha
 * itself as grey; a picture without is white. SKETCH: as WHITE, but over black where all that is
 * drawn is light. */
typedef enum msk_alpha {
  MSK_ALPHA_WHITE = 0,
  MSK_ALPHA_DROP,
  MSK_ALPHA_ONLY,
  MSK_ALPHA_SKETCH
} msk_alpha;

/* Reads a PNG, JPEG or WebP as 8-bit RGB; sizes are checked against the limits before memory is
 * taken. A PNG that is damaged beside its pixels is read with a warning. `name` stands in
 * messages. MSK_ERROR_FILE, MSK_ERROR_MEMORY. */
MSK_API msk_status msk_image_decode(msk_image *image, const void *bytes, size_t byte_count,
                                    msk_alpha alpha, const char *name,
                                    const msk_allocator *allocator, msk_error *error);
MSK_API msk_status msk_image_load(msk_image *image, const char *path, msk_alpha alpha,
                                  const msk_allocator *allocator, msk_error *error);
MSK_API msk_status msk_image_create(msk_image *image, int width, int height,
                                    const msk_allocator *allocator, msk_error *error);
MSK_API void msk_image_free(msk_image *image);

/* How a picture's aspect ratio becomes the model's: stretched; padded with paper colour; cut at the
 * centre; cut to what is drawn, with a margin of 15 % (stretched where nothing is). */
typedef enum msk_fit { MSK_FIT_STRETCH = 0, MSK_FIT_PAD, MSK_FIT_CROP, MSK_FIT_INK } msk_fit;
/* Light lines on dark ground are turned over: when found so, always, never. */
typedef enum msk_invert { MSK_INVERT_AUTO = 0, MSK_INVERT_YES, MSK_INVERT_NO } msk_invert;
/* A drawing's paper. AUTO: tinted sheets become white, photographed ones are cleaned, printed
 * lines, squares and dots taken off. YES: it is a photographed sheet. NO: stays as it is. */
typedef enum msk_photo { MSK_PHOTO_AUTO = 0, MSK_PHOTO_YES, MSK_PHOTO_NO } msk_photo;

typedef struct msk_prepare_options {
  size_t size;
  msk_fit fit;
  msk_invert invert;
  msk_photo photo_of_paper;
} msk_prepare_options;
MSK_API void msk_prepare_init(msk_prepare_options *options);  /* stretch, auto, auto */
MSK_API void msk_prepare_plain(msk_prepare_options *options); /* stretch, no, no */

/* Brings a picture to width x height by Pillow's bicubic (a = -0.5, antialiased), bit for bit.
 * `out` is a new picture of the caller's. */
MSK_API msk_status msk_image_prepare(msk_image *out, const msk_image *in, int width, int height,
                                     const msk_prepare_options *options,
                                     const msk_allocator *allocator, msk_error *error);

/* Float pixels -> a new picture, as the authors do it: clamped to [0,1], times 255, rounded to
 * nearest. */
MSK_API msk_status msk_image_from_float(msk_image *image, const float *pixels, int width,
                                        int height, const msk_allocator *allocator,
                                        msk_error *error);

/* AUTO: no format, where none is said. */
typedef enum msk_format {
  MSK_FORMAT_AUTO = 0,
  MSK_FORMAT_PNG,
  MSK_FORMAT_JPEG,
  MSK_FORMAT_WEBP
} msk_format;
/* A text chunk of a PNG. UTF-8. */
typedef struct msk_text {
  const char *key, *value;
} msk_text;
/* `quality` 1..100 is for JPEG and lossy WebP (0: 92 for JPEG, lossless WebP); texts go into PNG
 * only. *bytes is allocated. The same input gives the same bytes. */
MSK_API msk_status msk_image_encode(const msk_image *image, msk_format format, int quality,
                                    const msk_text *texts, size_t text_count, void **bytes,
                                    size_t *byte_count, const msk_allocator *allocator,
                                    msk_error *error);
/* Writes a file whole or not at all (temporary file, fsync, rename); replaces what is there. */
MSK_API msk_status msk_file_write(const char *path, const void *bytes, size_t byte_count,
                                  msk_error *error);

/* ---- Models ---------------------------------------------------------------------------------- */

typedef struct msk_model msk_model;
typedef struct msk_adapter_choice msk_adapter_choice; /* in masksketch_tools.h */

/* OF_FILE: int8 where the file's matrices are stored in 8 bits, else fp32. */
typedef enum msk_precision {
  MSK_PRECISION_FP32 = 0,
  MSK_PRECISION_INT8,
  MSK_PRECISION_OF_FILE
} msk_precision;

typedef struct msk_model_options {
  size_t size;
  const char *isa; /* kernel set, by its msk_isa_name(); NULL: the best */
  /* of the transformer's linear layers; with int8 the tokenizer's encoder computes in 16 bits where
   * that is faster (OF_FILE) */
  msk_precision precision;
  msk_precision decode_precision; /* tokens -> pixels; int8 acts only where it is faster (FP32) */
  int threads;                    /* for packing weights; 0: msk_default_threads() */
  const msk_allocator *allocator; /* must outlive the model and its sessions */
  const msk_adapter_choice *adapters; /* each a class, numbered behind the model's own (none) */
  int adapter_count;
  /* Where the networks compute: NULL or "cpu"; "gpu", the first one that OpenCL has; or a part
   * of a name or the number that msk_device_list() tells. "auto": a GPU if a short measurement says
   * that it is faster, and should it fail, the CPU from then on; msk_model_warning() and
   * msk_result.warning say so. */
  const char *device;
  /* folder in which a GPU's compiled kernels are kept, made where it is missing (NULL: none) */
  const char *device_cache;
} msk_model_options;
MSK_API void msk_model_options_init(msk_model_options *options);

/* Opens a model file (safetensors made by `convert`): mapped, checked, its matrices packed. */
MSK_API msk_status msk_model_open(msk_model **model, const char *path,
                                  const msk_model_options *options, msk_error *error);
MSK_API void msk_model_close(msk_model *model); /* after all its sessions; NULL is ignored */

typedef struct msk_model_info {
  int image_size;                 /* pixels a side */
  int latent_size;                /* tokens a side */
  int tokens;                     /* sequence length, class token included */
  int codebook_size, class_count; /* hidden classes and the null class count too */
  int null_class;                 /* trained "no class" label, or -1 */
  int layers, hidden, heads, intermediate;
  int codebook_dim, filters, stem; /* stem: pixel-shuffle factor, 1 = none */
  size_t parameters;
  const char *isa;    /* kernel set in use */
  const char *device; /* of the networks: "cpu", or who drives it and its name */
  msk_precision precision, decode_precision; /* FP32 or INT8 */
  const char *name, *hash; /* from the file; SHA-256 of its tensors, without adapters, in hex */
  msk_fit fit;             /* that drawings are best prepared with, as the file says */
} msk_model_info;
MSK_API void msk_model_get_info(const msk_model *model, msk_model_info *info);

/* A class by a number, a name or its plural, or the beginning of one if it is the only one (letter
 * case and accents aside; synonyms count). MSK_ERROR_ARGUMENT with the nearest names where not, and
 * for labels that are no class (the null class, styles). */
MSK_API msk_status msk_model_class_find(const msk_model *model, const char *text, int *class_id,
                                        msk_error *error);
MSK_API const char *msk_model_class_name(const msk_model *model, int class_id); /* NULL: no class */

/* ---- Recipes --------------------------------------------------------------------------------- */

typedef enum msk_job { MSK_JOB_DRAW = 0, MSK_JOB_GENERATE, MSK_JOB_EDIT } msk_job;
/* JAX's layout of random words over an array, without and with jax_threefry_partitionable. */
typedef enum msk_rng_layout { MSK_RNG_ORIGINAL = 0, MSK_RNG_PARTITIONABLE } msk_rng_layout;

/* The recipe of a name for a job, overlaid with the model's own defaults (model may be NULL). */
MSK_API msk_status msk_recipe_find(msk_recipe *recipe, const msk_model *model, msk_job job,
                                   const char *name, msk_error *error);
/* Sets a field from text. MSK_ERROR_ARGUMENT, naming what is valid: unknown key, value out of
 * range, no effect in this job. */
MSK_API msk_status msk_recipe_set(msk_recipe *recipe, msk_job job, const char *key,
                                  const char *value, msk_error *error);

/* ---- Requests and results -------------------------------------------------------------------- */

typedef struct msk_array msk_array;                   /* masksketch_tools.h has their members */
typedef struct msk_candidate_info msk_candidate_info; /* for those who look inside */

typedef struct msk_step_info {
  int step, step_count;  /* step 0..step_count-1 has been done; the tail counts */
  int item, item_count;  /* first item of the request in this step, and how many run together */
  int masked;            /* tokens still masked in the first item */
  double seconds;        /* since the request began */
  const int32_t *tokens; /* items x tokens: completed sequences */
  const float *preview;  /* of the first item, H x W x 3 unclamped; else NULL (preview_every) */
} msk_step_info;

/* on_step, on_trace: nonzero stops, MSK_ERROR_CANCELLED. What is pointed to lives for the call. */
typedef struct msk_callbacks {
  void *user;
  int (*on_step)(void *user, const msk_step_info *info);
  /* a quantity of a step, under the names of docs/exactness.md */
  int (*on_trace)(void *user, const char *name, int step, const msk_array *array);
  /* An operation of a network has run. pass: "encode", "target", "logits", "score", "decode".
   * flop: of the plain algorithm, whatever computes it; 0 where bytes count. */
  void (*on_operation)(void *user, const char *pass, const char *name, double seconds, double flop);
} msk_callbacks;

typedef struct msk_box {
  int top, left, height, width;
} msk_box;

typedef struct msk_request {
  size_t size;
  msk_job job;
  msk_recipe recipe;
  const msk_image *picture;      /* draw: prepared sketch; edit: photo; image_size x image_size */
  const int32_t *picture_tokens; /* or its tokens - 1 image tokens; generate: both NULL */
  const msk_image *edit_mask;    /* edit: white = repaint, any size; or NULL and */
  msk_box edit_box;              /*   the box to repaint, in pixels of the picture */
  const msk_image *lambda_map;   /* draw: scales lambda_structure, black = 0; any size; or NULL */
  int class_id;
  uint64_t seed;         /* official: 0..2^32-1 as PRNGKey(seed) */
  int first_item, count; /* items of the seed; official: first_item is 0, count is the batch */
  msk_rng_layout rng_layout;
  /* draw, not official: candidates for a picture, MSK_MAX_CANDIDATES at most and all in memory.
   * guidance_count > 0: each item is drawn with each of these scales in the recipe's place.
   * finish > 0: only so many are drawn to the end; from share drop_from of the steps on the weaker
   * half is dropped by and by (0.75: earlier their scores do not tell; docs/selection.md), by
   * structure plus confidence_weight (0..100) times confidence, as deviations from the mean. Each
   * result is what it would be alone. */
  const double *guidance_scales;
  int guidance_count, finish;
  double drop_from;
  double confidence_weight;
  int preview_every; /* 0: none; k: the first item is decoded after every k-th step */
  int no_pictures;   /* 1: tokens only */
  msk_callbacks callbacks;
} msk_request;
/* The recipe of msk_recipe_find() (NULL: "balanced"), class 0, seed 0, one item. */
MSK_API msk_status msk_request_init(msk_request *request, const msk_model *model, msk_job job,
                                    const char *recipe_name, msk_error *error);

typedef struct msk_times { /* seconds; conditional counts the unconditional half too */
  double encode, targets, conditional, structure, sampling, decode, total;
} msk_times;

/* All pointers point into the session and are valid until its next call. */
typedef struct msk_result {
  int count, tokens_per_item, step_count;
  const int32_t *tokens;         /* count x tokens: class token first */
  const int32_t *step_tokens;    /* generate and edit: step_count x count x tokens; else NULL */
  const int32_t *picture_tokens; /* draw and edit: tokens_per_item - 1 of them; else NULL */
  const float *pixels;    /* count x H x W x 3 unclamped; edit: composited; NULL with no_pictures */
  const float *structure; /* draw: count mean structure scores (higher: more alike); else NULL */
  const msk_candidate_info *candidates; /* item by item, dropped ones too; NULL where none */
  int candidate_count;
  msk_times times;
  /* sequences through the transformer: what the job cost, whatever the machine; those of which some
   * rows alone went count by these, and the sum is rounded up */
  size_t passes;
  size_t memory; /* bytes of the session */
  /* one line for people: what is wrong with these pictures (the model's weights led to numbers past
   * the largest there is), or that the GPU has failed and the CPU has gone on; NULL: nothing */
  const char *warning;
} msk_result;

/* ---- Sessions -------------------------------------------------------------------------------- */

typedef struct msk_session msk_session;

typedef struct msk_session_options {
  size_t size;
  int threads; /* 0: msk_default_threads() */
} msk_session_options;
MSK_API void msk_session_options_init(msk_session_options *options);

/* For `request` and every request that needs no more (job, count, steps, layers). */
MSK_API msk_status msk_session_open(msk_session **session, const msk_model *model,
                                    const msk_request *request, const msk_session_options *options,
                                    msk_error *error);
MSK_API void msk_session_close(msk_session *session);

/* The whole job. The result does not depend on the threads, the batch, or what ran before. */
MSK_API msk_status msk_run(msk_session *session, const msk_request *request, msk_result *result,
                           msk_error *error);

#ifdef __cplusplus
}
#endif
#endif
