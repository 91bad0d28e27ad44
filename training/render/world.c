/* SPDX-License-Identifier: Apache-2.0
 *
 * world.c: the door to the studio world: class table, seeds, memory.
 */
#include "world.h"

#include "scene.h"

#include <stdlib.h>
#include <string.h>

static const struct {
  const char *name;
  void (*shape)(struct scene *);
  const char *synonyms; /* what else people call it, in the form of a model's class names */
} CLASSES[WORLD_SHAPES] = {
    {"apple", shape_apple, ""},
    {"mug", shape_mug, ", cup, coffee mug, coffee cup, teacup"},
    {"house", shape_house, ", home, cottage, building"},
    {"fish", shape_fish, ", goldfish"},
    {"tree", shape_tree, ", fir, fir tree, conifer"},
    {"car", shape_car, ", automobile, motorcar, auto, sedan"},
    {"teapot", shape_teapot, ", tea pot, kettle"},
    {"sailboat", shape_sailboat, ", sailing boat, boat, ship, yacht"},
    {"mushroom", shape_mushroom, ", toadstool, fungus, fly agaric"},
    {"bird", shape_bird, ", songbird"},
    {"chair", shape_chair, ", seat, kitchen chair, dining chair"},
    {"lamp", shape_lamp, ", table lamp, desk lamp, bedside lamp, light"},
    [WORLD_UMBRELLA] = {"umbrella", shape_umbrella, ", parasol, brolly"},
    [13] = {"cat", shape_cat, ", kitten, kitty, tomcat"},
    [14] = {"dog", shape_dog, ", puppy, hound, doggy"},
    [15] = {"butterfly", shape_butterfly, ""},
    [16] = {"shoe", shape_shoe, ", sneaker, trainer, boot, footwear"},
    [17] = {"hat", shape_hat, ", cap, sun hat, top hat"},
    [18] = {"guitar", shape_guitar, ", acoustic guitar"},
    [19] = {"flower", shape_flower, ", blossom, bloom, daisy"},
    [20] = {"sun", shape_sun, ", sunshine"},
    [21] = {"bicycle", shape_bicycle, ", bike, cycle, pushbike"},
    [22] = {"aeroplane", shape_aeroplane, ", airplane, plane, aircraft, jet, airliner"},
    [23] = {"cactus", shape_cactus, ", succulent"},
    [24] = {"bottle", shape_bottle, ", flask, wine bottle, water bottle"},
};

const char *world_class_name(int class_id) {
  return class_id < 0 || class_id >= WORLD_SHAPES ? NULL : CLASSES[class_id].name;
}

const char *world_class_synonyms(int class_id) {
  return class_id < 0 || class_id >= WORLD_SHAPES ? NULL : CLASSES[class_id].synonyms;
}

int world_class_find(const char *name) {
  for (int c = 0; name && c < WORLD_SHAPES; c++)
    if (!strcmp(name, CLASSES[c].name)) return c;
  return -1;
}

static int render_all(struct picture *pic, const struct world_views *views, uint64_t seed) {
  struct rng light = {seed ^ 0xA0761D6478BD642Full};
  struct strokes strokes = {0};
  photo_render(pic, views, &light);
  int rc = strokes_trace(pic, &strokes);
  if (rc == 0) rc = hands_render(pic, &strokes, views, seed ^ 0xE7037ED1A0B428DBull);
  if (rc == 0) rc = flat_render(pic, &strokes, views, seed ^ 0x8EBC6AF09C88C6E3ull);
  strokes_free(&strokes);
  return rc;
}

int world_render(int class_id, uint64_t seed, int size, enum world_style style,
                 const struct world_views *views) {
  if (!world_class_name(class_id) || style < WORLD_RICH || style > WORLD_WIDE ||
      size < WORLD_SIZE_MIN || size > WORLD_SIZE_MAX || !views)
    return -1;
  size_t count = (size_t)size * (size_t)size;
  struct picture pic = {
      .size = size, .cells = size / PICTURE_CELL + 1, .nodes = size / PICTURE_NODE + 3};
  size_t cells = (size_t)pic.cells * (size_t)pic.cells,
         nodes = (size_t)pic.nodes * (size_t)pic.nodes;
  pic.scene = calloc(1, sizeof *pic.scene);
  pic.sample = malloc(sizeof *pic.sample * count);
  pic.edge = calloc(count, 1);
  pic.start = malloc(sizeof *pic.start * (cells + nodes));
  int rc = -1;
  if (pic.scene && pic.sample && pic.edge && pic.start) {
    pic.floor_light = pic.start + cells;
    for (size_t i = 0; i < nodes; i++) pic.floor_light[i] = -1.0f;
    struct rng mixer = {seed * 0xD1342543DE82EF95ull + (uint64_t)class_id * 7919u + 12345u};
    uint64_t own = ((uint64_t)rng_next(&mixer) << 32);
    own |= rng_next(&mixer);
    pic.scene->class_id = class_id;
    pic.scene->rng.state = own;
    pic.scene->gap = 0.05f;
    CLASSES[class_id].shape(pic.scene);
    if (style != WORLD_RICH) plain_scene(pic.scene);
    if (style == WORLD_WIDE) wide_scene(pic.scene, own);
    scene_finish(pic.scene);
    rc = render_all(&pic, views, own);
  }
  free(pic.scene);
  free(pic.sample);
  free(pic.edge);
  free(pic.start);
  return rc;
}
