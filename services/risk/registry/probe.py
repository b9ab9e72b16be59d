"""Runs a model for the first time in a process of its own: `python -m` with this module's name.

A file with a hash that agrees may still make onnxruntime hang, take all memory, or crash. It then
does so here, and the service refuses it. The content comes on the standard input as one line of
JSON with the lengths, then the bytes; the answer is one line of JSON.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Final

from services.risk.registry.contents import Content, ModelRefused, checks_of

#: The folder that holds `services`, whatever the service's own working directory is.
ROOT: Final = Path(__file__).parents[3]
TIMEOUT_S: Final = 60.0
#: Address space of the process: numpy and onnxruntime take under a gigabyte of it.
MEMORY_BYTES: Final = 4 * 2**30
CPU_S: Final = 25


async def probed(content: Content) -> dict[str, Any]:
    """What `checks_of` says of the content, found out apart. Raises ModelRefused."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.risk.registry.probe",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        # nothing of the service's secrets, and one thread
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    onnx = content.onnx or b""
    head = json.dumps({"manifest": len(content.manifest), "onnx": len(onnx)}).encode() + b"\n"
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, _ = await process.communicate(head + content.manifest + onnx)
    except TimeoutError:
        raise ModelRefused("the model does not answer in time") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise ModelRefused(f"the model ends its process ({process.returncode})")
    answer: dict[str, Any] = json.loads(out)
    if "refused" in answer:
        raise ModelRefused(answer["refused"])
    return answer


def main() -> int:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    head = json.loads(sys.stdin.buffer.readline())
    manifest = sys.stdin.buffer.read(head["manifest"])
    onnx = sys.stdin.buffer.read(head["onnx"])
    try:
        answer = checks_of(Content(manifest, onnx or None))
    except ModelRefused as error:
        answer = {"refused": str(error)}
    sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
