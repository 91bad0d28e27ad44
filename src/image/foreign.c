/* SPDX-License-Identifier: Apache-2.0
 *
 * foreign.c - files that people have and this program does not read: what they are, told by
 * their first bytes, and the way out. Nothing is parsed. */
#include "image/codec.h"

#include <string.h>

#include "base/error.h"

static const char save_as_png[] = "save it as PNG first",
                  export_png[] = "export it as PNG from the program that made it",
                  page_of_it[] = "save the page that has the drawing as PNG first",
                  frame_of_it[] = "save one frame of it as PNG first",
                  take_it_out[] = "unpack it, and give a picture that is in it",
                  get_again[] = "the picture itself did not come: fetch or save it again";

typedef struct foreign_kind {
  size_t offset, length;
  const char *magic, *kind, *way_out;
} foreign_kind;

#define MAGIC(offset, magic, kind, way_out) \
  { offset, sizeof(magic) - 1, magic, kind, way_out }

/* The first that fits decides, so what is narrower stands first. */
static const foreign_kind kinds[] = {
    MAGIC(0, "GIF8", "a GIF", save_as_png),
    MAGIC(0, "II*\0", "a TIFF or a camera's raw file", save_as_png),
    MAGIC(0, "MM\0*", "a TIFF or a camera's raw file", save_as_png),
    MAGIC(0, "II+\0", "a TIFF", save_as_png),
    MAGIC(0, "MM\0+", "a TIFF", save_as_png),
    MAGIC(0, "FUJIFILM", "a camera's raw file", save_as_png),
    MAGIC(0, "\xff\x0a", "a JPEG XL", save_as_png),
    MAGIC(4, "JXL ", "a JPEG XL", save_as_png),
    MAGIC(4, "jP  ", "a JPEG 2000", save_as_png),
    MAGIC(0, "\xff\x4f\xff\x51", "a JPEG 2000", save_as_png),
    MAGIC(0, "II\xbc", "a JPEG XR", save_as_png),
    MAGIC(4, "ftypavif", "an AVIF", save_as_png),
    MAGIC(4, "ftypavis", "an AVIF", save_as_png),
    MAGIC(4, "ftypcrx ", "a camera's raw file", save_as_png),
    MAGIC(4, "ftyphei", "a HEIC", "save it as PNG or JPEG first"),
    MAGIC(4, "ftyphev", "a HEIC", "save it as PNG or JPEG first"),
    MAGIC(4, "ftypmif1", "a HEIC", "save it as PNG or JPEG first"),
    MAGIC(4, "ftypmsf1", "a HEIC", "save it as PNG or JPEG first"),
    MAGIC(4, "ftyp", "a video", frame_of_it),
    MAGIC(4, "moov", "a video", frame_of_it),
    MAGIC(4, "mdat", "a video", frame_of_it),
    MAGIC(8, "AVI ", "a video", frame_of_it),
    MAGIC(0, "\x1a\x45\xdf\xa3", "a video", frame_of_it),
    MAGIC(0, "\0\0\1\xba", "a video", frame_of_it),
    MAGIC(0, "\0\0\1\xb3", "a video", frame_of_it),
    MAGIC(0, "FLV\1", "a video", frame_of_it),
    MAGIC(0, "OggS", "a video or sound", frame_of_it),
    MAGIC(0, "8BPS", "a Photoshop file", export_png),
    MAGIC(0, "gimp xcf", "a GIMP file", export_png),
    MAGIC(30, "mimetypeapplication/x-krita", "a Krita file", export_png),
    MAGIC(30, "mimetypeimage/openraster", "an OpenRaster file", export_png),
    MAGIC(30, "mimetypeapplication/vnd.oasis.opendocument", "an OpenDocument file", export_png),
    MAGIC(0, "CSFCHUNK", "a Clip Studio file", export_png),
    MAGIC(0, "PDN3", "a Paint.NET file", export_png),
    MAGIC(0, "PK\3\4", "an archive (ZIP, Office, Procreate and the like)", take_it_out),
    MAGIC(0, "7z\xbc\xaf\x27\x1c", "an archive", take_it_out),
    MAGIC(0, "Rar!", "an archive", take_it_out),
    MAGIC(257, "ustar", "an archive", take_it_out),
    MAGIC(0, "\x1f\x8b", "something packed by gzip (an SVGZ is)", "unpack it first"),
    MAGIC(0, "%PDF", "a PDF", page_of_it),
    MAGIC(0, "%!PS", "a PostScript file", page_of_it),
    MAGIC(0, "\xc5\xd0\xd3\xc6", "a PostScript file", page_of_it),
    MAGIC(0, "AT&TFORM", "a DjVu", page_of_it),
    MAGIC(0, "\xd0\xcf\x11\xe0", "an Office file", export_png),
    MAGIC(0, "qoif", "a QOI", save_as_png),
    MAGIC(0, "\x76\x2f\x31\x01", "an OpenEXR", save_as_png),
    MAGIC(0, "#?RADIANCE", "a Radiance HDR", save_as_png),
    MAGIC(0, "DDS ", "a DDS", save_as_png),
    MAGIC(0, "farbfeld", "a farbfeld", save_as_png),
    MAGIC(0, "\x8aMNG", "an MNG", save_as_png),
    MAGIC(0, "\0\0\1\0", "an icon (ICO)", save_as_png),
    MAGIC(0, "\xd7\xcd\xc6\x9a", "a Windows metafile", export_png),
    MAGIC(40, " EMF", "a Windows metafile", export_png),
    MAGIC(0, "/* XPM */", "an XPM", save_as_png),
    MAGIC(0, "\0\5\x16\7", "a Mac's side file (._name)", "give the picture beside it"),
    MAGIC(0, "version https://git-lfs", "a pointer of Git LFS", get_again),
    MAGIC(0, "bplist", "a property list", get_again),
    MAGIC(0, "BM", "a BMP", save_as_png),
};

