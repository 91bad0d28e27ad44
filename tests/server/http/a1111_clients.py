# SPDX-License-Identifier: Apache-2.0
"""AUTOMATIC1111's interface as its programs use it: webuiapi itself, and what Open WebUI and SillyTavern ask, call by call, as their
sources had it in 2026 (backend/open_webui/routers/images.py; src/endpoints/stable-diffusion.js)."""
import base64
import io
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import webuiapi
from PIL import Image

address, program, work = sys.argv[1:4]
where = urllib.parse.urlsplit(address)
api = webuiapi.WebUIApi(host=where.hostname, port=where.port, steps=4)


def command(*arguments):
    """The picture that the command line makes, as the bytes of its PNG."""
    path = f"{work}/a1111-own.png"
    subprocess.run([program, *arguments, "--quiet", "--force", "--model", f"{work}/tiny.safetensors", "--steps", "4", "-o", path], check=True)
    return open(path, "rb").read()


def pictures(result):
    return [base64.b64decode(text) for text in result.json["images"]]


def saved(image, name):
    image.save(f"{work}/{name}")
    return f"{work}/{name}"


# ---- webuiapi ----

assert api.util_get_current_model() in api.util_get_model_names()
assert "balanced" in api.util_get_sampler_names() and api.util_get_scheduler_names() == ["automatic"]
api.util_set_model(api.util_get_model_names()[0])
api.util_wait_for_ready()
assert api.refresh_checkpoints() is None and api.interrupt() == {}
assert api.get_cmd_flags()["api"] and api.get_memory()["ram"]["total"] > 0 and api.get_embeddings() == {"loaded": {}, "skipped": {}}
for empty in (api.get_sd_vae, api.get_upscalers, api.get_latent_upscale_modes, api.get_loras, api.get_hypernetworks, api.get_face_restorers,
              api.get_realesrgan_models, api.get_prompt_styles):
    assert empty() == [], empty
assert "controlnet" in api.get_scripts()["txt2img"]
assert api.controlnet_version() > 0 and api.controlnet_model_list() and api.controlnet_module_list() == ["none"]

result = api.txt2img(prompt="a photo of a teapot", negative_prompt="blurry", seed=7, batch_size=2, n_iter=2)
assert result.info["all_seeds"] == [7, 8, 9, 10] and result.image.size == (128, 128)
for seed, picture in zip(result.info["all_seeds"], pictures(result)):
    assert picture == command("generate", "--class", "teapot", "--seed", str(seed)), f"seed {seed} differs from the command line's"
assert api.txt2img(prompt="mug").info["seed"] != api.txt2img(prompt="mug").info["seed"]

# A sketch: of a unit, and as a picture without a mask.
sketch = Image.linear_gradient("L").resize((100, 100)).point(lambda value: 255 if value < 128 else 0)
path = saved(sketch, "a1111-sketch.png")
result = api.txt2img(prompt="a mug", seed=3, controlnet_units=[webuiapi.ControlNetUnit(image=sketch, module="none", model="sketch")])
assert pictures(result) == [command("draw", path, "--class", "mug", "--seed", "3")]
result = api.img2img(images=[sketch], prompt="a mug", seed=3, denoising_strength=0.7, sampler_name="fast")
assert pictures(result) == [command("draw", path, "--class", "mug", "--seed", "3", "--lambda", "0.3", "--recipe", "fast")]
assert result.info["denoising_strength"] == 0.7 and result.info["sampler_name"] == "fast"

# A picture remembers; another program's does not.
line = result.info["infotexts"][0]
assert line.startswith("a mug\nSteps: 4, Sampler: fast, ") and ", Seed: 3, Size: 128x128, " in line, line
assert api.png_info(result.image).info == line.removeprefix("a ")
assert api.png_info(sketch).info == ""

# With a mask a part is repainted.
photo, mask = Image.new("RGB", (128, 128), (200, 90, 40)), Image.new("L", (128, 128))
mask.paste(255, (0, 0, 64, 128))
result = api.img2img(images=[photo], mask_image=mask, prompt="house", seed=1)
own = command("edit", saved(photo, "a1111-photo.png"), "--mask", saved(mask, "a1111-mask.png"), "--class", "house", "--seed", "1")
assert pictures(result) == [own]

