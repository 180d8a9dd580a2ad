"""Benchmark of import and audit: `python -m benchmarks.intake rate|scale|duplicates|outliers [--json]`.

`rate`: images a second of an import, and of OpenCV's `imread` of the same files on one processor in the same process.
The files are radiographs enlarged to 900 to 2,000 pixels as JPEG and PNG, of 1, 3 and 4 channels: phantoms, and those
in ../shared if present, which are also imported as they are.

`scale`: time and peak memory of importing and auditing 10,000 phantom PNGs, and of an import that was killed half way.
`duplicates`: recall for copies of 2,000 phantoms. `outliers`: rates of each check of single images, on the real frontal
radiographs in ../shared if present, and on phantoms.
"""

import argparse
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from PIL import Image

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
SEED = 77
_FOUND = "home/datasets/.importing-*/found.jsonl"  # the progress of an import


def rate(images: int = 200) -> dict[str, Any]:
    """Return, by set, the images a second of import and of `imread`, and how many times as long the import takes."""
    from cxrcore.data.phantom.images import generate, specs

    found = {}
    with tempfile.TemporaryDirectory() as place:
        phantoms = [generate(spec, SEED).image for spec in specs(20, 1)]
        found["phantoms, enlarged"] = _rate(_enlarged(phantoms, Path(place) / "phantoms", images), place)
        if SHARED.is_dir():
            radiographs = [np.asarray(Image.open(path).convert("L")) for path in _radiographs()]
            found["shared, enlarged"] = _rate(_enlarged(radiographs, Path(place) / "shared", images), place)
            found["shared, up to 384 pixels"] = _rate(SHARED / "data" / "kermany3", place)
    return found


def _radiographs() -> list[Path]:
    folders = [SHARED / "data" / name for name in ("chest_xray", "covid-chestxray-dataset")]
    return [
        path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix in (".jpeg", ".jpg", ".png")
    ]


