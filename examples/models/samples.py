#!/usr/bin/python3
"""Inputs for trained models, of real pictures and speech, and of text: to calibrate pruning by, and to judge it.

Usage: examples/models/samples.py NAME OUT.npy [--count N] [--part calibrate|judge]
The two parts share no picture region, word or clip. NAME is a model of models.tsv that reads
  text lines   ppocr_rec, ppocr_cls: words set in the DejaVu fonts, on plain and shaded grounds
  pictures     ppocr_det, mlsd_*, retinaface_*, blazeface_*: regions of scikit-learn's two photographs
  speech       oww_melspectrogram: pieces of the clips of alsa-utils
Debian: python3-numpy python3-scipy python3-pil python3-sklearn-lib fonts-dejavu-core alsa-utils.
"""
import argparse
import glob
import sys

import numpy as np

WORDS = """the of and to in is that it was for on are as with his they at be this from have or by one had not but what
all were when we there can an your which their said if do will each about how up out them then she many some so these
would other into has more her two like him see time could no make than first been its who now people my made over did
down only way find use may water long little very after words called just where most know""".split()
PHOTOS = "/usr/lib/python3/dist-packages/sklearn/datasets/images"
# Shape of an item, whether channels come first, and what makes values of [0, 255]: (value - mean) / scale.
PICTURES = {"ppocr_det": ((640, 640), True, 127.5, 127.5), "mlsd_tiny": ((320, 320), False, 0.0, 1.0),
            "mlsd_large": ((320, 320), False, 0.0, 1.0), "retinaface_v1": ((512, 512), True, 0.0, 1.0),
            "retinaface_v2": ((640, 640), True, 0.0, 1.0), "blazeface_back": ((256, 256), False, 127.5, 127.5),
            "blazeface_front": ((128, 128), False, 127.5, 127.5)}
TEXTS = {"ppocr_rec": (48, 320), "ppocr_cls": (48, 192)}


def text_lines(size, count, judge, turned, random):
    from PIL import Image, ImageDraw, ImageFont
    fonts = sorted(glob.glob("/usr/share/fonts/truetype/dejavu/*.ttf"))
    fonts = [font for font in fonts if "Math" not in font]
    words = WORDS[len(WORDS) // 2:] if judge else WORDS[:len(WORDS) // 2]
    lines = []
    for _ in range(count):
        ground, ink = random.uniform(150, 255), random.uniform(0, 90)
        image = Image.new("L", (size[1], size[0]), int(ground))
        font = ImageFont.truetype(fonts[random.integers(len(fonts))], int(random.uniform(22, 34)))
        text = " ".join(words[i] for i in random.integers(len(words), size=3))
        if random.random() < 0.5:
            text = text.title()
        text += str(random.integers(1000)) if random.random() < 0.3 else ""
        ImageDraw.Draw(image).text((random.uniform(2, 10), random.uniform(2, 10)), text, fill=int(ink), font=font)
        pixels = np.asarray(image, np.float32)
        pixels = pixels + np.linspace(0, random.uniform(-40, 40), size[1]) + random.normal(0, 4, size)
        if turned and random.random() < 0.5:
            pixels = pixels[::-1, ::-1]
        lines.append(np.repeat(np.clip(pixels, 0, 255)[np.newaxis], 3, 0) / 127.5 - 1)
    return np.stack(lines).astype(np.float32)


def pictures(spec, count, judge, random):
    from PIL import Image
    size, channels_first, mean, scale = spec
    items = []
    for i in range(count):
        photo = Image.open(f"{PHOTOS}/{('china', 'flower')[i % 2]}.jpg").convert("RGB")
        width, height = photo.size
        # The left and the right half.
        side = int(random.uniform(0.5, 1.0) * min(width / 2, height))
        left = int(random.uniform(0, width / 2 - side)) + (width // 2 if judge else 0)
        top = int(random.uniform(0, height - side))
        region = photo.crop((left, top, left + side, top + side)).resize((size[1], size[0]), Image.BILINEAR)
        pixels = (np.asarray(region, np.float32) - mean) / scale
        items.append(pixels.transpose(2, 0, 1) if channels_first else pixels)
    return np.stack(items).astype(np.float32)


def speech(count, judge, random):
    from scipy.io import wavfile
    from scipy.signal import resample_poly
    clips = sorted(glob.glob("/usr/share/sounds/alsa/*_*.wav"))
    clips = clips[1::2] if judge else clips[::2]
    sound = []
    for clip in clips:
        rate, values = wavfile.read(clip)
        values = values if values.ndim == 1 else values[:, 0]
        sound.append(resample_poly(values.astype(np.float32), 16000, rate))
    sound = np.concatenate(sound)
    starts = random.integers(len(sound) - 17280, size=count)
    return np.stack([sound[s:s + 17280] for s in starts]).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name")
    parser.add_argument("out")
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--part", choices=("calibrate", "judge"), default="calibrate")
    arguments = parser.parse_args()
    judge = arguments.part == "judge"
    random = np.random.default_rng(2 if judge else 1)
    if arguments.name in TEXTS:
        items = text_lines(TEXTS[arguments.name], arguments.count, judge, arguments.name == "ppocr_cls", random)
    elif arguments.name in PICTURES:
        items = pictures(PICTURES[arguments.name], arguments.count, judge, random)
        if arguments.name.startswith("mlsd"):  # these read a fourth channel, of ones
            items = np.concatenate([items, np.ones_like(items[..., :1])], -1)
    elif arguments.name == "oww_melspectrogram":
        items = speech(arguments.count, judge, random)
    else:
        sys.exit(f"samples.py: no samples for {arguments.name}")
    # Without a name: for the model's only input, one item after the other.
    np.save(arguments.out, items)


if __name__ == "__main__":
    main()
