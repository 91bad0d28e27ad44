# SPDX-License-Identifier: Apache-2.0
"""OpenAI's own Python client against the server: pictures, errors, edits, models. Also the example of docs/http.md."""
import base64
import struct
import subprocess
import sys
import urllib.request
import zlib

import openai

address, program, work = sys.argv[1:4]
client = openai.OpenAI(base_url=address + "v1", api_key="none", max_retries=0)


def png(width, height, pixel):
    """A PNG with alpha; pixel(x, y) -> (r, g, b, a)."""
    rows = b"".join(b"\0" + b"".join(bytes(pixel(x, y)) for x in range(width)) for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def size_of(picture):
    return struct.unpack(">II", picture[16:24])


# The pictures are those of the command line.
answer = client.images.generate(model="masksketch", prompt="a photo of a teapot", n=2, response_format="b64_json", extra_body={"seed": 7})
pictures = [base64.b64decode(entry.b64_json) for entry in answer.data]
subprocess.run([program, "generate", "--quiet", "--force", "--model", f"{work}/tiny.safetensors", "--class", "teapot", "--seed", "7", "--count", "2",
                "-o", f"{work}/teapot.png"], check=True)
for number, picture in enumerate(pictures, 1):
    assert picture == open(f"{work}/teapot-{number}.png", "rb").read(), f"picture {number} differs from the command line's"

# Another size and format; without a seed each call is another picture.
large = base64.b64decode(client.images.generate(prompt="Goldfishes at night", size="512x512").data[0].b64_json)
assert size_of(large) == (512, 512)
again = base64.b64decode(client.images.generate(prompt="goldfish", size="512x512").data[0].b64_json)
assert large != again
jpeg = base64.b64decode(client.images.generate(prompt="mug", output_format="jpeg", output_compression=80).data[0].b64_json)
assert jpeg[:3] == b"\xff\xd8\xff"

# Only the transparent part of the mask is repainted.
photo = png(128, 128, lambda x, y: (40 + x, 200 - y, 90, 255))
mask = png(128, 128, lambda x, y: (255, 255, 255, 0 if x < 64 else 255))
edited = client.images.edit(image=("photo.png", photo), mask=("mask.png", mask), prompt="house", extra_body={"seed": 1})
assert size_of(base64.b64decode(edited.data[0].b64_json)) == (128, 128)
holed = png(128, 128, lambda x, y: (40 + x, 200 - y, 90, 0 if x < 64 else 255))
same = client.images.edit(image=("photo.png", holed), prompt="house", extra_body={"seed": 1})
assert size_of(base64.b64decode(same.data[0].b64_json)) == (128, 128)

# An opaque image without a mask is a drawing.
answer = client.images.edit(image=[("drawing.png", photo)], prompt="a mug", extra_body={"seed": 5, "moderation": "low"})
open(f"{work}/drawing.png", "wb").write(photo)
subprocess.run([program, "draw", f"{work}/drawing.png", "--quiet", "--force", "--model", f"{work}/tiny.safetensors", "--class", "mug", "--seed", "5",
                "-o", f"{work}/drawn.png"], check=True)
assert base64.b64decode(answer.data[0].b64_json) == open(f"{work}/drawn.png", "rb").read()

# Streams, with pictures on the way; every size; addresses; what is null.
for partials in (0, 2):
    events = list(client.images.generate(prompt="mug", stream=True, partial_images=partials))
    assert [event.type for event in events] == ["image_generation.partial_image"] * partials + ["image_generation.completed"], events
    assert size_of(base64.b64decode(events[-1].b64_json)) == (128, 128)
events = list(client.images.edit(image=("photo.png", holed), prompt="house", stream=True, partial_images=1))
assert [event.type for event in events] == ["image_edit.partial_image", "image_edit.completed"]
for size in ("1024x1024", "1536x1024", "1024x1536", "1792x1024", "1024x1792", "auto"):
    answer = client.images.generate(prompt="mug", size=size, quality="high", background="auto", moderation="auto", style="vivid", user="me")
    assert size == "auto" or size_of(base64.b64decode(answer.data[0].b64_json)) == tuple(map(int, size.split("x")))
url = client.images.generate(prompt="mug", response_format="url", size="512x512").data[0].url
assert size_of(urllib.request.urlopen(url).read()) == (512, 512)
client.images.generate(prompt="mug", n=None, size=None, extra_body={"seed": None, "output_compression": None})
name = client.models.list().data[0].id
assert client.models.retrieve(name).id == name

# Mistakes come as OpenAI's exceptions, with our words.
for arguments, words, kind in (
    ({"prompt": "a unicorn"}, "no class", openai.BadRequestError),
    ({"prompt": "teapot", "n": 11}, "from 1 to 10", openai.UnprocessableEntityError),
    ({"prompt": "teapot", "size": "7x7"}, "size was given", openai.UnprocessableEntityError),
    ({"prompt": "a mug and a car"}, "several", openai.BadRequestError),
    ({"prompt": "mug", "stream": True, "partial_images": 4}, "from 0 to 3", openai.UnprocessableEntityError),
):
    try:
        client.images.generate(**arguments)
    except kind as error:
        assert words in error.body["message"], error.body
    else:
        raise AssertionError(f"{arguments} was taken")

assert client.models.list().data[0].object == "model"
print("openai: the client's pictures are the command line's; edits, formats and errors are understood")