static bool fits(const msk_source *source, const foreign_kind *kind) {
  return source->count >= kind->offset + kind->length &&
         memcmp(source->bytes + kind->offset, kind->magic, kind->length) == 0;
}

/* P1 to P7, a space or a line feed: letters that a text may begin with as well. */
static bool is_netpbm(const msk_source *source) {
  return source->count > 2 && source->bytes[0] == 'P' && source->bytes[1] >= '1' &&
         source->bytes[1] <= '7' && source->bytes[2] != 0 &&
         strchr(" \t\r\n", source->bytes[2]) != NULL;
}

/* Letters behind a byte order mark and white space, in lower case, UTF-16 as its low bytes. */
static size_t begin_text(char *text, size_t room, const msk_source *source) {
  size_t at = 0, count = 0;
  while (at < source->count && count + 1 < room) {
    uint8_t c = source->bytes[at++];
    if (c == 0 || c >= 0x80 || (count == 0 && strchr(" \t\r\n", c) != NULL)) continue;
    text[count++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  }
  text[count] = 0;
  return count;
}

/* Editors write comments, a document type with their own entities, or a prefix before the
 * element that tells. */
static const foreign_kind *find_markup(const msk_source *source) {
  static const foreign_kind svg = {.kind = "an SVG", .way_out = export_png},
                            page = {.kind = "a web page", .way_out = get_again},
                            other = {.kind = "XML", .way_out = get_again},
                            json = {.kind = "JSON", .way_out = get_again};
  char text[16384];
  begin_text(text, sizeof text, source);
  if (text[0] == '{') return &json;
  if (text[0] != '<') return NULL;
  const char *html = strstr(text, "<html"), *drawing = strstr(text, "<svg");
  if (html == NULL) html = strstr(text, "<!doctype html");
  if (drawing == NULL) drawing = strstr(text, ":svg");
  if (drawing == NULL) drawing = strstr(text, "<!doctype svg");
  /* pages hold drawings, and drawings hold pages: what comes first tells */
  if (html != NULL && (drawing == NULL || html < drawing)) return &page;
  return drawing != NULL ? &svg : &other;
}

static const foreign_kind *find_kind(const msk_source *source) {
  static const foreign_kind netpbm = {.kind = "a PBM, PGM or PPM", .way_out = save_as_png};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (fits(source, &kinds[i])) return &kinds[i];
  }
  return is_netpbm(source) ? &netpbm : find_markup(source);
}

msk_status msk_foreign_refuse(const msk_source *source) {
  if (source->count == 0)
    return msk_fail(source->error, MSK_ERROR_FILE,
                    "%s: the file is empty, expected a PNG, JPEG or WebP picture", source->name);
  const foreign_kind *kind = find_kind(source);
  if (kind == NULL)
    return msk_fail(source->error, MSK_ERROR_FILE,
                    "%s: not a picture, expected a PNG, JPEG or WebP", source->name);
  return msk_fail(source->error, MSK_ERROR_FILE,
                  "%s: looks like %s, expected a PNG, JPEG or WebP picture; %s", source->name,
                  kind->kind, kind->way_out);
}
