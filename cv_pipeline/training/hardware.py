"""What computations run on: recorded with every model, and told without importing torch.

The same specification gives the same bits only where :func:`execution_environment` is the same.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version
from itertools import takewhile
from pathlib import Path
from typing import Any

import psutil

from cv_pipeline.training.spec import Value

_PACKAGES = (
    "torch",
    "torchvision",
    "lightning",
    "nvidia-dali-cuda130",
    "numpy",
    # these decide the pixels of every image that is decoded or rendered
    "pillow",
    "simplejpeg",
    "tifffile",
    "imagecodecs",
)


def threads() -> int:
    """Threads that computations use: ``OMP_NUM_THREADS``, else the cores this process may use."""
    value = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if value.isdecimal() and int(value) > 0:
        return int(value)
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def execution_environment() -> dict[str, Value]:
    """All that weights depend on beside the specification: processor, threads and versions."""
    environment: dict[str, Value] = {
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_model(),
        "threads": threads(),
        "gpu": ", ".join(_gpus()) or "none",
        "python": platform.python_version(),
    }
    return environment | {name: _version(name) for name in _PACKAGES}


def hardware(*, device: str) -> dict[str, Value]:
    """The machine, its memory and the device used, for people to read.

    Args:
        device: ``cpu`` or ``cuda``.
    """
    return {
        **execution_environment(),
        "device": device,
        "cores": os.cpu_count() or 1,
        "memory_bytes": psutil.virtual_memory().total,
    }


def device_name(device: str) -> str:
    """The processor, or the first GPU that is visible, by its own name.

    Args:
        device: ``cpu`` or ``cuda``.
    """
    return _cpu_model() if device == "cpu" else next(iter(_gpus()), device)


def peak_memory_bytes() -> int:
    """Largest resident size that this process has had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _gpus() -> list[str]:
    """Names of the NVIDIA GPUs that CUDA programs of this process see, in their order.

    Numbers in ``CUDA_VISIBLE_DEVICES`` are taken in the driver's order (``PCI_BUS_ID``).
    """
    import pynvml

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and not _listed(visible):
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no driver: no GPU
        return []
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        if visible is not None:
            handles = _chosen(_listed(visible), handles)
        return [str(pynvml.nvmlDeviceGetName(h)) for h in handles]
    finally:
        pynvml.nvmlShutdown()


def _listed(visible: str) -> list[str]:
    """Entries of ``CUDA_VISIBLE_DEVICES`` up to the first that names no device, as CUDA reads it.

    An entry that is there twice hides every device.
    """
    entries = list(
        takewhile(
            lambda e: e.isdecimal() or e.startswith(("GPU-", "MIG-")),
            (entry.strip() for entry in visible.split(",")),
        )
    )
    return entries if len(set(entries)) == len(entries) else []


def _chosen(entries: list[str], handles: list[Any]) -> list[Any]:
    """NVML's handles of the entries, up to the first that is of no device."""
    import pynvml

    identities = [pynvml.nvmlDeviceGetUUID(h) for h in handles]
    chosen = []
    for entry in entries:
        if entry.isdecimal():
            found = handles[int(entry) : int(entry) + 1]
        elif entry.startswith("GPU-"):  # the beginning is enough when it is of one device only
            found = [h for h, i in zip(handles, identities, strict=True) if i.startswith(entry)]
        else:
            found = _instance(entry)
        if len(found) != 1:
            break
        chosen += found
    return chosen


def _instance(identity: str) -> list[Any]:
    """The part of a GPU (MIG) of this identity, if there is one."""
    import pynvml

    try:
        return [pynvml.nvmlDeviceGetHandleByUUID(identity)]
    except pynvml.NVMLError:
        return []


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
