"""The inspector over a large lake: every page, the first thumbnails, and many people at once.

python benchmarks/inspector.py [IMAGES] [--versions V] [--models M] [--minutes T] [--keep FOLDER]

A lake of pictures with three boxes an image, V dataset versions and M models; every page is asked
thirty times with other queries, and the first answer after the start is told by itself. The first
sixty thumbnails are seen in a real Chromium, rendered from the pictures. Then twenty people use it.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # as a script, only benchmarks/ is on the path
PROJECT = "large"
TIMES = 30
PEOPLE = 20
CHROMIUM = "/usr/bin/chromium"
FIRST = 60


def main() -> None:
    """Make the world where it is not, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--versions", type=int, default=50)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--keep", type=Path, help="folder of the world: made once, then used again")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = (given.keep or Path(folder)).absolute()
        if not (home / "projects").exists():
            make(home, given)
        told = f"{given.images:,} images, {given.versions} versions, {given.models} models"
        print(
            f"{told}; {platform.machine()}, {os.cpu_count()} cores; Python", sys.version.split()[0]
        )
        print(*(f"{name} {version(name)}" for name in ("fastapi", "duckdb", "pylance")), sep=", ")
        measure(home, given.minutes)


def make(home: Path, given: argparse.Namespace) -> None:
    """Write the world."""
    os.environ |= {"CV_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    os.environ["CV_PROJECTS"] = str(home / "projects")
    from dagster import DagsterInstance

    from benchmarks.worlds.inspected import make_inspected
    from cv_pipeline.instance import initialise

    initialise(log=print)
    with DagsterInstance.get() as instance:
        make_inspected(
            home,
            instance,
            images=given.images,
            versions=given.versions,
            models=given.models,
            evaluated=2,
        )


def measure(home: Path, minutes: float) -> None:
    """Serve the world and ask for everything."""
    from benchmarks.worlds.serving import people, served

    with served(home) as server:
        headers = {"Authorization": f"Bearer {server.token}", "Accept": "text/html"}
        with httpx.Client(base_url=server.url, headers=headers, timeout=300) as client:
            for name, addresses in pages(client).items():
                timed(client, name, addresses)
        first_thumbnails(home, server.url, server.token)
        if minutes:
            rows = people(server, project=PROJECT, users=PEOPLE, seconds=round(60 * minutes))
            print(f"\n{PEOPLE} people at once for {minutes:g} minutes")
            for row in rows:
                print(
                    f"  {row['Name']:<40} {row['Request Count']:>8} requests"
                    f" {row['Failure Count']:>5} failed  p95 {row['95%']:>6} ms"
                )


def pages(client: httpx.Client) -> dict[str, list[str]]:
    """Name of each page to addresses of it."""
    p, api = f"/p/{PROJECT}", f"/api/v1/p/{PROJECT}"
    scenes = ("outdoor", "indoor", "yard", "road", "river")
    queries = [
        f"metadata.scene = '{scene}' and label = 'class_{n}'" for scene in scenes for n in range(6)
    ]
    evaluation = client.get(f"{api}/evaluations/latest").json()["digest"]
    shown = client.get(f"{api}/images/rows", params={"q": queries[0], "count": TIMES}).json()
    ids = [item["id"] for item in shown["items"]]
    datasets = [d["digest"] for d in client.get(f"{api}/datasets").json()["versions"]]
    models = [m["digest"] for m in client.get(f"{api}/models").json()["rows"]]

    def asked(path: str) -> list[str]:
        return [f"{p}{path}?{httpx.QueryParams({'q': q})}" for q in queries]

    return {
        "board": [p],
        "evaluation": [f"{p}/evaluations/{evaluation}"],
        "images of a query": asked("/images"),
        "images of an evaluation": [f"{p}/images?evaluation={evaluation}"],
        "facets of a query": [a.replace("/p/", "/api/v1/p/", 1) for a in asked("/images/facets")],
        "count of a query": [a.replace("/p/", "/api/v1/p/", 1) for a in asked("/images/count")],
        "image": [f"{p}/images/{i}" for i in ids],
        "datasets": [f"{p}/datasets"],
        "dataset": [f"{p}/datasets/{d}" for d in datasets],
        "models": [f"{p}/models"],
        "model": [f"{p}/models/{m}" for m in models[:2]],
        "compare": [f"{p}/compare?before={models[1]}&after={models[0]}"],
        "lineage": [f"{p}/lineage/dataset/{d}" for d in datasets],
        "overview": [f"{p}/overview"],
        "queries": [f"{p}/queries"],
        "investigations": [f"{p}/investigations"],
    }


def timed(client: httpx.Client, name: str, addresses: list[str]) -> None:
    """Ask for a page again and again."""
    seconds = []
    for number in range(TIMES + 1):
        began = time.perf_counter()
        answer = client.get(addresses[number % len(addresses)])
        seconds.append(time.perf_counter() - began)
        if answer.status_code != 200:
            print(f"  {name:<26} {answer.status_code} {answer.text[:200]!r}")
            return
    first, rest = seconds[0], sorted(seconds[1:])
    print(
        f"  {name:<26} first {first:6.2f} s   median {statistics.median(rest):6.3f} s"
        f"   p95 {rest[int(0.95 * len(rest))]:6.3f} s"
    )


def first_thumbnails(home: Path, url: str, token: str) -> None:
    """How long until the first thumbnails are seen, none of which was ever rendered."""
    from playwright.sync_api import sync_playwright

    shutil.rmtree(home / "cache" / "inspector" / "renders", ignore_errors=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(
            viewport={"width": 1440, "height": 900},
            extra_http_headers={"Authorization": f"Bearer {token}"},
        )
        page = context.new_page()
        began = time.perf_counter()
        page.goto(f"{url}/p/{PROJECT}/images?q=all images", wait_until="commit")
        seen = (
            "n => [...document.querySelectorAll('img')]"
            ".filter(i => i.complete && i.naturalWidth > 0).length >= n"
        )
        page.wait_for_function(seen, arg=1)
        one = time.perf_counter() - began
        page.wait_for_function(seen, arg=FIRST, timeout=60_000)
        print(f"  first thumbnail {one:.2f} s, first {FIRST} {time.perf_counter() - began:.2f} s")
        browser.close()


if __name__ == "__main__":
    main()