def _enlarged(pictures: list[np.ndarray], folder: Path, images: int) -> Path:
    """Write `images` files with noise, which makes their sizes those of radiographs: 6 of 10 JPEG, 6 of 10 grey."""
    kinds = [*[("L", "jpg")] * 4, *[("RGB", "jpg")] * 2, *[("L", "png")] * 2, ("RGB", "png"), ("RGBA", "png")]
    rng = np.random.default_rng(SEED)
    for number in range(images):
        picture = pictures[number % len(pictures)]
        scale = rng.integers(900, 2001) / max(picture.shape)
        large = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        pixels = np.clip(large + rng.normal(0, 1.5, large.shape), 0, 255).astype(np.uint8)
        mode, suffix = kinds[number % len(kinds)]
        path = folder / ("NORMAL", "COVID")[number // 10 % 2] / f"person{number}_1.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).convert(mode).save(path, quality=90)
    return folder


def _rate(folder: Path, place: str) -> dict[str, Any]:
    from cxrcore.data.importing import import_folders

    os.environ["CXR_HOME"] = f"{place}/home"
    files = [str(path) for path in sorted(folder.rglob("*")) if path.is_file()]
    for file in files:
        Path(file).read_bytes()  # both find the files in the system's cache
    start, used = time.monotonic(), time.process_time()
    for file in files:
        cv2.imread(file, cv2.IMREAD_UNCHANGED)
    decoding, used_decoding = time.monotonic() - start, time.process_time() - used
    start, used = time.monotonic(), time.process_time()
    import_folders([folder], folder.name)
    seconds, used = time.monotonic() - start, time.process_time() - used
    return {
        "images": len(files),
        "imported_a_second": round(len(files) / seconds, 1),
        "imread_a_second": round(len(files) / decoding, 1),
        "time_to_imread": round(seconds / decoding, 2),
        "processor_time_to_imread": round(used / used_decoding, 2),
    }


def scale(images: int = 10_000) -> dict[str, Any]:
    """Return seconds and peak megabytes of import and audit, and whether an import killed half way gives the same."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "set"
        _draw(folder, images)
        found: dict[str, Any] = {"images": images}
        for name, command in {
            "import": ["data", "import", str(folder), "--name", "whole", "--json"],
            "audit": ["data", "audit", "whole", "--json"],
        }.items():
            seconds, megabytes, _ = _timed(command, place)
            found |= {f"{name}_seconds": round(seconds, 1), f"{name}_peak_mb": round(megabytes)}
        from cxrcore.schema import read_table

        _killed_at_half(folder, place, images)
        seconds, _, _ = _timed(["data", "import", str(folder), "--name", "killed", "--json"], place)
        tables = [
            read_table(Path(place) / "home" / "datasets" / name / "table.parquet")[0] for name in ("whole", "killed")
        ]
        return found | {"second_half_seconds": round(seconds, 1), "same_table": tables[0].equals(tables[1])}


def _draw(folder: Path, images: int) -> None:
    """Write phantoms as class folders; the names contain the patient as Kermany's do."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        list(pool.map(_save, [folder] * images, range(images), chunksize=64))


def _save(folder: Path, number: int) -> None:
    from cxrcore.data.classes import TUTORIAL
    from cxrcore.data.phantom.images import PhantomSpec, generate

    disease = TUTORIAL[number % 3]
    place = folder / disease
    place.mkdir(parents=True, exist_ok=True)
    pixels = generate(PhantomSpec(disease, number // 3, 0), SEED).image
    Image.fromarray(pixels).save(place / f"person{number}_{number}.png", compress_level=1)


def _timed(words: list[str], place: str) -> tuple[float, float, str]:
    """Return seconds, peak megabytes of resident memory, and the output of a command of `cxr`."""
    code = (
        "import resource, sys\nfrom cxrcore.cli import main\nsys.argv = ['cxr', *sys.argv[1:]]\n"
        "try:\n    main()\nfinally:\n    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    start = time.monotonic()
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, env=_environment(place), capture_output=True, text=True, check=True)
    return time.monotonic() - start, int(done.stderr.split()[-1]) / 1024, done.stdout


def _environment(place: str) -> dict[str, str]:
    return os.environ | {"CXR_HOME": f"{place}/home"}


def _killed_at_half(folder: Path, place: str, images: int) -> None:
    command = [sys.executable, "-m", "cxrcore", "data", "import", str(folder), "--name", "killed"]
    process = subprocess.Popen(command, env=_environment(place), stderr=subprocess.DEVNULL)
    while sum(file.read_bytes().count(b"\n") for file in Path(place).glob(_FOUND)) < images // 2:
        assert process.poll() is None, "the import ended before it could be killed"
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()


def duplicates(images: int = 2000, each: int = 100) -> dict[str, Any]:
    """Return the recall of each kind of copy and the share of images in false pairs."""
    from cxrcore.data.image_statistics import measure, packed
    from cxrcore.data.near_duplicates import near_pairs
    from cxrcore.data.phantom.images import generate, specs
    from cxrcore.progress import ignore_stages

    originals = [Image.fromarray(generate(spec, SEED).image) for spec in list(specs(-(-images // 6), 2))[:images]]
    rng = np.random.default_rng(0)
    copied = [
        (name, source, change(originals[source], rng))
        for name, change in _COPIES.items()
        for source in rng.choice(images, each, replace=False)
    ]
    everything = [*originals, *(copy for _, _, copy in copied)]
    measured = [measure(image.convert("RGB")) for image in everything]
    hashes = packed(str(found["hashes"]) for found in measured)
    pairs = set(map(tuple, near_pairs(hashes, ignore_stages).tolist()))
    origin = [*range(images), *(source for _, source, _ in copied)]
    false = {row for a, b in pairs if origin[a] != origin[b] for row in (a, b)}
    recall = {}
    for name in _COPIES:
        copies = [(source, images + k) for k, (kind, source, _) in enumerate(copied) if kind == name]
        recall[name] = sum(pair in pairs for pair in copies) / len(copies)
    exact = len({found["pixels"] for found in measured[:images]}) == images
    return {"recall": recall, "false_share": len(false) / len(everything), "originals_all_differ": exact}


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    _, packed = cv2.imencode(".jpg", np.asarray(image), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return Image.open(io.BytesIO(packed.tobytes())).convert("L")


def _cropped(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Crop a twentieth: in the middle, at one side, or at a corner."""
    width, height = image.size
    x, y = 0.05 * width, 0.05 * height
    left, top = rng.choice([0, 0.5, 1], 2)
    return image.crop((round(left * x), round(top * y), round(width - (1 - left) * x), round(height - (1 - top) * y)))


_COPIES = {
    "exact": lambda image, rng: image,
    "rescaled 0.5": lambda image, rng: image.resize((image.width // 2, image.height // 2), Image.Resampling.BILINEAR),
    "JPEG 50": lambda image, rng: _jpeg(image, 50),
    "cropped 5 %": _cropped,
}


def outliers() -> dict[str, Any]:
    """Return, by check, the share of flagged images: unchanged radiographs and changed ones."""
    from cxrcore.audits.dataset.outliers import flags
    from cxrcore.data.image_statistics import measure
    from cxrcore.data.images import open_rgb
    from cxrcore.data.phantom.images import generate, specs

    folders = {"phantoms": [Image.fromarray(generate(spec, SEED).image).convert("RGB") for spec in specs(50, 1)]}
    if SHARED.is_dir():
        folders["shared"] = [open_rgb(path) for path in _radiographs()]
    result: dict[str, Any] = {}
    for place, pictures in folders.items():
        result[place] = {"n": len(pictures)}
        for name, change in _CHANGES.items():
            measured = pd.DataFrame([measure(change(image, k)) for k, image in enumerate(pictures)])
            shares = {
                check: round(float(found.mean()), 4)
                for check, found in flags(measured, pd.Series("", measured.index)).items()
            }
            if name == "unchanged":
                result[place]["unchanged, flagged"] = shares
            else:
                result[place][f"{name}, flagged"] = shares[name]
    return result


def _write_on(image: Image.Image, seed: int) -> Image.Image:
    """Burn a word into a corner, of random size and place."""
    pixels, rng = np.array(image), np.random.default_rng(seed)
    height, width = pixels.shape[:2]
    unit = max(height, width) / 512
    text = "".join(map(str, rng.choice(list("ABCDEFGHKLMNPRSTUX0123456789"), rng.integers(5, 14))))
    size, line = float(rng.uniform(0.35, 0.8) * unit), max(1, round(unit * rng.uniform(1, 1.8)))
    (wide, high), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, line)
    x = int(rng.choice([0.02 * width, max(0, 0.98 * width - wide)]))
    y = int(rng.choice([high + 0.02 * height, 0.97 * height]))
    cv2.putText(pixels, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), line, cv2.LINE_AA)
    return Image.fromarray(pixels)


_CHANGES = {
    "unchanged": lambda image, k: image,
    "inverted": lambda image, k: Image.eval(image, lambda value: 255 - value),
    "turned": lambda image, k: image.transpose((Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270)[k % 2]),
    "nearly blank": lambda image, k: Image.eval(image, lambda value: 100 + value // 64),
    "in colour": lambda image, k: Image.fromarray((np.asarray(image) * (1.0, 0.5, 0.5)).astype(np.uint8)),
    "letters": _write_on,
}


def main() -> None:
    """Print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["rate", "scale", "duplicates", "outliers"])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = {"rate": rate, "scale": scale, "duplicates": duplicates, "outliers": outliers}[given.what]()
    print(json.dumps(found) if given.json else json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