# Watched, and stopped. The thread is a daemon, and watched too: what it is refused must not be waited for.
answers = []
thread = threading.Thread(target=lambda: answers.append(api.txt2img(prompt="mug", steps=900, n_iter=16)), daemon=True)
thread.start()
while not (progress := api.get_progress())["current_image"]:
    assert thread.is_alive(), "the job ended before it could be watched"
    time.sleep(0.05)
assert progress["state"]["job_count"] == 16 and 0 < progress["progress"] < 1
Image.open(io.BytesIO(base64.b64decode(progress["current_image"]))).load()
api.interrupt()
thread.join(60)
assert answers, "what was interrupted does not end"
assert len(answers[0].images) == len(answers[0].info["all_seeds"]) < 16

for arguments, status, words in (({"prompt": "a unicorn"}, 400, "no class"), ({"prompt": "mug", "batch_size": 99}, 422, "from 1 to 16"),
                                 ({"prompt": "mug", "steps": 0}, 422, "steps was given 0")):
    try:
        api.txt2img(**arguments)
    except RuntimeError as error:
        assert error.args[0] == status and words in error.args[1], error
    else:
        raise AssertionError(f"{arguments} was taken")


# ---- What others ask, in their order ----


def call(method, route, body=None, authorization=None):
    headers = {} if authorization is None else {"Authorization": authorization}
    if body is not None:
        headers["Content-Type"] = "application/json"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address.rstrip("/") + route, method=method, data=data, headers=headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


# Open WebUI: the check of the address, the models, another model chosen, and a picture. Without a user it sends an empty header.
call("GET", "/sdapi/v1/options", authorization="")
models = [(model["title"], model["model_name"]) for model in call("GET", "/sdapi/v1/sd-models", authorization="")]
options = call("GET", "/sdapi/v1/options", authorization="")
options["sd_model_checkpoint"] = models[0][0]
call("POST", "/sdapi/v1/options", options, authorization="")
answer = call("POST", "/sdapi/v1/txt2img", {"prompt": "a house finch on a branch, golden hour", "batch_size": 1, "width": 512, "height": 512, "steps": 50,
                                            "negative_prompt": "text", "sampler_name": "Euler a", "cfg_scale": 7.0}, authorization="")
assert base64.b64decode(answer["images"][0])[:4] == b"\x89PNG" and json.loads(answer["info"])["prompt"].startswith("a house finch")

# SillyTavern: the header is there without a user, too. Forge's route is asked beside the other, and only one has to be there.
nobody = "Basic " + base64.b64encode(b"").decode()
for route in ("options", "samplers", "schedulers", "upscalers", "latent-upscale-modes", "sd-vae", "sd-models"):
    call("GET", f"/sdapi/v1/{route}", authorization=nobody)
try:
    call("GET", "/sdapi/v1/sd-modules", authorization=nobody)
    raise AssertionError("Forge's modules are there")
except urllib.error.HTTPError as error:
    assert error.code == 404
assert [vae["model_name"] for vae in call("GET", "/sdapi/v1/sd-vae", authorization=nobody)] == []
call("POST", "/sdapi/v1/options", {"sd_model_checkpoint": models[0][0]}, authorization=nobody)
state = call("GET", "/sdapi/v1/progress", authorization=nobody)
assert state["progress"] == 0.0 and state["state"]["job_count"] == 0
answer = call("POST", "/sdapi/v1/txt2img", {
    "url": address, "auth": "", "prompt": "best quality, masterpiece, a teapot", "negative_prompt": "lowres", "sampler_name": "DDIM",
    "scheduler": "normal", "steps": 20, "cfg_scale": 7, "width": 512, "height": 512, "restore_faces": False, "enable_hr": False, "hr_upscaler": "Latent",
    "hr_scale": 2, "denoising_strength": 0.7, "hr_second_pass_steps": 0, "override_settings": {"CLIP_stop_at_last_layers": 1, "sd_vae": ""},
    "override_settings_restore_afterwards": True, "save_images": True, "send_images": True, "do_not_save_grid": False, "do_not_save_samples": False,
}, authorization=nobody)
assert len(answer["images"]) == 1
call("POST", "/sdapi/v1/interrupt", authorization=nobody)
print("a1111: webuiapi's pictures are the command line's; what Open WebUI and SillyTavern ask is answered")
